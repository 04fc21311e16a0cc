//! What the monitor tells a diagnostics process at its start.
//!
//! It comes from the same binary through a channel of its own, so the format is nobody else's affair. What the manifest
//! says of how to look is still read as strictly as in the manifest: no host, path or value comes in that couldn't stand
//! there.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::Vec;
use secmon_sys::account::Account;
use secmon_wire::Tuning;
use secmon_wire::limits::TUNING_MAX;

use crate::areas::Areas;
use crate::bytes::{Reader, Writer};

/// Bytes of the longest order.
pub(crate) const ORDER_MAX: usize = 64 + TUNING_MAX;
/// Groups beside the user's own.
pub(crate) const GROUPS_MAX: usize = 2;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    /// Whose account it becomes; `None` where it can't become another.
    pub(crate) account: Option<Account>,
    /// The groups that may read logs, where they exist.
    pub(crate) groups: Vec<u32, GROUPS_MAX>,
    /// What to look at; nothing means to lock itself in and end.
    pub(crate) areas: Areas,
    /// What the manifest says of how to look.
    pub(crate) tuning: Tuning,
}

impl Order {
    pub(crate) fn encode(&self) -> Option<Vec<u8, ORDER_MAX>> {
        let mut out = [0; ORDER_MAX];
        let mut w = Writer::new(&mut out);
        let Account { uid, gid } = self.account.unwrap_or(Account { uid: 0, gid: 0 });
        w.put(&[u8::from(self.account.is_some())])?;
        w.put(&uid.to_le_bytes())?;
        w.put(&gid.to_le_bytes())?;
        w.put(&self.areas.bits().to_le_bytes())?;
        w.put(&[u8::try_from(self.groups.len()).ok()?])?;
        for group in &self.groups {
            w.put(&group.to_le_bytes())?;
        }
        w.put(self.tuning.as_bytes())?;
        let length = w.len();
        Vec::from_slice(out.get(..length)?).ok()
    }

    /// `None` for anything that [`Self::encode`] doesn't make.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut r = Reader::new(bytes);
        let has_account = match r.u8()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        let account = Account { uid: r.u32()?, gid: r.u32()? };
        if !has_account && account != (Account { uid: 0, gid: 0 }) {
            return None;
        }
        let areas = Areas::from_bits(r.u16()?)?;
        let mut groups = Vec::new();
        for _ in 0..r.u8()? {
            groups.push(r.u32()?).ok()?;
        }
        let tuning = Tuning::read(r.remaining()).ok()?;
        Some(Self { account: has_account.then_some(account), groups, areas, tuning })
    }
}

#[cfg(test)]
mod tests {
    use secmon_wire::Threshold;

    use super::*;

    fn order(account: Option<Account>, groups: &[u32], tuning: Tuning) -> Order {
        let areas = Areas::parse("db,web").expect("areas");
        Order { account, groups: Vec::from_slice(groups).expect("room"), areas, tuning }
    }

    #[test]
    fn an_order_arrives_whole_or_not_at_all() {
        let long = |n: usize| format!("/{n}/{}", "x".repeat(secmon_wire::limits::LOG_PATH_MAX - 3));
        let logs: std::vec::Vec<_> = (0..secmon_wire::limits::TUNED_LOGS_MAX).map(long).collect();
        let tuning = Tuning::new(&[], &logs, &logs, &[(Threshold::DiskLow, 99)]).expect("a tuning");
        for account in [None, Some(Account { uid: 998, gid: 997 })] {
            for groups in [[].as_slice(), &[4], &[4, 999]] {
                for tuning in [Tuning::default(), tuning.clone()] {
                    let order = order(account, groups, tuning);
                    let bytes = order.encode().expect("room");
                    assert_eq!(Order::decode(&bytes), Some(order));
                    assert!((1..4).all(|cut| Order::decode(&bytes[..bytes.len() - cut]).is_none()));
                    assert_eq!(Order::decode(&[&bytes[..], &[0; 12]].concat()), None);
                }
            }
        }
        assert_eq!(Order::decode(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "no account, and one");
        assert_eq!(Order::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0]), None, "an area that is none");
        assert_eq!(Order::decode(&[[0; 11].as_slice(), &[3], &[0; 12]].concat()), None, "too many groups");
    }

    #[test]
    fn nothing_comes_in_that_no_manifest_could_say() {
        let tuning = Tuning::new(&["a.de"], &["/srv/a.log"], &[], &[(Threshold::DiskLow, 20)]);
        let bytes = order(None, &[], tuning.expect("a tuning")).encode().expect("room");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for (from, to) in [
            ("a.de", "a:80"),
            ("/srv/a.log", "/../a.log"),
            ("/srv/a.log", "/a-log-.log"),
            (",20]", ",00]"),
            (",20]", ",100]"),
        ] {
            assert!(text.contains(from));
            assert_eq!(Order::decode(text.replace(from, to).as_bytes()), None, "{to}");
        }
        assert!(Order::decode(text.as_bytes()).is_some());
    }
}
