//! The acting side: the only code that runs programs, and the only code that signs receipts.
//!
//! It knows nothing of TLS, HTTP or connections. A fixed-size request comes in, a fixed-size reply goes out
//! ([`crate::message`]); the path of an approval through it is [`Monitor::perform`], top to bottom. One
//! operation runs at a time; while it does, the [`Desk`] goes on answering everything else.

mod desk;
mod judge;
mod pid_file;
mod preflight;
mod reason;
mod recover;
mod service;
mod systemd;

use std::os::unix::net::UnixDatagram;
use std::time::{Duration, Instant};

use secmon_sys::clock::wall_seconds;
use secmon_sys::process::ProcessMark;
use secmon_sys::spawn::{Command, Orphan};
use secmon_sys::state_file::StateFile;
use secmon_sys::wait::{Ended, pause, wait_for_work};
use secmon_wire::{Operation, OutcomeState, Unit, operation};

pub(crate) use desk::{Stop, WAITERS_MAX};
pub(crate) use preflight::command as preflight_command;
pub(crate) use service::{Presence, Services};

use desk::{Desk, Job, Outcome};
use judge::{Judgement, judge};
use reason::{Reason, reason};
use service::{Instance, Status};

use crate::bundle::ActingIdentity;
use crate::state::State;

/// How often a unit is looked at that is not yet as it should be.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long after its init script has ended a daemon may take to write its pid file.
const SETTLE_TIME: Duration = Duration::from_secs(15);

/// Finds the configuration check for a unit. A value of its own so that tests can bring their own checks.
type FindCheck = fn(&Operation, &Unit) -> Option<Command>;

/// The acting side.
#[derive(Debug)]
pub(crate) struct Monitor {
    desk: Desk,
    services: Services,
    find_check: FindCheck,
}

impl Monitor {
    /// The acting side on its end of the socket pair.
    pub(crate) fn new(
        socket: UnixDatagram,
        identity: ActingIdentity,
        file: StateFile,
        state: Box<State>,
        services: Services,
    ) -> std::io::Result<Self> {
        let desk = Desk::new(socket, identity, file, state)?;
        Ok(Self { desk, services, find_check: preflight_command })
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

        // No record, no act: from here on the envelope can't run again, whatever happens.
        self.desk.begin(job, wall_seconds())?;

        if let Some(refusal) = self.preflight(row, job) {
            return self.desk.conclude(job, refusal.after(begun));
        }

        let before = match self.services.status(row, &job.unit, &mut self.desk) {
            Ok(Status { presence: Presence::Present, instance, .. }) => instance,
            Ok(Status { presence: Presence::Absent(what), .. }) | Err(what) => {
                return self.desk.conclude(job, Outcome::failed(reason("absent", &what)).after(begun));
            }
        };

        let ended = match self.restart(row, job, &before)? {
            Ok(ended) => ended,
            Err(why) => return self.desk.conclude(job, Outcome::failed(why).after(begun)),
        };
        let deadline = Instant::now() + SETTLE_TIME.min(row.time_left(begun));
        let after = self.settle(row, &job.unit, &before, &ended, deadline);

        let Judgement { state, reason } = judge(row, &ended, &before, &after);
        let after = after.map(|status| status.instance).unwrap_or_default();
        self.desk.conclude(
            job,
            Outcome { state, reason, before, after, exit: ended.exit, duration_ms: 0 }.after(begun),
        )
    }

    /// The refusal, if the service's own check finds its configuration broken.
    fn preflight(&mut self, row: &Operation, job: &Job) -> Option<Outcome> {
        let check = (self.find_check)(row, &job.unit)?;
        let (exit, result) = preflight::run(&check, &mut self.desk);
        let what = result.err()?;
        Some(Outcome { exit, ..Outcome::refused(reason("preflight", &what)) })
    }

    /// Runs the restart to its end. The inner error says why it could not be started.
    fn restart(
        &mut self,
        row: &Operation,
        job: &Job,
        before: &Instance,
    ) -> Result<Result<Ended, Reason>, Stop> {
        let Some(command) = self.services.restart_command(&job.unit) else {
            return Ok(Err(reason("absent", "no service manager found")));
        };
        // The program waits until it is on record; one that isn't has not run (see `recover`).
        let started = command.spawn_recorded(Orphan::GoesOn, |pid| {
            let program = ProcessMark::of(pid).ok_or(Stop::NoProc)?;
            self.desk.note_restart(job, before, program, wall_seconds())
        })?;
        Ok(match started {
            Ok(child) => Ok(child.wait(Instant::now() + row.time(), &mut self.desk)),
            Err(e) => Err(reason("exit", &format!("{} can't be run: {e}", command.program().display()))),
        })
    }

    /// How the unit is once it is as it should be, or will not be.
    fn settle(
        &mut self,
        row: &Operation,
        unit: &Unit,
        before: &Instance,
        ended: &Ended,
        deadline: Instant,
    ) -> Result<Status, String> {
        loop {
            let status = self.services.status(row, unit, &mut self.desk)?;
            let worth_waiting = status.changing || !self.services.restart_is_synchronous();
            let hopeless = ended.exit != Some(0) || !worth_waiting || Instant::now() >= deadline;
            if status.is_replacement_of(before) || hopeless {
                return Ok(status);
            }
            pause(Instant::now() + LOOK_EVERY, &mut self.desk);
        }
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
