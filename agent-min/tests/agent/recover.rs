//! `kill -9` in the middle of an operation: the outcome ends correct, and nothing runs twice.

use std::time::Instant;

use secmon_wire::{OperationId, OutcomeState};

use crate::execute::{make_gate, open_gate, waiting_service};
use crate::host::{Host, PATIENCE, Talk, now, post, wait_until};

const WEB: OperationId = OperationId::RestartWeb;

/// Starts an operation whose script waits at its gate, and kills the agent there.
fn killed_at_the_gate(host: &Host, envelope: &[u8]) {
    let agent = host.start();
    let mut tls = agent.connect(host.control());
    tls.send(&post(envelope, &host.sign(envelope)));
    wait_until("the init script runs", || host.runs() == 1);
    agent.kill();
}

#[test]
fn a_restart_that_goes_on_without_the_agent_is_waited_for_and_succeeds() {
    let host = Host::new();
    make_gate(&host);
    // More output than a pipe holds, with nobody left to read it, must not stop the script.
    let talk = "i=0; while [ $i -lt 3000 ]; do echo 'a line that nobody reads any more'; i=$((i+1)); done 2>/dev/null\n[ -f";
    host.write_service(&waiting_service().replace("[ -f", talk));
    let envelope = host.envelope(WEB, 1, now());
    killed_at_the_gate(&host, &envelope);
    let agent = host.start();
    // Answered while it waits, and not run again.
    let busy = host.receipt(&agent, &host.envelope(WEB, 2, now()));
    assert!(busy.reason.starts_with("busy: "), "{}", busy.reason);
    open_gate(&host);
    let response = host.execute(&agent, &envelope);
    let receipt = host.read_receipt(&response);
    assert_eq!((receipt.state, receipt.reason.as_str()), (OutcomeState::Succeeded, ""));
    assert!(receipt.after.starts_with(&format!("pid {} ", host.service_pid().expect("a service"))));
    assert_eq!(host.execute(&agent, &envelope), response);
    assert_eq!(host.runs(), 1);
}

#[test]
fn a_restart_that_died_with_the_agent_is_a_failure_and_is_not_repeated() {
    let host = Host::new();
    make_gate(&host);
    host.write_service(&waiting_service().replace("[ -f", "exit 0\n[ -f"));
    let envelope = host.envelope(WEB, 1, now());
    killed_at_the_gate(&host, &envelope);
    open_gate(&host);
    let begun = Instant::now();
    let agent = host.start();
    let receipt = host.receipt(&agent, &envelope);
    assert!(begun.elapsed() < PATIENCE);
    assert_eq!(receipt.state, OutcomeState::Failed);
    assert!(receipt.reason.starts_with("interrupted: "), "{}", receipt.reason);
    assert_eq!(host.runs(), 1);
}

#[test]
fn a_second_agent_on_the_same_state_does_not_start() {
    let host = Host::new();
    let _agent = host.start();
    let second = host.run_command("run");
    assert_eq!(second.status.code(), Some(1));
    let complaint = String::from_utf8(second.stderr).expect("text");
    assert!(complaint.contains("in use by another agent"), "{complaint}");
}
