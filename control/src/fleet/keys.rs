//! Ed25519 keys: the dispatch key of the control plane and the receipt keys of agents.
//!
//! Private keys are PKCS#8 in PEM (RFC 8410 §7). New ones are written in version 1, which every OpenSSL
//! reads; version 2, which carries the public key too, is read as well.

use std::fmt;
use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use secmon_wire::signature::Signature;

use super::FleetError;

/// What stands before the 32 bytes of a private key: PKCS#8 version 1, id-Ed25519 (RFC 8410 §10.3).
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// What stands before the 32 bytes of a public key: SubjectPublicKeyInfo, id-Ed25519 (RFC 8410 §10.1).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// An Ed25519 public key.
pub type PublicKey = [u8; 32];

/// A key pair that signs.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// A new key, and its private PEM to write to a file.
    pub fn generate() -> Result<(Self, String), FleetError> {
        let mut der = [0; 48];
        let (prefix, seed) = der.split_at_mut(PRIVATE_PREFIX.len());
        prefix.copy_from_slice(&PRIVATE_PREFIX);
        random(seed)?;
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| FleetError::Key("a bad seed"))?;
        Ok((Self(key), pem("PRIVATE KEY", &der)))
    }

    /// Reads a private key in PEM.
    pub fn read(path: &Path) -> Result<Self, FleetError> {
        let text = std::fs::read(path).map_err(FleetError::reading(path))?;
        let expected = "an Ed25519 private key (PKCS#8 in PEM)";
        Self::from_pem(&text).ok_or_else(|| FleetError::Content { path: path.to_owned(), expected })
    }

    /// Parses a private key in PEM.
    pub fn from_pem(text: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text).ok()?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok().map(Self)
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = [0; 64];
        // ring's Ed25519 signatures are 64 bytes, always (RFC 8032 §5.1.6).
        for (to, from) in signature.iter_mut().zip(self.0.sign(message).as_ref()) {
            *to = *from;
        }
        signature
    }

    /// The key pair itself.
    pub fn into_pair(self) -> Ed25519KeyPair {
        self.0
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        let mut public = [0; 32];
        for (to, from) in public.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// Whether `signature` is the key's signature of `message`.
#[must_use]
pub fn is_signed_by(public: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    UnparsedPublicKey::new(&ED25519, public).verify(message, signature).is_ok()
}

/// A public key as SubjectPublicKeyInfo in PEM, as `openssl pkey -pubout` writes it.
pub fn public_pem(public: &PublicKey) -> String {
    pem("PUBLIC KEY", &[&PUBLIC_PREFIX[..], public].concat())
}

/// Parses a public key in PEM.
pub fn public_from_pem(text: &[u8]) -> Option<PublicKey> {
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text).ok()?;
    der.as_ref().strip_prefix(&PUBLIC_PREFIX)?.try_into().ok()
}

/// Fills `bytes` from the system's random source.
pub fn random(bytes: &mut [u8]) -> Result<(), FleetError> {
    SystemRandom::new().fill(bytes).map_err(|_| FleetError::Key("the system gave no random bytes"))
}

/// RFC 7468: base64 in lines of 64 characters.
fn pem(label: &str, der: &[u8]) -> String {
    let base64 = data_encoding::BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while let Some((line, after)) = rest.split_at_checked(64) {
        text.extend([line, "\n"]);
        rest = after;
    }
    if !rest.is_empty() {
        text.extend([rest, "\n"]);
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_signs() {
        let (key, private) = SigningKey::generate().expect("a key");
        let read = SigningKey::from_pem(private.as_bytes()).expect("a key");
        assert_eq!(read.public(), key.public());
        let signature = read.sign(b"message");
        assert!(is_signed_by(&key.public(), b"message", &signature));
        assert!(!is_signed_by(&key.public(), b"messagf", &signature));
        let (other, _) = SigningKey::generate().expect("a key");
        assert!(!is_signed_by(&other.public(), b"message", &signature));
        assert_eq!(public_from_pem(public_pem(&key.public()).as_bytes()), Some(key.public()));
    }

    /// RFC 8410 §10.3: version 1 as OpenSSL writes it, and version 2 with an attribute and the public key.
    #[test]
    fn both_versions_of_pkcs8_are_read() {
        let v1 = "-----BEGIN PRIVATE KEY-----\n\
                  MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                  -----END PRIVATE KEY-----\n";
        let public = "-----BEGIN PUBLIC KEY-----\n\
                      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                      -----END PUBLIC KEY-----\n";
        let key = SigningKey::from_pem(v1.as_bytes()).expect("version 1");
        assert_eq!(public_from_pem(public.as_bytes()), Some(key.public()));
        assert_eq!(public_pem(&key.public()), public);

        let v2 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("version 2");
        assert!(SigningKey::from_pem(pem("PRIVATE KEY", v2.as_ref()).as_bytes()).is_some());
    }

    #[test]
    fn other_keys_and_other_text_are_refused() {
        for refused in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert!(SigningKey::from_pem(refused.as_bytes()).is_none(), "{refused}");
            assert!(public_from_pem(refused.as_bytes()).is_none(), "{refused}");
        }
        let p256 = rcgen::KeyPair::generate().expect("a P-256 key");
        assert!(SigningKey::from_pem(p256.serialize_pem().as_bytes()).is_none());
        assert!(public_from_pem(p256.public_key_pem().as_bytes()).is_none());
    }
}
