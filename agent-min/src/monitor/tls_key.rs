//! The agent's TLS key. It stays in the monitor; what it signs is put together here ([`crate::handshake`]).

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;

use crate::handshake::{SignReply, SignRequest, TlsSignature, certificate_verify};
use crate::setup::POINT;

/// A private key on P-256.
pub(crate) struct TlsKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
}

impl TlsKey {
    /// Reads `-----BEGIN PRIVATE KEY-----`.
    pub(crate) fn from_pem(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der.secret_pkcs8_der(), &random)
            .ok()?;
        Some(Self { pair, random })
    }

    /// The public half.
    pub(crate) fn point(&self) -> [u8; POINT] {
        self.pair.public_key().as_ref().try_into().unwrap_or([0; POINT])
    }

    /// Answers a request of a handshake.
    pub(crate) fn answer(&self, request: &SignRequest) -> SignReply {
        let message = certificate_verify(&request.hash);
        let signature = self.pair.sign(&self.random, &message).ok();
        let signature = signature.and_then(|signature| TlsSignature::from_slice(signature.as_ref()).ok());
        SignReply { number: request.number, signature }
    }
}

impl fmt::Debug for TlsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsKey")
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn what_is_signed_is_a_servers_certificate_verify_and_not_the_hash_itself() {
        let pair = rcgen::KeyPair::generate().expect("a key");
        let key = TlsKey::from_pem(pair.serialize_pem().as_bytes()).expect("a key");
        let hash = heapless::Vec::from_slice(&[7; 32]).expect("a hash");
        let reply = key.answer(&SignRequest { number: 9, hash: hash.clone() });
        let signature = reply.signature.expect("a signature");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.point());
        assert!(public.verify(&certificate_verify(&hash), &signature).is_ok());
        assert!(public.verify(&hash, &signature).is_err());
        assert_eq!(reply.number, 9);
    }

    #[test]
    fn other_kinds_of_keys_are_not_read() {
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).expect("a key");
        for pem in [ed25519.serialize_pem(), p384.serialize_pem(), String::new()] {
            assert!(TlsKey::from_pem(pem.as_bytes()).is_none());
        }
    }
}
