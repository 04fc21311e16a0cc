//! Loads what `secmon agent add` made for this host: keys, certificates, the manifest.
//!
//! Every file is checked for owner and mode before it is believed, and every problem is found, not only the
//! first. What comes out is in two parts: the monitor's, with every secret there is, and what the network
//! process is handed, which anybody may know. The monitor reads the certificates and doesn't parse them;
//! [`load_tls`] is for the network process, and for `check`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey as TlsSigningKey;
use secmon_sys::files::{FileProblem, Privacy, read_small};
use secmon_wire::limits::MANIFEST_MAX;
use secmon_wire::signature::sha256;
use secmon_wire::{AgentId, Hash, Manifest, ManifestBody, Tuning};

use crate::certificate::{self, DAY};
use crate::config::Config;
use crate::keys::{SigningKey, VerifyingKey};
use crate::monitor::TlsKey;
use crate::net;
use crate::setup::{PEM_MAX, POINT};

/// Days before its end from which a certificate is worth a note.
const EXPIRY_NOTE_DAYS: u64 = 30;

/// What was loaded; a part with a problem isn't there.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) monitor: Option<MonitorIdentity>,
    pub(crate) public: Option<PublicFiles>,
    /// The public half of the TLS key.
    pub(crate) tls_key: Option<[u8; POINT]>,
}

/// What the monitor works with.
#[derive(Debug)]
pub(crate) struct MonitorIdentity {
    pub(crate) receipt_key: SigningKey,
    pub(crate) dispatch_key: VerifyingKey,
    pub(crate) tls_key: TlsKey,
    pub(crate) manifest: ManifestBody,
    /// SHA-256 of the manifest as it is served.
    pub(crate) manifest_hash: Hash,
}

/// What the network process serves with.
#[derive(Debug)]
pub(crate) struct PublicFiles {
    /// `ca.pem`, as it was read.
    pub(crate) authority: Vec<u8>,
    /// `agent.pem`, as it was read.
    pub(crate) chain: Vec<u8>,
    /// The manifest as it is served.
    pub(crate) manifest: Vec<u8>,
}

/// What was found on the way.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Each of these stops the start.
    pub(crate) fatal: Vec<FileProblem>,
    /// What an operator should know.
    pub(crate) notes: Vec<String>,
}

impl Findings {
    /// What stops the start, in a line.
    pub(crate) fn first_problem(&self) -> String {
        self.fatal.first().map_or_else(|| "the bundle is incomplete".into(), ToString::to_string)
    }

    fn take<T>(&mut self, result: Result<T, FileProblem>) -> Option<T> {
        result.map_err(|problem| self.fatal.push(problem)).ok()
    }
}

/// Loads the bundle that `config` belongs to.
pub(crate) fn load(config: &Config, findings: &mut Findings) -> Bundle {
    let files = Files { directory: config.directory() };
    let authority = findings.take(files.read("ca.pem", Privacy::Public));
    let chain = findings.take(files.read("agent.pem", Privacy::Public));
    let tls_key = findings.take(files.parse("agent.key", Privacy::Secret, TlsKey::from_pem));
    let receipt_key = findings.take(files.parse("receipt.key", Privacy::Secret, SigningKey::from_pem));
    let dispatch_key = findings.take(files.parse("dispatch.pub", Privacy::Public, VerifyingKey::from_pem));
    let manifest = findings.take(load_manifest(&files, &config.agent_id, dispatch_key.as_ref()));
    let point = tls_key.as_ref().map(TlsKey::point);
    let (monitor, public) = parts(authority, chain, tls_key, receipt_key, dispatch_key, manifest);
    Bundle { monitor, public, tls_key: point }
}

fn parts(
    authority: Option<Vec<u8>>,
    chain: Option<Vec<u8>>,
    tls_key: Option<TlsKey>,
    receipt_key: Option<SigningKey>,
    dispatch_key: Option<VerifyingKey>,
    manifest: Option<(Vec<u8>, Manifest)>,
) -> (Option<MonitorIdentity>, Option<PublicFiles>) {
    let (bytes, body) = manifest.map(|(bytes, manifest)| (bytes, manifest.body)).unzip();
    let manifest_hash = bytes.as_deref().map(sha256);
    let monitor = || {
        Some(MonitorIdentity {
            receipt_key: receipt_key?,
            dispatch_key: dispatch_key?,
            tls_key: tls_key?,
            manifest: body?,
            manifest_hash: manifest_hash?,
        })
    };
    let public = || Some(PublicFiles { authority: authority?, chain: chain?, manifest: bytes? });
    (monitor(), public())
}

/// What the bundle's manifest says of how to look, without the keys of the bundle.
pub(crate) fn tuning(config: &Config) -> Result<Tuning, FileProblem> {
    let files = Files { directory: config.directory() };
    let dispatch_key = files.parse("dispatch.pub", Privacy::Public, VerifyingKey::from_pem)?;
    load_manifest(&files, &config.agent_id, Some(&dispatch_key)).map(|(_, manifest)| manifest.body.tuning)
}

/// What TLS is configured from.
pub(crate) struct TlsParts<'a> {
    /// The directory of the bundle, for what has to be said of its files.
    pub(crate) directory: &'a Path,
    pub(crate) agent_id: &'a AgentId,
    pub(crate) authority: &'a [u8],
    pub(crate) chain: &'a [u8],
    pub(crate) key: Arc<dyn TlsSigningKey>,
}

/// Checks the certificates, and configures TLS with them. `None` if anything fatal was found.
pub(crate) fn load_tls(
    parts: TlsParts<'_>,
    clock: u64,
    findings: &mut Findings,
) -> Option<Arc<ServerConfig>> {
    let files = Files { directory: parts.directory };
    let provider = Arc::new(net::provider());
    let authority =
        findings.take(files.understand("ca.pem", CertificateDer::from_pem_slice(parts.authority).ok()));
    let chain = CertificateDer::pem_slice_iter(parts.chain)
        .collect::<Result<Vec<_>, _>>()
        .ok()
        .filter(|chain| !chain.is_empty());
    let chain = findings.take(files.understand("agent.pem", chain));
    let (authority, chain) = (authority?, chain?);
    if let Err(what) = certificate::check(&chain, &authority, parts.agent_id, &provider, clock) {
        findings.fatal.push(FileProblem::new(
            &files.path("agent.pem"),
            what,
            "check this host's clock; then make a new bundle with `secmon agent add`",
        ));
        return None;
    }
    for (name, certificate) in [("agent.pem", chain.first()), ("ca.pem", Some(&authority))] {
        let end = certificate.and_then(|c| certificate::not_after(c, &authority, &provider));
        if let Some(days) = end.map(|end| end.saturating_sub(clock) / DAY)
            && days < EXPIRY_NOTE_DAYS
        {
            findings.notes.push(format!("{} ends in {days} days", files.path(name).display()));
        }
    }
    let config = net::tls_config(&provider, authority, chain, parts.key);
    findings.take(config.map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => files.problem("agent.key", "is not the key of agent.pem"),
        e => files.problem("agent.pem", format!("can't be used: {e}")),
    }))
}

struct Files<'a> {
    directory: &'a Path,
}

impl Files<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn problem(&self, name: &str, what: impl Into<String>) -> FileProblem {
        let remedy = "copy the bundle that `secmon agent add` made to this host again";
        FileProblem::new(&self.path(name), what, remedy)
    }

    fn read(&self, name: &str, privacy: Privacy) -> Result<Vec<u8>, FileProblem> {
        read_small(&self.path(name), PEM_MAX, privacy)
    }

    fn parse<T>(
        &self,
        name: &str,
        privacy: Privacy,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, FileProblem> {
        let pem = self.read(name, privacy)?;
        self.understand(name, parse(&pem))
    }

    fn understand<T>(&self, name: &str, parsed: Option<T>) -> Result<T, FileProblem> {
        parsed.ok_or_else(|| self.problem(name, "is not the PEM file that it should be"))
    }
}

fn load_manifest(
    files: &Files<'_>,
    agent_id: &AgentId,
    dispatch_key: Option<&VerifyingKey>,
) -> Result<(Vec<u8>, Manifest), FileProblem> {
    let name = "capabilities.manifest.json";
    let remedy = "put the signed manifest back; `secmon manifest sign` makes a new one";
    let problem = |what: String| FileProblem::new(&files.path(name), what, remedy);
    let mut bytes = read_small(&files.path(name), MANIFEST_MAX.saturating_add(1), Privacy::Public)?;
    // Editors and shells end files with a newline; what is signed and served has none.
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    let manifest = Manifest::read(&bytes).map_err(|e| problem(format!("is not a manifest: {e}")))?;
    if manifest.body.agent_id != *agent_id {
        return Err(problem(format!("is for the agent {}", manifest.body.agent_id)));
    }
    let Some(dispatch_key) = dispatch_key else {
        return Err(problem("can't be verified without dispatch.pub".into()));
    };
    let mut out = [0; MANIFEST_MAX];
    let message = manifest.body.control_message(&mut out).map_err(|e| problem(e.to_string()))?;
    if !dispatch_key.verifies(message, &manifest.control_signature) {
        return Err(problem("was edited, or is not signed by this control plane".into()));
    }
    Ok((bytes, manifest))
}
