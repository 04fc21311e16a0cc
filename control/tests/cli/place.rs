//! A throw-away place where commands run, and what they did there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A throw-away place with a data directory in it, and everything that was printed there.
pub(crate) struct Place {
    pub(crate) home: tempfile::TempDir,
    pub(crate) printed: std::cell::RefCell<String>,
}

/// What one command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    /// An empty place.
    pub(crate) fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory"), printed: Default::default() }
    }

    /// A place where `secmon init` and `secmon client add acme` have run.
    pub(crate) fn ready() -> Self {
        let place = Self::new();
        place.run(&["init"]).succeeded();
        place.run(&["client", "add", "acme"]).succeeded();
        place
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secmon"));
        command.args(arguments).current_dir(self.home.path()).env_clear();
        command.env("SECMON_DATA_DIR", self.data()).envs(variables.iter().copied());
        let ran = Ran::from(command.output().expect("secmon runs"));
        self.printed.borrow_mut().push_str(&format!("{}{}", ran.out, ran.err));
        ran
    }

    /// Adds web1, which may restart nginx.
    pub(crate) fn add_agent(&self) -> PathBuf {
        let arguments = ["agent", "add", "acme", "web1", "--address", "203.0.113.5:7443"];
        self.run(
            &[&arguments[..], &["--allow", "restart-web=nginx", "--min-interval", "restart-web=60"]].concat(),
        )
        .succeeded();
        self.path("web1.bundle")
    }

    pub(crate) fn settings(&self) -> String {
        fs::read_to_string(self.data().join("secmon.env")).expect("settings")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// Failed with one line on stderr that contains all of `texts`.
    #[track_caller]
    pub(crate) fn refused(self, texts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert!(self.err.starts_with("secmon: ") && self.err.trim_end().lines().count() == 1, "{}", self.err);
        for text in texts {
            assert!(self.err.contains(text), "{text} in {}", self.err);
        }
    }

    /// Refused as a command line, with `text` in the explanation.
    #[track_caller]
    pub(crate) fn misused(self, text: &str) {
        assert_eq!(self.code, Some(2), "{}{}", self.out, self.err);
        assert!(self.err.contains(text), "{text} in {}", self.err);
    }
}

#[track_caller]
pub(crate) fn openssl(arguments: &[&str]) -> String {
    let ran = Ran::from(Command::new("openssl").args(arguments).output().expect("openssl runs")).succeeded();
    format!("{}{}", ran.out, ran.err)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

pub(crate) fn mode(path: &Path) -> u32 {
    path.metadata().expect("metadata").permissions().mode() & 0o777
}
