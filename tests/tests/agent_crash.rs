//! Operations and the worst moments: the agent killed in the middle of one, and a disk without room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use secmon_tests::agent_host::{HEALTH, Host, Visit, envelope, now, text, until};
use serde_json::Value;

fn run(host: &Host, envelope: &Value) -> Value {
    host.receipt(&host.execute(&envelope.to_string()))
}

/// How many receipts the agent keeps of runs, that is, of what it didn't refuse.
fn runs_told(host: &Host) -> usize {
    let answer = host.get("/v1/receipts").canonical();
    let all = answer["receipts"].as_array().expect("a list");
    all.iter().filter(|receipt| receipt["body"]["state"] != "refused").count()
}

/// A restart that holds inside its script, with the agent killed at that moment.
struct Interrupted {
    host: Host,
    visit: Visit,
    script: u32,
    body: String,
    old: u32,
}

impl Interrupted {
    fn new() -> Self {
        let mut host = Host::running();
        let old = host.web.pid().expect("a running service");
        let visit = host.web.hold();
        let body = envelope("restart-web").to_string();
        let (signature, length) = (host.sign(&body), body.len());
        let head = format!("Host: a\r\nSecmon-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n");
        let mut raw = host.raw();
        raw.send(format!("POST /v1/execute HTTP/1.1\r\n{head}{body}").as_bytes());
        let script = visit.arrival();
        host.kill();
        assert_eq!(text(&raw.rest()), "", "no receipt before the operation has ended");
        Self { host, visit, script, body, old }
    }

    fn script_has_ended(&self) -> bool {
        !Path::new(&format!("/proc/{}", self.script)).exists() || is_zombie(self.script)
    }

    /// The one receipt of the one restart, as the service really is, now and after another crash.
    fn assert_told_once(&mut self, receipt: &Value) {
        assert_eq!(receipt["state"], "succeeded", "{receipt}");
        assert!(self.host.web.pid().is_some_and(|pid| pid != self.old), "{receipt}");
        assert_ne!(receipt["before"], receipt["after"]);
        self.host.kill();
        self.host.start();
        assert_eq!(&self.host.receipt(&self.host.execute(&self.body)), receipt, "what was said stays said");
        assert_eq!(self.host.web.restarts(), 1, "an interrupted operation is never run again");
        assert_eq!(runs_told(&self.host), 1);
        assert_eq!(run(&self.host, &envelope("restart-php"))["state"], "succeeded");
    }
}

#[test]
fn after_a_crash_the_receipt_of_a_restart_that_ended_meanwhile_says_what_became_of_it() {
    let mut crash = Interrupted::new();
    crash.visit.release();
    until("the script to end", || crash.script_has_ended().then_some(()));
    crash.host.start();
    let receipt = crash.host.receipt(&crash.host.execute(&crash.body));
    crash.assert_told_once(&receipt);
}

#[test]
fn after_a_crash_the_receipt_of_a_restart_that_goes_on_waits_for_its_end() {
    let mut crash = Interrupted::new();
    crash.host.start();
    let host = &crash.host;
    let receipt = thread::scope(|scope| {
        let answer = scope.spawn(|| host.execute(&crash.body));
        assert_eq!(host.get("/v1/health").status, 200, "others are served meanwhile");
        assert_eq!(run(host, &envelope("restart-php"))["state"], "refused", "never two at once");
        crash.visit.release();
        host.receipt(&answer.join().expect("an answer"))
    });
    crash.assert_told_once(&receipt);
}

#[test]
fn after_a_crash_the_receipt_of_a_restart_that_failed_says_so() {
    let mut crash = Interrupted::new();
    fs::write(crash.host.web.file("broken"), "").expect("a written file");
    crash.visit.release();
    until("the script to end", || crash.script_has_ended().then_some(()));
    crash.host.start();
    let receipt = crash.host.receipt(&crash.host.execute(&crash.body));
    assert_eq!(receipt["state"], "failed", "{receipt}");
    assert!(
        receipt["reason"].as_str().is_some_and(|reason| reason.starts_with("interrupted: ")),
        "{receipt}"
    );
    assert_eq!((crash.host.web.pid(), crash.host.web.restarts(), runs_told(&crash.host)), (None, 1, 1));
}

#[test]
fn an_agent_killed_at_any_moment_starts_again_and_runs_nothing_twice() {
    let mut host = Host::running();
    let mut last_runs = [0; 3];
    for round in 0..8_usize {
        let action = ["restart-web", "restart-php", "restart-db"][round % 3];
        until("the interval to pass", || (now() > last_runs[round % 3] + 3).then_some(()));
        let service = |host: &Host| [&host.web, &host.php, &host.db][round % 3].restarts();
        let before = service(&host);
        let body = envelope(action).to_string();
        let (signature, length) = (host.sign(&body), body.len());
        let head = format!("Host: a\r\nSecmon-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n");
        let mut raw = host.raw();
        raw.send(HEALTH.as_bytes());
        assert_eq!(raw.answer().status, 200);
        raw.send(format!("POST /v1/execute HTTP/1.1\r\n{head}{body}").as_bytes());
        // Another moment each round: what it hits doesn't matter, only that every one is survived.
        thread::park_timeout(Duration::from_millis([8, 15, 25, 40, 60, 90, 130, 200][round]));
        host.kill();
        host.start();
        let receipt = host.receipt(&host.execute(&body));
        let after = service(&host);
        match receipt["state"].as_str() {
            Some("succeeded") => assert_eq!(after, before + 1, "{receipt}"),
            Some("failed") => assert!(after <= before + 1, "{receipt}"),
            _ => panic!("{receipt}"),
        }
        assert_eq!(host.receipt(&host.execute(&body)), receipt);
        assert_eq!(service(&host), after);
        last_runs[round % 3] = now();
    }
}

fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

#[test]
fn a_full_disk_keeps_nothing_from_running() {
    let mut host = Host::bundled();
    let state = host.at("state");
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k,mode=0755", "tmpfs"])
        .arg(&state)
        .output();
    if let Some(reason) = match mount {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(text(&output.stderr)),
        Err(error) => Some(error.to_string()),
    } {
        eprintln!("skipped: a small file system can't be mounted here: {reason}");
        return;
    }
    let _unmount = Unmount(state.clone());
    fs::write(state.join("filler"), vec![0; 1 << 20]).expect_err("the disk is full");
    let init = host.cli("init");
    assert_eq!(init.status.code(), Some(1), "a state file that has no room is not made: {init:?}");
    assert!(
        !state.join("state").exists() || host.cli("run").status.code() == Some(1),
        "no half-made state is used"
    );
    fs::remove_file(state.join("filler")).expect("a removed file");
    let _half = fs::remove_file(state.join("state"));
    let init = host.cli("init");
    assert!(init.status.success(), "{}", text(&init.stderr));
    fs::write(state.join("filler"), vec![0; 1 << 20]).expect_err("the disk is full");
    host.start();
    let body = envelope("restart-web").to_string();
    let first = host.execute(&body);
    assert_eq!(host.receipt(&first)["state"], "succeeded");
    host.kill();
    host.start();
    assert_eq!(host.execute(&body).body, first.body);
    assert_eq!((host.web.restarts(), runs_told(&host)), (1, 1));
    host.kill();
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        // Lazily: a failed test may leave the agent running until the host is dropped.
        let _status = Command::new("umount").arg("--lazy").arg(&self.0).stderr(Stdio::null()).status();
    }
}
