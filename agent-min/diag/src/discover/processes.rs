//! Who runs: the servers among the processes, with their masters.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::diag::{Check, WhyNotChecked};

use crate::Notes;
use crate::host::{Denied, Host};
use crate::stack::Process;

/// More entries of `/proc` than this are not looked at. A host with so many processes has another problem.
const ENTRIES_MAX: usize = 8192;
/// What is kept of them.
const SERVERS_MAX: usize = 1024;
/// A `stat` line has at most some 400 bytes; a command line of interest, too.
const LINE_MAX: usize = 1024;
/// Clock ticks a second in what the kernel tells user space (`USER_HZ`), the same on all architectures of ours.
const TICKS: u64 = 100;

/// Beginnings of the names of processes that matter here.
const SERVERS: [&str; 15] = [
    "nginx",
    "angie",
    "openresty",
    "apache2",
    "httpd",
    "php-fpm",
    "php",
    "mariadbd",
    "mysqld",
    "postgres",
    "caddy",
    "lighttpd",
    "litespeed",
    "openlitespeed",
    "lshttpd",
];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) parent: u32,
    pub(crate) process: Process,
}

/// All of them.
pub(crate) fn read(host: &dyn Host, notes: &mut Notes) -> Vec<Server> {
    // Where processes of others are hidden (hidepid), the first one is, too.
    if let Err(Denied::Permission | Denied::Absent) = host.read("/proc/1/stat", LINE_MAX) {
        notes.skipped(Check::Processes, WhyNotChecked::Permission, "/proc/1/stat");
        return Vec::new();
    }
    let boot = host.read("/proc/stat", 256 * 1024).ok().and_then(|text| boot_time(&text)).unwrap_or_default();
    let names = host.list("/proc", ENTRIES_MAX).unwrap_or_default();
    if names.len() >= ENTRIES_MAX {
        notes.skipped(Check::Processes, WhyNotChecked::Unsupported, "/proc");
    }
    let mut out = Vec::new();
    for pid in names.iter().filter_map(|name| name.parse::<u32>().ok()) {
        let Ok(line) = host.read(&format!("/proc/{pid}/stat"), LINE_MAX) else { continue };
        let Some(stat) = stat(&line).filter(|stat| SERVERS.iter().any(|name| stat.name.starts_with(name)))
        else {
            continue;
        };
        let uid = host.metadata(&format!("/proc/{pid}")).map_or(u32::MAX, |metadata| metadata.uid);
        let started = boot.saturating_add(stat.ticks.checked_div(TICKS).unwrap_or_default());
        out.push(Server { name: stat.name, parent: stat.parent, process: Process { pid, started, uid } });
        if out.len() >= SERVERS_MAX {
            break;
        }
    }
    out
}

/// The first that its own kind didn't start: the oldest, where several run.
pub(crate) fn master(servers: &[Server], is_one: impl Fn(&str) -> bool) -> Option<&Server> {
    let of_kind = |server: &&Server| is_one(&server.name);
    let is_parent = |pid| servers.iter().any(|other| other.process.pid == pid && is_one(&other.name));
    let masters = servers.iter().filter(of_kind).filter(|server| !is_parent(server.parent));
    masters.min_by_key(|server| (server.process.started, server.process.pid))
}

/// The file that a process was told to read its configuration from (`-c`, `-f`), as its command line says.
pub(crate) fn told_file(host: &dyn Host, pid: u32, flag: &str) -> Option<String> {
    let line = host.read(&format!("/proc/{pid}/cmdline"), LINE_MAX).ok()?;
    let text = String::from_utf8_lossy(&line);
    // nginx writes a title of its own over it, with blanks.
    let mut words = text.split(['\0', ' ']);
    let _found = words.find(|word| *word == flag)?;
    words.next().filter(|path| path.starts_with('/')).map(str::to_owned)
}

/// What is read of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
pub struct Stat {
    /// The program's name.
    pub name: String,
    /// The process that started it.
    pub parent: u32,
    /// When it started, in ticks since the boot.
    pub ticks: u64,
}

/// Reads a `/proc/PID/stat` line. The name may have blanks and brackets in it.
pub fn stat(line: &[u8]) -> Option<Stat> {
    let text = String::from_utf8_lossy(line);
    let (_, rest) = text.split_once('(')?;
    let (name, rest) = rest.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let ticks = fields.nth(17)?.parse().ok()?;
    Some(Stat { name: name.to_owned(), parent, ticks })
}

/// When the host started, from `/proc/stat`.
pub fn boot_time(text: &[u8]) -> Option<u64> {
    let mut lines = text.split(|c| *c == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"btime "))?;
    std::str::from_utf8(line.trim_ascii()).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::discover::fake::FakeHost;

    fn line(pid: u32, name: &str, parent: u32, ticks: u64) -> String {
        format!("{pid} ({name}) S {parent} 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 {ticks} 9 9 9")
    }

    #[test]
    fn a_stat_line_is_read_whatever_the_program_is_called() {
        for name in ["nginx", "a) S 1 (b", "", "php-fpm: pool w"] {
            let expected = Some(Stat { name: name.into(), parent: 7, ticks: 4200 });
            assert_eq!(stat(line(5, name, 7, 4200).as_bytes()), expected);
        }
        let own = std::fs::read("/proc/self/stat").expect("our own");
        assert_eq!(stat(&own).expect("read").parent, std::os::unix::process::parent_id());
        let real = std::fs::read("/proc/stat").expect("a kernel");
        assert!(boot_time(&real).expect("a boot") > 1_000_000_000);
        assert_eq!(stat(b"1 (x) S 1 2"), None);
    }

    #[test]
    fn a_master_is_whoever_its_own_kind_did_not_start() {
        let host = FakeHost::new(0)
            .file("/proc/stat", "cpu 1\nbtime 1000\n")
            .file("/proc/1/stat", &line(1, "systemd", 0, 1))
            .file("/proc/40/stat", &line(40, "nginx", 30, 600))
            .file("/proc/30/stat", &line(30, "nginx", 1, 500))
            .file("/proc/50/stat", &line(50, "sh", 1, 500));
        let mut notes = Notes::default();
        let servers = read(&host, &mut notes);
        assert_eq!(servers.len(), 2);
        let master = master(&servers, |name| name == "nginx").expect("a master");
        assert_eq!((master.process.pid, master.process.started), (30, 1005));
        assert!(super::master(&servers, |name| name == "apache2").is_none());
    }

    #[test]
    fn hidden_processes_are_said() {
        let mut notes = Notes::default();
        assert!(read(&FakeHost::new(0).refuse("/proc/1/stat"), &mut notes).is_empty());
        assert_eq!(notes.what_was_not_checked()[0].what, Check::Processes);
    }

    #[test]
    fn the_file_that_a_server_was_told_is_found() {
        let host = FakeHost::new(0)
            .file(
                "/proc/3/cmdline",
                "nginx: master process /usr/sbin/nginx -c /srv/nginx.conf -g daemon off;",
            )
            .file("/proc/4/cmdline", "/usr/sbin/apache2\0-k\0start\0");
        assert_eq!(told_file(&host, 3, "-c").as_deref(), Some("/srv/nginx.conf"));
        assert_eq!(told_file(&host, 4, "-f"), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not(text in prop::collection::vec(any::<u8>(), 0..200)) {
            let _either = (stat(&text), boot_time(&text));
        }
    }
}
