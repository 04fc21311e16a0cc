//! What the agent takes from its host: memory under a limit and after many requests, and nothing while it is idle.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use secmon_tests::agent_host::{
    HEALTH, Host, descriptors, envelope, is_static, kilobytes, naps, now, root_or_skipped, until,
};
use serde_json::Value;

const RECEIPTS: &str = "GET /v1/receipts HTTP/1.1\r\nHost: agent\r\n\r\n";
const ACTIONS: [&str; 3] = ["restart-web", "restart-php", "restart-db"];

fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

fn assert_serves(host: &Host) {
    let answer = host.get("/v1/health");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// A cgroup of its own, with a limit of memory, where this machine lets us make one.
struct Cgroup {
    path: PathBuf,
    peak: &'static str,
}

impl Cgroup {
    /// Version 2, or else version 1; an error says why neither.
    fn new(name: &str, bytes: u64) -> Result<Self, String> {
        let v2 = |root: &str| {
            let has = fs::read_to_string(format!("{root}/cgroup.controllers")).unwrap_or_default();
            has.split_whitespace().any(|controller| controller == "memory")
        };
        let (root, limit, peak) = if v2("/sys/fs/cgroup") {
            let _on_already = fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
            ("/sys/fs/cgroup", "memory.max", "memory.peak")
        } else if Path::new("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists() {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes")
        } else {
            return Err("no memory controller".into());
        };
        let path = Path::new(root).join(format!("secmon-{name}-{}", std::process::id()));
        fs::create_dir(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let group = Self { path, peak };
        fs::write(group.path.join(limit), bytes.to_string()).map_err(|e| format!("{limit}: {e}"))?;
        // No way out by the swap space either, where there is any.
        let _no_swap = fs::write(group.path.join("memory.swap.max"), "0");
        Ok(group)
    }

    /// Runs its further arguments inside.
    fn launcher(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ >\"$0\" && exec \"$@\""]).arg(self.path.join("cgroup.procs"));
        command.arg(secmon_tests::agent_host::agent_binary());
        command
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What a killed agent left inside may take a moment; a group that stays is empty and harmless.
        let _still_in_use = fs::remove_dir(&self.path);
    }
}

#[test]
fn eight_mebibytes_are_enough_for_the_released_agent_under_load() {
    let mut host = Host::installed();
    let group = match Cgroup::new("limit", 8 << 20) {
        Ok(group) => group,
        Err(why) => return eprintln!("skipped: no cgroup with a limit of memory can be made here: {why}"),
    };
    host.start_as(&mut group.launcher());
    if !is_static(host.monitor()) {
        host.kill();
        return eprintln!("skipped: this agent isn't the released one, which is static");
    }
    let (monitor, network) = (host.monitor(), host.network());
    let load = || {
        let mut raw = host.raw();
        for _ in 0..100 {
            raw.send(RECEIPTS.as_bytes());
            assert_eq!(raw.answer().status, 200);
        }
    };
    thread::scope(|scope| {
        (0..8).for_each(|_| drop(scope.spawn(load)));
        for action in ACTIONS {
            assert_eq!(run(&host, &envelope(action))["state"], "succeeded");
        }
    });
    let peak = fs::read_to_string(group.path.join(group.peak)).unwrap_or_default();
    println!("at most {} bytes in {}", peak.trim(), group.path.display());
    assert_eq!((host.monitor(), host.network()), (monitor, network), "neither has ended");
    host.kill();
}

/// The naps of every thread of both processes.
fn all_naps(host: &Host) -> Vec<(String, u64)> {
    [host.monitor(), host.network()].into_iter().flat_map(naps).collect()
}

/// Lets the wall clock's second change `times` times. Only this test's own timers pass the time.
fn seconds_change(times: u64) {
    let from = now();
    until("the clock to go on", || (now() > from + times).then_some(()));
}

#[test]
fn without_a_connection_no_thread_of_the_agent_wakes_up() {
    let host = Host::running();
    let quiet = |when: &str| {
        let before = all_naps(&host);
        assert!(before.len() >= 2, "{before:?}");
        seconds_change(3);
        let after = all_naps(&host);
        println!(
            "{when}: {} threads, voluntary switches {:?}",
            after.len(),
            after.iter().map(|nap| nap.1).collect::<Vec<_>>()
        );
        assert_eq!(before, after, "{when}");
    };
    let settled = || {
        until("the agent to fall asleep", || {
            let before = all_naps(&host);
            seconds_change(1);
            (all_naps(&host) == before).then_some(())
        });
    };
    settled();
    quiet("after the start");
    let before = all_naps(&host);
    assert_serves(&host);
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    assert_ne!(all_naps(&host), before, "work is seen in the same numbers");
    settled();
    quiet("after an operation");
}

#[test]
fn a_thousand_requests_leave_no_more_memory_in_use_than_the_budget() {
    const BUDGET_KB: u64 = 2048;
    if !root_or_skipped("a look at the agent's memory") {
        return;
    }
    let host = Host::running();
    let pss = || [host.monitor(), host.network()].map(|pid| kilobytes(pid, "smaps_rollup", "Pss"));
    let fresh = pss();
    for _ in 0..10 {
        let mut raw = host.raw();
        for number in 0..100 {
            raw.send(if number % 2 == 0 { HEALTH.as_bytes() } else { RECEIPTS.as_bytes() });
            assert_eq!(raw.answer().status, 200);
        }
    }
    assert_eq!(run(&host, &envelope("restart-web"))["state"], "succeeded");
    let idle = descriptors(host.network());
    let after = pss();
    println!(
        "PSS of monitor and network process in kB: {fresh:?} at the start, {after:?} after 1,000 requests"
    );
    println!("{idle} descriptors in the network process");
    if !is_static(host.monitor()) {
        return eprintln!("skipped: the budget is that of the released agent, which is static");
    }
    assert!(after.iter().sum::<u64>() <= BUDGET_KB, "{after:?} kB");
}
