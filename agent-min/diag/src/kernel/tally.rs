//! Who occurs most often among very many, in little memory.

use std::net::{IpAddr, SocketAddr};

/// Kinds that are counted at the same time.
const KINDS: usize = 64;

/// Counts by Misra and Gries: a count is never too high, so it can accuse, and what is more than 1/65 of all is
/// always among them.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    counts: Vec<(SocketAddr, u32)>,
}

impl Tally {
    pub(super) fn add(&mut self, key: SocketAddr) {
        if let Some((_, count)) = self.counts.iter_mut().find(|(known, _)| *known == key) {
            *count = count.saturating_add(1);
        } else if self.counts.len() < KINDS {
            self.counts.push((key, 1));
        } else {
            self.counts.iter_mut().for_each(|(_, count)| *count = count.saturating_sub(1));
            self.counts.retain(|(_, count)| *count > 0);
        }
    }

    /// Counts an address, whatever the port.
    pub(super) fn add_address(&mut self, address: IpAddr) {
        self.add(SocketAddr::new(address, 0));
    }

    /// The most frequent ones, the first most.
    pub(super) fn top(&self) -> Vec<(SocketAddr, u32)> {
        let mut sorted = self.counts.clone();
        sorted.sort_unstable_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
        sorted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], n))
    }

    #[test]
    fn few_kinds_are_counted_exactly() {
        let mut tally = Tally::default();
        [3, 1, 3, 2, 3, 2].into_iter().for_each(|n| tally.add(key(n)));
        assert_eq!(tally.top(), [(key(3), 3), (key(2), 2), (key(1), 1)]);
    }

    proptest! {
        #[test]
        fn no_count_is_too_high_and_no_frequent_kind_is_missed(
            rare in prop::collection::vec(0..5_000_u16, 0..2_000),
            often in 0..300_usize,
        ) {
            let mut tally = Tally::default();
            let all: Vec<u16> = rare.iter().copied().chain(std::iter::repeat_n(9_999, often)).collect();
            // Interleaved, so that the frequent one is not simply the last.
            (0..7).for_each(|turn| all.iter().skip(turn).step_by(7).for_each(|n| tally.add(key(*n))));
            for (found, count) in tally.top() {
                let real = all.iter().filter(|n| key(**n) == found).count();
                prop_assert!(count as usize <= real);
                prop_assert!(real - count as usize <= all.len() / (KINDS + 1));
            }
            if often > all.len() / (KINDS + 1) {
                prop_assert!(tally.top().iter().any(|(found, _)| *found == key(9_999)));
            }
        }
    }
}
