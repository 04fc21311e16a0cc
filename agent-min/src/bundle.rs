//! Loads what `secmon agent add` made for this host: keys, certificates, the manifest.
//!
//! Every file is checked for owner and mode before it is believed, and every problem is found, not only the
//! first. What comes out is in two parts that share nothing: the network side gets its TLS identity, the
//! acting side the keys and the manifest.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secmon_sys::files::{FileProblem, Privacy, read_small};
use secmon_wire::limits::MANIFEST_MAX;
use secmon_wire::signature::sha256;
use secmon_wire::{Hash, Manifest, ManifestBody};

use crate::certificate::{self, DAY};
use crate::config::Config;
use crate::keys::{SigningKey, VerifyingKey};
use crate::net;

/// Bytes of a PEM file.
const PEM_MAX: usize = 16 * 1024;
/// Days before its end from which a certificate is worth a note.
const EXPIRY_NOTE_DAYS: u64 = 30;

/// Everything that was loaded.
#[derive(Debug)]
pub(crate) struct Bundle {
    pub(crate) network: NetworkIdentity,
    pub(crate) acting: ActingIdentity,
}

/// What the network side gets.
#[derive(Debug)]
pub(crate) struct NetworkIdentity {
    pub(crate) tls: Arc<ServerConfig>,
    /// The manifest as it is served.
    pub(crate) manifest: Vec<u8>,
}

/// What the acting side gets.
#[derive(Debug)]
pub(crate) struct ActingIdentity {
    pub(crate) receipt_key: SigningKey,
    pub(crate) dispatch_key: VerifyingKey,
    pub(crate) manifest: ManifestBody,
    /// SHA-256 of the manifest as it is served.
    pub(crate) manifest_hash: Hash,
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
    fn take<T>(&mut self, result: Result<T, FileProblem>) -> Option<T> {
        result.map_err(|problem| self.fatal.push(problem)).ok()
    }
}

/// Loads the bundle that `config` belongs to. `None` if anything fatal was found.
pub(crate) fn load(config: &Config, clock: u64, findings: &mut Findings) -> Option<Bundle> {
    let files = Files { config };
    let provider = Arc::new(net::provider());
    let tls = load_tls(&files, &provider, clock, findings);
    let receipt_key = findings.take(files.parse("receipt.key", Privacy::Secret, SigningKey::from_pem));
    let dispatch_key = findings.take(files.parse("dispatch.pub", Privacy::Public, VerifyingKey::from_pem));
    let manifest = findings.take(load_manifest(&files, dispatch_key.as_ref()));
    let (manifest_bytes, manifest) = manifest?;
    let acting = ActingIdentity {
        receipt_key: receipt_key?,
        dispatch_key: dispatch_key?,
        manifest: manifest.body,
        manifest_hash: sha256(&manifest_bytes),
    };
    let bundle = Bundle { network: NetworkIdentity { tls: tls?, manifest: manifest_bytes }, acting };
    findings.fatal.is_empty().then_some(bundle)
}

struct Files<'a> {
    config: &'a Config,
}

impl Files<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.config.directory().join(name)
    }

    fn problem(&self, name: &str, what: impl Into<String>) -> FileProblem {
        let remedy = "copy the bundle that `secmon agent add` made to this host again";
        FileProblem::new(&self.path(name), what, remedy)
    }

    fn parse<T>(
        &self,
        name: &str,
        privacy: Privacy,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, FileProblem> {
        let pem = read_small(&self.path(name), PEM_MAX, privacy)?;
        parse(&pem).ok_or_else(|| self.problem(name, "is not the PEM file that it should be"))
    }
}

fn load_tls(
    files: &Files<'_>,
    provider: &Arc<CryptoProvider>,
    clock: u64,
    findings: &mut Findings,
) -> Option<Arc<ServerConfig>> {
    let authority = files.parse("ca.pem", Privacy::Public, |pem| CertificateDer::from_pem_slice(pem).ok());
    let authority = findings.take(authority);
    let chain = files.parse("agent.pem", Privacy::Public, |pem| {
        CertificateDer::pem_slice_iter(pem)
            .collect::<Result<Vec<_>, _>>()
            .ok()
            .filter(|chain| !chain.is_empty())
    });
    let chain = findings.take(chain);
    let key = files.parse("agent.key", Privacy::Secret, |pem| PrivateKeyDer::from_pem_slice(pem).ok());
    let key = findings.take(key);
    let (authority, chain) = (authority?, chain?);
    if let Err(what) = certificate::check(&chain, &authority, &files.config.agent_id, provider, clock) {
        findings.fatal.push(FileProblem::new(
            &files.path("agent.pem"),
            what,
            "check this host's clock; then make a new bundle with `secmon agent add`",
        ));
        return None;
    }
    for (name, certificate) in [("agent.pem", chain.first()), ("ca.pem", Some(&authority))] {
        let end = certificate.and_then(|c| certificate::not_after(c, &authority, provider));
        if let Some(days) = end.map(|end| end.saturating_sub(clock) / DAY)
            && days < EXPIRY_NOTE_DAYS
        {
            findings.notes.push(format!("{} ends in {days} days", files.path(name).display()));
        }
    }
    let config = net::tls_config(provider, authority, chain, key?);
    findings.take(config.map_err(|e| match e {
        rustls::Error::InconsistentKeys(_) => files.problem("agent.key", "is not the key of agent.pem"),
        e => files.problem("agent.pem", format!("can't be used: {e}")),
    }))
}

fn load_manifest(
    files: &Files<'_>,
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
    if manifest.body.agent_id != files.config.agent_id {
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
