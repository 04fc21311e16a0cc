//! The kill switch: a variable that holds while the process runs, and a file that works on a running one.
//!
//! A [`Permit`] can be had from nowhere else, is good for one change, and without one (or an approval) no change
//! compiles. It is asked for at the moment of each dispatch, never kept, and says which [`Path`] asks.

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

/// Each way in which a zone, or for how long it is changed, is changed without anybody asking at that moment. The tests
/// of the switch have an arm for each: a new one doesn't compile without its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The narrowest mitigation of a flood.
    Narrow,
    /// Under-attack mode.
    UnderAttack,
    /// Putting back what automatic dispatch made.
    Back,
    /// More time for what it made.
    Prolong,
}

/// The right to one automatic change, now.
#[derive(Debug)]
pub struct Permit(Path);

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
    pub fn permit(&self, path: Path) -> Result<Permit, Suppressed> {
        match self.off() {
            Some(by) => Err(by),
            None => Ok(Permit(path)),
        }
    }

    /// Why automatic changes are off, if they are.
    pub fn off(&self) -> Option<Suppressed> {
        if self.variable == AutoCloudflare::Disabled {
            return Some(Suppressed::Variable);
        }
        match self.file.symlink_metadata() {
            Ok(_) => Some(Suppressed::File),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Suppressed::Unreadable(error.to_string())),
        }
    }
}

impl Path {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::UnderAttack => "under-attack",
            Self::Back => "back",
            Self::Prolong => "prolong",
        }
    }
}

impl Permit {
    /// For what it was asked.
    pub const fn path(&self) -> Path {
        self.0
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
        assert!(on.permit(Path::Narrow).is_ok());
        let variable = Switch::new(AutoCloudflare::Disabled, file.clone());
        assert_eq!(variable.off(), Some(Suppressed::Variable));
        std::fs::write(&file, "").expect("a file");
        assert_eq!(on.off(), Some(Suppressed::File), "it works on a running process");
        std::fs::remove_file(&file).expect("gone");
        assert_eq!(on.permit(Path::Back).map(|permit| permit.path()).ok(), Some(Path::Back));
        let unreadable = Switch::new(AutoCloudflare::Allowed, file.join("x"));
        assert!(unreadable.permit(Path::Narrow).is_ok(), "nothing there is nothing switched off");
        std::fs::write(&file, "").expect("a file");
        assert!(matches!(unreadable.off(), Some(Suppressed::Unreadable(_))));
    }
}
