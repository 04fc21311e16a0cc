//! Real hosts: Debian with a real service manager as PID 1 and real services, booted by the scripts in
//! `tests/testbed` as a container, or as an emulated machine of another architecture.
//!
//! Every host is fresh, and ends with the value that stands for it, or with the test's process if that is killed.

mod agent;
mod escape;
mod walls;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub use agent::PORT;
pub use walls::AgentProcess;

use crate::agent_host::text;

/// What to boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// A container with systemd.
    Systemd,
    /// A container with OpenRC.
    OpenRc,
    /// A container with sysvinit and its scripts.
    SysV,
    /// A container with systemd; Apache, PHP over TCP and PostgreSQL besides MariaDB, and without nginx.
    Apache,
    /// A container with systemd; without web server, PHP and database.
    Bare,
    /// A container with systemd and MySQL, and nothing else.
    MySql,
    /// A machine of this architecture with systemd, a kernel of its own and so a clock of its own.
    Amd64,
    /// A 64-bit ARM machine with systemd.
    Arm64,
    /// The same with 32-bit programs.
    ArmHf,
}

/// A booted host. Dropping it ends it, as a power cut does.
#[derive(Debug)]
pub struct Testbed {
    guest: Guest,
    name: String,
    address: String,
    holder: Child,
}

impl Guest {
    /// The target whose programs run there, where it isn't the one of the tests.
    pub const fn triple(self) -> Option<&'static str> {
        match self {
            Self::Systemd | Self::OpenRc | Self::SysV => None,
            Self::Apache | Self::Bare | Self::MySql | Self::Amd64 => None,
            Self::Arm64 => Some("aarch64-unknown-linux-musl"),
            Self::ArmHf => Some("armv7-unknown-linux-musleabihf"),
        }
    }

    /// Whether it is an emulated machine, and no container.
    pub const fn is_machine(self) -> bool {
        matches!(self, Self::Amd64 | Self::Arm64 | Self::ArmHf)
    }

    /// The script that boots it, and what tells the script so.
    const fn script(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Systemd => ("host", "SECMON_TESTBED_KIND", "systemd"),
            Self::OpenRc => ("host", "SECMON_TESTBED_KIND", "openrc"),
            Self::SysV => ("host", "SECMON_TESTBED_KIND", "sysv"),
            Self::Apache => ("host", "SECMON_TESTBED_KIND", "apache"),
            Self::Bare => ("host", "SECMON_TESTBED_KIND", "bare"),
            Self::MySql => ("host", "SECMON_TESTBED_KIND", "mysql"),
            Self::Amd64 => ("machine", "SECMON_TESTBED_ARCH", "amd64"),
            Self::Arm64 => ("machine", "SECMON_TESTBED_ARCH", "arm64"),
            Self::ArmHf => ("machine", "SECMON_TESTBED_ARCH", "armhf"),
        }
    }

    fn command(self, name: &str) -> Command {
        let (script, variable, value) = self.script();
        let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("testbed").join(script));
        command.env(variable, value).env("SECMON_TESTBED_NAME", name);
        if std::env::var_os("SECMON_TESTBED_DIR").is_none() {
            command.env("SECMON_TESTBED_DIR", target_directory().join("testbed"));
        }
        command
    }
}

impl Testbed {
    /// A fresh host under a name that no other test uses. Where this machine can't have one, the test says why
    /// and is skipped.
    pub fn boot(guest: Guest, name: &str) -> Option<Self> {
        let check = guest.command(name).arg("check").output().expect("the testbed's script runs");
        if !check.status.success() {
            println!("skipped: {}", text(&check.stderr).trim());
            return None;
        }
        let make = guest.command(name).arg("make").output().expect("the testbed's script runs");
        if guest == Guest::MySql && !make.status.success() {
            // Packages of a suite that changes every day can't always be installed.
            println!("skipped: {}", text(&make.stderr).trim());
            return None;
        }
        assert!(make.status.success(), "make: {}", text(&make.stderr));
        let mut command = guest.command(name);
        command.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().expect("the testbed's script runs");
        let mut address = String::new();
        let stdout = holder.stdout.take().expect("a piped stdout");
        BufReader::new(stdout).read_line(&mut address).expect("the script's first line");
        if address.is_empty() {
            let mut why = String::new();
            let mut stderr = holder.stderr.take().expect("a piped stderr");
            stderr.read_to_string(&mut why).expect("what the script says");
            panic!("{guest:?} doesn't boot: {why}");
        }
        Some(Self { guest, name: name.to_owned(), address: address.trim_end().to_owned(), holder })
    }

    /// What was booted.
    pub const fn guest(&self) -> Guest {
        self.guest
    }

    /// Where it is reached from this machine.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Runs a command in the guest, which must succeed; what it printed.
    pub fn exec(&self, command: &[&str]) -> String {
        let output = self.attempt(command);
        assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout).trim_end().to_owned()
    }

    /// The same for a line of shell.
    pub fn shell(&self, line: &str) -> String {
        self.exec(&["sh", "-c", line])
    }

    /// Runs a command in the guest, whatever becomes of it.
    pub fn attempt(&self, command: &[&str]) -> Output {
        self.run(command, Stdio::null())
    }

    /// Copies a file into the guest.
    pub fn push(&self, from: &Path, to: &str, mode: &str) {
        let copy = format!("umask 077; cat >'{to}' && chmod {mode} '{to}'");
        let file = File::open(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
        let output = self.run(&["sh", "-c", &copy], file.into());
        assert!(output.status.success(), "{to}: {}", text(&output.stderr));
    }

    /// A property of a unit in the guest.
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.exec(&["systemctl", "show", "--value", "-p", name, unit])
    }

    /// The status of the page that needs nginx, PHP and the database.
    pub fn page(&self) -> String {
        // Exit status 7, nobody listens, is an answer too.
        let line = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1/ || [ $? = 7 ]";
        self.shell(line)
    }

    fn run(&self, command: &[&str], stdin: Stdio) -> Output {
        let mut script = self.guest.command(&self.name);
        // systemd-run would put in its own environment.
        let dollar = if matches!(self.guest, Guest::OpenRc | Guest::SysV) { "$" } else { "$$" };
        let command = command.iter().map(|word| word.replace('$', dollar));
        script.arg("exec").args(command).stdin(stdin).output().expect("the testbed's script runs")
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let ended = self.holder.wait();
        if !ended.as_ref().is_ok_and(std::process::ExitStatus::success) {
            eprintln!("the testbed's script: {ended:?}");
        }
    }
}

/// Where the program of the tests was built.
fn target_directory() -> PathBuf {
    let program = std::env::current_exe().expect("a path of this program");
    let programs = program.ancestors().skip(1).find(|path| !path.ends_with("deps"));
    programs.and_then(Path::parent).expect("target/debug/deps/test, or target/release/figures").to_path_buf()
}
