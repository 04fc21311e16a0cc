//! A real host: Debian with systemd as PID 1 and a real nginx, booted in a container by a script that lies beside
//! the source tree on the machines that have it.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::agent_host::text;

/// Where the guest is reached from this machine.
pub const GUEST: &str = "10.89.77.2";

/// A booted guest. Dropping it powers it off.
#[derive(Debug)]
pub struct Testbed {
    script: PathBuf,
}

impl Testbed {
    /// A fresh guest, or why there can't be one here.
    pub fn boot() -> Result<Self, String> {
        let script = find()?;
        let check = run(&script, &["check"], None);
        if !check.status.success() {
            return Err(text(&check.stderr));
        }
        for step in ["make", "boot"] {
            let output = run(&script, &[step], None);
            assert!(output.status.success(), "{step}: {}{}", text(&output.stdout), text(&output.stderr));
        }
        Ok(Self { script })
    }

    /// Runs a command in the guest, which must succeed; what it printed.
    pub fn exec(&self, command: &[&str]) -> String {
        let output = self.attempt(command);
        assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }

    /// Runs a command in the guest, whatever becomes of it.
    pub fn attempt(&self, command: &[&str]) -> Output {
        run(&self.script, &[&["exec"], command].concat(), None)
    }

    /// Copies a file into the guest.
    pub fn push(&self, from: &Path, to: &str, mode: &str) {
        let copy = format!("umask 077; cat >'{to}' && chmod {mode} '{to}'");
        let output = run(&self.script, &["exec", "sh", "-c", &copy], Some(from));
        assert!(output.status.success(), "{to}: {}", text(&output.stderr));
    }

    /// A property of a unit in the guest.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.exec(&["systemctl", "show", "--value", "-p", name, unit])
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        let output = run(&self.script, &["stop"], None);
        if !output.status.success() {
            eprintln!("testbed stop: {}", text(&output.stderr));
        }
    }
}

/// The script, in `$SECMON_SHARED/testbed` or beside the source tree.
fn find() -> Result<PathBuf, String> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("SECMON_SHARED").map_or_else(beside, PathBuf::from);
    let script = shared.join("testbed/testbed.sh");
    if script.is_file() { Ok(script) } else { Err("no testbed beside the source tree".to_owned()) }
}

fn run(script: &Path, arguments: &[&str], input: Option<&Path>) -> Output {
    let stdin = input.map_or_else(Stdio::null, |path| File::open(path).expect("a file to copy").into());
    // The guest's processes outlive the script, and must not hold our pipes.
    Command::new(script).args(arguments).stdin(stdin).output().expect("the testbed's script runs")
}
