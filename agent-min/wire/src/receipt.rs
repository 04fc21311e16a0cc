//! The receipt: what a host says that it did, signed with its own key, chained to its last one.

use core::fmt;

use heapless::String;

use crate::canonical::{Object, Writer};
use crate::limits::{INSTANCE_MAX, REASON_MAX, RECEIPT_MAX};
use crate::{AgentId, Hash, Intent, Nonce, OperationId, Unit, VERSION, WireError};

/// How an operation ended, as the host saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeState {
    /// The unit is active and its invocation id (or start time) is a new one.
    Succeeded,
    /// It was tried, and the unit is not active or was not replaced.
    Failed,
    /// It was not tried; the reason says why.
    Refused,
}

impl OutcomeState {
    /// The state with this name.
    pub fn new(text: &str) -> Option<Self> {
        match text {
            "succeeded" => Some(Self::Succeeded),
            "failed" => Some(Self::Failed),
            "refused" => Some(Self::Refused),
            _ => None,
        }
    }

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for OutcomeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `{"action","after","agent_id","before","clock","duration_ms","exit","intent","nonce","prev","reason","seq",
/// "state","unit","v":1}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What was asked for.
    pub action: OperationId,
    /// The unit's invocation id or start time afterwards; empty if it has none.
    pub after: String<INSTANCE_MAX>,
    /// Whose receipt this is.
    pub agent_id: AgentId,
    /// The unit's invocation id or start time before.
    pub before: String<INSTANCE_MAX>,
    /// The host's clock at the end, in seconds since the epoch.
    pub clock: u64,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The exit status of the last program run, negative for a signal; `None` if none ended.
    pub exit: Option<i32>,
    /// The intent that this answers.
    pub intent: Intent,
    /// The nonce that this answers.
    pub nonce: Nonce,
    /// SHA-256 of the body of this agent's previous receipt; `None` (an empty string) for its first.
    pub prev: Option<Hash>,
    /// Why it failed or was refused; empty if it succeeded.
    pub reason: String<REASON_MAX>,
    /// The number of this receipt at this agent, from 1.
    pub seq: u64,
    /// How it ended.
    pub state: OutcomeState,
    /// The unit that was or would have been touched; `None` (an empty string) if the manifest lists none.
    pub unit: Option<Unit>,
}

impl Receipt {
    /// Reads a canonical receipt.
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        let object = Object::parse(body, RECEIPT_MAX)?;
        let [
            action,
            after,
            agent_id,
            before,
            clock,
            duration_ms,
            exit,
            intent,
            nonce,
            prev,
            reason,
            seq,
            state,
            unit,
            v,
        ] = object.exact([
            "action",
            "after",
            "agent_id",
            "before",
            "clock",
            "duration_ms",
            "exit",
            "intent",
            "nonce",
            "prev",
            "reason",
            "seq",
            "state",
            "unit",
            "v",
        ])?;
        if v.unsigned("v")? != VERSION {
            return Err(WireError::Version);
        }
        Ok(Self {
            action: OperationId::new(action.plain("action")?).ok_or(WireError::BadValue("action"))?,
            after: after.text("after")?,
            agent_id: AgentId::new(agent_id.plain("agent_id")?).ok_or(WireError::BadValue("agent_id"))?,
            before: before.text("before")?,
            clock: clock.unsigned("clock")?,
            duration_ms: duration_ms.unsigned("duration_ms")?,
            exit: exit.signed_or_null("exit")?,
            intent: Intent::read(intent.object("intent")?)?,
            nonce: Nonce(nonce.hex("nonce")?),
            prev: optional(prev.plain("prev")?, Hash::new).ok_or(WireError::BadValue("prev"))?,
            reason: reason.text("reason")?,
            seq: seq.unsigned("seq")?,
            state: OutcomeState::new(state.plain("state")?).ok_or(WireError::BadValue("state"))?,
            unit: optional(unit.plain("unit")?, Unit::new).ok_or(WireError::BadValue("unit"))?,
        })
    }

    /// Writes the canonical form.
    pub fn write<'a>(&self, out: &'a mut [u8; RECEIPT_MAX]) -> Result<&'a [u8], WireError> {
        let mut w = Writer::new(out);
        w.open(b'{');
        w.key("action");
        w.text(self.action.as_str());
        w.key("after");
        w.text(&self.after);
        w.key("agent_id");
        w.text(self.agent_id.as_str());
        w.key("before");
        w.text(&self.before);
        w.key("clock");
        w.unsigned(self.clock);
        w.key("duration_ms");
        w.unsigned(self.duration_ms);
        w.key("exit");
        w.signed_or_null(self.exit);
        w.key("intent");
        self.intent.write(&mut w);
        w.key("nonce");
        w.text(&self.nonce.hex());
        w.key("prev");
        w.text(self.prev.map(|hash| hash.hex()).as_deref().unwrap_or_default());
        w.key("reason");
        w.text(&self.reason);
        w.key("seq");
        w.unsigned(self.seq);
        w.key("state");
        w.text(self.state.as_str());
        w.key("unit");
        w.text(self.unit.as_ref().map_or("", Unit::as_str));
        w.key("v");
        w.unsigned(VERSION);
        w.close(b'}');
        w.finish()
    }
}

/// An empty string is `Some(None)`; text that `parse` refuses is `None`.
fn optional<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { parse(text).map(Some) }
}
