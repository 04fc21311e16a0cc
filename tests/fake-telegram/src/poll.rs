//! `getUpdates`: the one method that waits.

use crate::answer::{ApiError, Reply};
use crate::params::Params;
use crate::state::{Shared, State};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// The server answers a long poll after this time at the latest.
pub const MAX_POLL: Duration = Duration::from_secs(50);

/// Carries out `getUpdates`.
pub(crate) async fn get_updates(shared: &Arc<Shared>, params: &Params) -> Result<Reply, ApiError> {
    let asked = shared.change(|state| Asked::start(state, params))?;
    let mut changes = shared.changes();
    let ready = shared.peek(|state| fetch(state, asked.limit));
    if !ready.is_empty() || asked.timeout.is_zero() {
        return Ok(Reply::updates(&ready));
    }
    // From here on this poller waits, and that is what ends the wait of an older one.
    let ticket = Ticket::take(shared);
    let deadline = Instant::now() + asked.timeout;
    loop {
        match shared.peek(|state| ticket.verdict(state, asked.limit)) {
            Verdict::Wait => {}
            Verdict::Updates(updates) => return Ok(Reply::updates(&updates)),
            Verdict::Conflict(error) => {
                sleep(shared.peek(conflict_pause)).await;
                return Err(error);
            }
        }
        if timeout_at(deadline, changes.changed()).await.is_err() {
            return Ok(Reply::updates(&[]));
        }
    }
}

/// The parameters, after their effects on the queue.
struct Asked {
    limit: usize,
    timeout: Duration,
}

impl Asked {
    fn start(state: &mut State, params: &Params) -> Result<Self, ApiError> {
        if state.webhook.is_some() {
            return Err(ApiError::new(
                409,
                "Conflict: can't use getUpdates method while webhook is active; \
                 use deleteWebhook to delete the webhook first",
            ));
        }
        let offset = params.int("offset").unwrap_or(0);
        let mut limit = usize::try_from(params.int("limit").unwrap_or(100)).unwrap_or(1).clamp(1, 100);
        let seconds = params.int("timeout").unwrap_or(0).clamp(0, MAX_POLL.as_secs().cast_signed());
        let mut timeout = Duration::from_secs(seconds.unsigned_abs());
        if let Some(Value::Array(kinds)) = params.json("allowed_updates")? {
            let names = kinds.iter().filter_map(Value::as_str).map(str::to_owned);
            state.queue.allow(names.collect());
        }
        let now = std::time::Instant::now();
        let since = state.polling.last.filter(|last| last.0 == offset).map(|last| now.duration_since(last.1));
        if let Some(since) = since.filter(|_| state.quick_repeat) {
            if since < Duration::from_secs(3) {
                timeout = timeout.max(Duration::from_secs(3));
            }
            if since < Duration::from_millis(500) {
                limit = 1;
            }
        }
        state.polling.last = Some((offset, now));
        state.queue.confirm(offset);
        Ok(Self { limit, timeout })
    }
}

enum Verdict {
    Wait,
    Updates(Vec<Vec<u8>>),
    Conflict(ApiError),
}

/// The right to be the one poller that waits; given back also when its client goes away.
struct Ticket {
    shared: Arc<Shared>,
    number: u64,
}

impl Ticket {
    fn take(shared: &Arc<Shared>) -> Self {
        let number = shared.change(|state| {
            state.polling.tickets += 1;
            state.polling.waiting = Some(state.polling.tickets);
            state.polling.tickets
        });
        Self { shared: Arc::clone(shared), number }
    }

    fn verdict(&self, state: &mut State, limit: usize) -> Verdict {
        if state.webhook.is_some() {
            return Verdict::Conflict(ApiError::new(409, "Conflict: terminated by setWebhook request"));
        }
        if state.polling.tickets != self.number {
            return Verdict::Conflict(ApiError::conflict());
        }
        let updates = fetch(state, limit);
        if updates.is_empty() { Verdict::Wait } else { Verdict::Updates(updates) }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.shared.change(|state| {
            if state.polling.waiting == Some(self.number) {
                state.polling.waiting = None;
            }
        });
    }
}

fn fetch(state: &mut State, limit: usize) -> Vec<Vec<u8>> {
    let now = state.now_ms();
    state.queue.fetch(limit, now)
}

/// The first conflict is answered at once, further ones within the pause that much later.
fn conflict_pause(state: &mut State) -> Duration {
    let now = std::time::Instant::now();
    if state.polling.next_conflict.is_some_and(|next| now < next) {
        return state.conflict_pause;
    }
    state.polling.next_conflict = Some(now + state.conflict_pause);
    Duration::ZERO
}
