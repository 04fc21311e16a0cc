//! DER (X.690), as much as a certificate needs: one element after the other, never one inside the other by itself.
//!
//! There is no recursion: a caller steps into an element by reading its content.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::bytes::Bytes;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of `[number]` for a value inside.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// The tag of `[number]` in place of a plain value's own.
pub(super) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

/// Elements that follow each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(Bytes<'a>);

impl<'a> Elements<'a> {
    pub(super) const fn of(content: &'a [u8]) -> Self {
        Self(Bytes(content))
    }

    /// The next one's content, if it has this tag; otherwise it stays where it is.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (found, content) = ahead.next()?;
        if found != tag {
            return None;
        }
        *self = ahead;
        Some(content)
    }
}

impl<'a> Iterator for Elements<'a> {
    /// Tag and content.
    type Item = (u8, &'a [u8]);

    /// Ends at the first byte that isn't DER.
    fn next(&mut self) -> Option<Self::Item> {
        let element = read(&mut self.0);
        if element.is_none() {
            self.0 = Bytes(&[]);
        }
        element
    }
}

fn read<'a>(bytes: &mut Bytes<'a>) -> Option<(u8, &'a [u8])> {
    /// Tags of several bytes, which no certificate has.
    const LONG_TAG: u8 = 0x1f;
    let tag = bytes.byte()?;
    if tag & LONG_TAG == LONG_TAG {
        return None;
    }
    let length = match bytes.byte()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(bytes.byte()?),
        0x82 => usize::from(bytes.be16()?),
        // Nothing that we look at is longer than 64 KiB, and DER has no indefinite length.
        _ => return None,
    };
    Some((tag, bytes.take(length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_follow_each_other_until_one_is_cut() {
        let bytes = [0x02, 1, 5, 0x04, 0x81, 2, 8, 9, 0x30, 0x82, 0, 1, 7, 0x02, 2, 1];
        let all: Vec<_> = Elements::of(&bytes).collect();
        assert_eq!(all, [(INTEGER, &[5][..]), (OCTET_STRING, &[8, 9]), (SEQUENCE, &[7])]);
        for wrong in [&[0x1f, 1, 1][..], &[0x30, 0x80, 0, 0], &[0x30, 0x83, 0, 0, 1, 7], &[0x30]] {
            assert_eq!(Elements::of(wrong).next(), None, "{wrong:?}");
        }
    }

    #[test]
    fn what_is_not_expected_stays() {
        let mut elements = Elements::of(&[0x02, 1, 5]);
        assert_eq!(elements.expect(SEQUENCE), None);
        assert_eq!(elements.expect(INTEGER), Some(&[5][..]));
        assert_eq!(elements.expect(INTEGER), None);
    }
}
