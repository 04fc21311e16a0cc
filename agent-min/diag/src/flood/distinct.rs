//! How many different things there were, in fixed memory.

/// Registers: 2^10, for a standard error of 3.25 %.
const REGISTERS: usize = 1 << BITS;
const BITS: u32 = 10;

/// HyperLogLog (Flajolet et al. 2007), with linear counting where it is the better of the two.
#[derive(Clone, Copy, Debug)]
pub(super) struct Distinct([u8; REGISTERS]);

impl Distinct {
    pub(super) const fn new() -> Self {
        Self([0; REGISTERS])
    }

    /// One more thing, by its hash.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        let register = (hash >> (64 - BITS)) as usize;
        let rank = ((hash << BITS) | 1).leading_zeros() as u8;
        if let Some(kept) = self.0.get_mut(register) {
            *kept = (*kept).max(rank.saturating_add(1));
        }
    }

    /// About how many.
    pub(super) fn estimate(&self) -> u64 {
        let registers = REGISTERS as f64;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        let sum: f64 = self.0.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
        let raw = 0.7213 / (1.0 + 1.079 / registers) * registers * registers / sum;
        let estimate = if raw <= 2.5 * registers && empty > 0 { linear(registers, empty) } else { raw };
        estimate.round() as u64
    }
}

/// Different things of one key: a bit for each, counted linearly. Good to some two thousand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bits([u64; 8]);

impl Bits {
    /// One more thing, by its hash.
    #[inline]
    pub(super) fn add(&mut self, hash: u64) {
        let word = (hash >> 6) as usize & 7;
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (hash & 63);
        }
    }

    /// About how many.
    pub(super) fn estimate(&self) -> u64 {
        let empty: u32 = self.0.iter().map(|word| word.count_zeros()).sum();
        linear(512.0, (empty as usize).max(1)).round() as u64
    }
}

fn linear(places: f64, empty: usize) -> f64 {
    places * (places / empty as f64).ln()
}

#[cfg(test)]
mod tests {
    use super::super::bytes::hash_number;
    use super::*;

    #[test]
    fn estimates_are_within_three_standard_errors() {
        for count in [0_u64, 1, 5, 20, 50, 100, 1_000, 2_000, 3_000, 10_000, 1_000_000] {
            let mut distinct = Distinct::new();
            (0..count).for_each(|n| distinct.add(hash_number(3, u128::from(n))));
            let bound = (count as f64 * 0.0325 * 3.0).max(1.0);
            assert!(distinct.estimate().abs_diff(count) as f64 <= bound, "{count}: {}", distinct.estimate());
        }
    }

    #[test]
    fn a_thing_that_comes_again_is_not_counted_again() {
        let (mut distinct, mut bits) = (Distinct::new(), Bits::default());
        for n in 0..10_000_u128 {
            distinct.add(hash_number(3, n % 10));
            bits.add(hash_number(3, n % 10));
        }
        assert_eq!(distinct.estimate(), 10);
        assert_eq!(bits.estimate(), 10);
    }

    #[test]
    fn a_few_bits_tell_twenty_from_ten_and_eight_hundred_from_four_hundred() {
        let of = |count: u128| {
            let mut bits = Bits::default();
            (0..count).for_each(|n| bits.add(hash_number(5, n)));
            bits.estimate()
        };
        assert!(of(10) <= 11 && (19..=22).contains(&of(20)));
        assert!(of(400).abs_diff(400) < 50 && of(800).abs_diff(800) < 120);
    }
}
