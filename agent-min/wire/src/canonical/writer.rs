//! The writer: canonical JSON into a fixed buffer.

use crate::WireError;
use crate::limits::INTEGER_MAX;

/// Writes canonical JSON into a caller's buffer. The caller gives keys in sorted order.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
    full: bool,
}

impl<'a> Writer<'a> {
    /// A writer at the start of `out`.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, len: 0, full: false }
    }

    /// The bytes written, unless they didn't fit.
    pub fn finish(self) -> Result<&'a [u8], WireError> {
        let Self { out, len, full } = self;
        match out.get(..len) {
            Some(written) if !full => Ok(written),
            _ => Err(WireError::NoSpace),
        }
    }

    /// Opens an object (`b'{'`) or an array (`b'['`).
    pub fn open(&mut self, bracket: u8) {
        self.separate();
        self.push(&[bracket]);
    }

    /// Closes an object (`b'}'`) or an array (`b']'`).
    pub fn close(&mut self, bracket: u8) {
        self.push(&[bracket]);
    }

    /// A key; its value comes next.
    pub fn key(&mut self, name: &str) {
        self.text(name);
        self.push(b":");
    }

    /// A string.
    pub fn text(&mut self, text: &str) {
        self.separate();
        self.push(b"\"");
        for byte in text.as_bytes() {
            match byte {
                b'"' => self.push(b"\\\""),
                b'\\' => self.push(b"\\\\"),
                8 => self.push(b"\\b"),
                9 => self.push(b"\\t"),
                10 => self.push(b"\\n"),
                12 => self.push(b"\\f"),
                13 => self.push(b"\\r"),
                0..=31 => {
                    self.push(b"\\u00");
                    self.push(crate::to_hex::<2>(&[*byte]).as_bytes());
                }
                _ => self.push(&[*byte]),
            }
        }
        self.push(b"\"");
    }

    /// A non-negative integer of at most 2^53 − 1; a larger one ends as `NoSpace`.
    pub fn unsigned(&mut self, number: u64) {
        self.separate();
        self.full |= number > INTEGER_MAX;
        let mut digits = [0_u8; 20];
        let mut rest = number;
        let mut from = digits.len();
        for slot in digits.iter_mut().rev() {
            *slot = b'0'.wrapping_add(u8::try_from(rest % 10).unwrap_or(0));
            rest /= 10;
            from = from.saturating_sub(1);
            if rest == 0 {
                break;
            }
        }
        self.push(digits.get(from..).unwrap_or_default());
    }

    /// An integer, or `null`.
    pub fn signed_or_null(&mut self, number: Option<i32>) {
        match number {
            None => self.raw(b"null"),
            Some(number) => {
                if number < 0 {
                    self.separate();
                    self.push(b"-");
                }
                self.unsigned(u64::from(number.unsigned_abs()));
            }
        }
    }

    /// A value that is canonical JSON already.
    pub fn raw(&mut self, value: &[u8]) {
        self.separate();
        self.push(value);
    }

    /// A comma where the last byte ended a value.
    fn separate(&mut self) {
        let last = self.len.checked_sub(1).and_then(|last| self.out.get(last));
        if !matches!(last, None | Some(b'{' | b'[' | b':' | b'-')) {
            self.push(b",");
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        match self.out.get_mut(self.len..end) {
            Some(slot) => {
                slot.copy_from_slice(bytes);
                self.len = end;
            }
            None => self.full = true,
        }
    }
}
