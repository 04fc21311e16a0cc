//! The monitor's desk: takes requests, answers those that need no operation, and keeps the books.
//!
//! Whatever changes the state is on disk before anything else happens. When the disk refuses, the agent
//! stops: it never acts, and never answers, on a state that only its memory knows.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use heapless::Vec;
use secmon_sys::clock::wall_seconds;
use secmon_sys::files::FileProblem;
use secmon_sys::process::ProcessMark;
use secmon_sys::role::End;
use secmon_sys::sandbox::Strength;
use secmon_sys::state_file::StateFile;
use secmon_sys::wait::Side;
use secmon_wire::limits::{ENVELOPE_MAX, HEALTH_MAX, RECEIPT_MAX, SANDBOX_MAX};
use secmon_wire::signature::{Signature, receipt_message, sha256};
use secmon_wire::{Envelope, Health, OutcomeState, Receipt, Unit};

use super::diagnosis::Diagnosis;
use super::heartbeat::Heartbeat;
use super::network::{Event, NetworkProcess};
use super::reason::{Reason, detail};
use super::service::Instance;
use crate::admit::{Dismissal, Verdict, admit, hash_of};
use crate::areas::Areas;
use crate::bundle::MonitorIdentity;
use crate::message::{Reply, Request, Token};
use crate::say;
use crate::state::{Kept, Pending, Phase, State};
use crate::state_codec::{ENCODED_MAX, encode};

/// Connections that can wait for one operation; the network process has no more than this.
pub(crate) const WAITERS_MAX: usize = 32;

/// What the monitor works with.
#[derive(Debug)]
pub(crate) struct Desk {
    network: NetworkProcess,
    diagnosis: Diagnosis,
    identity: MonitorIdentity,
    file: StateFile,
    encoded: Box<[u8; ENCODED_MAX]>,
    state: Box<State>,
    /// Who waits for the operation under way.
    waiters: Vec<Token, WAITERS_MAX>,
    started: Instant,
    heartbeat: Heartbeat,
    /// Set when we must stop but an operation is still under way: from then on nothing is answered.
    stopped: Option<Stop>,
}

/// Why the monitor stops for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The state can't be written.
    State(FileProblem),
    /// The network process ends as soon as it is started; this is how it ended.
    NetworkGone(End),
    /// It can't be started, with the system's error number.
    NoNetwork(i32),
    /// The state holds what no agent of this version wrote.
    BadState,
    /// A process that we have just started can't be found.
    NoProc,
}

/// An operation that was admitted.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) envelope: Envelope,
    pub(crate) body: Vec<u8, ENVELOPE_MAX>,
    pub(crate) unit: Unit,
}

/// What a receipt says beside what the desk knows itself.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) state: OutcomeState,
    pub(crate) reason: Reason,
    pub(crate) before: Instance,
    pub(crate) after: Instance,
    pub(crate) exit: Option<i32>,
    pub(crate) duration_ms: u64,
}

impl Outcome {
    /// A refusal before anything was touched.
    pub(crate) fn refused(reason: Reason) -> Self {
        Self {
            state: OutcomeState::Refused,
            reason,
            before: Instance::new(),
            after: Instance::new(),
            exit: None,
            duration_ms: 0,
        }
    }
}

impl Desk {
    pub(crate) fn new(
        network: NetworkProcess,
        diagnosis: Diagnosis,
        identity: MonitorIdentity,
        file: StateFile,
        state: Box<State>,
    ) -> Self {
        Self {
            network,
            diagnosis,
            identity,
            file,
            encoded: Box::new([0; ENCODED_MAX]),
            state,
            waiters: Vec::new(),
            started: Instant::now(),
            heartbeat: Heartbeat::new(),
            stopped: None,
        }
    }

    /// The walls that should stand around the network process, and don't, by name.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'static str> {
        self.network.missing()
    }

    /// Tells the service manager, if it asked, that we serve.
    pub(crate) fn announce(&self) {
        self.heartbeat.announce();
    }

    /// How well the network process is locked in; `None` until it is.
    pub(crate) const fn strength(&self) -> Option<Strength> {
        self.network.strength()
    }

    /// The operation that an earlier run of the agent left unfinished.
    pub(crate) fn unfinished(&self) -> Option<Pending> {
        self.state.pending.clone()
    }

    /// Takes one request, if there is one. An admitted envelope comes back as a job, and is not yet on record.
    pub(crate) fn take(&mut self) -> Result<Option<Job>, Stop> {
        if self.heartbeat.is_due() {
            self.reply(Token(0), &Reply::AreYouThere);
        }
        if let Some((token, reply)) = self.diagnosis.take() {
            self.reply(token, &reply);
        }
        let (token, request) = match self.network.next(&self.identity.tls_key)? {
            Event::Asked(token, request) => (token, request),
            Event::Replaced => {
                self.waiters.clear();
                self.diagnosis.abandon();
                return Ok(None);
            }
            Event::Nothing => return Ok(None),
        };
        match request {
            Request::Execute { signature, body } => return self.judge(token, &signature, body),
            Request::ReceiptAfter(seq) => {
                let next = self.state.receipts.iter().find(|kept| kept.seq > seq);
                self.reply(token, &next.map_or(Reply::NoReceipt, reply_of));
            }
            Request::Health => self.reply(token, &self.health()),
            Request::HereIAm => self.heartbeat.answered(),
            Request::Diagnose(areas) => self.diagnose(token, areas),
            // The network process's own affair.
            Request::Ready(_) => {}
        }
        Ok(None)
    }

    /// Starts a diagnostics process that looks at nothing, to learn how well this host locks it in.
    pub(crate) fn try_diagnosis(&mut self) {
        let _said_by_itself = self.diagnosis.begin(None, Areas::NONE, self.network.report());
    }

    /// Has looked at what the manifest allows of `areas`.
    fn diagnose(&mut self, token: Token, areas: Areas) {
        let allowed: Areas = self.identity.manifest.diagnostics.iter().copied().collect();
        let begun = match areas.and(allowed) {
            Areas::NONE => Err(Reply::Forbidden),
            areas => self.diagnosis.begin(Some(token), areas, self.network.report()),
        };
        if let Err(reply) = begun {
            self.reply(token, &reply);
        }
    }

    /// Puts the job on record as under way. Nothing may be run for it before.
    pub(crate) fn begin(&mut self, job: &Job, clock: u64) -> Result<(), Stop> {
        self.state.take_note_of_admitted(&job.envelope, clock);
        self.state.pending = Some(Pending {
            body: job.body.clone(),
            began: clock,
            unit: job.unit.clone(),
            phase: Phase::Checking,
        });
        self.commit()
    }

    /// Puts on record that the restart begins, and which program does it. It must not run before.
    pub(crate) fn note_restart(
        &mut self,
        job: &Job,
        before: &Instance,
        program: ProcessMark,
        clock: u64,
    ) -> Result<(), Stop> {
        self.state.set_last_run(job.envelope.action, clock);
        if let Some(pending) = &mut self.state.pending {
            pending.phase = Phase::Restarting { before: before.clone(), program };
        }
        self.commit()
    }

    /// Ends the operation under way with a receipt, and answers everyone who waits for it.
    pub(crate) fn conclude(&mut self, job: &Job, outcome: Outcome) -> Result<(), Stop> {
        self.state.pending = None;
        let reply = self.issue(&job.envelope, &job.body, Some(&job.unit), outcome)?;
        for token in core::mem::take(&mut self.waiters) {
            self.reply(token, &reply);
        }
        Ok(())
    }

    fn judge(
        &mut self,
        token: Token,
        signature: &Signature,
        body: Vec<u8, ENVELOPE_MAX>,
    ) -> Result<Option<Job>, Stop> {
        let clock = wall_seconds();
        let manifest = &self.identity.manifest;
        let verdict = admit(&body, signature, &self.identity.dispatch_key, manifest, &self.state, clock);
        let reply = match verdict {
            Verdict::Admitted(envelope, capability) => {
                let job = Job { envelope, unit: capability.unit.clone(), body };
                self.add_waiter(token);
                return Ok(Some(job));
            }
            Verdict::UnderWay => {
                self.add_waiter(token);
                return Ok(None);
            }
            Verdict::Refused(envelope, refusal) => {
                let unit = manifest.capability(envelope.action).map(|c| c.unit.clone());
                self.state.take_note(&envelope, clock);
                let why = detail(refusal);
                self.issue(&envelope, &body, unit.as_ref(), Outcome::refused(why))?
            }
            Verdict::Replay(kept) => reply_of(kept),
            Verdict::Dismissed(Dismissal::Malformed(_)) => Reply::Malformed,
            Verdict::Dismissed(Dismissal::Unsigned | Dismissal::OtherAgent) => Reply::Forbidden,
        };
        self.reply(token, &reply);
        Ok(None)
    }

    /// Signs, keeps and logs a receipt. It is on disk when this returns.
    fn issue(
        &mut self,
        envelope: &Envelope,
        body: &[u8],
        unit: Option<&Unit>,
        outcome: Outcome,
    ) -> Result<Reply, Stop> {
        let seq = self.state.receipt_seq.saturating_add(1);
        let receipt = Receipt {
            action: envelope.action,
            after: outcome.after,
            agent_id: self.state.agent_id.clone(),
            before: outcome.before,
            clock: wall_seconds(),
            duration_ms: outcome.duration_ms,
            exit: outcome.exit,
            intent: envelope.intent,
            nonce: envelope.nonce,
            prev: self.state.last_receipt,
            reason: outcome.reason,
            seq,
            state: outcome.state,
            unit: unit.cloned(),
        };
        let mut out = [0; RECEIPT_MAX];
        let written = receipt.write(&mut out).map_err(|_| Stop::BadState)?;
        let message = receipt_message(written).map_err(|_| Stop::BadState)?;
        let kept = Kept {
            seq,
            envelope: hash_of(body),
            refusal: receipt.state == OutcomeState::Refused,
            signature: self.identity.receipt_key.sign(&message),
            body: Vec::from_slice(written).map_err(|_| Stop::BadState)?,
        };
        let reply = reply_of(&kept);
        self.state.receipt_seq = seq;
        self.state.last_receipt = Some(sha256(written));
        self.state.keep(kept);
        self.commit()?;
        log(&receipt);
        Ok(reply)
    }

    fn health(&self) -> Reply {
        let health = Health {
            agent_id: self.state.agent_id.clone(),
            clock: wall_seconds(),
            last_intent: self.state.last_intent,
            manifest: self.identity.manifest_hash,
            receipts: self.state.receipt_seq,
            sandbox_missing: self.sandbox_missing(),
            uptime_s: self.started.elapsed().as_secs(),
            version: crate::VERSION.try_into().unwrap_or_default(),
        };
        let mut out = [0; HEALTH_MAX];
        let body = health.write(&mut out).unwrap_or_default();
        Reply::Health(Vec::from_slice(body).unwrap_or_default())
    }

    /// The missing walls of both processes, as health has them.
    fn sandbox_missing(&self) -> heapless::String<SANDBOX_MAX> {
        let network = self.network.missing().map(|name| ("", name));
        listed(network.chain(self.diagnosis.missing().map(|name| ("diag:", name))))
    }

    fn commit(&mut self) -> Result<(), Stop> {
        // A disk that failed once while an operation was under way is not tried again.
        if let Some(stop @ Stop::State(_)) = &self.stopped {
            return Err(stop.clone());
        }
        let payload = encode(&self.state, &mut self.encoded).ok_or(Stop::BadState)?;
        self.file.write(payload).map_err(Stop::State)
    }

    fn add_waiter(&mut self, token: Token) {
        if self.waiters.push(token).is_err() {
            self.reply(token, &Reply::Overloaded);
        }
    }

    fn reply(&self, token: Token, reply: &Reply) {
        self.network.reply(token, reply);
    }
}

/// While an operation is under way: everything but a second operation, which is refused as busy.
impl Side for Desk {
    fn fds(&self) -> [Option<BorrowedFd<'_>>; 3] {
        let [link, handshakes] = self.network.watched();
        // Once stopped, requests stay where they are: the operation is seen to its end, and then we stop.
        [Some(link), Some(handshakes), self.diagnosis.watched()]
            .map(|fd| fd.filter(|_| self.stopped.is_none()))
    }

    fn due(&self) -> Option<Instant> {
        [self.heartbeat.due(), self.diagnosis.due()].into_iter().flatten().min()
    }

    fn ready(&mut self) {
        match self.take() {
            Ok(job) => debug_assert!(job.is_none(), "admitted while another operation is under way"),
            Err(stop) => self.stopped = Some(stop),
        }
    }
}

/// Names, each with what stands before it, in one text, with spaces.
fn listed(missing: impl Iterator<Item = (&'static str, &'static str)>) -> heapless::String<SANDBOX_MAX> {
    let mut names = heapless::String::new();
    for (before, name) in missing {
        let space = if names.is_empty() { "" } else { " " };
        let fitted = [space, before, name].into_iter().try_for_each(|part| names.push_str(part));
        debug_assert!(fitted.is_ok(), "there is room for every wall");
    }
    names
}

fn reply_of(kept: &Kept) -> Reply {
    Reply::Receipt { seq: kept.seq, signature: kept.signature, body: kept.body.clone() }
}

/// One line on stderr, which the service manager's journal keeps beside our own record.
fn log(receipt: &Receipt) {
    let unit = receipt.unit.as_ref().map_or("-", Unit::as_str);
    let reason = if receipt.reason.is_empty() { "" } else { " " };
    say(&format_args!(
        "receipt {} {} {unit} {}{reason}{} nonce={} intent={}",
        receipt.seq, receipt.action, receipt.state, receipt.reason, receipt.nonce, receipt.intent.seq,
    ));
}
