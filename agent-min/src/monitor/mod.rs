//! The monitor: the only process with rights, the only code that runs programs, the only code that signs.
//!
//! It knows nothing of TLS, HTTP or connections, and opens no socket but those to its own processes. A fixed-size request comes in, a fixed-size reply goes out
//! ([`crate::message`]); the path of an approval through it is [`Monitor::perform`], top to bottom. One
//! operation runs at a time; while it does, the [`Desk`] goes on answering everything else.
#![expect(clippy::result_large_err, reason = "reasons live on the stack; the monitor allocates nothing")]

mod desk;
mod diagnosis;
mod heartbeat;
mod judge;
mod network;
mod pid_file;
mod preflight;
mod reason;
mod recover;
mod rights;
mod service;
mod systemd;
mod tls_key;

use std::time::{Duration, Instant};

use secmon_sys::clock::wall_seconds;
use secmon_sys::process::ProcessMark;
use secmon_sys::spawn::Orphan;
use secmon_sys::state_file::StateFile;
use secmon_sys::wait::{Ended, pause, wait_for_work};
use secmon_wire::{Envelope, Operation, OutcomeState, operation};

pub(crate) use desk::{Stop, WAITERS_MAX};
pub(crate) use diagnosis::{Diagnosis, Examiner};
pub(crate) use network::{NetworkProcess, Starter};
pub(crate) use preflight::present as present_check;
pub(crate) use rights::lower as lower_rights;
pub(crate) use service::{Presence, Services};
pub(crate) use tls_key::TlsKey;

use desk::{Desk, Job, Outcome};
use judge::{Judgement, judge};
use reason::{Reason, reason};
use service::{Instance, Service, Status};

use crate::bundle::MonitorIdentity;
use crate::state::State;

/// Bytes of a program's output that are kept.
const OUTPUT_KEPT: usize = 4096;
/// How often a unit is looked at that is not yet as it should be.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long after its init script has ended a daemon may take to write its pid file.
const SETTLE_TIME: Duration = Duration::from_secs(15);

/// The monitor.
#[derive(Debug)]
pub(crate) struct Monitor {
    desk: Desk,
    /// What the manifest lists, and what an earlier run of the agent left unfinished.
    services: Vec<Service>,
}

impl Monitor {
    /// The monitor in front of its network process.
    pub(crate) fn new(
        network: NetworkProcess,
        examiner: Option<Examiner>,
        identity: MonitorIdentity,
        file: StateFile,
        state: Box<State>,
        services: Services,
    ) -> Self {
        let listed =
            identity.manifest.operations.iter().map(|c| services.service(operation(c.action), &c.unit));
        let unfinished = state.pending.as_ref().and_then(|pending| {
            let row = operation(Envelope::read(&pending.body).ok()?.action);
            Some(services.service(row, &pending.unit))
        });
        let services = listed.chain(unfinished).collect();
        let diagnosis = Diagnosis::new(examiner);
        Self { desk: Desk::new(network, diagnosis, identity, file, state), services }
    }

    /// Waits until the network process is locked in and listens; the names of the walls that are missing.
    pub(crate) fn wait_until_ready(&mut self) -> Result<Vec<&'static str>, Stop> {
        loop {
            if self.desk.strength().is_some() {
                self.desk.announce();
                return Ok(self.desk.missing().collect());
            }
            wait_for_work(&self.desk);
            // Nobody can ask for anything yet.
            let nothing = self.desk.take()?;
            debug_assert!(nothing.is_none(), "a job before anybody could connect");
        }
    }

    /// Works until it must stop.
    pub(crate) fn run(mut self) -> Stop {
        match self.work() {
            Ok(never) => match never {},
            Err(stop) => stop,
        }
    }

    fn work(&mut self) -> Result<std::convert::Infallible, Stop> {
        recover::finish(&mut self.desk, &self.services)?;
        self.desk.try_diagnosis();
        loop {
            wait_for_work(&self.desk);
            if let Some(job) = self.desk.take()? {
                self.perform(&job)?;
            }
        }
    }

    /// One admitted operation, from its record to its receipt.
    fn perform(&mut self, job: &Job) -> Result<(), Stop> {
        let begun = Instant::now();
        let row = operation(job.envelope.action);
        let Self { desk, services } = self;
        let service = services.iter().find(|s| s.operation().id == row.id && *s.unit() == job.unit);
        let service = service.ok_or(Stop::BadState)?;

        // No record, no act: from here on the envelope can't run again, whatever happens.
        desk.begin(job, wall_seconds())?;

        if let Some(refusal) = preflight(desk, service) {
            return desk.conclude(job, refusal.after(begun));
        }

        let before = match service.status(desk) {
            Ok(Status { presence: Presence::Present, instance, .. }) => instance,
            Ok(Status { presence: Presence::NotFound, .. }) => {
                return desk.conclude(job, Outcome::failed(reason("absent", "no such unit")).after(begun));
            }
            Ok(Status { presence: Presence::Absent(what), .. }) | Err(what) => {
                return desk.conclude(job, Outcome::failed(reason("absent", &what)).after(begun));
            }
        };

        let mut output = [0; OUTPUT_KEPT];
        let ended = match restart(desk, service, job, &before, &mut output)? {
            Ok(ended) => ended,
            Err(why) => return desk.conclude(job, Outcome::failed(why).after(begun)),
        };
        let deadline = Instant::now() + SETTLE_TIME.min(row.time_left(begun));
        let after = settle(desk, service, &before, &ended, deadline);

        let mut words = [0; OUTPUT_KEPT];
        let failed = ended.exit != Some(0) && !ended.timed_out;
        let words = if failed { service.last_words(desk, &mut words) } else { b"" };

        let Judgement { state, reason } = judge(row, &ended, &before, &after, words);
        let after = after.map(|status| status.instance).unwrap_or_default();
        desk.conclude(
            job,
            Outcome { state, reason, before, after, exit: ended.exit, duration_ms: 0 }.after(begun),
        )
    }
}

/// The refusal, if the service's own check finds its configuration broken.
fn preflight(desk: &mut Desk, service: &Service) -> Option<Outcome> {
    let check = preflight::present(&service.checks)?;
    let mut output = [0; OUTPUT_KEPT];
    let (exit, result) = preflight::run(check, desk, &mut output);
    let what = result.err()?;
    Some(Outcome { exit, ..Outcome::refused(reason("preflight", &what)) })
}

/// Runs the restart to its end. The inner error says why it could not be started.
fn restart<'o>(
    desk: &mut Desk,
    service: &Service,
    job: &Job,
    before: &Instance,
    output: &'o mut [u8],
) -> Result<Result<Ended<'o>, Reason>, Stop> {
    let Some(command) = &service.restart else {
        return Ok(Err(reason("absent", "no service manager found")));
    };
    // The program waits until it is on record; one that isn't has not run (see `recover`).
    let started = command.spawn_recorded(Orphan::GoesOn, |pid| {
        let program = ProcessMark::of(pid).ok_or(Stop::NoProc)?;
        desk.note_restart(job, before, program, wall_seconds())
    })?;
    Ok(match started {
        Ok(child) => Ok(child.wait(Instant::now() + service.operation().time(), desk, output)),
        Err(e) => Err(reason("exit", format_args!("{} can't be run: {e}", command.program().display()))),
    })
}

/// How the unit is once it is as it should be, or will not be.
fn settle(
    desk: &mut Desk,
    service: &Service,
    before: &Instance,
    ended: &Ended<'_>,
    deadline: Instant,
) -> Result<Status, Reason> {
    loop {
        let status = service.status(desk)?;
        let worth_waiting = status.changing || !service.restart_is_synchronous();
        let hopeless = ended.exit != Some(0) || !worth_waiting || Instant::now() >= deadline;
        if status.is_replacement_of(before) || hopeless {
            return Ok(status);
        }
        pause(Instant::now() + LOOK_EVERY, desk);
    }
}

impl Outcome {
    fn failed(reason: Reason) -> Self {
        Self { state: OutcomeState::Failed, ..Self::refused(reason) }
    }

    /// With the time since `begun`.
    fn after(self, begun: Instant) -> Self {
        Self { duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX), ..self }
    }
}

/// The bounds of an operation as durations.
trait Bounds {
    fn time(&self) -> Duration;
    fn time_left(&self, begun: Instant) -> Duration;
}

impl Bounds for Operation {
    fn time(&self) -> Duration {
        Duration::from_secs(u64::from(self.timeout_s))
    }

    fn time_left(&self, begun: Instant) -> Duration {
        self.time().saturating_sub(begun.elapsed())
    }
}

#[cfg(test)]
#[path = "monitor_tests.rs"]
mod tests;
