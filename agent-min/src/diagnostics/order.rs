//! What the monitor tells a diagnostics process at its start.
//!
//! It comes from the same binary through a channel of its own, so the format is nobody else's affair.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::Vec;
use secmon_sys::account::Account;

use crate::areas::Areas;
use crate::bytes::{Reader, Writer};

/// Bytes of the longest order.
pub(crate) const ORDER_MAX: usize = 64;
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
        for group in &self.groups {
            w.put(&group.to_le_bytes())?;
        }
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
        while !r.at_end() {
            groups.push(r.u32()?).ok()?;
        }
        Some(Self { account: has_account.then_some(account), groups, areas })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_arrives_whole_or_not_at_all() {
        for account in [None, Some(Account { uid: 998, gid: 997 })] {
            for groups in [[].as_slice(), &[4], &[4, 999]] {
                let order = Order {
                    account,
                    groups: Vec::from_slice(groups).expect("room"),
                    areas: Areas::parse("db,web").expect("areas"),
                };
                let bytes = order.encode().expect("room");
                assert_eq!(Order::decode(&bytes), Some(order));
                assert!((1..4).all(|cut| Order::decode(&bytes[..bytes.len() - cut]).is_none()));
                assert_eq!(Order::decode(&[&bytes[..], &[0; 12]].concat()), None);
            }
        }
        assert_eq!(Order::decode(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None, "no account, and one");
        assert_eq!(Order::decode(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff]), None, "an area that is none");
    }
}
