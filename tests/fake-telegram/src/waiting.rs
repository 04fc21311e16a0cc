//! Conditions that tests wait for, so that none of them sleeps. Pure.

use crate::state::State;

/// What must have happened; everything that is set must hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// So many messages were sent in total.
    pub sent: Option<usize>,
    /// So many edits were made in total.
    pub edits: Option<usize>,
    /// So many callback queries were answered in total.
    pub answers: Option<usize>,
    /// So many requests came, to `method` or to any.
    pub requests: Option<usize>,
    /// The method that `requests` counts, without case.
    pub method: Option<String>,
    /// Updates below this offset are confirmed.
    pub confirmed: Option<i64>,
    /// No update waits for confirmation.
    pub drained: bool,
    /// A poller waits for updates right now.
    pub polling: bool,
}

impl Wait {
    pub(crate) fn holds(&self, state: &State) -> bool {
        let edits = || state.messages.sent.iter().map(|message| message.edits.len()).sum::<usize>();
        let counts = |name: &str| self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(name));
        let requests = || state.requests.iter().filter(|request| counts(&request.method)).count();
        self.sent.is_none_or(|least| state.messages.sent.len() >= least)
            && self.edits.is_none_or(|least| edits() >= least)
            && self.answers.is_none_or(|least| state.answers.len() >= least)
            && self.requests.is_none_or(|least| requests() >= least)
            && self.confirmed.is_none_or(|offset| state.queue.confirmed() >= offset)
            && (!self.drained || state.queue.pending().is_empty())
            && (!self.polling || state.polling.waiting.is_some())
    }
}
