//! The envelope: one approved action for one agent, bound to the audit record of its intent.

use crate::canonical::{Object, Writer};
use crate::limits::ENVELOPE_MAX;
use crate::{AgentId, Hash, Nonce, OperationId, VERSION, WireError};

/// The audit record that was on disk before the envelope left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Its record hash.
    pub hash: Hash,
    /// Its number in the audit log, from 1.
    pub seq: u64,
}

/// `{"action","agent_id","intent":{"hash","seq"},"nonce","ts","v":1}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What to run.
    pub action: OperationId,
    /// Who is to run it.
    pub agent_id: AgentId,
    /// Why.
    pub intent: Intent,
    /// The approval's one-time number.
    pub nonce: Nonce,
    /// When the envelope was made, in seconds since the epoch.
    pub ts: u64,
}

impl Intent {
    pub(crate) fn read(object: Object<'_>) -> Result<Self, WireError> {
        let [hash, seq] = object.exact(["hash", "seq"])?;
        Ok(Self { hash: Hash(hash.hex("intent.hash")?), seq: seq.unsigned("intent.seq")? })
    }

    pub(crate) fn write(&self, w: &mut Writer<'_>) {
        w.open(b'{');
        w.key("hash");
        w.text(&self.hash.hex());
        w.key("seq");
        w.unsigned(self.seq);
        w.close(b'}');
    }
}

impl Envelope {
    /// Reads a canonical envelope.
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        let object = Object::parse(body, ENVELOPE_MAX)?;
        let [action, agent_id, intent, nonce, ts, v] =
            object.exact(["action", "agent_id", "intent", "nonce", "ts", "v"])?;
        if v.unsigned("v")? != VERSION {
            return Err(WireError::Version);
        }
        Ok(Self {
            action: OperationId::new(action.plain("action")?).ok_or(WireError::BadValue("action"))?,
            agent_id: AgentId::new(agent_id.plain("agent_id")?).ok_or(WireError::BadValue("agent_id"))?,
            intent: Intent::read(intent.object("intent")?)?,
            nonce: Nonce(nonce.hex("nonce")?),
            ts: ts.unsigned("ts")?,
        })
    }

    /// Writes the canonical form.
    pub fn write<'a>(&self, out: &'a mut [u8; ENVELOPE_MAX]) -> Result<&'a [u8], WireError> {
        let mut w = Writer::new(out);
        w.open(b'{');
        w.key("action");
        w.text(self.action.as_str());
        w.key("agent_id");
        w.text(self.agent_id.as_str());
        w.key("intent");
        self.intent.write(&mut w);
        w.key("nonce");
        w.text(&self.nonce.hex());
        w.key("ts");
        w.unsigned(self.ts);
        w.key("v");
        w.unsigned(VERSION);
        w.close(b'}');
        w.finish()
    }
}
