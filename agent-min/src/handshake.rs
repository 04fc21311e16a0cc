//! What the network process asks the monitor for during a TLS handshake: one signature.
//!
//! The TLS key stays in the monitor, and the monitor signs one thing with it only: the server's
//! CertificateVerify of TLS 1.3 (RFC 8446 §4.4.3), which it puts together itself from the transcript's hash. So
//! a network process that was taken over can answer handshakes for as long as it lives, and can have nothing
//! else signed: not a certificate request, not a TLS 1.2 exchange, not a client's side.
//!
//! ```text
//! request  number 4 · length 1 (32 or 48) · hash · zeros to REQUEST_SIZE
//! reply    number 4 · length 1 (0: refused) · ASN.1 signature · zeros to REPLY_SIZE
//! ```
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::Vec;

use crate::bytes::{Reader, Writer};

/// Bytes of every request.
pub(crate) const REQUEST_SIZE: usize = HEADER + HASH_MAX;
/// Bytes of every reply.
pub(crate) const REPLY_SIZE: usize = HEADER + SIGNATURE_MAX;

const HEADER: usize = 5;
/// SHA-384, which goes with AES-256.
const HASH_MAX: usize = 48;
const HASH_SIZES: [usize; 2] = [32, HASH_MAX];
/// An ECDSA signature on P-256 in ASN.1: two integers of up to 33 bytes, each with its head, in a sequence.
const SIGNATURE_MAX: usize = 72;

/// What stands before the hash in the message that is signed.
const PREFIX: [u8; 98] = prefix();
/// Bytes of the longest message.
const MESSAGE_MAX: usize = PREFIX.len() + HASH_MAX;

/// The hash of a handshake's transcript up to the certificate.
pub(crate) type TranscriptHash = Vec<u8, HASH_MAX>;
/// A signature in ASN.1.
pub(crate) type TlsSignature = Vec<u8, SIGNATURE_MAX>;

/// A request. The number is the asker's, and comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignRequest {
    pub(crate) number: u32,
    pub(crate) hash: TranscriptHash,
}

/// A reply; without a signature the request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SignReply {
    pub(crate) number: u32,
    pub(crate) signature: Option<TlsSignature>,
}

/// The message whose signature a server's CertificateVerify carries.
pub(crate) fn certificate_verify(hash: &TranscriptHash) -> Vec<u8, MESSAGE_MAX> {
    let mut message = Vec::from_slice(&PREFIX).unwrap_or_default();
    let _fits = message.extend_from_slice(hash);
    message
}

/// The hash in such a message; `None` if it is another one.
pub(crate) fn transcript_hash(message: &[u8]) -> Option<TranscriptHash> {
    let hash = message.strip_prefix(&PREFIX)?;
    HASH_SIZES.contains(&hash.len()).then(|| Vec::from_slice(hash).ok()).flatten()
}

impl SignRequest {
    pub(crate) fn encode(&self) -> [u8; REQUEST_SIZE] {
        let mut out = [0; REQUEST_SIZE];
        write(&mut out, self.number, &self.hash);
        out
    }

    /// `None` for anything that [`Self::encode`] doesn't make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, hash) = read(bytes, REQUEST_SIZE)?;
        HASH_SIZES
            .contains(&hash.len())
            .then(|| Some(Self { number, hash: Vec::from_slice(hash).ok()? }))
            .flatten()
    }
}

impl SignReply {
    pub(crate) fn encode(&self) -> [u8; REPLY_SIZE] {
        let mut out = [0; REPLY_SIZE];
        write(&mut out, self.number, self.signature.as_deref().unwrap_or_default());
        out
    }

    /// `None` for anything that [`Self::encode`] doesn't make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (number, signature) = read(bytes, REPLY_SIZE)?;
        let signature = if signature.is_empty() { None } else { Some(Vec::from_slice(signature).ok()?) };
        Some(Self { number, signature })
    }
}

fn write(out: &mut [u8], number: u32, body: &[u8]) {
    let mut w = Writer::new(out);
    let length = u8::try_from(body.len()).unwrap_or(0);
    let fitted = w.put(&number.to_le_bytes()).and_then(|()| w.put(&[length])).and_then(|()| w.put(body));
    debug_assert!(fitted.is_some(), "the sizes are types");
}

fn read(bytes: &[u8], size: usize) -> Option<(u32, &[u8])> {
    if bytes.len() != size {
        return None;
    }
    let mut r = Reader::new(bytes);
    let number = r.u32()?;
    let length = usize::from(r.u8()?);
    let body = r.slice(length)?;
    r.only_zeros_left().then_some((number, body))
}

/// 64 spaces, the context of a server, a zero (RFC 8446 §4.4.3).
const fn prefix() -> [u8; 98] {
    let context = b"TLS 1.3, server CertificateVerify\0";
    let mut out = [b' '; 98];
    let (_, tail) = out.split_at_mut(64);
    tail.copy_from_slice(context);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(length: usize) -> TranscriptHash {
        Vec::from_slice(&[7; HASH_MAX][..length]).expect("a hash")
    }

    #[test]
    fn the_message_is_the_one_of_rfc_8446_with_the_hash_at_its_end() {
        let message = certificate_verify(&hash(32));
        // The example in RFC 8446 §4.4.3, with our hash.
        let mut expected = "20".repeat(64);
        expected += "544c5320312e332c207365727665722043657274696669636174655665726966790";
        expected += "0";
        expected += &"07".repeat(32);
        assert_eq!(data_encoding::HEXLOWER.encode(&message), expected);
        for length in HASH_SIZES {
            assert_eq!(transcript_hash(&certificate_verify(&hash(length))), Some(hash(length)));
        }
    }

    #[test]
    fn only_a_servers_certificate_verify_has_a_hash_to_sign() {
        let good = certificate_verify(&hash(32));
        assert!(transcript_hash(&good).is_some());
        let client = String::from_utf8_lossy(&good).replace("server", "client");
        let long = [&good[..], &[7]].concat();
        for other in
            [client.as_bytes(), &good[1..], &good[..good.len() - 1], &long, b"", b"secmon-receipt-v1\0{}"]
        {
            assert_eq!(transcript_hash(other), None);
        }
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_arrives(number: u32, long: bool, signature in proptest::collection::vec(any::<u8>(), 0..=72)) {
            let request = SignRequest { number, hash: hash(if long { 48 } else { 32 }) };
            prop_assert_eq!(SignRequest::decode(&request.encode()), Some(request));
            let signature = (!signature.is_empty()).then(|| Vec::from_slice(&signature).expect("a signature"));
            let reply = SignReply { number, signature };
            prop_assert_eq!(SignReply::decode(&reply.encode()), Some(reply));
        }

        #[test]
        fn no_bytes_panic_the_decoders_and_what_decodes_has_one_encoding(
            mut bytes in proptest::collection::vec(any::<u8>(), REQUEST_SIZE), length in 0..60_u8,
        ) {
            bytes[4] = length;
            bytes[(HEADER + usize::from(length)).min(REQUEST_SIZE)..].fill(0);
            let decoded = SignRequest::decode(&bytes);
            prop_assert_eq!(decoded.is_some(), length == 32 || length == 48);
            if let Some(request) = decoded {
                let again = request.encode();
                prop_assert_eq!(again.as_slice(), bytes.as_slice());
            }
            let _ = SignReply::decode(&bytes);
        }
    }
}
