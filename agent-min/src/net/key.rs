//! The TLS key as this process has it: a public key, and somebody to ask for signatures.
//!
//! The monitor signs ([`crate::handshake`]). The library wants its signatures at once, so the process waits for
//! each; the monitor answers within a fraction of a millisecond, whatever else it is doing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls::pki_types::{SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{Signer, SigningKey, public_key_to_spki};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use secmon_sys::channel::Channel;

use crate::handshake::{REPLY_SIZE, SignReply, SignRequest, TlsSignature, transcript_hash};
use crate::setup::POINT;

/// How long a signature may take. The monitor is gone or stuck after that, and the handshake fails.
const SIGN_TIME: Duration = Duration::from_secs(5);

/// A key on P-256 whose private half is the monitor's.
pub(crate) struct RemoteKey(Arc<Remote>);

struct Remote {
    point: [u8; POINT],
    /// `None` where a certificate is only checked against the key.
    monitor: Option<Channel>,
    /// Numbers the requests, so that an answer which came too late is not taken for the next one's.
    asked: AtomicU32,
}

impl RemoteKey {
    /// The key whose public half is `point`, signed with by whoever holds the other end of `monitor`.
    pub(crate) fn new(point: [u8; POINT], monitor: Channel) -> std::io::Result<Self> {
        monitor.set_send_timeout(SIGN_TIME)?;
        monitor.set_receive_timeout(SIGN_TIME)?;
        Ok(Self::with(point, Some(monitor)))
    }

    /// The public half alone: it goes with a certificate or it doesn't, and signs nothing.
    pub(crate) fn public_only(point: [u8; POINT]) -> Self {
        Self::with(point, None)
    }

    fn with(point: [u8; POINT], monitor: Option<Channel>) -> Self {
        Self(Arc::new(Remote { point, monitor, asked: AtomicU32::new(0) }))
    }
}

impl Remote {
    fn sign(&self, message: &[u8]) -> Option<TlsSignature> {
        let monitor = self.monitor.as_ref()?;
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let request = SignRequest { number, hash: transcript_hash(message)? };
        monitor.send(&request.encode()).ok()?;
        let mut bytes = [0; REPLY_SIZE];
        loop {
            let length = monitor.recv(&mut bytes).ok()?;
            let reply = SignReply::decode(bytes.get(..length)?)?;
            if reply.number == number {
                return reply.signature;
            }
        }
    }
}

impl SigningKey for RemoteKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let offered = offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        offered.then(|| Box::new(Self(Arc::clone(&self.0))) as Box<dyn Signer>)
    }

    /// With it the library refuses a certificate that is another key's.
    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(public_key_to_spki(&alg_id::ECDSA_P256, self.0.point))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

impl Signer for RemoteKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(message).ok_or_else(|| Error::General("no signature".into()))?;
        Ok(signature.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

impl fmt::Debug for RemoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{self, certificate_verify};

    fn pair() -> (RemoteKey, Channel) {
        let (ours, theirs) = Channel::pair().expect("a pair");
        (RemoteKey::new([4; POINT], ours).expect("a key"), theirs)
    }

    fn reply(number: u32, byte: u8) -> [u8; REPLY_SIZE] {
        let signature = Some(heapless::Vec::from_slice(&[byte; 70]).expect("a signature"));
        SignReply { number, signature }.encode()
    }

    #[test]
    fn a_late_answer_is_not_taken_for_the_next_one() {
        let (key, monitor) = pair();
        let message = certificate_verify(&heapless::Vec::from_slice(&[7; 32]).expect("a hash"));
        monitor.send(&reply(u32::MAX, 1)).expect("sent");
        monitor.send(&reply(0, 2)).expect("sent");
        assert_eq!(key.sign(&message).expect("a signature"), [2; 70]);
        let mut request = [0; handshake::REQUEST_SIZE];
        monitor.recv(&mut request).expect("a request");
        assert_eq!(SignRequest::decode(&request).expect("a request").number, 0);
    }

    #[test]
    fn a_refusal_and_a_monitor_that_is_gone_fail_the_handshake_and_nothing_else() {
        let (key, monitor) = pair();
        let message = certificate_verify(&heapless::Vec::from_slice(&[7; 48]).expect("a hash"));
        monitor.send(&SignReply { number: 0, signature: None }.encode()).expect("sent");
        assert!(key.sign(&message).is_err());
        assert!(key.sign(b"secmon-receipt-v1\0{}").is_err(), "nothing but a handshake is even asked for");
        drop(monitor);
        assert!(key.sign(&message).is_err());
    }
}
