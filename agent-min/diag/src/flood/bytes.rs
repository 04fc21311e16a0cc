//! Looking for bytes eight at a time, and a hash of bytes: what a pass over gigabytes spends its time in.
//!
//! Words instead of vector instructions: nothing here needs `unsafe`, and it is as fast where the compiler is told to
//! save bytes.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;
/// Odd numbers without a pattern; any will do.
const MULTIPLIERS: [u64; 2] = [0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03];

/// Where `byte` first stands in `hay`.
#[inline]
pub(super) fn find(byte: u8, hay: &[u8]) -> Option<usize> {
    let wanted = ONES.wrapping_mul(u64::from(byte));
    let mut at = 0_usize;
    let (blocks, _) = hay.as_chunks::<32>();
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        // Four words are looked at together: most blocks have none.
        let any = words.iter().fold(0, |any, word| any | zero_bytes(u64::from_le_bytes(*word) ^ wanted));
        if any != 0 {
            break;
        }
        at = at.wrapping_add(32);
    }
    let rest = hay.get(at..).unwrap_or_default();
    let (words, tail) = rest.as_chunks::<8>();
    for word in words {
        let hit = zero_bytes(u64::from_le_bytes(*word) ^ wanted);
        if hit != 0 {
            return Some(at.wrapping_add((hit.trailing_zeros() >> 3) as usize));
        }
        at = at.wrapping_add(8);
    }
    tail.iter().position(|b| *b == byte).map(|more| at.wrapping_add(more))
}

/// The end of a quoted text that has begun: the first quote that no backslash escapes.
#[inline]
pub(super) fn closing_quote(hay: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    loop {
        let quote = at.wrapping_add(find(b'"', hay.get(at..)?)?);
        let before = hay.get(..quote).unwrap_or_default();
        let strokes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
        if strokes & 1 == 0 {
            return Some(quote);
        }
        at = quote.wrapping_add(1);
    }
}

/// Where `needle` first stands in `hay`.
pub(super) fn find_text(needle: &[u8], hay: &[u8]) -> Option<usize> {
    let (first, _) = needle.split_first()?;
    let mut at = 0_usize;
    loop {
        let here = at.wrapping_add(find(*first, hay.get(at..)?)?);
        if hay.get(here..).is_some_and(|rest| rest.starts_with(needle)) {
            return Some(here);
        }
        at = here.wrapping_add(1);
    }
}

/// Before and after the first `byte`.
#[inline]
pub(super) fn split(byte: u8, hay: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = find(byte, hay)?;
    Some((hay.get(..at)?, hay.get(at.wrapping_add(1)..)?))
}

/// The bits that mark a zero byte; those above the lowest one may be wrong.
#[inline]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// A hash that depends on `seed`, so that a stranger can't choose texts that collide.
#[inline]
pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let (pairs, tail) = bytes.as_chunks::<16>();
    let mut state = seed ^ (bytes.len() as u64).wrapping_mul(MULTIPLIERS[0]);
    for pair in pairs {
        let (words, _) = pair.as_chunks::<8>();
        if let [a, b] = words {
            state = mix(u64::from_le_bytes(*a) ^ state, u64::from_le_bytes(*b) ^ MULTIPLIERS[1]);
        }
    }
    let mut last = [0; 16];
    last.iter_mut().zip(tail).for_each(|(to, from)| *to = *from);
    hash_number(state, u128::from_le_bytes(last))
}

/// The same of a number.
#[inline]
pub(super) const fn hash_number(seed: u64, number: u128) -> u64 {
    let (low, high) = (number as u64, (number >> 64) as u64);
    mix(mix(low ^ seed, high ^ MULTIPLIERS[1]) ^ MULTIPLIERS[0], seed ^ MULTIPLIERS[1])
}

#[inline]
const fn mix(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_byte_is_found_where_a_loop_finds_it(hay in prop::collection::vec(0_u8..4, 0..90), byte in 0_u8..5) {
            prop_assert_eq!(find(byte, &hay), hay.iter().position(|b| *b == byte));
        }

        #[test]
        fn bytes_with_high_bits_are_told_apart(hay in prop::collection::vec(any::<u8>(), 0..90), byte in any::<u8>()) {
            prop_assert_eq!(find(byte, &hay), hay.iter().position(|b| *b == byte));
        }
    }

    #[test]
    fn a_quote_behind_a_stroke_does_not_close_and_one_behind_two_does() {
        assert_eq!(closing_quote(br#"a\"b"c"#), Some(4));
        assert_eq!(closing_quote(br#"a\\"b"#), Some(3));
        assert_eq!(closing_quote(br#"a\\\"b"#), None);
    }

    #[test]
    fn hashes_spread_over_their_first_and_last_bits() {
        let mut low = std::collections::BTreeSet::new();
        let mut high = std::collections::BTreeSet::new();
        for number in 0..1_000_u32 {
            let hash = hash(7, format!("/?{number}").as_bytes());
            low.insert(hash & 0xffff);
            high.insert(hash >> 48);
        }
        assert!(low.len() > 980 && high.len() > 980);
    }
}
