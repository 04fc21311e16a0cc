//! Finishes the operation that an earlier run of the agent left behind when it was killed.
//!
//! Nothing is ever run again. A restart goes on without us (its program is in a group of its own and loses
//! nothing when we go), so we wait for it to end and the unit to settle, within the operation's timeout, and
//! then say how it ended by the same rule as ever: active, and another instance than before.

use std::time::{Duration, Instant};

use secmon_sys::clock::wall_seconds;
use secmon_sys::process::ProcessMark;
use secmon_sys::wait::pause;
use secmon_wire::{Envelope, OutcomeState, operation};

use super::Bounds;
use super::desk::{Desk, Job, Outcome, Stop};
use super::reason::{Reason, reason};
use super::service::{Instance, Service, Status};
use crate::state::Phase;

/// How often the unit is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a unit may take to settle once nothing works on it any more.
const QUIET_TIME: Duration = Duration::from_secs(5);

/// Finishes what is unfinished, if anything is.
pub(crate) fn finish(desk: &mut Desk, services: &[Service]) -> Result<(), Stop> {
    let Some(pending) = desk.unfinished() else { return Ok(()) };
    let envelope = Envelope::read(&pending.body).map_err(|_| Stop::BadState)?;
    let row = operation(envelope.action);
    let job = Job { envelope, body: pending.body, unit: pending.unit };
    let outcome = match pending.phase {
        Phase::Checking => Outcome {
            state: OutcomeState::Failed,
            ..Outcome::refused(reason("interrupted", "the agent stopped before the restart began"))
        },
        Phase::Restarting { before, program } => {
            let service = services.iter().find(|s| s.operation().id == row.id && *s.unit() == job.unit);
            let service = service.ok_or(Stop::BadState)?;
            let after = wait_for(desk, service, &before, program);
            outcome(before, after)
        }
    };
    let duration_ms = wall_seconds().saturating_sub(pending.began).saturating_mul(1000);
    desk.conclude(&job, Outcome { duration_ms, ..outcome })
}

fn outcome(before: Instance, after: Result<Status, Reason>) -> Outcome {
    let (state, reason) = match &after {
        Ok(status) if status.is_replacement_of(&before) => (OutcomeState::Succeeded, Reason::new()),
        Ok(status) => {
            let how = if status.active { "runs as the same instance as before" } else { "does not run" };
            (
                OutcomeState::Failed,
                reason("interrupted", format_args!("the agent stopped during the restart; the unit {how}")),
            )
        }
        Err(what) => (OutcomeState::Failed, reason("interrupted", what)),
    };
    let after = after.map(|status| status.instance).unwrap_or_default();
    Outcome { state, before, after, ..Outcome::refused(reason) }
}

/// Waits until the unit is replaced, or nothing will replace it any more, or its time is over.
fn wait_for(
    desk: &mut Desk,
    service: &Service,
    before: &Instance,
    program: ProcessMark,
) -> Result<Status, Reason> {
    let begun = Instant::now();
    let deadline = begun + service.operation().time();
    let mut quiet_since = begun;
    loop {
        let status = service.status(desk)?;
        let now = Instant::now();
        let at_work = status.changing || program.runs();
        if at_work {
            quiet_since = now;
        } else if status.is_replacement_of(before) || now >= quiet_since + QUIET_TIME {
            return Ok(status);
        }
        if now >= deadline {
            // What is still at work now would change the unit after we have said how it ended.
            program.kill_group();
            return service.status(desk);
        }
        pause(now + LOOK_EVERY, desk);
    }
}
