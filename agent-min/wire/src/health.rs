//! Health: what an agent says of itself.

use heapless::String;

use crate::canonical::{Object, Writer};
use crate::limits::{HEALTH_MAX, SANDBOX_MAX};
use crate::{AgentId, Hash, VERSION, WireError};

/// `{"agent_id","clock","last_intent","manifest","receipts","sandbox_missing","uptime_s","v":1,"version"}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Who answers.
    pub agent_id: AgentId,
    /// The host's clock, in seconds since the epoch.
    pub clock: u64,
    /// The number of the last intent seen; 0 before the first.
    pub last_intent: u64,
    /// SHA-256 of the manifest in force, as served.
    pub manifest: Hash,
    /// The number of the last receipt; 0 before the first.
    pub receipts: u64,
    /// The walls that should stand around the agent's network process, and with `diag:` before them around its
    /// diagnostics process, and don't, by name, with spaces; empty if all stand.
    pub sandbox_missing: String<SANDBOX_MAX>,
    /// Seconds since the agent started.
    pub uptime_s: u64,
    /// The agent's version.
    pub version: String<16>,
}

impl Health {
    /// Reads a canonical health answer.
    pub fn read(body: &[u8]) -> Result<Self, WireError> {
        let object = Object::parse(body, HEALTH_MAX)?;
        let [agent_id, clock, last_intent, manifest, receipts, sandbox_missing, uptime_s, v, version] =
            object.exact([
                "agent_id",
                "clock",
                "last_intent",
                "manifest",
                "receipts",
                "sandbox_missing",
                "uptime_s",
                "v",
                "version",
            ])?;
        if v.unsigned("v")? != VERSION {
            return Err(WireError::Version);
        }
        Ok(Self {
            agent_id: AgentId::new(agent_id.plain("agent_id")?).ok_or(WireError::BadValue("agent_id"))?,
            clock: clock.unsigned("clock")?,
            last_intent: last_intent.unsigned("last_intent")?,
            manifest: Hash(manifest.hex("manifest")?),
            receipts: receipts.unsigned("receipts")?,
            sandbox_missing: sandbox_missing.text("sandbox_missing")?,
            uptime_s: uptime_s.unsigned("uptime_s")?,
            version: version.text("version")?,
        })
    }

    /// Writes the canonical form.
    pub fn write<'a>(&self, out: &'a mut [u8; HEALTH_MAX]) -> Result<&'a [u8], WireError> {
        let mut w = Writer::new(out);
        w.open(b'{');
        w.key("agent_id");
        w.text(self.agent_id.as_str());
        w.key("clock");
        w.unsigned(self.clock);
        w.key("last_intent");
        w.unsigned(self.last_intent);
        w.key("manifest");
        w.text(&self.manifest.hex());
        w.key("receipts");
        w.unsigned(self.receipts);
        w.key("sandbox_missing");
        w.text(&self.sandbox_missing);
        w.key("uptime_s");
        w.unsigned(self.uptime_s);
        w.key("v");
        w.unsigned(VERSION);
        w.key("version");
        w.text(&self.version);
        w.close(b'}');
        w.finish()
    }
}
