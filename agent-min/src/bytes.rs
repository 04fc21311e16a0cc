//! Reading and writing fixed-size binary records: the messages and the state.
//!
//! Every step is checked. A reader that runs out of bytes and a writer that runs out of room say so; neither
//! can panic. Integers are little-endian.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// Takes values from the front of some bytes.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*array)
    }

    pub(crate) fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (slice, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(slice)
    }

    /// A length in two bytes, and that many bytes.
    pub(crate) fn counted(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        self.slice(length)
    }

    /// As [`Self::counted`], as text.
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.counted()?).ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// All that is left.
    pub(crate) const fn remaining(&mut self) -> &'a [u8] {
        let rest = self.rest;
        self.rest = &[];
        rest
    }

    /// Nothing is left but zeros: what a fixed-size record is filled up with.
    pub(crate) fn only_zeros_left(&self) -> bool {
        self.rest.iter().all(|byte| *byte == 0)
    }

    /// Nothing is left.
    pub(crate) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Appends values to a caller's buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    pub(crate) const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// The bytes written.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.len.checked_add(bytes.len())?;
        self.out.get_mut(self.len..end)?.copy_from_slice(bytes);
        self.len = end;
        Some(())
    }

    /// A length in two bytes, and the bytes.
    pub(crate) fn counted(&mut self, bytes: &[u8]) -> Option<()> {
        self.put(&u16::try_from(bytes.len()).ok()?.to_le_bytes())?;
        self.put(bytes)
    }
}
