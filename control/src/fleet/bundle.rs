//! The bundle: everything that a host needs to become an agent, in one directory to copy there.
//!
//! It is made whole or not at all and overwrites nothing. The two private keys in it exist nowhere else.

use std::path::{Path, PathBuf};

use secmon_wire::{AgentId, Area, Capability, ClientId, Manifest, ManifestBody, Tuning};
use serde::Serialize;

use super::files::{Access, NewDirectory, create};
use super::keys::{SigningKey, public_pem};
use super::pki::Authority;
use super::{Address, FleetError, manifest};
use crate::config::{DataDir, Secret};
use crate::store::AgentRow;

/// The service file for systemd; other service managers need three lines of their own.
const SYSTEMD_UNIT: &str = include_str!("secmon-agent.service");
/// Its users, for systemd-sysusers.
const SYSTEMD_USERS: &str = include_str!("secmon-agent.sysusers");

/// An agent to be.
#[derive(Debug)]
pub struct NewAgent {
    /// Its id.
    pub id: AgentId,
    /// Whose server it is.
    pub client: ClientId,
    /// Where the control plane reaches it.
    pub address: Address,
    /// What it may be asked to do, sorted by operation.
    pub operations: Vec<Capability>,
    /// What it may be asked to look at, sorted.
    pub diagnostics: Vec<Area>,
    /// How it looks there, where it isn't left to it.
    pub tuning: Tuning,
    /// How it sees its own host.
    pub host: HostSettings,
}

/// What `agent.json` says besides the agent's id. Where nothing is given, the agent's own default holds.
#[derive(Debug, Default)]
pub struct HostSettings {
    /// Where it listens.
    pub listen: Option<String>,
    /// Its service manager.
    pub service_manager: Option<ServiceManager>,
    /// Its state file.
    pub state: Option<PathBuf>,
    /// Where its init scripts are.
    pub init_dir: Option<PathBuf>,
    /// Where its pid files are.
    pub run_dir: Option<PathBuf>,
}

/// What starts and stops services on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ServiceManager {
    /// Whatever the agent finds.
    Auto,
    /// systemctl.
    Systemd,
    /// rc-service.
    Openrc,
    /// Scripts in /etc/init.d.
    Sysv,
    /// OpenWrt's scripts in /etc/init.d.
    Procd,
}

/// What signs for the control plane.
#[derive(Debug)]
pub struct Signers {
    /// The certificate authority.
    pub authority: Authority,
    /// Its certificate, in PEM.
    pub ca_certificate: String,
    /// The key that signs manifests and envelopes.
    pub dispatch: SigningKey,
    /// The key of the manifests' HMAC.
    pub manifest_secret: Secret,
}

/// A bundle that is written but not yet in its place.
#[derive(Debug)]
pub struct Bundle {
    directory: NewDirectory,
    /// What the registry is to know about the agent.
    pub agent: AgentRow,
}

/// `agent.json`, as the agent reads it; the fields are in canonical order.
#[derive(Serialize)]
struct AgentJson<'a> {
    agent_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    init_dir: Option<&'a Path>,
    listen: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_dir: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_manager: Option<ServiceManager>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a Path>,
}

impl Signers {
    /// Reads the keys of a data directory.
    pub fn read(data: &DataDir, manifest_secret: Secret) -> Result<Self, FleetError> {
        let ca = data.ca_certificate();
        Ok(Self {
            authority: Authority::read(&ca, &data.ca_key())?,
            ca_certificate: std::fs::read_to_string(&ca).map_err(FleetError::reading(&ca))?,
            dispatch: SigningKey::read(&data.dispatch_key())?,
            manifest_secret,
        })
    }
}

impl Bundle {
    /// Makes the keys, the certificate and the manifest of a new agent, and writes them beside `target`.
    pub fn write(target: &Path, new: &NewAgent, signers: &Signers, now: u64) -> Result<Self, FleetError> {
        let directory = NewDirectory::start(target, "move it away, or choose another place with --out")?;
        let issued = signers.authority.issue_agent(&new.id, now)?;
        let (receipt_key, receipt_pem) = SigningKey::generate()?;
        let manifest_bytes = manifest::canonical(&first_manifest(new, signers, now)?)?;
        let files: [(&str, Access, Vec<u8>); 9] = [
            ("agent.json", Access::Public, agent_json(new)?),
            ("ca.pem", Access::Public, signers.ca_certificate.clone().into_bytes()),
            ("agent.pem", Access::Public, issued.certificate.into_bytes()),
            ("agent.key", Access::Private, issued.key.into_bytes()),
            ("dispatch.pub", Access::Public, public_pem(&signers.dispatch.public()).into_bytes()),
            ("receipt.key", Access::Private, receipt_pem.into_bytes()),
            ("capabilities.manifest.json", Access::Public, manifest_bytes.clone()),
            ("secmon-agent.service", Access::Public, SYSTEMD_UNIT.as_bytes().to_vec()),
            ("secmon-agent.sysusers", Access::Public, SYSTEMD_USERS.as_bytes().to_vec()),
        ];
        for (name, access, content) in files {
            create(&directory.path().join(name), access, &content)?;
        }
        let agent = AgentRow {
            id: new.id.clone(),
            client: new.client.clone(),
            address: new.address.to_string(),
            receipt_key: receipt_key.public(),
            not_after: issued.not_after,
            manifest: manifest_bytes,
            created: now,
        };
        Ok(Self { directory, agent })
    }

    /// Moves the bundle to its place.
    pub fn publish(self) -> Result<(), FleetError> {
        self.directory.publish()
    }
}

fn first_manifest(new: &NewAgent, signers: &Signers, now: u64) -> Result<Manifest, FleetError> {
    let too_many = |name| move |_| secmon_wire::WireError::BadValue(name);
    let body = ManifestBody {
        agent_id: new.id.clone(),
        client_id: new.client.clone(),
        diagnostics: new.diagnostics.as_slice().try_into().map_err(too_many("diagnostics"))?,
        issued: now,
        operations: new.operations.as_slice().try_into().map_err(too_many("operations"))?,
        seq: 1,
        tuning: new.tuning.clone(),
    };
    Ok(manifest::seal(body, &signers.dispatch, &signers.manifest_secret)?)
}

fn agent_json(new: &NewAgent) -> Result<Vec<u8>, FleetError> {
    let listen = new.host.listen.clone().unwrap_or_else(|| new.address.listen());
    let settings = AgentJson {
        agent_id: new.id.as_str(),
        init_dir: new.host.init_dir.as_deref(),
        listen: &listen,
        run_dir: new.host.run_dir.as_deref(),
        service_manager: new.host.service_manager,
        state: new.host.state.as_deref(),
    };
    let unwritable = |_| FleetError::Content { path: "agent.json".into(), expected: "paths that are UTF-8" };
    let mut text = serde_json::to_vec(&settings).map_err(unwritable)?;
    text.push(b'\n');
    Ok(text)
}
