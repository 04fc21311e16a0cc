//! The kill switch: a variable that holds while the process runs, and a file that works on a running one.
//!
//! A [`Permit`] can be had from nowhere else, is good for one change, and without one (or an approval) no change
//! compiles. It is asked for at the moment of each dispatch, never kept.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::config::AutoCloudflare;

/// Where the switch stands is asked here.
#[derive(Debug)]
pub struct Switch {
    variable: AutoCloudflare,
    file: PathBuf,
}

/// The right to one automatic change, now.
#[derive(Debug)]
pub struct Permit(());

/// Why there is no permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suppressed {
    /// `SECMON_AUTO_CF_DISABLED=1`.
    Variable,
    /// `secmon auto off`.
    File,
    /// Whether the file is there can't be told, which counts as if it were.
    Unreadable(String),
}

impl Switch {
    /// The switch of a data directory.
    pub const fn new(variable: AutoCloudflare, file: PathBuf) -> Self {
        Self { variable, file }
    }

    /// A permit, unless automatic changes are switched off.
    pub fn permit(&self) -> Result<Permit, Suppressed> {
        if self.variable == AutoCloudflare::Disabled {
            return Err(Suppressed::Variable);
        }
        match self.file.symlink_metadata() {
            Ok(_) => Err(Suppressed::File),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Permit(())),
            Err(error) => Err(Suppressed::Unreadable(error.to_string())),
        }
    }

    /// Why automatic changes are off, if they are.
    pub fn off(&self) -> Option<Suppressed> {
        self.permit().err()
    }
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable => f.write_str("SECMON_AUTO_CF_DISABLED=1"),
            Self::File => f.write_str("`secmon auto off`"),
            Self::Unreadable(why) => write!(f, "the switch can't be read: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_switch_suffices_and_what_cannot_be_read_counts_as_off() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("auto-off");
        let on = Switch::new(AutoCloudflare::Allowed, file.clone());
        assert!(on.permit().is_ok());
        let variable = Switch::new(AutoCloudflare::Disabled, file.clone());
        assert_eq!(variable.off(), Some(Suppressed::Variable));
        std::fs::write(&file, "").expect("a file");
        assert_eq!(on.off(), Some(Suppressed::File), "it works on a running process");
        std::fs::remove_file(&file).expect("gone");
        assert!(on.permit().is_ok());
        let unreadable = Switch::new(AutoCloudflare::Allowed, file.join("x"));
        assert!(unreadable.permit().is_ok(), "nothing there is nothing switched off");
        std::fs::write(&file, "").expect("a file");
        assert!(matches!(unreadable.off(), Some(Suppressed::Unreadable(_))));
    }
}
