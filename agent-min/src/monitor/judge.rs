//! Whether a restart succeeded: how its program ended and how the unit is, before and after. Pure.

use secmon_sys::wait::Ended;
use secmon_wire::{Operation, OutcomeState};

use super::reason::{Reason, first_error_line, reason};
use super::service::{Instance, Presence, Status};

/// What the receipt will say.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct Judgement {
    pub(crate) state: OutcomeState,
    pub(crate) reason: Reason,
}

impl Judgement {
    fn failed(reason: Reason) -> Self {
        Self { state: OutcomeState::Failed, reason }
    }
}

/// A restart succeeded if its program said so **and** the unit is active as another instance than before.
pub(crate) fn judge(
    operation: &Operation,
    ended: &Ended,
    before: &Instance,
    after: &Result<Status, String>,
) -> Judgement {
    if ended.timed_out {
        return Judgement::failed(reason("timeout", &format!("not done after {} s", operation.timeout_s)));
    }
    if ended.exit != Some(0) {
        let line = first_error_line(&ended.output);
        let how = match ended.exit {
            Some(status) if status < 0 => format!("signal {}", status.unsigned_abs()),
            Some(status) => status.to_string(),
            None => "unknown".into(),
        };
        let separator = if line.is_empty() { "" } else { " " };
        return Judgement::failed(reason("exit", &format!("{how}{separator}{line}")));
    }
    let after = match after {
        Ok(Status { presence: Presence::Absent(what), .. }) | Err(what) => {
            return Judgement::failed(reason("inactive", what));
        }
        Ok(after) => after,
    };
    if after.is_replacement_of(before) {
        return Judgement { state: OutcomeState::Succeeded, reason: Reason::new() };
    }
    Judgement::failed(match (after.active, after.changing) {
        (_, true) => reason("inactive", "the unit is still starting or stopping"),
        (false, false) => reason("inactive", "the unit does not run after the restart"),
        (true, false) => reason("unchanged", "the unit runs, but as the same instance as before"),
    })
}

#[cfg(test)]
mod tests {
    use secmon_wire::{OperationId, operation};

    use super::*;

    fn ended(exit: Option<i32>, timed_out: bool, output: &str) -> Ended {
        Ended { exit, timed_out, output: output.into() }
    }

    fn status(active: bool, changing: bool, instance: &str) -> Status {
        let instance = Instance::try_from(instance).expect("an instance");
        Status { presence: Presence::Present, active, changing, instance }
    }

    #[test]
    fn success_is_a_clean_end_and_an_active_unit_and_a_new_instance() {
        let row = operation(OperationId::RestartWeb);
        let before = Instance::try_from("a").expect("an instance");
        let replaced = || Ok(status(true, false, "b"));
        let fine = || ended(Some(0), false, "");
        let good = judge(row, &fine(), &before, &replaced());
        assert_eq!(good, Judgement { state: OutcomeState::Succeeded, reason: Reason::new() });
        // Take away one thing at a time.
        for (ended, after, word) in [
            (ended(Some(0), true, ""), replaced(), "timeout:"),
            (ended(Some(1), false, "it failed\n"), replaced(), "exit: 1 it failed"),
            (ended(Some(-9), false, ""), replaced(), "exit: signal 9"),
            (ended(None, false, ""), replaced(), "exit: unknown"),
            (fine(), Ok(status(false, false, "b")), "inactive:"),
            (fine(), Ok(status(true, true, "b")), "inactive:"),
            (fine(), Ok(status(true, false, "a")), "unchanged:"),
            (fine(), Ok(status(true, false, "")), "unchanged:"),
            (fine(), Err("no answer".into()), "inactive: no answer"),
            (
                fine(),
                Ok(Status { presence: Presence::Absent("no unit".into()), ..status(true, false, "b") }),
                "inactive: no unit",
            ),
        ] {
            let judgement = judge(row, &ended, &before, &after);
            assert_eq!(judgement.state, OutcomeState::Failed, "{word}");
            assert!(judgement.reason.starts_with(word), "{} / {word}", judgement.reason);
        }
    }

    #[test]
    fn a_unit_that_did_not_run_before_may_start() {
        let row = operation(OperationId::RestartWeb);
        let after = Ok(status(true, false, "pid 7 start 1"));
        let judgement = judge(row, &ended(Some(0), false, ""), &Instance::new(), &after);
        assert_eq!(judgement.state, OutcomeState::Succeeded);
    }
}
