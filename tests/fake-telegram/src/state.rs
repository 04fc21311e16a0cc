//! Everything that the server knows, behind one lock, and the way to wait for a change of it.

use crate::answer::ApiError;
use crate::fault::Faults;
use crate::inject::{self, Incoming, Press};
use crate::messages::Messages;
use crate::queue::UpdateQueue;
use crate::rate::RateLimits;
use crate::raw;
use crate::record::{CallbackAnswer, Injected, RequestRecord};
use crate::spec::Spec;
use secmon_fake_http as http;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a callback query can be answered. The real time is not published.
const CALLBACK_LIFETIME_MS: i64 = 15 * 60 * 1000;
/// The first update id: real ones start anywhere.
const FIRST_UPDATE_ID: i64 = 700_000_001;

/// A chat that the bot may write to.
#[derive(Clone, Debug)]
pub(crate) struct KnownChat {
    pub(crate) value: Value,
    pub(crate) last_message_id: i64,
}

#[derive(Clone, Debug)]
struct Callback {
    asked_ms: i64,
    answered: bool,
}

/// Details of long polling that only `getUpdates` looks at.
#[derive(Debug, Default)]
pub(crate) struct Polling {
    /// The ticket of the poller that waits; an older one finds that it isn't its own any more.
    pub(crate) waiting: Option<u64>,
    pub(crate) tickets: u64,
    pub(crate) next_conflict: Option<Instant>,
    pub(crate) last: Option<(i64, Instant)>,
}

/// The state behind its lock.
pub(crate) type Shared = http::Shared<State>;

/// The state of the one bot.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) token: String,
    pub(crate) spec: Option<Spec>,
    pub(crate) conflict_pause: Duration,
    pub(crate) quick_repeat: bool,
    pub(crate) clock_offset_ms: i64,
    pub(crate) queue: UpdateQueue,
    pub(crate) polling: Polling,
    pub(crate) chats: BTreeMap<i64, KnownChat>,
    pub(crate) messages: Messages,
    callbacks: BTreeMap<String, Callback>,
    pub(crate) answers: Vec<CallbackAnswer>,
    pub(crate) commands: BTreeMap<String, Value>,
    pub(crate) webhook: Option<String>,
    pub(crate) faults: Faults,
    pub(crate) rate: Option<RateLimits>,
    pub(crate) requests: Vec<RequestRecord>,
    pub(crate) violations: Vec<String>,
}

impl State {
    pub(crate) fn new(token: String, spec: Option<Spec>) -> Self {
        Self {
            token,
            spec,
            conflict_pause: Duration::ZERO,
            quick_repeat: false,
            clock_offset_ms: 0,
            queue: UpdateQueue::new(FIRST_UPDATE_ID),
            polling: Polling::default(),
            chats: BTreeMap::new(),
            messages: Messages::default(),
            callbacks: BTreeMap::new(),
            answers: Vec::new(),
            commands: BTreeMap::new(),
            webhook: None,
            faults: Faults::default(),
            rate: None,
            requests: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Milliseconds since the epoch, by the server's own clock.
    pub(crate) fn now_ms(&self) -> i64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        i64::try_from(real).unwrap_or(i64::MAX).saturating_add(self.clock_offset_ms)
    }

    /// Seconds since the epoch, by the server's own clock.
    pub(crate) fn now(&self) -> i64 {
        self.now_ms() / 1000
    }

    /// The bot as a `User`; its id is the number in front of its token.
    pub(crate) fn bot(&self) -> Value {
        let id: i64 = self.token.split(':').next().and_then(|id| id.parse().ok()).unwrap_or(1);
        json!({"id": id, "is_bot": true, "first_name": "secmon test", "username": "secmon_test_bot"})
    }

    /// Switches the built-in send limits.
    pub(crate) fn limit_rate(&mut self, on: bool) {
        self.rate = on.then(|| RateLimits::new(self.now_ms()));
    }

    /// Makes a chat known, unless it is already; gives its id.
    pub(crate) fn add_chat(&mut self, value: &Value) -> Option<i64> {
        let id = value.get("id")?.as_i64()?;
        let known = || KnownChat { value: value.clone(), last_message_id: 0 };
        self.chats.entry(id).or_insert_with(known);
        Some(id)
    }

    /// The id that the next message of a chat gets.
    pub(crate) fn next_message_id(&mut self, chat: i64) -> i64 {
        let known = || KnownChat { value: inject::chat(chat), last_message_id: 0 };
        let entry = self.chats.entry(chat).or_insert_with(known);
        entry.last_message_id += 1;
        entry.last_message_id
    }

    /// A user sends a text.
    pub(crate) fn receive(&mut self, incoming: &Incoming) -> Injected {
        let chat = incoming.chat_id();
        let message_id = incoming.message_id.unwrap_or_else(|| self.next_message_id(chat));
        let replied = incoming.reply_to.and_then(|id| self.message_value(chat, id));
        self.inject_value(&incoming.update(message_id, self.now(), replied))
    }

    /// A user presses a button.
    pub(crate) fn press(&mut self, press: &Press) -> Injected {
        let query_id = (4_382_000_000_000_000_000_u64 + self.callbacks.len() as u64).to_string();
        let message = self.message_value(press.chat.unwrap_or(press.from), press.message_id);
        self.inject_value(&press.update(&query_id, message))
    }

    fn inject_value(&mut self, update: &Value) -> Injected {
        self.inject(update.to_string().into_bytes(), None, true)
    }

    /// Queues an update byte for byte. Its id in the queue is the one in it, or `id`, or the next one;
    /// only with `assign` an update without id gets one written into it.
    pub(crate) fn inject(&mut self, mut raw: Vec<u8>, id: Option<i64>, assign: bool) -> Injected {
        let seen = raw::look_inside(&raw);
        let own_id = seen.as_ref().and_then(|update| update.get("update_id")).and_then(Value::as_i64);
        let update_id = own_id.or(id).unwrap_or(self.queue.next_id());
        if assign && own_id.is_none() {
            raw = raw::with_update_id(&raw, update_id).unwrap_or(raw);
        }
        let payload = seen.as_ref().and_then(Value::as_object).and_then(|update| {
            update.iter().find(|(name, _)| *name != "update_id").map(|(name, value)| (name.clone(), value))
        });
        let now = self.now_ms();
        let kind = payload.as_ref().map(|(kind, _)| kind.as_str());
        let queued = self.queue.push(update_id, kind, raw, now);
        let mut injected = Injected { update_id, queued, message_id: None, callback_query_id: None };
        match payload {
            Some((kind, query)) if kind == "callback_query" => {
                let query_id = query.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.callbacks.insert(query_id.clone(), Callback { asked_ms: now, answered: false });
                injected.message_id = query.get("message").and_then(|message| self.notice(message));
                injected.callback_query_id = Some(query_id);
            }
            Some((_, message)) => injected.message_id = self.notice(message),
            None => {}
        }
        injected
    }

    /// Remembers the chat and the id of a message in an update, as far as they can be read.
    fn notice(&mut self, message: &Value) -> Option<i64> {
        let chat = message.get("chat").and_then(|chat| self.add_chat(chat))?;
        let id = message.get("message_id")?.as_i64()?;
        if let Some(known) = self.chats.get_mut(&chat) {
            known.last_message_id = known.last_message_id.max(id);
        }
        self.messages.remember_incoming(chat, id, message);
        Some(id)
    }

    /// Marks a callback query as answered, if it may still be.
    pub(crate) fn answer_callback(&mut self, answer: CallbackAnswer) -> Result<(), ApiError> {
        let now = self.now_ms();
        let open = |query: &&mut Callback| !query.answered && now - query.asked_ms < CALLBACK_LIFETIME_MS;
        let query = self.callbacks.get_mut(&answer.id).filter(open).ok_or_else(|| {
            ApiError::bad_request("query is too old and response timeout expired or query ID is invalid")
        })?;
        query.answered = true;
        self.answers.push(answer);
        Ok(())
    }
}
