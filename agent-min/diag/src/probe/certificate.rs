//! An X.509 certificate (RFC 5280), read for what can go wrong on a web server: whom it is for, how long it lasts, who
//! issued it. Nothing is verified: that is the clients' business, and this says what they will meet.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::date;
use super::der::{
    BOOLEAN, Elements, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, UTC_TIME, context,
    implicit,
};

const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// A certificate's fields, as they stand in its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// Its number, as the issuer counts.
    pub serial: &'a [u8],
    /// Who issued it: a distinguished name, in DER.
    pub issuer: &'a [u8],
    /// Whose it is: a distinguished name, in DER.
    pub subject: &'a [u8],
    /// Seconds since the epoch from which on it counts.
    pub not_before: u64,
    /// Seconds since the epoch until which it counts.
    pub not_after: u64,
    /// Whether it may issue others.
    pub ca: bool,
    /// Which key of its owner it has.
    pub subject_key: Option<&'a [u8]>,
    /// Which key of its issuer signed it.
    pub authority_key: Option<&'a [u8]>,
    names: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads one. `None` for what isn't one.
    pub fn read(der: &'a [u8]) -> Option<Self> {
        let mut tbs = Elements::of(Elements::of(Elements::of(der).expect(SEQUENCE)?).expect(SEQUENCE)?);
        let _version = tbs.expect(context(0));
        let serial = tbs.expect(INTEGER)?;
        let _signature = tbs.expect(SEQUENCE)?;
        let issuer = tbs.expect(SEQUENCE)?;
        let mut validity = Elements::of(tbs.expect(SEQUENCE)?);
        let mut certificate = Self {
            serial,
            issuer,
            subject: tbs.expect(SEQUENCE)?,
            not_before: time(validity.next()?)?,
            not_after: time(validity.next()?)?,
            ca: false,
            subject_key: None,
            authority_key: None,
            names: &[],
        };
        let _public_key = tbs.expect(SEQUENCE)?;
        let extensions = tbs.find(|(tag, _)| *tag == context(3));
        if let Some((_, extensions)) = extensions {
            for (_, extension) in Elements::of(Elements::of(extensions).expect(SEQUENCE)?) {
                certificate.extend(extension)?;
            }
        }
        Some(certificate)
    }

    fn extend(&mut self, extension: &'a [u8]) -> Option<()> {
        let mut extension = Elements::of(extension);
        let id = extension.expect(OID)?;
        let _critical = extension.expect(BOOLEAN);
        let mut value = Elements::of(extension.expect(OCTET_STRING)?);
        match id {
            SUBJECT_KEY_ID => self.subject_key = value.expect(OCTET_STRING),
            AUTHORITY_KEY_ID => {
                self.authority_key = Elements::of(value.expect(SEQUENCE)?).expect(implicit(0));
            }
            SUBJECT_ALT_NAME => self.names = value.expect(SEQUENCE)?,
            BASIC_CONSTRAINTS => {
                let ca = Elements::of(value.expect(SEQUENCE)?).expect(BOOLEAN);
                self.ca = ca.is_some_and(|ca| ca.iter().any(|byte| *byte != 0));
            }
            _ => {}
        }
        Some(())
    }

    /// The names of hosts that it is for.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        let dns = Elements::of(self.names).filter(|(tag, _)| *tag == implicit(2));
        dns.filter_map(|(_, name)| str::from_utf8(name).ok())
    }

    /// Whether it is for this host. A `*` stands for one label (RFC 6125, section 6.4.3).
    pub fn covers(&self, host: &str) -> bool {
        self.names().any(|name| match name.strip_prefix("*.") {
            None => name.eq_ignore_ascii_case(host),
            Some(parent) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(parent)),
        })
    }

    /// Whether nobody else vouches for it.
    pub fn is_self_signed(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether `issuer` may have issued it: by name, and by key where both say.
    pub fn is_issued_by(&self, issuer: &Self) -> bool {
        let same_key = self.authority_key.zip(issuer.subject_key).is_none_or(|(wanted, key)| wanted == key);
        self.issuer == issuer.subject && same_key
    }

    /// A common name, for people.
    pub fn common_name(&self) -> Option<&'a str> {
        attributes(self.subject)
            .find(|(id, _)| *id == COMMON_NAME)
            .and_then(|(_, name)| str::from_utf8(name).ok())
    }

    /// Whether it comes from Cloudflare's own authority for origins, which only Cloudflare trusts, without any
    /// intermediate.
    pub fn is_cloudflare_origin(&self) -> bool {
        attributes(self.issuer).any(|(_, value)| {
            let value = value.to_ascii_lowercase();
            super::bytes::holds(&value, b"cloudflare origin")
        })
    }
}

/// The attributes of a distinguished name: type and text.
fn attributes(name: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let sets = Elements::of(name).filter(|(tag, _)| *tag == SET);
    sets.filter_map(|(_, set)| {
        let mut attribute = Elements::of(Elements::of(set).expect(SEQUENCE)?);
        Some((attribute.expect(OID)?, attribute.next()?.1))
    })
}

fn time((tag, text): (u8, &[u8])) -> Option<u64> {
    let length = match tag {
        UTC_TIME => 13,
        GENERALIZED_TIME => 15,
        _ => return None,
    };
    (text.len() == length).then(|| date::asn1(text)).flatten()
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
