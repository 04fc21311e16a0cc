//! Whether a restart succeeded: how its program ended and how the unit is, before and after. Pure.

use secmon_sys::wait::Ended;
use secmon_wire::{Operation, OutcomeState};

use super::reason::{Reason, first_error_line, last_line, reason};
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
    ended: &Ended<'_>,
    before: &Instance,
    after: &Result<Status, Reason>,
    last_words: &[u8],
) -> Judgement {
    if ended.timed_out {
        return Judgement::failed(reason(
            "timeout",
            format_args!("not done after {} s", operation.timeout_s),
        ));
    }
    if ended.exit != Some(0) {
        return Judgement::failed(match ended.exit {
            Some(status) if status < 0 => {
                why(format_args!("signal {}", status.unsigned_abs()), ended, last_words)
            }
            Some(status) => why(format_args!("{status}"), ended, last_words),
            None => why(format_args!("unknown"), ended, last_words),
        });
    }
    let after = match after {
        Ok(Status { presence: Presence::NotFound, .. }) => {
            return Judgement::failed(reason("inactive", "there is no such unit any more"));
        }
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

/// The service's own last words say more than its manager's "see the journal"; but a manager that didn't even start
/// it has the only ones.
fn why(how: std::fmt::Arguments<'_>, ended: &Ended<'_>, last_words: &[u8]) -> Reason {
    let manager = first_error_line(ended.output);
    let (last, cause) = (last_line(last_words), first_error_line(last_words));
    if last.is_empty() || manager.says(&["too often", "too quickly"]) {
        let space = if manager.is_empty() { "" } else { " " };
        reason("exit", format_args!("{how}{space}{manager}"))
    } else if last == cause {
        reason("exit", format_args!("{how} {last}"))
    } else {
        reason("exit", format_args!("{how} {last}; before it: {cause}"))
    }
}

#[cfg(test)]
mod tests {
    use secmon_wire::{OperationId, operation};

    use super::*;
    use crate::monitor::reason::detail;

    fn ended(exit: Option<i32>, timed_out: bool, output: &str) -> Ended<'_> {
        Ended { exit, timed_out, output: output.as_bytes() }
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
        let good = judge(row, &fine(), &before, &replaced(), b"");
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
            (fine(), Err(detail("no answer")), "inactive: no answer"),
            (
                fine(),
                Ok(Status { presence: Presence::Absent(detail("no unit")), ..status(true, false, "b") }),
                "inactive: no unit",
            ),
        ] {
            let judgement = judge(row, &ended, &before, &after, b"");
            assert_eq!(judgement.state, OutcomeState::Failed, "{word}");
            assert!(judgement.reason.starts_with(word), "{} / {word}", judgement.reason);
        }
    }

    #[test]
    fn a_unit_that_did_not_run_before_may_start() {
        let row = operation(OperationId::RestartWeb);
        let after = Ok(status(true, false, "pid 7 start 1"));
        let judgement = judge(row, &ended(Some(0), false, ""), &Instance::new(), &after, b"");
        assert_eq!(judgement.state, OutcomeState::Succeeded);
    }

    #[test]
    fn a_service_that_does_not_start_has_the_last_word() {
        let row = operation(OperationId::RestartPhp);
        let said = |manager: &str, words: &str| {
            let ended = ended(Some(1), false, manager);
            judge(row, &ended, &Instance::new(), &Err(Reason::new()), words.as_bytes()).reason
        };
        let manager = "Job for x.service failed because the control process exited with error code.\n";
        assert_eq!(
            said(manager, "NOTICE: fine\nERROR: unable to bind\nERROR: initialization failed\n").as_str(),
            "exit: 1 ERROR: initialization failed; before it: ERROR: unable to bind"
        );
        assert_eq!(said(manager, "ERROR: gone\n").as_str(), "exit: 1 ERROR: gone");
        assert!(said(manager, "").starts_with("exit: 1 Job for x.service failed"));
        let limit = "Job for x.service failed because start of the service was attempted too often.\n";
        assert!(said(limit, "ERROR: of before\n").contains("attempted too often"));
    }
}
