//! The agent's processes as the kernel shows them, and what is done to them from outside.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use super::{Host, text, until};

impl Host {
    /// The process with rights: the one that was started.
    pub fn monitor(&self) -> u32 {
        self.agent.as_ref().expect("a running agent").child.id()
    }

    /// The process that speaks with the network, once there is one.
    pub fn network(&self) -> u32 {
        until("a network process", || self.network_now())
    }

    /// The same, if there is one at this moment.
    pub fn network_now(&self) -> Option<u32> {
        let is_role = |pid: &u32| {
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            words.split(|byte| *byte == 0).any(|word| word == b"network")
        };
        children(self.monitor()).into_iter().find(is_role)
    }

    /// A whole request that carries an envelope with its right signature, for [`super::RawClient::send`].
    pub fn order(&self, body: &[u8]) -> Vec<u8> {
        let signature = self.sign_bytes(body);
        let length = body.len();
        let head = format!(
            "POST /v1/execute HTTP/1.1\r\nHost: a\r\nSecmon-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n"
        );
        [head.as_bytes(), body].concat()
    }
}

/// The children of `monitor` that still run.
fn children(monitor: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("a /proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, parent)| parent == monitor && state != 'Z')).collect()
}

/// The state and the parent of a process (proc_pid_stat(5)).
fn stat(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether this process is there, and neither a zombie nor on its way to be one.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| !['Z', 'X'].contains(&state))
}

/// Sends a signal, by its name without SIG.
pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).stderr(Stdio::null()).status();
    assert!(status.expect("kill runs").success(), "kill -s {name} {pid}");
}

/// kill -9, and waits until the process runs no more.
pub fn kill(pid: u32) {
    signal(pid, "KILL");
    until("a killed process to end", || (!is_alive(pid)).then_some(()));
}

/// Sets the soft limit of descriptors of a running process, as its own user: root itself may lack the right to do that
/// to others (CAP_SYS_RESOURCE).
pub fn limit_descriptors(pid: u32, most: usize) {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process of ours");
    let id = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of ids");
        line.split_whitespace().next().expect("an id").to_owned()
    };
    let output = Command::new("setpriv")
        .args(["--reuid", &id("Uid:"), "--regid", &id("Gid:"), "--clear-groups", "prlimit"])
        .args([format!("--pid={pid}"), format!("--nofile={most}:")])
        .output()
        .expect("setpriv runs");
    assert!(output.status.success(), "prlimit: {}", text(&output.stderr));
}

/// How many descriptors a process has open. Takes root where the process isn't dumpable.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).expect("a process of ours").count()
}

/// A number in kB from `/proc/PID/<file>`, as `VmHWM` of status and `Pss` of smaps_rollup.
pub fn kilobytes(pid: u32, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("a process of ours");
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {name} in /proc/{pid}/{file}: {text}"))
}

/// How often each thread of a process has gone to sleep by itself: it has been woken as often, or once less.
pub fn naps(pid: u32) -> BTreeMap<String, u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("a process of ours");
    let nap = |task: std::io::Result<fs::DirEntry>| {
        let task = task.ok()?.path();
        let status = fs::read_to_string(task.join("status")).ok()?;
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        Some((task.display().to_string(), count.trim().parse().ok()?))
    };
    tasks.filter_map(nap).collect()
}

/// Whether a program runs without a dynamic linker, as the released one does.
pub fn is_static(pid: u32) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("a process of ours");
    !maps.contains("libc.so") && !maps.contains("/ld-")
}

/// False, with a line that says so, unless root runs the test: then `what` can't be shown.
pub fn root_or_skipped(what: &str) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|ours| ours.uid() == 0);
    if !root {
        eprintln!("skipped: {what} takes root");
    }
    root
}

/// Numbers that are the same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// By `SECMON_FAULT_SEED`, or by chance; the seed is printed, so that the same moments can be had again.
    pub fn thrown() -> Self {
        let given = std::env::var("SECMON_FAULT_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0) >> 16);
        println!("SECMON_FAULT_SEED={seed}");
        Self(seed)
    }

    /// A number from 0 to `below` - 1.
    pub fn below(&mut self, below: u64) -> u64 {
        self.next() % below
    }

    /// Others, for another thread.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
