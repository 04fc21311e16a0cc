//! The capability manifest: the only operations that an agent runs, signed twice.
//!
//! `signature` is an HMAC under a secret that the agent never holds, so an agent can't lie to the control
//! plane about what it supports. `control_signature` is the control plane's Ed25519 signature, which is
//! what the agent checks. The two cover different bytes: `control_signature` the body without both
//! signature fields, `signature` the body with `control_signature` in it.

use heapless::Vec;

use crate::canonical::{Object, Writer};
use crate::limits::{CAPABILITIES_MAX, MANIFEST_MAX, MIN_INTERVAL_MAX};
use crate::signature::{Signature, manifest_mac, manifest_mac_is};
use crate::{AgentId, Area, ClientId, OperationId, Tuning, Unit, VERSION, WireError, operation, to_hex};

/// One operation that the manifest lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// What may be run.
    pub action: OperationId,
    /// Seconds between two runs, at least.
    pub min_interval_s: u32,
    /// The one unit that it touches, from the operation's row in the table.
    pub unit: Unit,
}

/// What is signed: `{"agent_id","client_id","diagnostics","issued","operations","seq","tuning","v":1}`, where `tuning` is
/// only there if it says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestBody {
    /// Whose manifest this is.
    pub agent_id: AgentId,
    /// Whose server it is.
    pub client_id: ClientId,
    /// The areas of read-only diagnostics, sorted.
    pub diagnostics: Vec<Area, 16>,
    /// When it was signed, in seconds since the epoch.
    pub issued: u64,
    /// The operations, sorted by name.
    pub operations: Vec<Capability, CAPABILITIES_MAX>,
    /// Counts up with each manifest for this agent.
    pub seq: u64,
    /// What the diagnostics look at, where it isn't all that they find.
    pub tuning: Tuning,
}

/// A manifest with both signatures. Reading one checks its form, not its signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What is signed.
    pub body: ManifestBody,
    /// Ed25519 by the control plane's dispatch key.
    pub control_signature: Signature,
    /// HMAC-SHA256 by the manifest secret.
    pub signature: [u8; 32],
}

/// Which signature fields to write.
#[derive(Clone, Copy)]
enum Fields<'a> {
    Neither,
    Control(&'a Signature),
    Both(&'a Signature, &'a [u8; 32]),
}

impl ManifestBody {
    /// The capability for `action`, if the manifest lists it.
    pub fn capability(&self, action: OperationId) -> Option<&Capability> {
        self.operations.iter().find(|capability| capability.action == action)
    }

    /// The bytes that `control_signature` covers.
    pub fn control_message<'a>(&self, out: &'a mut [u8; MANIFEST_MAX]) -> Result<&'a [u8], WireError> {
        self.write(out, Fields::Neither)
    }

    /// The whole manifest, signed with the manifest secret over a body that holds `control_signature`.
    pub fn seal(self, control_signature: Signature, secret: &[u8]) -> Result<Manifest, WireError> {
        let mut out = [0; MANIFEST_MAX];
        let message = self.write(&mut out, Fields::Control(&control_signature))?;
        let signature = manifest_mac(secret, message);
        Ok(Manifest { body: self, control_signature, signature })
    }

    fn write<'a>(&self, out: &'a mut [u8; MANIFEST_MAX], fields: Fields<'_>) -> Result<&'a [u8], WireError> {
        let mut w = Writer::new(out);
        w.open(b'{');
        w.key("agent_id");
        w.text(self.agent_id.as_str());
        w.key("client_id");
        w.text(self.client_id.as_str());
        if let Fields::Control(signature) | Fields::Both(signature, _) = fields {
            w.key("control_signature");
            w.text(&to_hex::<128>(signature));
        }
        w.key("diagnostics");
        w.open(b'[');
        self.diagnostics.iter().for_each(|area| w.text(area.as_str()));
        w.close(b']');
        w.key("issued");
        w.unsigned(self.issued);
        w.key("operations");
        w.open(b'[');
        self.operations.iter().for_each(|capability| capability.write(&mut w));
        w.close(b']');
        w.key("seq");
        w.unsigned(self.seq);
        if let Fields::Both(_, signature) = fields {
            w.key("signature");
            w.text(&to_hex::<64>(signature));
        }
        if !self.tuning.is_empty() {
            w.key("tuning");
            w.raw(self.tuning.as_bytes());
        }
        w.key("v");
        w.unsigned(VERSION);
        w.close(b'}');
        w.finish()
    }
}

impl Manifest {
    /// Reads a canonical manifest. A unit that its operation may never touch is refused here.
    pub fn read(bytes: &[u8]) -> Result<Self, WireError> {
        let object = Object::parse(bytes, MANIFEST_MAX)?;
        let names = [
            "agent_id",
            "client_id",
            "control_signature",
            "diagnostics",
            "issued",
            "operations",
            "seq",
            "signature",
            "tuning",
            "v",
        ];
        let [
            agent_id,
            client_id,
            control_signature,
            diagnostics,
            issued,
            operations,
            seq,
            signature,
            tuning,
            v,
        ] = object.exact_but(names, "tuning")?;
        if v.unsigned("v")? != VERSION {
            return Err(WireError::Version);
        }
        let mut areas = Vec::new();
        for area in diagnostics.array("diagnostics")? {
            let area = Area::new(area.plain("diagnostics")?).ok_or(WireError::BadValue("diagnostics"))?;
            areas.push(area).map_err(|_| WireError::BadValue("diagnostics"))?;
        }
        if !areas.windows(2).all(|pair| pair.first() < pair.last()) {
            return Err(WireError::Unsorted("diagnostics"));
        }
        let mut capabilities = Vec::new();
        for capability in operations.array("operations")? {
            let capability = Capability::read(capability.object("operations")?)?;
            capabilities.push(capability).map_err(|_| WireError::BadValue("operations"))?;
        }
        if !capabilities.windows(2).all(|pair| pair.first().map(|c| c.action) < pair.last().map(|c| c.action))
        {
            return Err(WireError::Unsorted("operations"));
        }
        Ok(Self {
            body: ManifestBody {
                agent_id: AgentId::new(agent_id.plain("agent_id")?).ok_or(WireError::BadValue("agent_id"))?,
                client_id: ClientId::new(client_id.plain("client_id")?)
                    .ok_or(WireError::BadValue("client_id"))?,
                diagnostics: areas,
                issued: issued.unsigned("issued")?,
                operations: capabilities,
                seq: seq.unsigned("seq")?,
                tuning: match tuning.is_absent() {
                    true => Tuning::default(),
                    false => Tuning::of(tuning.object("tuning")?)?,
                },
            },
            control_signature: control_signature.hex("control_signature")?,
            signature: signature.hex("signature")?,
        })
    }

    /// Writes the canonical form, both signatures included.
    pub fn write<'a>(&self, out: &'a mut [u8; MANIFEST_MAX]) -> Result<&'a [u8], WireError> {
        self.body.write(out, Fields::Both(&self.control_signature, &self.signature))
    }

    /// Whether `signature` is the HMAC of everything else under `secret`. Constant time.
    pub fn mac_is_valid(&self, secret: &[u8]) -> bool {
        let mut out = [0; MANIFEST_MAX];
        match self.body.write(&mut out, Fields::Control(&self.control_signature)) {
            Ok(message) => manifest_mac_is(secret, message, &self.signature),
            Err(_) => false,
        }
    }
}

impl Capability {
    /// A capability, if the operation may touch the unit and the interval is within bounds.
    pub fn new(action: OperationId, unit: Unit, min_interval_s: u32) -> Result<Self, WireError> {
        let row = operation(action);
        if row.pattern(&unit).is_none() {
            return Err(WireError::BadValue("unit"));
        }
        if !(row.min_interval_s..=MIN_INTERVAL_MAX).contains(&min_interval_s) {
            return Err(WireError::BadValue("min_interval_s"));
        }
        Ok(Self { action, min_interval_s, unit })
    }

    fn read(object: Object<'_>) -> Result<Self, WireError> {
        let [action, min_interval_s, unit] = object.exact(["action", "min_interval_s", "unit"])?;
        let interval = u32::try_from(min_interval_s.unsigned("min_interval_s")?);
        Self::new(
            OperationId::new(action.plain("action")?).ok_or(WireError::BadValue("action"))?,
            Unit::new(unit.plain("unit")?).ok_or(WireError::BadValue("unit"))?,
            interval.map_err(|_| WireError::BadValue("min_interval_s"))?,
        )
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.open(b'{');
        w.key("action");
        w.text(self.action.as_str());
        w.key("min_interval_s");
        w.unsigned(u64::from(self.min_interval_s));
        w.key("unit");
        w.text(self.unit.as_str());
        w.close(b'}');
    }
}
