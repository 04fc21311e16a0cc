//! A place in bytes that somebody else wrote: whatever is taken from it was there.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// What has not been read yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    /// The next `count` bytes.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next `N` bytes, for the `from_be_bytes` family.
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    /// The next byte.
    pub(super) fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// The next two bytes, the larger half first.
    pub(super) fn be16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// What comes before the next `end`, which is dropped.
    pub(super) fn until(&mut self, end: u8) -> Option<&'a [u8]> {
        let at = self.0.iter().position(|byte| *byte == end)?;
        let taken = self.take(at)?;
        self.byte()?;
        Some(taken)
    }
}

/// Where `needle` stands in `hay` first. Every caller has bounded both, and has few needles: the plain way takes well
/// below a millisecond, and few bytes of code.
pub(super) fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len().max(1)).position(|window| window == needle)
}

/// Whether `needle` stands anywhere in `hay`.
pub(super) fn holds(hay: &[u8], needle: &[u8]) -> bool {
    find(hay, needle).is_some()
}

/// A number in decimal digits, and nothing else.
pub(super) fn decimal(digits: &[u8]) -> Option<u64> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_taken_that_is_not_there() {
        let mut bytes = Bytes(b"ab\0c");
        assert_eq!(bytes.until(0), Some(b"ab".as_slice()));
        assert_eq!(bytes.be16(), None);
        assert_eq!(bytes.byte(), Some(b'c'));
        assert_eq!(bytes.byte(), None);
        assert_eq!(bytes.take(0), Some(b"".as_slice()));
        assert_eq!(bytes.until(0), None);
    }

    #[test]
    fn a_number_is_digits_that_fit() {
        assert_eq!(decimal(b"151"), Some(151));
        for wrong in [&b""[..], b"-1", b"+1", b"1 ", b"99999999999999999999"] {
            assert_eq!(decimal(wrong), None);
        }
    }
}
