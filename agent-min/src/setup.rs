//! What the monitor hands a network process at its start: everything that it serves with, and no secret.
//!
//! It goes through a pipe, is read to its end before the first connection, and comes from the same binary; so
//! the format is nobody else's affair. Certificates and manifest are passed on as they were read: the monitor
//! parses no certificate.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_sys::account::Account;
use secmon_wire::AgentId;
use secmon_wire::limits::MANIFEST_MAX;

use crate::bytes::{Reader, Writer};

/// Bytes of a PEM file.
pub(crate) const PEM_MAX: usize = 16 * 1024;
/// Bytes of the whole: three counted files, four counted names, three numbers. A pipe holds this much.
pub(crate) const SETUP_MAX: usize = 2 * PEM_MAX + MANIFEST_MAX + 4 * PATH_MAX + 64;

/// A point on P-256, uncompressed.
pub(crate) const POINT: usize = 65;
const PATH_MAX: usize = 4096;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setup<'a> {
    pub(crate) agent_id: AgentId,
    /// Whose account the network process becomes; `None` where it can't become another.
    pub(crate) account: Option<Account>,
    /// The directory of the bundle, for what has to be said of its files.
    pub(crate) directory: &'a str,
    /// An empty directory, to make the root of.
    pub(crate) empty: &'a str,
    pub(crate) authority: &'a [u8],
    pub(crate) chain: &'a [u8],
    pub(crate) manifest: &'a [u8],
    /// The public key that the monitor signs handshakes for.
    pub(crate) tls_key: [u8; POINT],
}

impl<'a> Setup<'a> {
    /// `None` if a part is longer than it can be.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut out = vec![0; SETUP_MAX];
        let mut w = Writer::new(&mut out);
        let Account { uid, gid } = self.account.unwrap_or(Account { uid: 0, gid: 0 });
        w.put(&[u8::from(self.account.is_some())])?;
        w.put(&uid.to_le_bytes())?;
        w.put(&gid.to_le_bytes())?;
        w.put(&self.tls_key)?;
        w.counted(self.agent_id.as_str().as_bytes())?;
        w.counted(self.directory.as_bytes())?;
        w.counted(self.empty.as_bytes())?;
        w.counted(self.authority)?;
        w.counted(self.chain)?;
        w.counted(self.manifest)?;
        let length = w.len();
        out.truncate(length);
        Some(out)
    }

    /// `None` for anything that [`Self::encode`] doesn't make.
    pub(crate) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let has_account = match r.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let account = Account { uid: r.u32()?, gid: r.u32()? };
        if bytes.len() > SETUP_MAX || (!has_account && account != (Account { uid: 0, gid: 0 })) {
            return None;
        }
        let setup = Self {
            account: has_account.then_some(account),
            tls_key: r.array()?,
            agent_id: AgentId::new(r.text()?)?,
            directory: r.text()?,
            empty: r.text()?,
            authority: r.counted()?,
            chain: r.counted()?,
            manifest: r.counted()?,
        };
        r.at_end().then_some(setup)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_said_to_be_none_and_more_than_fits_are_refused() {
        let part = [0; PEM_MAX];
        let setup = Setup {
            agent_id: AgentId::new("web1").expect("an id"),
            account: None,
            directory: "/",
            empty: "/",
            authority: &part,
            chain: &part,
            manifest: b"{}",
            tls_key: [4; POINT],
        };
        let bytes = setup.encode().expect("room");
        assert_eq!(Setup::decode(&bytes), Some(setup));
        let mut another = bytes.clone();
        another[1] = 1;
        assert_eq!(Setup::decode(&another), None);
        // The manifest's length stands before its two bytes at the end.
        let more = SETUP_MAX - bytes.len() + 3;
        let mut long = bytes[..bytes.len() - 4].to_vec();
        long.extend(u16::try_from(more).expect("a length").to_le_bytes());
        long.resize(SETUP_MAX + 1, 0);
        assert_eq!(long.len() - (bytes.len() - 2), more);
        assert_eq!(Setup::decode(&long), None);
    }

    #[test]
    fn what_is_handed_over_is_what_arrives_whole_or_not_at_all() {
        for account in [None, Some(Account { uid: 997, gid: 996 })] {
            let setup = Setup {
                agent_id: AgentId::new("web1").expect("an id"),
                account,
                directory: "/etc/secmon-agent",
                empty: "/var/lib/secmon-agent/empty",
                authority: &[1; PEM_MAX],
                chain: &[2; PEM_MAX],
                manifest: b"{}",
                tls_key: [4; POINT],
            };
            let bytes = setup.encode().expect("room");
            assert_eq!(Setup::decode(&bytes), Some(setup));
            assert!((0..bytes.len()).step_by(97).all(|cut| Setup::decode(&bytes[..cut]).is_none()));
            assert!(Setup::decode(&[&bytes[..], b"x"].concat()).is_none());
        }
    }
}
