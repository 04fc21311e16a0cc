//! The network process taken over: what it gets from the real monitor, which is nothing, and what the monitor does
//! when it misbehaves, which is to go on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use secmon_wire::{OperationId, OutcomeState};

use crate::host::{Agent, Host, PATIENCE, now, wait_until};

const WEB: OperationId = OperationId::RestartWeb;

/// A host whose agent starts the hostile program in the network process's place, as long as `mode` is a mode of its.
struct Captured {
    host: Host,
    program: PathBuf,
}

impl Captured {
    fn new(mode: &str) -> Self {
        let host = Host::new();
        let program = host.path("agent");
        let (agent, empty) = (Path::new(env!("CARGO_BIN_EXE_secmon-agent")), host.path("hostile-root"));
        std::fs::create_dir(&empty).expect("a directory");
        let hostile = agent.with_file_name("examples").join("hostile");
        let script = format!(
            "#!/bin/sh\nmode=$(cat {mode})\n[ \"$mode\" = honest ] || [ \"$1\" = diagnostics ] && exec {agent} \"$@\"\n\
             exec {hostile} \"$1\" \"$mode\" {empty}\n",
            mode = host.path("mode").display(),
            agent = agent.display(),
            hostile = hostile.display(),
            empty = empty.display(),
        );
        host.write("agent", script.as_bytes(), 0o755);
        let captured = Self { host, program };
        captured.set_mode(mode);
        captured
    }

    fn set_mode(&self, mode: &str) {
        self.host.write("mode", mode.as_bytes(), 0o644);
    }

    fn start(&self) -> Agent {
        self.host.start_as(&self.program)
    }

    /// What the hostile program said until it was done.
    fn said(agent: &Agent) -> Vec<String> {
        // In all, with time for the longest of them: one that is started again and again never stops talking.
        let given_up = Instant::now() + 4 * PATIENCE;
        let left = || given_up.saturating_duration_since(Instant::now());
        let lines = std::iter::from_fn(|| agent.log.recv_timeout(left()).ok());
        let lines = lines.filter_map(|line| line.strip_prefix("hostile: ").map(str::to_owned));
        let said: Vec<String> = lines.take_while(|line| line != "done").collect();
        assert!(!agent.has_ended(), "the monitor goes on: {said:?}");
        said
    }

    /// Ends the hostile process, lets the honest one come back, and shows that everything works and nothing ran yet.
    fn recover(&self, agent: &Agent) {
        assert_eq!(self.host.runs(), 0, "nothing was run");
        self.set_mode("honest");
        let network = agent.network_process().expect("a network process");
        let killed = Command::new("kill").args(["-9", &network.to_string()]).status();
        assert!(killed.expect("kill runs").success());
        wait_until("another one is there", || agent.network_process().is_some_and(|pid| pid != network));
        let receipt = self.host.receipt(agent, &self.host.envelope(WEB, 99, now()));
        assert_eq!((receipt.state, receipt.seq), (OutcomeState::Succeeded, 1), "{receipt:?}");
        assert_eq!(self.host.runs(), 1);
    }
}

#[test]
fn garbage_of_every_kind_and_length_is_survived_and_runs_nothing() {
    let captured = Captured::new("garbage");
    let agent = captured.start();
    assert_eq!(Captured::said(&agent), ["alive true"]);
    captured.recover(&agent);
}

#[test]
fn envelopes_that_the_control_plane_has_not_signed_are_refused_without_a_receipt() {
    let captured = Captured::new("envelopes");
    let agent = captured.start();
    // 5 is "forbidden".
    assert_eq!(Captured::said(&agent), ["envelope answered 5"; 5]);
    captured.recover(&agent);
}

#[test]
fn nothing_but_a_transcript_hash_is_signed_with_the_tls_key() {
    let captured = Captured::new("signatures");
    let agent = captured.start();
    assert_eq!(
        Captured::said(&agent),
        [
            "signature of hash 32: true",
            "signature of hash 48: true",
            "signature of nothing 0: false",
            "signature of short 31: false",
            "signature of odd 33: false",
        ]
    );
    captured.recover(&agent);
}

#[test]
fn a_flood_that_nobody_reads_the_answers_of_does_not_stop_the_monitor() {
    let captured = Captured::new("flood");
    let agent = captured.start();
    assert_eq!(Captured::said(&agent), ["flooded true", "alive true"]);
    captured.recover(&agent);
}

#[test]
fn it_is_handed_no_private_key() {
    let captured = Captured::new("secrets");
    let agent = captured.start();
    assert_eq!(Captured::said(&agent), ["setup 0"]);
    captured.recover(&agent);
}

#[test]
fn one_that_hangs_is_killed_and_replaced_like_any_other() {
    let captured = Captured::new("deaf");
    let agent = captured.start();
    assert_eq!(Captured::said(&agent), [""; 0]);
    captured.recover(&agent);
}

#[test]
fn one_that_ends_again_and_again_is_started_again_and_again_and_the_monitor_stays() {
    assert_is_started_again_and_again("end");
}

#[test]
fn one_that_closes_its_channels_and_lives_on_is_ended_and_another_is_started() {
    assert_is_started_again_and_again("hang-up");
}

fn assert_is_started_again_and_again(mode: &str) {
    let captured = Captured::new(mode);
    let agent = captured.start();
    let mut seen = std::collections::BTreeSet::new();
    wait_until("three have been there", || {
        seen.extend(agent.network_process());
        seen.len() >= 3
    });
    assert!(!agent.has_ended());
    captured.set_mode("honest");
    let answered = || {
        let envelope = captured.host.envelope(WEB, 1, now());
        captured.host.try_receipt(&agent, &envelope)
    };
    let mut receipt = None;
    wait_until("an honest one serves", || {
        receipt = answered();
        receipt.is_some()
    });
    assert_eq!(receipt.expect("a receipt").state, OutcomeState::Succeeded);
}
