//! Names of zones and of our own leases.

use std::fmt;

use secmon_wire::{Nonce, to_hex};

/// A zone: 32 hexadecimal digits, as the dashboard shows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(String);

/// One lease. Its text is 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId(pub [u8; 8]);

impl ZoneId {
    /// The id, if the text is one. Upper case is taken for lower case.
    pub fn new(text: &str) -> Option<Self> {
        let hex = text.len() == 32 && text.bytes().all(|c| c.is_ascii_hexdigit());
        hex.then(|| Self(text.to_ascii_lowercase()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LeaseId {
    /// The id with this text.
    pub fn new(text: &str) -> Option<Self> {
        Nonce::new(text).map(|nonce| Self(nonce.0))
    }

    /// What every object that belongs to the lease carries: as `ref`, in a description, in notes.
    pub fn tag(self) -> String {
        format!("secmon:{self}")
    }

    /// The lease to which an object with this tag, or with notes that begin with it, belongs.
    pub fn of_tag(text: &str) -> Option<Self> {
        let id = text.strip_prefix("secmon:")?;
        Self::new(id.split_ascii_whitespace().next()?)
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex::<16>(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_its_lease_and_nothing_else_does() {
        let id = LeaseId([0x9f, 0x2c, 0x41, 0xd0, 0x7b, 0xe8, 0x3a, 0x55]);
        assert_eq!(id.tag(), "secmon:9f2c41d07be83a55");
        assert_eq!(LeaseId::of_tag(&id.tag()), Some(id));
        assert_eq!(LeaseId::of_tag("secmon:9f2c41d07be83a55 acme cf-targeted-block"), Some(id));
        for foreign in [
            "",
            "secmon:",
            "secmon",
            "secmon:9f2c41d07be83a5",
            "x secmon:9f2c41d07be83a55",
            "Secmon:9f2c41d07be83a55",
        ] {
            assert_eq!(LeaseId::of_tag(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_zone_is_32_digits() {
        let id = "023e105f4ecef8ad9ca31a8372d0c353";
        assert_eq!(ZoneId::new(&id.to_uppercase()).map(|zone| zone.to_string()).as_deref(), Some(id));
        for wrong in [
            "",
            "023e105f4ecef8ad9ca31a8372d0c35",
            "023e105f4ecef8ad9ca31a8372d0c35g",
            "../../../../../../../../../../../",
        ] {
            assert_eq!(ZoneId::new(wrong), None, "{wrong}");
        }
    }
}
