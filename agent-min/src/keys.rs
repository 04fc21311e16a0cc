//! The agent's Ed25519 keys: the one that it signs receipts with, and the control plane's public one.
//!
//! Files are PEM as OpenSSL writes them (RFC 7468, RFC 8410). A key never appears in an error or in a
//! `Debug` output.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};
use secmon_wire::signature::Signature;

/// What every Ed25519 SubjectPublicKeyInfo begins with (RFC 8410 §4): the key itself follows.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A private key.
pub(crate) struct SigningKey(Ed25519KeyPair);

/// A public key.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct VerifyingKey([u8; 32]);

impl SigningKey {
    /// Reads `-----BEGIN PRIVATE KEY-----`, with or without the public key in it.
    pub(crate) fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).ok().map(Self)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        let mut signature = [0; 64];
        for (to, from) in signature.iter_mut().zip(self.0.sign(message).as_ref()) {
            *to = *from;
        }
        signature
    }
}

impl VerifyingKey {
    /// Reads `-----BEGIN PUBLIC KEY-----`.
    pub(crate) fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).ok()?;
        let key = der.as_ref().strip_prefix(&SPKI_PREFIX)?;
        Some(Self(key.try_into().ok()?))
    }

    #[must_use]
    pub(crate) fn verifies(&self, message: &[u8], signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An Ed25519 key pair as OpenSSL writes it: PKCS#8 version 1, without the public key (RFC 8410 §7).
    fn openssl_pair() -> (String, String) {
        let pkcs8 =
            [[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20].as_slice(), &[7; 32]];
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("any seed");
        let spki = [SPKI_PREFIX.as_slice(), ring::signature::KeyPair::public_key(&pair).as_ref()];
        (pem("PRIVATE KEY", &pkcs8.concat()), pem("PUBLIC KEY", &spki.concat()))
    }

    fn pem(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", data_encoding::BASE64.encode(der))
    }

    #[test]
    fn keys_as_openssl_writes_them_sign_and_verify() {
        let (private, public) = openssl_pair();
        let signing = SigningKey::from_pem(private.as_bytes()).expect("a private key");
        let verifying = VerifyingKey::from_pem(public.as_bytes()).expect("a public key");
        let mut signature = signing.sign(b"message");
        assert!(verifying.verifies(b"message", &signature));
        assert!(!verifying.verifies(b"another", &signature));
        signature[0] ^= 1;
        assert!(!verifying.verifies(b"message", &signature));
    }

    #[test]
    fn a_private_key_that_carries_its_public_key_is_read_too() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let signing = SigningKey::from_pem(pair.serialize_pem().as_bytes()).expect("a private key");
        let verifying = VerifyingKey::from_pem(pair.public_key_pem().as_bytes()).expect("a public key");
        assert!(verifying.verifies(b"message", &signing.sign(b"message")));
    }

    #[test]
    fn one_kind_of_key_is_not_read_as_the_other() {
        let (private, public) = openssl_pair();
        assert!(SigningKey::from_pem(public.as_bytes()).is_none());
        assert!(VerifyingKey::from_pem(private.as_bytes()).is_none());
        assert!(VerifyingKey::from_pem(b"").is_none());
        let ec = rcgen::KeyPair::generate().expect("a P-256 key");
        assert!(SigningKey::from_pem(ec.serialize_pem().as_bytes()).is_none());
        assert!(VerifyingKey::from_pem(ec.public_key_pem().as_bytes()).is_none());
    }
}
