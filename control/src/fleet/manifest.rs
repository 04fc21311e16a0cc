//! Making, signing and checking capability manifests.
//!
//! secmon-wire knows the schema and both signatures of an agent's manifest. Here they meet the keys, and
//! documents of any other schema that carry the same HMAC: `signature` = hex(HMAC-SHA256(secret, canonical
//! JSON of everything else)).

use secmon_wire::limits::MANIFEST_MAX;
use secmon_wire::signature::{manifest_mac, manifest_mac_is};
use secmon_wire::{Manifest, ManifestBody, WireError, from_hex, to_hex};
use serde_json::{Map, Value};

use super::keys::{PublicKey, SigningKey, is_signed_by};
use super::{FleetError, json};
use crate::config::Secret;

const SIGNATURE: &str = "signature";
const CONTROL_SIGNATURE: &str = "control_signature";
/// The fields of an agent's manifest besides the signatures.
const BODY_FIELDS: [&str; 7] = ["agent_id", "client_id", "diagnostics", "issued", "operations", "seq", "v"];

/// What each check of a manifest said, in the order of the checks.
#[derive(Debug)]
pub struct Verification {
    /// One for each property.
    pub properties: Vec<Property>,
}

/// One property of a manifest.
#[derive(Debug)]
pub struct Property {
    /// What was checked.
    pub name: &'static str,
    /// What came out.
    pub verdict: Verdict,
}

/// Whether a property holds.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Verdict {
    /// It does.
    Holds(String),
    /// It needn't: the document isn't an agent's manifest.
    NotNeeded(String),
    /// It doesn't, and that is wrong.
    Fails(String),
}

/// Why a document can't be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// It isn't JSON that has a canonical form.
    #[error("not a JSON object of integers, texts and lists: {0}")]
    Json(#[from] serde_json::Error),
    /// It has the fields of an agent's manifest, but an agent wouldn't take it.
    #[error("not a manifest that an agent takes: {0}")]
    Schema(WireError),
    /// There is no key to sign it with.
    #[error(transparent)]
    Key(#[from] FleetError),
}

/// A signed document.
#[derive(Debug)]
pub enum Signed {
    /// An agent's manifest, with both signatures.
    Agent(Box<Manifest>),
    /// A document of another schema, with its HMAC, in canonical form.
    Other(Vec<u8>),
}

impl Verification {
    /// Whether nothing fails.
    #[must_use]
    pub fn holds(&self) -> bool {
        !self.properties.iter().any(|property| matches!(property.verdict, Verdict::Fails(_)))
    }
}

/// Signs an agent's manifest twice.
pub fn seal(body: ManifestBody, dispatch: &SigningKey, secret: &Secret) -> Result<Manifest, WireError> {
    let mut out = [0; MANIFEST_MAX];
    let signature = dispatch.sign(body.control_message(&mut out)?);
    body.seal(signature, secret.expose().as_bytes())
}

/// The canonical bytes of a manifest.
pub fn canonical(manifest: &Manifest) -> Result<Vec<u8>, FleetError> {
    let mut out = [0; MANIFEST_MAX];
    Ok(manifest.write(&mut out)?.to_vec())
}

/// Signs a document in any layout; signatures that it has already are replaced. The dispatch key is read
/// only for an agent's manifest.
pub fn sign(
    document: &[u8],
    dispatch: impl FnOnce() -> Result<SigningKey, FleetError>,
    secret: &Secret,
) -> Result<Signed, SignError> {
    let mut object = json::parse(document)?;
    object.remove(SIGNATURE);
    if !is_agents(&object) {
        let mac = manifest_mac(secret.expose().as_bytes(), &json::canonical(&object));
        object.insert(SIGNATURE.to_owned(), to_hex::<64>(&mac).as_str().into());
        return Ok(Signed::Other(json::canonical(&object)));
    }
    // The wire's reader checks whole manifests only, so it sees the body under placeholder signatures.
    object.insert(CONTROL_SIGNATURE.to_owned(), "0".repeat(128).into());
    object.insert(SIGNATURE.to_owned(), "0".repeat(64).into());
    let body = Manifest::read(&json::canonical(&object)).map_err(SignError::Schema)?.body;
    let manifest = seal(body, &dispatch()?, secret).map_err(SignError::Schema)?;
    Ok(Signed::Agent(Box::new(manifest)))
}

/// Checks every property of a document on its own, so that each one that fails is named.
pub fn verify(document: &[u8], secret: &Secret, dispatch: Option<&PublicKey>) -> Verification {
    let document = document.strip_suffix(b"\n").unwrap_or(document);
    let object = match json::parse(document) {
        Ok(object) => object,
        Err(error) => {
            let verdict = Verdict::Fails(format!("not a JSON object of integers, texts and lists: {error}"));
            return Verification { properties: vec![Property { name: "canonical form", verdict }] };
        }
    };
    let (canonical, schema, control) = if is_agents(&object) {
        (
            canonical_form(document, &object, Verdict::Fails),
            match Manifest::read(&json::canonical(&object)) {
                Ok(manifest) => {
                    let body = manifest.body;
                    Verdict::Holds(format!(
                        "manifest {} of agent {}, client {}",
                        body.seq, body.agent_id, body.client_id
                    ))
                }
                Err(error) => Verdict::Fails(error.to_string()),
            },
            control_signature(&object, dispatch),
        )
    } else {
        (
            canonical_form(document, &object, Verdict::NotNeeded),
            Verdict::NotNeeded("not an agent's manifest, its fields are data".to_owned()),
            Verdict::NotNeeded("not an agent's manifest, it has none".to_owned()),
        )
    };
    let properties = [
        ("canonical form", canonical),
        ("schema", schema),
        ("HMAC", hmac(&object, secret)),
        ("control signature", control),
    ];
    Verification {
        properties: properties.into_iter().map(|(name, verdict)| Property { name, verdict }).collect(),
    }
}

fn is_agents(object: &Map<String, Value>) -> bool {
    object.contains_key(CONTROL_SIGNATURE) || BODY_FIELDS.iter().all(|field| object.contains_key(*field))
}

fn canonical_form(
    document: &[u8],
    object: &Map<String, Value>,
    otherwise: impl FnOnce(String) -> Verdict,
) -> Verdict {
    let canonical = json::canonical(object);
    if canonical == document {
        return Verdict::Holds(format!("{} bytes", document.len()));
    }
    let at = canonical.iter().zip(document).take_while(|(a, b)| a == b).count();
    otherwise(format!("differs from byte {at} on; canonical is one line with sorted keys and no spaces"))
}

fn hmac(object: &Map<String, Value>, secret: &Secret) -> Verdict {
    let Some(signature) = hex_field(object, SIGNATURE) else {
        return Verdict::Fails("the field signature is missing or not 64 lower-case hex digits".to_owned());
    };
    let mut signed = object.clone();
    signed.remove(SIGNATURE);
    if manifest_mac_is(secret.expose().as_bytes(), &json::canonical(&signed), &signature) {
        Verdict::Holds("made with this SECMON_MANIFEST_SECRET".to_owned())
    } else {
        Verdict::Fails("edited after signing, or signed with another SECMON_MANIFEST_SECRET".to_owned())
    }
}

fn control_signature(object: &Map<String, Value>, dispatch: Option<&PublicKey>) -> Verdict {
    let Some(signature) = hex_field(object, CONTROL_SIGNATURE) else {
        return Verdict::Fails("missing or not 128 lower-case hex digits".to_owned());
    };
    let Some(dispatch) = dispatch else {
        return Verdict::Fails("can't be checked without dispatch.pub of the data directory".to_owned());
    };
    let mut signed = object.clone();
    signed.remove(SIGNATURE);
    signed.remove(CONTROL_SIGNATURE);
    if is_signed_by(dispatch, &json::canonical(&signed), &signature) {
        Verdict::Holds("made with this dispatch key".to_owned())
    } else {
        Verdict::Fails("edited after signing, or signed with another dispatch key".to_owned())
    }
}

fn hex_field<const N: usize>(object: &Map<String, Value>, name: &str) -> Option<[u8; N]> {
    from_hex(object.get(name)?.as_str()?.as_bytes())
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
