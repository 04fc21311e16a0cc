//! Wording of outcomes: curt, with the old and the new instance, and never better than what was proven.

use secmon_wire::{ActionId, ClientId, OutcomeState, Receipt};

use super::Reply;
use crate::dispatch::{Closed, Outcome, Recorded};

impl Reply {
    /// What became of an approval.
    pub fn outcome(closed: &Closed<'_>) -> Self {
        let recorded = closed.recorded();
        let (client, action) = (recorded.client(), recorded.envelope().action);
        let (unit, agent) = (recorded.unit(), &recorded.agent().id);
        let outcome = closed.outcome();
        let mut reply = match outcome {
            Outcome::Proven(receipted) => proven(client, action.as_str(), receipted.receipt()),
            Outcome::NeverRan => Self::new()
                .bold("✗ refused")
                .text(format!(" {client} {action}: {} ({unit} on {agent})", outcome.reason())),
            Outcome::Unknown(why) => Self::new().bold("? unknown").text(format!(
                " {client} {action}: {why} ({unit} on {agent}). It may have been executed. \
                 I keep asking the agent and will tell you."
            )),
            Outcome::Lost(why) => Self::new().bold("? unknown").text(format!(
                " {client} {action}: {why} ({unit} on {agent}). This is final: look at the host."
            )),
        };
        if let Some(error) = closed.unwritten() {
            reply.note(&format!("The audit log can't be written ({error}); this outcome is not in it yet."));
        }
        reply
    }

    /// An operation that was sent and hasn't answered yet.
    pub fn running(recorded: &Recorded) -> Self {
        let (client, action) = (recorded.client(), recorded.envelope().action);
        Self::new().text(format!("… {client} {action}: {} on {}", recorded.unit(), recorded.agent().id))
    }

    /// An outcome that was recorded, told again after a restart.
    pub fn repeated(client: &ClientId, action: ActionId, summary: &str) -> Self {
        Self::new()
            .bold(format!("{client} {action}"))
            .text(format!(": {summary} (told again after a restart)"))
    }
}

fn proven(client: &ClientId, action: &str, receipt: &Receipt) -> Reply {
    let unit = receipt.unit.as_ref().map_or("no unit", |unit| unit.as_str());
    let agent = &receipt.agent_id;
    let (seconds, tenths) = (receipt.duration_ms / 1000, receipt.duration_ms % 1000 / 100);
    let head = match receipt.state {
        OutcomeState::Succeeded => "✓ succeeded",
        OutcomeState::Failed => "✗ failed",
        OutcomeState::Refused => "✗ refused",
    };
    let mut reply = Reply::new().bold(head).text(format!(" {client} {action}"));
    if receipt.reason.is_empty() {
        reply = reply.text(format!(": {unit} on {agent}, {seconds}.{tenths} s"));
    } else {
        reply = reply.text(format!(": {} ({unit} on {agent})", receipt.reason));
    }
    if receipt.state != OutcomeState::Refused && !(receipt.before.is_empty() && receipt.after.is_empty()) {
        let shown =
            |instance: &str| if instance.is_empty() { "none".to_owned() } else { instance.to_owned() };
        reply = reply.text("\nold ").code(shown(&receipt.before)).text("\nnew ").code(shown(&receipt.after));
    }
    reply
}
