//! What a test in the same process does with a running server. Every method is safe to call from sync
//! and async tests; only the `wait…` ones block, and the server has a thread of its own.

use crate::fault::{Fault, PlannedFault};
use crate::inject::{Incoming, Press};
use crate::record::{CallbackAnswer, Injected, RequestRecord, SentMessage};
use crate::server::FakeTelegram;
use crate::waiting::Wait;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// What users do.
impl FakeTelegram {
    /// A user sends a text in any form.
    pub fn receive(&self, incoming: &Incoming) -> Injected {
        self.shared.change(|state| state.receive(incoming))
    }

    /// A user sends a plain text in the private chat with the bot.
    pub fn text(&self, from: i64, text: impl Into<String>) -> Injected {
        self.receive(&Incoming::new(from, text))
    }

    /// A user presses a button.
    pub fn press(&self, press: &Press) -> Injected {
        self.shared.change(|state| state.press(press))
    }

    /// Queues an update byte for byte, whatever it is. It counts as the id in it, or the next one.
    pub fn inject_raw(&self, update: impl AsRef<[u8]>) -> Injected {
        self.shared.change(|state| state.inject(update.as_ref().to_vec(), None, false))
    }

    /// Queues an update byte for byte, but with the next id written in front of its fields.
    pub fn inject_raw_with_next_id(&self, update: impl AsRef<[u8]>) -> Injected {
        self.shared.change(|state| state.inject(update.as_ref().to_vec(), None, true))
    }

    /// Makes a chat known, as if somebody had written to the bot in it. Takes a `Chat` object.
    pub fn add_chat(&self, chat: &Value) {
        self.shared.change(|state| state.add_chat(chat));
    }
}

/// What fails.
impl FakeTelegram {
    /// Plans a fault.
    pub fn plan(&self, fault: PlannedFault) {
        self.shared.change(|state| state.faults.plan(fault));
    }

    /// Plans a fault for the next request to a method.
    pub fn fail_next(&self, method: &str, fault: Fault) {
        self.plan(PlannedFault::new(fault).on(method));
    }

    /// Forgets all planned faults.
    pub fn clear_faults(&self) {
        self.shared.change(|state| state.faults.clear());
    }

    /// Faults that have not struck often enough yet.
    #[must_use]
    pub fn faults_left(&self) -> Vec<PlannedFault> {
        self.shared.peek(|state| state.faults.left())
    }

    /// Switches the built-in send limits.
    pub fn limit_rate(&self, on: bool) {
        self.shared.change(|state| state.limit_rate(on));
    }

    /// Puts the server's clock this many milliseconds from the real one.
    pub fn set_clock_offset_ms(&self, offset_ms: i64) {
        self.shared.change(|state| state.clock_offset_ms = offset_ms);
    }

    /// Milliseconds since the epoch, by the server's clock.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.peek(|state| state.now_ms())
    }
}

/// What the bot did.
impl FakeTelegram {
    /// Every message that the bot sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<SentMessage> {
        self.shared.peek(|state| state.messages.sent.clone())
    }

    /// Every message that the bot sent to a chat, oldest first.
    #[must_use]
    pub fn sent_to(&self, chat: i64) -> Vec<SentMessage> {
        self.sent().into_iter().filter(|message| message.chat_id == chat).collect()
    }

    /// Every request to a method, oldest first.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.peek(|state| state.requests.clone())
    }

    /// Every accepted answer to a callback query.
    #[must_use]
    pub fn callback_answers(&self) -> Vec<CallbackAnswer> {
        self.shared.peek(|state| state.answers.clone())
    }

    /// The lists of commands by scope and language.
    #[must_use]
    pub fn commands(&self) -> BTreeMap<String, Value> {
        self.shared.peek(|state| state.commands.clone())
    }

    /// Every breach of the specification so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.shared.peek(|state| state.violations.clone())
    }

    /// Whether requests are checked against a specification.
    #[must_use]
    pub fn has_spec(&self) -> bool {
        self.shared.peek(|state| state.spec.is_some())
    }

    /// Ids of updates that wait for confirmation.
    #[must_use]
    pub fn pending(&self) -> Vec<i64> {
        self.shared.peek(|state| state.queue.pending())
    }

    /// The highest offset that was asked for.
    #[must_use]
    pub fn confirmed_offset(&self) -> i64 {
        self.shared.peek(|state| state.queue.confirmed())
    }

    /// Fails the test when a request broke the specification.
    ///
    /// # Panics
    /// With the list of violations, when there are any.
    #[track_caller]
    pub fn assert_no_violations(&self) {
        let violations = self.violations();
        assert!(violations.is_empty(), "requests broke the Bot API specification: {violations:#?}");
    }
}

/// Waiting.
impl FakeTelegram {
    /// Blocks until the condition holds; `false` when it didn't in time.
    #[must_use]
    pub fn wait(&self, condition: &Wait, timeout: Duration) -> bool {
        self.shared.wait(timeout, |state| condition.holds(state).then_some(())).is_some()
    }

    /// Blocks until the bot has sent `count` messages in total, and gives all of them. In time or not,
    /// the caller gets what there is, so that its assertion can show it.
    #[must_use]
    pub fn wait_sent(&self, count: usize, timeout: Duration) -> Vec<SentMessage> {
        let _ = self.wait(&Wait { sent: Some(count), ..Wait::default() }, timeout);
        self.sent()
    }

    /// Blocks until some message of the bot, as it is shown then, satisfies `wanted`.
    #[must_use]
    pub fn wait_message(
        &self,
        timeout: Duration,
        mut wanted: impl FnMut(&SentMessage) -> bool,
    ) -> Option<SentMessage> {
        self.shared.wait(timeout, |state| state.messages.sent.iter().find(|message| wanted(message)).cloned())
    }

    /// Blocks until a poller waits for updates and none is pending: the bot is up and idle.
    #[must_use]
    pub fn wait_idle(&self, timeout: Duration) -> bool {
        self.wait(&Wait { polling: true, drained: true, ..Wait::default() }, timeout)
    }
}
