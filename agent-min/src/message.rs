//! What the network process asks of the monitor: one fixed-size request, one fixed-size reply.
//!
//! They travel over a channel that keeps messages apart. The monitor trusts nothing in a request: a token is
//! echoed, a body is a candidate for [`crate::admit`], a report of walls is said to be the network process's own.
//!
//! ```text
//! request  token 4 · kind 1 · length 2 · body · zeros to REQUEST_SIZE
//! reply    token 4 · kind 1 · length 2 · body · zeros to REPLY_SIZE
//! ```
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::Vec;
use secmon_sys::sandbox::Strength;
use secmon_wire::limits::{ENVELOPE_MAX, HEALTH_MAX, RECEIPT_MAX};
use secmon_wire::signature::Signature;

use crate::areas::Areas;
use crate::bytes::{Reader, Writer};

/// Bytes of every request.
pub(crate) const REQUEST_SIZE: usize = HEADER + SIGNATURE + ENVELOPE_MAX;
/// Bytes of every reply.
pub(crate) const REPLY_SIZE: usize = HEADER + SEQ + SIGNATURE + RECEIPT_MAX;

const HEADER: usize = 7;
const SEQ: usize = 8;
const SIGNATURE: usize = 64;

/// Which waiting connection a reply is for. Chosen by the network process, meaningless to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) u32);

/// What the network process may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "its encoding has the largest size anyway")]
pub(crate) enum Request {
    /// Judge this envelope, and run it if it is admitted.
    Execute { signature: Signature, body: Vec<u8, ENVELOPE_MAX> },
    /// The oldest kept receipt with a number above this one.
    ReceiptAfter(u64),
    /// How the agent is.
    Health,
    /// It is locked in, and this is how well. Has no answer.
    Ready([u8; Strength::SIZE]),
    /// It is at work: the answer to [`Reply::AreYouThere`]. Has no answer itself.
    HereIAm,
    /// Have these areas looked at, as far as the manifest allows. The report comes through a pipe of its own.
    Diagnose(Areas),
}

/// What the monitor answers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "its encoding has the largest size anyway")]
pub(crate) enum Reply {
    /// A signed receipt, and its number.
    Receipt { seq: u64, signature: Signature, body: Vec<u8, RECEIPT_MAX> },
    /// There is no later receipt.
    NoReceipt,
    /// Health, in canonical JSON.
    Health(Vec<u8, HEALTH_MAX>),
    /// The envelope isn't one.
    Malformed,
    /// The envelope isn't from our control plane, or not for us.
    Forbidden,
    /// Too much is waiting already.
    Overloaded,
    /// No answer but a question, where the service manager wants to know whether we are well.
    AreYouThere,
    /// The report is in the pipe.
    Diagnosed,
}

impl Request {
    pub(crate) fn encode(&self, token: Token) -> [u8; REQUEST_SIZE] {
        let mut out = [0; REQUEST_SIZE];
        let fitted = match self {
            Self::Execute { signature, body } => write(&mut out, token, 1, &[signature, body]),
            Self::ReceiptAfter(seq) => write(&mut out, token, 2, &[&seq.to_le_bytes()]),
            Self::Health => write(&mut out, token, 3, &[]),
            Self::Ready(strength) => write(&mut out, token, 4, &[strength]),
            Self::HereIAm => write(&mut out, token, 5, &[]),
            Self::Diagnose(areas) => write(&mut out, token, 6, &[&areas.bits().to_le_bytes()]),
        };
        debug_assert!(fitted.is_some(), "the sizes of the parts are types");
        out
    }

    /// `None` for anything that [`Self::encode`] doesn't make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Token, Self)> {
        let (token, kind, mut body) = read(bytes, REQUEST_SIZE)?;
        let request = match kind {
            1 => Self::Execute { signature: body.array()?, body: rest(&mut body)? },
            2 => Self::ReceiptAfter(body.u64()?),
            3 => Self::Health,
            4 => Self::Ready(body.array()?),
            5 => Self::HereIAm,
            6 => Self::Diagnose(Areas::from_bits(body.u16()?)?),
            _ => return None,
        };
        body.at_end().then_some((token, request))
    }
}

impl Reply {
    pub(crate) fn encode(&self, token: Token) -> [u8; REPLY_SIZE] {
        let mut out = [0; REPLY_SIZE];
        let fitted = match self {
            Self::Receipt { seq, signature, body } => {
                write(&mut out, token, 1, &[&seq.to_le_bytes(), signature, body])
            }
            Self::NoReceipt => write(&mut out, token, 2, &[]),
            Self::Health(body) => write(&mut out, token, 3, &[body]),
            Self::Malformed => write(&mut out, token, 4, &[]),
            Self::Forbidden => write(&mut out, token, 5, &[]),
            Self::Overloaded => write(&mut out, token, 6, &[]),
            Self::AreYouThere => write(&mut out, token, 7, &[]),
            Self::Diagnosed => write(&mut out, token, 8, &[]),
        };
        debug_assert!(fitted.is_some(), "the sizes of the parts are types");
        out
    }

    /// `None` for anything that [`Self::encode`] doesn't make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<(Token, Self)> {
        let (token, kind, mut body) = read(bytes, REPLY_SIZE)?;
        let reply = match kind {
            1 => Self::Receipt { seq: body.u64()?, signature: body.array()?, body: rest(&mut body)? },
            2 => Self::NoReceipt,
            3 => Self::Health(rest(&mut body)?),
            4 => Self::Malformed,
            5 => Self::Forbidden,
            6 => Self::Overloaded,
            7 => Self::AreYouThere,
            8 => Self::Diagnosed,
            _ => return None,
        };
        body.at_end().then_some((token, reply))
    }
}

fn write(out: &mut [u8], token: Token, kind: u8, parts: &[&[u8]]) -> Option<()> {
    let length = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
    let mut w = Writer::new(out);
    w.put(&token.0.to_le_bytes())?;
    w.put(&[kind])?;
    w.put(&u16::try_from(length).ok()?.to_le_bytes())?;
    parts.iter().try_for_each(|part| w.put(part))
}

fn read(bytes: &[u8], size: usize) -> Option<(Token, u8, Reader<'_>)> {
    if bytes.len() != size {
        return None;
    }
    let mut r = Reader::new(bytes);
    let token = Token(r.u32()?);
    let kind = r.u8()?;
    let body = r.counted()?;
    r.only_zeros_left().then_some((token, kind, Reader::new(body)))
}

fn rest<const N: usize>(body: &mut Reader<'_>) -> Option<Vec<u8, N>> {
    Vec::from_slice(body.remaining()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sent_is_what_arrives(token: u32, seq: u64, key: u8, body in proptest::collection::vec(any::<u8>(), 0..=512)) {
            let token = Token(token);
            let short = Vec::from_slice(&body).expect("an envelope");
            for request in [
                Request::Execute { signature: [key; 64], body: short },
                Request::ReceiptAfter(seq),
                Request::Health,
                Request::Ready([key; 4]),
                Request::HereIAm,
                Request::Diagnose(Areas::ALL),
            ] {
                prop_assert_eq!(Request::decode(&request.encode(token)), Some((token, request)));
            }
            for reply in [
                Reply::Receipt { seq, signature: [key; 64], body: Vec::from_slice(&body.repeat(3)).expect("a receipt") },
                Reply::NoReceipt,
                Reply::Health(Vec::from_slice(&body).expect("health")),
                Reply::Malformed,
                Reply::Forbidden,
                Reply::Overloaded,
                Reply::AreYouThere,
                Reply::Diagnosed,
            ] {
                prop_assert_eq!(Reply::decode(&reply.encode(token)), Some((token, reply)));
            }
        }

        #[test]
        fn no_bytes_panic_the_decoder_and_a_decoded_request_has_one_encoding(
            mut bytes in proptest::collection::vec(any::<u8>(), REQUEST_SIZE), kind in 0..9_u8, length in 0..600_u16,
        ) {
            bytes[4] = kind;
            bytes[5..7].copy_from_slice(&length.to_le_bytes());
            bytes[(7 + usize::from(length)).min(REQUEST_SIZE)..].fill(0);
            if let Some((token, request)) = Request::decode(&bytes) {
                let again = request.encode(token);
                prop_assert_eq!(again.as_slice(), bytes.as_slice());
            }
            let _ = Reply::decode(&bytes);
        }
    }

    #[test]
    fn a_message_of_another_size_or_with_something_behind_it_is_refused() {
        let bytes = Request::Health.encode(Token(1));
        assert!(Request::decode(&bytes).is_some());
        assert!(Request::decode(&bytes[..REQUEST_SIZE - 1]).is_none());
        let mut trailing = bytes;
        trailing[REQUEST_SIZE - 1] = 1;
        assert!(Request::decode(&trailing).is_none());
    }
}
