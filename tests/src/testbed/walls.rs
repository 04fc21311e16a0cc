//! The agent's processes on a real host as the host's `/proc` shows them, and what must hold of each.

use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Guest, Testbed};
use crate::agent_host::{PATIENCE, text};
use crate::plane::Plane;

/// What the monitor keeps where systemd starts the services (linux/capability.h): CHOWN, DAC_OVERRIDE, FOWNER, KILL,
/// SETGID, SETUID, SETPCAP, NET_BIND_SERVICE, SYS_CHROOT, IPC_LOCK.
const KEPT: [u32; 10] = [0, 1, 3, 5, 6, 7, 8, 10, 18, 14];
const SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// Every process of the agent, whatever it is called; one that ends meanwhile may lack some lines, and is passed over.
const LOOK: &str = r"for exe in /proc/[0-9]*/exe; do
    [ $(readlink $exe) = /usr/local/bin/secmon-agent ] || continue
    dir=${exe%/exe}
    echo Process: ${dir#/proc/}
    echo Command: $(tr '\0' ' ' <$dir/cmdline)
    echo Root: $(readlink $dir/root)
    echo Owner: $(stat -c %u $dir/status)
    echo OomScoreAdj: $(cat $dir/oom_score_adj)
    cat $dir/status $dir/smaps_rollup
    for fd in $dir/fd/*; do echo Descriptor: $(readlink $fd); done
    sed -n 's/^Max \([a-z ]*[a-z]\)  *\([a-z0-9]*\) .*/Max \1: \2/p' $dir/limits
done 2>/dev/null";

/// Stops a diagnostics process that is locked in, which has a filter of system calls more than the monitor. It lives
/// for a moment: nothing here starts a program, and one that isn't locked in yet may go on for just as long as it takes
/// to look again.
const HOLD: &str = r#"monitor=$(systemctl show --value -p MainPID secmon-agent)
children=/proc/$monitor/task/$monitor/children
filters() { while read -r name count && [ "$name" != Seccomp_filters: ]; do :; done </proc/$1/status; }
filters $monitor
of_monitor=$count
read -r network _ <$children
while :; do
    read -r all <$children
    for pid in $all; do
        [ $pid != $network ] && kill -STOP $pid || continue
        filters $pid
        [ ${count:-0} -gt $of_monitor ] && exit
        kill -CONT $pid
    done
done 2>/dev/null"#;

/// One of the agent's processes.
#[derive(Clone, Debug)]
pub struct AgentProcess {
    facts: Vec<(String, String)>,
    /// Of `secmon-agent check`, where it speaks of this process.
    walls: Option<String>,
}

impl Testbed {
    /// The agent's processes at this moment: the monitor first, the others by their names.
    pub fn agent_processes(&self) -> Vec<AgentProcess> {
        let mut processes = Vec::new();
        for line in self.shell(LOOK).lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            if name == "Process" {
                processes.push(AgentProcess { facts: Vec::new(), walls: None });
            }
            let words: Vec<_> = value.split_whitespace().collect();
            let Some(process) = processes.last_mut() else { continue };
            process.facts.push((name.to_owned(), words.join(" ")));
        }
        let check = text(&self.attempt(&["secmon-agent", "check"]).stdout);
        let walls = |role: &str| {
            let start = format!("{role} walls: ");
            check.lines().find_map(|line| line.trim_start().strip_prefix(&start)).map(str::to_owned)
        };
        // One that ended meanwhile.
        processes.retain(|process| !process.all("Max processes").is_empty());
        for process in &mut processes {
            process.walls = walls(&process.role());
        }
        processes.sort_by_key(|process| (process.role() != "monitor", process.role()));
        processes
    }
}

impl AgentProcess {
    /// The word on its command line that says what it is.
    pub fn role(&self) -> String {
        match self.fact("Command").split(' ').nth(1) {
            Some("run") => "monitor".into(),
            word => word.unwrap_or_default().to_owned(),
        }
    }

    /// A line of `/proc/PID/status` or smaps_rollup, or `Root`, `Owner`, `OomScoreAdj`, `Max open files` and its like.
    pub fn fact(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_else(|| panic!("no {name} of {self:?}"))
    }

    fn descriptors(&self) -> Vec<&str> {
        self.all("Descriptor")
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(self.fact(set), 16).expect("a set of capabilities")
    }

    /// A wall as `check` names it: `landlock:7`.
    fn wall(&self, name: &str) -> Option<&str> {
        let is_it = |wall: &&str| wall.split(':').next() == Some(name);
        self.walls.as_ref()?.split(' ').find(is_it)
    }

    fn all(&self, name: &str) -> Vec<&str> {
        self.facts.iter().filter(|(fact, _)| fact == name).map(|(_, value)| value.as_str()).collect()
    }
}

impl Testbed {
    /// The same while a diagnostics process is there, which lives for one request only.
    pub fn assert_agent_is_walled_in_while_it_looks(&self, plane: &Plane) {
        let is_held = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_held.load(Ordering::Relaxed) {
                    self.curl(plane, &[], "/v1/diag?area=all");
                }
            });
            let held = self.attempt(&["timeout", &PATIENCE.as_secs().to_string(), "sh", "-c", HOLD]);
            is_held.store(true, Ordering::Relaxed);
            assert!(held.status.success(), "none was seen: {}", text(&held.stderr));
            let processes = self.assert_agent_is_walled_in();
            assert!(processes.iter().any(|process| process.role() == "diagnostics"), "{processes:?}");
        });
    }

    /// Prints a table of the agent's processes, and insists that each has what its work takes and nothing else.
    pub fn assert_agent_is_walled_in(&self) -> Vec<AgentProcess> {
        let processes = self.agent_processes();
        let rows: Vec<_> = processes.iter().map(ToString::to_string).collect();
        let table = format!("\n{:?}\n{HEAD}\n{}\n", self.guest(), rows.join("\n"));
        // Past the test harness, which keeps what a test that passes prints by macro.
        std::io::stdout().write_all(table.as_bytes()).expect("a standard output");
        let [monitor, others @ ..] = processes.as_slice() else { panic!("no process") };
        let of_host = self.shell("sed -n 's/^CapBnd:\\t//p' /proc/1/status");
        monitor.assert_is_the_monitor(u64::from_str_radix(&of_host, 16).expect("a set of capabilities"));
        assert!(others.iter().any(|process| process.role() == "network"), "{processes:?}");
        for process in others {
            process.assert_is_locked_in(monitor);
        }
        // The released program has a budget of memory: 2 MiB.
        if self.guest().triple().is_some() {
            let pss = |process: &AgentProcess| process.fact("Pss").split(' ').next()?.parse::<u64>().ok();
            let all = processes.iter().map(|process| pss(process).expect("a number")).sum::<u64>();
            assert!(all <= 2048, "{all} kB");
        }
        // A container may not make its processes safer than the host does.
        if self.guest() != Guest::Systemd {
            let scores = processes.iter().map(|process| process.fact("OomScoreAdj"));
            assert!(scores.clone().all(|score| score == "-900"), "{:?}", scores.collect::<Vec<_>>());
        }
        processes
    }
}

impl AgentProcess {
    fn assert_is_the_monitor(&self, capabilities_of_host: u64) {
        assert_eq!((self.role().as_str(), self.fact("Uid")), ("monitor", "0 0 0 0"));
        let kept = KEPT.iter().fold(0, |set, bit| set | 1 << bit) & capabilities_of_host;
        for set in ["CapPrm", "CapEff", "CapBnd"] {
            assert_eq!(self.capabilities(set), kept, "{set}");
        }
        assert_eq!(self.fact("Owner"), "0", "only root looks into it");
        let mut files = self.descriptors();
        files.retain(|descriptor| !is_no_file(descriptor));
        assert_eq!(files, ["/var/lib/secmon-agent/state"]);
    }

    /// What holds for every process that reads what strangers write.
    fn assert_is_locked_in(&self, monitor: &Self) {
        for id in ["Uid", "Gid", "Groups"] {
            assert!(!self.fact(id).split(' ').any(|id| id == "0"), "{id}: {}", self.fact(id));
        }
        for set in SETS {
            assert_eq!(self.capabilities(set), 0, "{set}");
        }
        assert_eq!((self.fact("NoNewPrivs"), self.fact("Seccomp")), ("1", "2"));
        assert_eq!(self.fact("THP_enabled"), "0", "no page is huge");
        // The unit's own rules are filters too.
        let filters = |process: &Self| process.fact("Seccomp_filters").parse::<u32>().expect("a number");
        assert!(filters(self) > filters(monitor), "a filter of its own");
        for wall in ["landlock", "seccomp", "limits", "parent"] {
            assert!(self.wall(wall).is_some(), "{wall}: {self:?}");
        }
        assert_eq!(self.fact("Owner"), "0", "its own user doesn't look into it either");
        for limit in ["file size", "processes", "core file size", "locked memory"] {
            assert_eq!(self.fact(&format!("Max {limit}")), "0", "{limit}");
        }
        if self.role() == "network" {
            assert_eq!((self.fact("Root"), self.fact("Groups")), ("/var/lib/secmon-agent/empty", ""));
            assert_eq!(self.fact("Max open files"), "64");
            assert!(self.descriptors().into_iter().all(is_no_file), "{:?}", self.descriptors());
        }
    }
}

/// What descriptors may be that are no files: /dev/null, sockets, a report under way, and what the kernel makes to wait
/// with.
fn is_no_file(descriptor: &str) -> bool {
    ["/dev/null", "socket:", "pipe:", "anon_inode:"].iter().any(|start| descriptor.starts_with(start))
}

/// One row of a table, under [`HEAD`].
impl fmt::Display for AgentProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = |name: &str| self.fact(name).split(' ').next().unwrap_or_default().to_owned();
        let seccomp = format!("{} ({} filters)", self.fact("Seccomp"), self.fact("Seccomp_filters"));
        let landlock = self.wall("landlock").and_then(|wall| wall.split_once(':')).map_or("no", |(_, v)| v);
        write!(
            f,
            "{:<12}{:<7}{:<14}{:<18}{seccomp:<15}{:<6}{landlock:<10}{:<13}{:<9}{:<9}{}",
            self.role(),
            first("Uid"),
            self.fact("Groups"),
            self.fact("CapEff"),
            self.fact("NoNewPrivs"),
            self.descriptors().len(),
            self.fact("Threads"),
            first("Pss"),
            self.fact("OomScoreAdj"),
        )
    }
}

/// Over the rows.
const HEAD: &str = "process     uid    groups        capabilities      seccomp        nnp   landlock  descriptors  \
                    threads  PSS kB   OOMScoreAdj";
