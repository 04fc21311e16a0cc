//! DNS messages (RFC 1035): one question, and of the answer what is needed to judge a resolver or a name.
//!
//! Names in answers are passed over and never followed, so a pointer can't lead anywhere.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bytes::Bytes;

/// What a question and an answer fit into: no larger one is asked for.
pub const MESSAGE_MAX: usize = 512;
/// A name, as text.
const NAME_MAX: usize = 253;
/// More addresses of one name are not looked at.
const ADDRESSES_MAX: usize = 16;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 addresses.
    A = 1,
    /// IPv6 addresses.
    Aaaa = 28,
}

/// What a resolver said.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Said {
    /// The name's addresses; none if it has none of this kind.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// It can't tell (SERVFAIL, REFUSED and the like).
    Unable,
}

/// A recursive question. `None` for what is no name of a host.
pub fn question(id: u16, name: &str, kind: Kind) -> Option<Vec<u8>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.len() > NAME_MAX {
        return None;
    }
    let mut out = id.to_be_bytes().to_vec();
    // Recursion is wanted; one question; no records.
    out.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length))?;
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !plain {
            return None;
        }
        out.push(length);
        out.extend(label.as_bytes());
    }
    out.extend([0, 0, kind as u8, 0, 1]);
    Some(out)
}

/// Reads the answer to this question. `None` for what isn't one.
pub fn answer(question: &[u8], message: &[u8]) -> Option<Said> {
    const HEADER: usize = 12;
    let (asked, message) = (question.get(HEADER..)?, &mut Bytes(message));
    let (id, flags) = (message.take(2)?, message.be16()?);
    let (questions, answers) = (message.be16()?, message.be16()?);
    let _authorities_and_more = message.take(4)?;
    let is_answer = flags & 0x8000 != 0;
    if !is_answer || question.get(..2) != Some(id) {
        return None;
    }
    // An error may come back without the question.
    if questions != 0 && !message.take(asked.len())?.eq_ignore_ascii_case(asked) {
        return None;
    }
    Some(match flags & 0x000f {
        0 => Said::Addresses(addresses(message, answers)?),
        3 => Said::NoSuchName,
        _ => Said::Unable,
    })
}

fn addresses(message: &mut Bytes<'_>, answers: u16) -> Option<Vec<IpAddr>> {
    let mut found = Vec::new();
    // Each turn takes bytes or ends, so a large count costs nothing. What is cut off (TC) is not missed.
    for _ in 0..answers {
        let Some((kind, data)) = record(message) else { break };
        let address: Option<IpAddr> = match kind {
            1 => data.try_into().ok().map(|bytes: [u8; 4]| Ipv4Addr::from(bytes).into()),
            28 => data.try_into().ok().map(|bytes: [u8; 16]| Ipv6Addr::from(bytes).into()),
            _ => None,
        };
        if found.len() < ADDRESSES_MAX {
            found.extend(address);
        }
    }
    Some(found)
}

fn record<'a>(message: &mut Bytes<'a>) -> Option<(u16, &'a [u8])> {
    loop {
        match message.byte()? {
            0 => break,
            length @ 1..=63 => drop(message.take(length.into())?),
            0xc0.. => {
                message.byte()?;
                break;
            }
            _ => return None,
        }
    }
    let kind = message.be16()?;
    let _class_and_lifetime = message.take(6)?;
    let length = message.be16()?;
    Some((kind, message.take(length.into())?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(asked: &[u8], flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = asked[..2].to_vec();
        out.extend(flags.to_be_bytes());
        out.extend([0, 1]);
        out.extend(u16::try_from(records.len()).expect("few").to_be_bytes());
        out.extend([0; 4]);
        out.extend(&asked[12..]);
        for (kind, data) in records {
            out.extend([0xc0, 12]);
            out.extend(kind.to_be_bytes());
            out.extend([0, 1, 0, 0, 0, 60]);
            out.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
            out.extend(*data);
        }
        out
    }

    #[test]
    fn a_question_is_what_every_resolver_expects() {
        let wanted = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x04acme\x02de\0\0\x01\0\x01";
        assert_eq!(question(0x1234, "www.acme.de.", Kind::A).as_deref(), Some(wanted.as_slice()));
        for name in ["", ".", "a..b", "a b", "b\u{e4}r.de", &"a".repeat(64), &"a.".repeat(130), "*.a.de"] {
            assert_eq!(question(1, name, Kind::A), None, "{name}");
        }
    }

    #[test]
    fn an_answer_is_addresses_no_name_or_unable() {
        let asked = question(7, "acme.de", Kind::A).expect("a name");
        let records: [(u16, &[u8]); 3] = [(5, b"\xc0\x0c"), (1, &[104, 16, 0, 1]), (28, &[0; 16])];
        let addresses = vec!["104.16.0.1".parse().expect("v4"), "::".parse().expect("v6")];
        assert_eq!(answer(&asked, &reply(&asked, 0x8180, &records)), Some(Said::Addresses(addresses)));
        assert_eq!(answer(&asked, &reply(&asked, 0x8180, &[])), Some(Said::Addresses(vec![])));
        assert_eq!(answer(&asked, &reply(&asked, 0x8183, &[])), Some(Said::NoSuchName));
        assert_eq!(answer(&asked, &reply(&asked, 0x8182, &[])), Some(Said::Unable));
        assert_eq!(answer(&asked, &reply(&asked, 0x8185, &[])), Some(Said::Unable));
    }

    #[test]
    fn a_name_with_many_addresses_has_enough_with_some() {
        let asked = question(7, "acme.de", Kind::A).expect("a name");
        let records: Vec<(u16, &[u8])> = vec![(1, &[104, 16, 0, 1]); ADDRESSES_MAX + 1];
        let said = answer(&asked, &reply(&asked, 0x8180, &records));
        assert!(matches!(said, Some(Said::Addresses(found)) if found.len() == ADDRESSES_MAX));
    }

    #[test]
    fn what_answers_something_else_is_no_answer() {
        let asked = question(7, "acme.de", Kind::A).expect("a name");
        let other = question(7, "evil.de", Kind::A).expect("a name");
        let later = question(8, "acme.de", Kind::A).expect("a name");
        assert_eq!(answer(&asked, &reply(&other, 0x8180, &[])), None);
        assert_eq!(answer(&asked, &reply(&later, 0x8180, &[])), None);
        assert_eq!(answer(&asked, &reply(&asked, 0x0100, &[])), None);
        assert_eq!(answer(&asked, &asked), None);
        // A name that points to itself is passed over, and addresses of a wrong length are none.
        let circle: [(u16, &[u8]); 2] = [(5, b"\xc0\x1d"), (1, &[1, 2, 3])];
        assert_eq!(answer(&asked, &reply(&asked, 0x8180, &circle)), Some(Said::Addresses(vec![])));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_strange(tail in proptest::collection::vec(any::<u8>(), 0..300), answers: u16) {
            let asked = question(7, "acme.de", Kind::A).expect("a name");
            let mut message = reply(&asked, 0x8180, &[]);
            message[6..8].copy_from_slice(&answers.to_be_bytes());
            message.extend(&tail);
            let said = answer(&asked, &message);
            let few = matches!(&said, Some(Said::Addresses(found)) if found.len() <= ADDRESSES_MAX);
            prop_assert!(few);
            let _any = answer(&asked, &tail);
        }
    }
}
