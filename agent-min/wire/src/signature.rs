//! What exactly is signed, and the manifest's HMAC. Ed25519 itself is the caller's (ring, on both sides).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::limits::{ENVELOPE_MAX, RECEIPT_MAX};
use crate::{Hash, WireError};

/// An Ed25519 signature.
pub type Signature = [u8; 64];

/// What stands before an envelope's body in the signed message.
pub const ENVELOPE_CONTEXT: &[u8] = b"secmon-envelope-v1\0";
/// What stands before a receipt's body in the signed message.
pub const RECEIPT_CONTEXT: &[u8] = b"secmon-receipt-v1\0";

const CONTEXT_MAX: usize = 32;

/// The message that an envelope's signature covers.
pub fn envelope_message(body: &[u8]) -> Result<heapless::Vec<u8, { ENVELOPE_MAX + CONTEXT_MAX }>, WireError> {
    in_context(ENVELOPE_CONTEXT, body, ENVELOPE_MAX)
}

/// The message that a receipt's signature covers.
pub fn receipt_message(body: &[u8]) -> Result<heapless::Vec<u8, { RECEIPT_MAX + CONTEXT_MAX }>, WireError> {
    in_context(RECEIPT_CONTEXT, body, RECEIPT_MAX)
}

fn in_context<const N: usize>(
    context: &[u8],
    body: &[u8],
    limit: usize,
) -> Result<heapless::Vec<u8, N>, WireError> {
    let mut message = heapless::Vec::new();
    if body.len() > limit || message.extend_from_slice(context).is_err() {
        return Err(WireError::TooLong { limit });
    }
    message.extend_from_slice(body).map_err(|_| WireError::TooLong { limit })?;
    Ok(message)
}

/// HMAC-SHA256 of a manifest without its `signature` field.
pub fn manifest_mac(secret: &[u8], body: &[u8]) -> [u8; 32] {
    mac(secret, body).finalize().into_bytes().into()
}

/// Compares in constant time.
#[must_use]
pub fn manifest_mac_is(secret: &[u8], body: &[u8], signature: &[u8; 32]) -> bool {
    mac(secret, body).verify_slice(signature).is_ok()
}

#[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §2)")]
fn mac(secret: &[u8], body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes a key of any length");
    mac.update(body);
    mac
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}
