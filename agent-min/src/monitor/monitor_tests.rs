//! The monitor from the other end of its channel: what an envelope leads to, step by step.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use secmon_wire::limits::ENVELOPE_MAX;
use secmon_wire::signature::envelope_message;
use secmon_wire::{
    AgentId, Capability, ClientId, Envelope, Hash, Intent, ManifestBody, Nonce, OperationId, Receipt, Unit,
};

use secmon_sys::channel::Channel;
use secmon_sys::spawn::Command;

use super::*;
use crate::config::Config;
use crate::keys::{SigningKey, VerifyingKey};
use crate::message::{REPLY_SIZE, Reply, Request, Token};
use crate::state::{Pending, Phase};
use crate::state_codec::{ENCODED_MAX, decode, encode};

struct Bench {
    dir: tempfile::TempDir,
    dispatch: SigningKey,
    link: Channel,
    handshakes: Channel,
    monitor: Monitor,
}

/// An agent `web1` that may restart lsws, whose init script counts its runs and starts a new process.
fn bench(check: Option<Command>, pending: impl FnOnce(&Path) -> Option<Pending>) -> Bench {
    let dir = tempfile::tempdir().expect("a directory");
    let script = dir.path().join("lsws");
    let text = format!(
        "#!/bin/sh\ncd {}\necho run >> runs\nsleep 60 >/dev/null 2>&1 &\necho $! > lshttpd.pid\n",
        dir.path().display()
    );
    std::fs::write(&script, text).expect("a script");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let agent_id = AgentId::new("web1").expect("an id");
    let pair = || rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let (dispatch, receipt) = (pair(), pair());
    let unit = Unit::new("lsws").expect("a unit");
    let lsws = Capability::new(OperationId::RestartWeb, unit, 3).expect("a capability");
    let identity = MonitorIdentity {
        receipt_key: SigningKey::from_pem(receipt.serialize_pem().as_bytes()).expect("a key"),
        dispatch_key: VerifyingKey::from_pem(dispatch.public_key_pem().as_bytes()).expect("a key"),
        tls_key: TlsKey::from_pem(rcgen::KeyPair::generate().expect("a key").serialize_pem().as_bytes())
            .expect("a key"),
        manifest: ManifestBody {
            agent_id: agent_id.clone(),
            client_id: ClientId::new("acme").expect("an id"),
            diagnostics: heapless::Vec::new(),
            issued: 1,
            operations: heapless::Vec::from_slice(&[lsws]).expect("room"),
            seq: 1,
            tuning: Default::default(),
        },
        manifest_hash: Hash([0; 32]),
    };
    let mut state = State::new(agent_id.clone());
    state.pending = pending(dir.path());
    let path = dir.path().join("state");
    let payload = encode(&state, &mut [0; ENCODED_MAX]).expect("a payload").to_vec();
    StateFile::create(&path, &payload).expect("a state file");
    let file = StateFile::open(&path).expect("a state file").file;
    let services = Services::find(&Config {
        path: dir.path().join("agent.json"),
        agent_id,
        listen: "127.0.0.1:0".parse().expect("an address"),
        service_manager: crate::config::ManagerChoice::SysV,
        state: path,
        init_dir: dir.path().to_owned(),
        run_dir: dir.path().to_owned(),
        network_user: "nobody".to_owned(),
        diagnostics_user: "nobody".to_owned(),
    });
    let (network, link, handshakes) = NetworkProcess::somebody();
    let mut monitor = Monitor::new(network, None, identity, file, Box::new(state), services);
    set_check(&mut monitor, check);
    let dispatch = SigningKey::from_pem(dispatch.serialize_pem().as_bytes()).expect("a key");
    Bench { dir, dispatch, link, handshakes, monitor }
}

/// Lets `check` be the only check of everything.
fn set_check(monitor: &mut Monitor, check: Option<Command>) {
    for service in &mut monitor.services {
        service.checks = check.clone().into_iter().collect();
    }
}

impl Bench {
    fn envelope(&self, nonce: u64) -> Vec<u8> {
        envelope(nonce)
    }

    /// Lets the monitor work on one envelope, and reads the receipt.
    fn execute(&mut self, body: &[u8]) -> Receipt {
        let signature = self.dispatch.sign(&envelope_message(body).expect("a message"));
        let request =
            Request::Execute { signature, body: heapless::Vec::from_slice(body).expect("an envelope") };
        self.link.send(&request.encode(Token(7))).expect("sent");
        if let Some(job) = self.monitor.desk.take().expect("no stop") {
            self.monitor.perform(&job).expect("no stop");
        }
        let mut bytes = [0; REPLY_SIZE];
        self.link.recv(&mut bytes).expect("a reply");
        let Some((Token(7), Reply::Receipt { body, .. })) = Reply::decode(&bytes) else {
            panic!("no receipt")
        };
        Receipt::read(&body).expect("a receipt")
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.dir.path().join("runs")).map_or(0, |runs| runs.lines().count())
    }

    fn on_disk(&self) -> State {
        let payload = StateFile::peek(&self.dir.path().join("state")).expect("a state");
        decode(&payload).expect("a state")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(self.dir.path().join("lshttpd.pid"));
        if let Some(mark) = pid.ok().and_then(|pid| ProcessMark::of(pid.trim().parse().ok()?)) {
            let _gone = std::process::Command::new("kill").arg(mark.pid.to_string()).status();
        }
    }
}

fn envelope(nonce: u64) -> Vec<u8> {
    let envelope = Envelope {
        action: OperationId::RestartWeb,
        agent_id: AgentId::new("web1").expect("an id"),
        intent: Intent { hash: Hash([3; 32]), seq: nonce & 0xffff },
        nonce: Nonce(nonce.to_be_bytes()),
        ts: wall_seconds(),
    };
    envelope.write(&mut [0; ENVELOPE_MAX]).expect("an envelope").to_vec()
}

fn shell(script: &str) -> Option<Command> {
    Command::new(Path::new("/bin/sh"), ["-c", script])
}

fn pending(phase: Phase) -> Option<Pending> {
    let body = heapless::Vec::from_slice(&envelope(1)).expect("an envelope");
    Some(Pending { body, began: wall_seconds(), unit: Unit::new("lsws").expect("a unit"), phase })
}

#[test]
fn a_broken_configuration_refuses_the_restart_with_its_first_error_line() {
    let mut bench =
        bench(shell("echo 'lsws: [warn] old'; echo 'lsws: [emerg] bad port' >&2; exit 1"), |_| None);
    let receipt = bench.execute(&bench.envelope(1));
    assert_eq!(receipt.state, OutcomeState::Refused);
    assert_eq!(receipt.reason.as_str(), "preflight: lsws: [emerg] bad port");
    assert_eq!((receipt.exit, bench.runs()), (Some(1), 0));
    // Nothing was restarted, so the interval has not begun: a repaired configuration can go at once.
    set_check(&mut bench.monitor, shell("exit 0"));
    assert_eq!(bench.execute(&bench.envelope(2)).state, OutcomeState::Succeeded);
    assert_eq!(bench.runs(), 1);
}

#[test]
fn the_operation_is_on_disk_before_its_check_and_its_restart_run() {
    // The check itself looks for the record: it fails unless our nonce is in the state file by then.
    let mut bench = bench(None, |_| None);
    let state = bench.dir.path().join("state").display().to_string();
    set_check(&mut bench.monitor, shell(&format!("grep -q aabbccdd00112233 {state}")));
    // And so does the restart, for its own process id.
    let script = bench.dir.path().join("lsws");
    let text = std::fs::read_to_string(&script).expect("a script");
    std::fs::write(&script, text.replace("echo run", "cp state state-at-run; echo $$ > own-pid; echo run"))
        .expect("a script");
    let receipt = bench.execute(&bench.envelope(0xaabb_ccdd_0011_2233));
    assert_eq!((receipt.state, receipt.reason.as_str()), (OutcomeState::Succeeded, ""));
    let copy = bench.dir.path().join("state-at-run");
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    let then = decode(&StateFile::peek(&copy).expect("a state")).expect("a state");
    let phase = then.pending.clone().expect("an operation under way").phase;
    let Phase::Restarting { program, .. } = phase else { panic!("{phase:?}") };
    let own = std::fs::read_to_string(bench.dir.path().join("own-pid")).expect("a process id");
    assert_eq!(program.pid.to_string(), own.trim());
    assert!(then.last_run(OperationId::RestartWeb) > 0);
    assert_eq!(bench.on_disk().pending, None);
    assert_eq!(bench.on_disk().receipt_seq, 1);
}

#[test]
fn an_operation_that_had_not_begun_is_ended_without_running() {
    let mut bench = bench(None, |_| pending(Phase::Checking));
    recover::finish(&mut bench.monitor.desk, &bench.monitor.services).expect("no stop");
    let state = bench.on_disk();
    assert_eq!((state.pending, bench.runs()), (None, 0));
    let receipt = Receipt::read(&state.receipts.first().expect("a receipt").body).expect("a receipt");
    assert_eq!(receipt.state, OutcomeState::Failed);
    assert!(receipt.reason.starts_with("interrupted: "), "{}", receipt.reason);
    // Nothing is unfinished any more.
    recover::finish(&mut bench.monitor.desk, &bench.monitor.services).expect("no stop");
    assert_eq!(bench.on_disk().receipt_seq, 1);
}

#[test]
fn a_restart_that_was_done_when_the_agent_came_back_is_a_success() {
    let restarted = |dir: &Path| {
        let own = std::process::id();
        std::fs::write(dir.join("lshttpd.pid"), own.to_string()).expect("a pid file");
        let gone = ProcessMark { pid: own, start: 1 };
        pending(Phase::Restarting {
            before: Instance::try_from("pid 9 start 9").expect("an instance"),
            program: gone,
        })
    };
    let mut bench = bench(None, restarted);
    recover::finish(&mut bench.monitor.desk, &bench.monitor.services).expect("no stop");
    std::fs::remove_file(bench.dir.path().join("lshttpd.pid")).expect("removed");
    let receipt =
        Receipt::read(&bench.on_disk().receipts.first().expect("a receipt").body).expect("a receipt");
    assert_eq!((receipt.state, receipt.before.as_str()), (OutcomeState::Succeeded, "pid 9 start 9"));
    assert!(receipt.after.starts_with(&format!("pid {} start ", std::process::id())));
    assert_eq!(bench.runs(), 0);
}

#[test]
fn the_check_of_a_unit_is_its_own_with_its_version_filled_in() {
    let row = operation(OperationId::RestartPhp);
    let none = Unit::new("lsphp").expect("a unit");
    assert!(preflight::candidates(row, &none).is_empty());
    for (name, version) in [("php8.2-fpm", "8.2"), ("php-fpm", "")] {
        let unit = Unit::new(name).expect("a unit");
        let checks = preflight::candidates(row, &unit);
        assert!(!checks.is_empty(), "{name}");
        for check in &checks {
            let text = check.to_string();
            assert!(text.ends_with(" -t") && !text.contains('*') && text.contains(version), "{text}");
        }
        assert_eq!(present_check(&checks), checks.iter().find(|check| check.program().exists()));
    }
}

#[test]
fn no_request_allocates_in_the_monitor() {
    let mut bench = bench(None, |_| None);
    let signed = |body: &[u8]| {
        let signature = bench.dispatch.sign(&envelope_message(body).expect("a message"));
        Request::Execute { signature, body: heapless::Vec::from_slice(body).expect("an envelope") }
    };
    let stale = Envelope { ts: 1, ..Envelope::read(&envelope(3)).expect("an envelope") };
    let mut out = [0; ENVELOPE_MAX];
    let stale = signed(stale.write(&mut out).expect("fits"));
    let forged =
        Request::Execute { signature: [1; 64], body: heapless::Vec::from_slice(b"{}").expect("fits") };
    let hash = heapless::Vec::from_slice(&[7; 32]).expect("a hash");
    let sign = crate::handshake::SignRequest { number: 1, hash }.encode();
    let unlisted = Request::Diagnose(crate::areas::Areas::ALL);
    // Twice each: what a library sets up at its first use is no request's own. A refusal is written to disk, its
    // replay isn't.
    for round in [false, true] {
        for request in [
            &stale,
            &stale,
            &forged,
            &Request::Health,
            &Request::ReceiptAfter(0),
            &Request::HereIAm,
            &unlisted,
        ] {
            bench.link.send(&request.encode(Token(7))).expect("sent");
            bench.handshakes.send(&sign).expect("sent");
            let mut job = Ok(None);
            let counted = allocation_counter::measure(|| job = bench.monitor.desk.take());
            assert!(job.expect("no stop").is_none());
            if round {
                assert_eq!(counted.count_total, 0, "{request:?}");
            }
        }
    }
    let answers = std::iter::repeat_with(|| bench.link.recv(&mut [0; REPLY_SIZE]));
    assert_eq!(answers.take(12).filter(|answer| answer.is_ok()).count(), 12, "each was answered");
}
