//! SipHash-2-4 (<https://www.aumasson.jp/siphash/siphash.pdf>), with which a journal finds its data.
//!
//! It protects nothing here: it only has to give the number that the journal's writer had.

#![deny(clippy::indexing_slicing, clippy::unwrap_used)]

/// The hash of `data` under a key of 16 bytes.
pub(super) fn siphash24(key: [u8; 16], data: &[u8]) -> u64 {
    let key = u128::from_le_bytes(key);
    let (k0, k1) = (low(key), low(key >> 64));
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let mut words = data.chunks_exact(8);
    for word in &mut words {
        compress(&mut state, little(word));
    }
    // The last word is what is left, with the length in its highest byte.
    let length = u64::try_from(data.len() & 0xff).unwrap_or_default();
    compress(&mut state, little(words.remainder()) | (length << 56));
    let [_, _, v2, _] = &mut state;
    *v2 ^= 0xff;
    for _ in 0..4 {
        round(&mut state);
    }
    let [v0, v1, v2, v3] = state;
    v0 ^ v1 ^ v2 ^ v3
}

fn low(wide: u128) -> u64 {
    u64::try_from(wide & u128::from(u64::MAX)).unwrap_or_default()
}

fn little(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

fn compress(state: &mut [u64; 4], word: u64) {
    let [_, _, _, v3] = state;
    *v3 ^= word;
    round(state);
    round(state);
    let [v0, ..] = state;
    *v0 ^= word;
}

const fn round(state: &mut [u64; 4]) {
    let [v0, v1, v2, v3] = state;
    *v0 = v0.wrapping_add(*v1);
    *v2 = v2.wrapping_add(*v3);
    *v1 = v1.rotate_left(13) ^ *v0;
    *v3 = v3.rotate_left(16) ^ *v2;
    *v0 = v0.rotate_left(32);
    *v2 = v2.wrapping_add(*v1);
    *v0 = v0.wrapping_add(*v3);
    *v1 = v1.rotate_left(17) ^ *v2;
    *v3 = v3.rotate_left(21) ^ *v0;
    *v2 = v2.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(deprecated, reason = "the standard library's own, which nobody should use for tables any more")]
    fn it_is_the_standard_librarys() {
        use std::hash::{Hasher, SipHasher};
        let key: [u8; 16] = core::array::from_fn(|at| at as u8 * 7 + 1);
        let (k0, k1) = key.split_at(8);
        let word = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("eight"));
        for length in 0..40 {
            let data: Vec<u8> = (0..length).collect();
            let mut known = SipHasher::new_with_keys(word(k0), word(k1));
            known.write(&data);
            assert_eq!(siphash24(key, &data), known.finish(), "{length}");
        }
    }

    #[test]
    fn the_authors_own_example_comes_out() {
        let key = core::array::from_fn(|at| at as u8);
        let data: Vec<u8> = (0..15).collect();
        assert_eq!(siphash24(key, &data), 0xa129_ca61_49be_45e5);
    }
}
