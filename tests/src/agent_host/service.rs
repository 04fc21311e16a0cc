//! A real service: a process, its init script, its pid file, and a log of what the script was asked for.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::{PATIENCE, set_mode};

/// One service under `<init_dir>/<name>`; its process is killed with it.
#[derive(Debug)]
pub struct Service {
    script: PathBuf,
    pid_file: PathBuf,
    dir: PathBuf,
}

/// Holds restarts inside the init script until they are let go.
#[derive(Debug)]
pub struct Visit {
    dir: PathBuf,
    gate: File,
    arrivals: Receiver<String>,
}

impl Service {
    /// Writes the init script and starts the service.
    pub fn install(init_dir: &Path, run_dir: &Path, name: &str, pid_file: &str) -> Self {
        let dir = init_dir.with_file_name(format!("service-{name}"));
        fs::create_dir(&dir).expect("a new directory");
        let service = Self { script: init_dir.join(name), pid_file: run_dir.join(pid_file), dir };
        let script = include_str!("service.sh")
            .replace("@DIR@", service.dir.to_str().expect("a plain path"))
            .replace("@PID_FILE@", service.pid_file.to_str().expect("a plain path"));
        fs::write(&service.script, script).expect("a written file");
        set_mode(&service.script, 0o755);
        make_fifo(&service.dir.join("forever"));
        service.control("start");
        service
    }

    /// Runs the init script as an administrator would.
    pub fn control(&self, verb: &str) {
        // Read by a shell, because the kernel doesn't run a file that is open for writing, which this one is for a
        // moment in whatever another thread of the tests has just forked (execve(2), ETXTBSY).
        let status = Command::new("/bin/sh").arg(&self.script).arg(verb).stdin(Stdio::null()).status();
        assert!(status.expect("the script runs").success(), "{} {verb}", self.script.display());
    }

    /// The process id of the service, if it runs.
    pub fn pid(&self) -> Option<u32> {
        let pid = fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()?;
        self.is_ours(pid).then_some(pid)
    }

    /// How often anyone asked the script for a restart.
    pub fn restarts(&self) -> usize {
        self.log().iter().filter(|line| line.starts_with("restart ")).count()
    }

    /// Every `restart`, `started` and `unexpected` line that the script wrote.
    pub fn log(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// A file that the script wrote or looks at: `environment`, `descriptors`, `broken`, `keeps_output`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// From now on restarts stop inside the script, before they touch the service.
    pub fn hold(&self) -> Visit {
        let (gate, reached) = (self.dir.join("gate"), self.dir.join("reached"));
        make_fifo(&reached);
        make_fifo(&gate);
        // Opening a FIFO for both reading and writing doesn't wait for another side (fifo(7)).
        let both = |path: &Path| OpenOptions::new().read(true).write(true).open(path).expect("a FIFO");
        let lines = BufReader::new(both(&reached)).lines();
        let (sender, arrivals) = channel();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Visit { dir: self.dir.clone(), gate: both(&gate), arrivals }
    }

    fn is_ours(&self, pid: u32) -> bool {
        let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        // A process that has ended, but that nobody waited for, has an empty command line; one that has just begun
        // still has the script's. Both name something in the host's directory, which no other process does.
        let host = self.dir.parent().and_then(Path::to_str).expect("a plain path");
        String::from_utf8_lossy(&command).contains(host)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for line in self.log() {
            let Some(pid) = line.strip_prefix("started ").and_then(|pid| pid.parse().ok()) else { continue };
            if self.is_ours(pid) {
                // Best effort: the test has its verdict already.
                let _status = Command::new("kill").arg(pid.to_string()).status();
            }
        }
    }
}

impl Visit {
    /// Waits until a restart has reached the gate; the process id of the script.
    pub fn arrival(&self) -> u32 {
        let pid = self.arrivals.recv_timeout(PATIENCE).expect("no restart reached the service");
        pid.parse().expect("a process id")
    }

    /// Lets one restart go on.
    pub fn release(&mut self) {
        self.gate.write_all(b"go\n").expect("room in the FIFO");
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        for fifo in ["gate", "reached"] {
            // Gone already when the whole directory is.
            let _removed = fs::remove_file(self.dir.join(fifo));
        }
        let _released = self.gate.write_all(b"go\n");
    }
}

fn make_fifo(path: &Path) {
    let status = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(status.success(), "mkfifo {}", path.display());
}
