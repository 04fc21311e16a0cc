//! Who may approve what. Pure: an operator, an action and a client come in, a decision goes out.

use secmon_wire::{ActionId, ClientId};

use crate::approval::Operator;

/// The rules in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Every allowlisted operator may approve every action for every client.
    #[default]
    EveryOperator,
    /// Nobody may approve anything: what shows in tests that the gate holds.
    #[cfg(test)]
    Nobody,
}

/// What the rules say about one approval.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Decision {
    /// Go on to the next gate.
    Permit,
    /// Reject, for this reason.
    Deny(&'static str),
}

impl Policy {
    /// Decides about one approval.
    pub fn decide(self, operator: Operator, action: ActionId, client: &ClientId) -> Decision {
        let _asked = (operator, action, client);
        match self {
            Self::EveryOperator => Decision::Permit,
            #[cfg(test)]
            Self::Nobody => Decision::Deny("nobody may"),
        }
    }
}
