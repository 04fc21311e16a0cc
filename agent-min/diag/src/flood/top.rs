//! Who there was most of, in fixed memory: Space-Saving (Metwally et al. 2005).
//!
//! A count is never too low, and never more than N/k too high; whoever came more than N/k times is there. What may
//! be too much is known for each key, so `count - error` is what it made at least: only that accuses anybody.

/// The most that any key may have been counted too high follows from k and what was counted.
#[derive(Clone, Debug)]
pub(super) struct Top {
    keys: Box<[Key]>,
    /// Places of keys by their hash, plus one; 0 is empty. Four times as large as `keys`, so that a probe is short.
    index: Box<[u16]>,
    used: usize,
    hits: u64,
    /// The least count of all keys is at least this, and where to look for one that has it. Counts only grow, so
    /// the hand goes round once for each value that the minimum takes: constant time for each hit on average.
    least: u32,
    hand: usize,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    hash: u64,
    pub(super) count: u32,
    pub(super) error: u32,
}

/// Where a key is, and whether what is kept beside it belongs to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) fresh: bool,
}

impl Top {
    /// With room for `k` keys, which is a power of two.
    pub(super) fn new(k: u16) -> Self {
        debug_assert!(k.is_power_of_two());
        let k = usize::from(k);
        Self {
            keys: vec![Key::default(); k].into(),
            index: vec![0; k.saturating_mul(4)].into(),
            used: 0,
            hits: 0,
            least: 0,
            hand: 0,
        }
    }

    /// Bytes of all of it, without what is kept beside it.
    pub(super) fn size(&self) -> usize {
        size_of_val(&*self.keys).saturating_add(size_of_val(&*self.index))
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.index.fill(0);
        (self.used, self.hits, self.least, self.hand) = (0, 0, 0, 0);
    }

    /// One more of the key with this hash. 64 bits of it stand for the key.
    #[inline]
    pub(super) fn hit(&mut self, hash: u64) -> Place {
        self.hits = self.hits.wrapping_add(1);
        match self.find(hash) {
            Ok(at) => {
                if let Some(key) = self.keys.get_mut(at) {
                    key.count = key.count.saturating_add(1);
                }
                Place { at, fresh: false }
            }
            Err(slot) => Place { at: self.insert(hash, slot), fresh: true },
        }
    }

    /// Where the key is, if it is there.
    #[inline]
    pub(super) fn place(&self, hash: u64) -> Option<usize> {
        self.find(hash).ok()
    }

    /// Places and keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Key)> {
        self.keys.iter().take(self.used).enumerate()
    }

    /// The key in this place.
    pub(super) fn get(&self, at: usize) -> Option<&Key> {
        self.keys.get(at).filter(|_| at < self.used)
    }

    /// How much any count may be too high: N/k; 0 as long as there is room for all.
    pub(super) fn bound(&self) -> u32 {
        let is_full = self.used >= self.keys.len();
        let bound = self.hits.checked_div(self.keys.len() as u64).filter(|_| is_full).unwrap_or(0);
        u32::try_from(bound).unwrap_or(u32::MAX)
    }

    /// The key's place, or the empty slot of the index where it belongs.
    #[inline]
    fn find(&self, hash: u64) -> Result<usize, usize> {
        let mask = self.index.len().wrapping_sub(1);
        let mut slot = hash as usize & mask;
        loop {
            match self.index.get(slot) {
                None | Some(0) => return Err(slot),
                Some(kept) => {
                    let at = usize::from(kept.wrapping_sub(1));
                    if self.keys.get(at).is_some_and(|key| key.hash == hash) {
                        return Ok(at);
                    }
                }
            }
            slot = slot.wrapping_add(1) & mask;
        }
    }

    fn insert(&mut self, hash: u64, slot: usize) -> usize {
        if self.used < self.keys.len() {
            let at = self.used;
            self.used = at.wrapping_add(1);
            self.put(at, slot, Key { hash, count: 1, error: 0 });
            return at;
        }
        let at = self.weakest();
        let old = self.get(at).copied().unwrap_or_default();
        self.remove(old.hash);
        // The removal may have moved what stands in the index.
        let slot = self.find(hash).err().unwrap_or(slot);
        self.put(at, slot, Key { hash, count: old.count.saturating_add(1), error: old.count });
        at
    }

    fn put(&mut self, at: usize, slot: usize, key: Key) {
        if let Some(kept) = self.keys.get_mut(at) {
            *kept = key;
        }
        if let Some(kept) = self.index.get_mut(slot) {
            *kept = at.wrapping_add(1) as u16;
        }
    }

    /// A key with the least count.
    fn weakest(&mut self) -> usize {
        loop {
            let mut next = u32::MAX;
            for _ in 0..self.keys.len() {
                let at = self.hand;
                self.hand = if at.wrapping_add(1) < self.keys.len() { at.wrapping_add(1) } else { 0 };
                let count = self.keys.get(at).map_or(u32::MAX, |key| key.count);
                if count <= self.least {
                    return at;
                }
                next = next.min(count);
            }
            self.least = next;
        }
    }

    /// Takes a key out of the index and moves what would no longer be found behind the gap.
    fn remove(&mut self, hash: u64) {
        let mask = self.index.len().wrapping_sub(1);
        let Ok(at) = self.find(hash) else { return };
        let mut gap = hash as usize & mask;
        while self.index.get(gap).is_some_and(|kept| usize::from(*kept) != at.wrapping_add(1)) {
            gap = gap.wrapping_add(1) & mask;
        }
        let mut slot = gap;
        loop {
            slot = slot.wrapping_add(1) & mask;
            let kept = self.index.get(slot).copied().unwrap_or_default();
            if kept == 0 {
                break;
            }
            let key = self.keys.get(usize::from(kept.wrapping_sub(1)));
            let home = key.map_or(slot, |key| key.hash as usize & mask);
            // It may move into the gap unless its home lies behind the gap.
            if slot.wrapping_sub(home) & mask >= slot.wrapping_sub(gap) & mask {
                if let Some(to) = self.index.get_mut(gap) {
                    *to = kept;
                }
                gap = slot;
            }
        }
        if let Some(to) = self.index.get_mut(gap) {
            *to = 0;
        }
    }
}

impl Key {
    /// What the key made at least.
    pub(super) const fn at_least(&self) -> u32 {
        self.count.saturating_sub(self.error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::super::bytes::hash_number;
    use super::*;

    fn hash(key: u16) -> u64 {
        hash_number(1, u128::from(key))
    }

    proptest! {
        #[test]
        fn no_count_is_too_low_and_none_is_more_than_the_bound_too_high(
            keys in prop::collection::vec(prop_oneof![0_u16..4, 0_u16..400], 0..3_000)
        ) {
            let mut top = Top::new(16);
            let mut truth = HashMap::<u64, u32>::new();
            for key in keys.iter().map(|key| hash(*key)) {
                top.hit(key);
                *truth.entry(key).or_default() += 1;
            }
            for (_, key) in top.iter() {
                let real = truth[&key.hash];
                prop_assert!(key.count >= real && key.at_least() <= real);
                prop_assert!(key.error <= top.bound());
            }
            for (key, real) in &truth {
                prop_assert!(*real <= top.bound() || top.place(*key).is_some());
            }
            let kept: u64 = top.iter().map(|(_, key)| u64::from(key.count)).sum();
            prop_assert_eq!(kept, keys.len() as u64);
        }
    }

    #[test]
    fn what_is_kept_beside_a_key_is_fresh_when_the_key_is() {
        let mut top = Top::new(2);
        assert_eq!(top.hit(1), Place { at: 0, fresh: true });
        assert_eq!(top.hit(1), Place { at: 0, fresh: false });
        assert_eq!(top.hit(2), Place { at: 1, fresh: true });
        assert_eq!(top.hit(3), Place { at: 1, fresh: true });
        assert_eq!(top.place(2), None);
        assert_eq!(top.get(1).map(Key::at_least), Some(1));
        top.clear();
        assert_eq!(top.place(1), None);
        assert_eq!(top.hit(3), Place { at: 0, fresh: true });
    }

    #[test]
    fn keys_whose_hashes_collide_in_the_index_are_found_after_their_neighbours_are_gone() {
        let mut top = Top::new(4);
        // All of these want slot 15, the last one.
        let keys: Vec<u64> = (1..=40).map(|n| (n << 32) | 15).collect();
        for key in &keys {
            top.hit(*key);
            assert!(top.place(*key).is_some());
        }
        assert_eq!(keys.iter().filter(|key| top.place(**key).is_some()).count(), 4);
    }
}
