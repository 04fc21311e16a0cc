//! Canonical JSON (RFC 8785 for the subset that secmon uses: objects, arrays, strings, integers, `true`,
//! `false`, `null`): a checker, a reader over checked bytes, and a writer.
//!
//! In Python: `json.dumps(x, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`.
//! Keys are `[a-z0-9_]+` here, so every order of code units is the same order.

use heapless::String;

use crate::WireError;
use crate::limits::{DEPTH_MAX, INTEGER_MAX};

/// An object whose bytes have been checked to be canonical.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    bytes: &'a [u8],
}

/// A value inside a checked object.
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    bytes: &'a [u8],
}

impl<'a> Object<'a> {
    /// Checks that `bytes` are one canonical object of at most `limit` bytes and nothing else.
    pub fn parse(bytes: &'a [u8], limit: usize) -> Result<Self, WireError> {
        if bytes.len() > limit {
            return Err(WireError::TooLong { limit });
        }
        if core::str::from_utf8(bytes).is_err() {
            return Err(WireError::NotUtf8);
        }
        let mut scan = Scan { bytes, at: 0 };
        if scan.peek() != Some(b'{') {
            return Err(scan.unexpected());
        }
        scan.value(0)?;
        if scan.at != bytes.len() {
            return Err(scan.unexpected());
        }
        Ok(Self { bytes })
    }

    /// The values of exactly these fields, which are given in sorted order.
    pub fn exact<const N: usize>(self, names: [&'static str; N]) -> Result<[Value<'a>; N], WireError> {
        debug_assert!(names.is_sorted());
        let mut values = [Value { bytes: b"null" }; N];
        let mut members = Members { scan: Scan { bytes: self.bytes, at: 0 } };
        let mut slots = values.iter_mut().zip(names);
        let mut missing = None;
        while let Some((key, value)) = members.next()? {
            loop {
                let Some((slot, name)) = slots.next() else { return Err(WireError::UnknownField) };
                if name.as_bytes() == key {
                    *slot = value;
                    break;
                }
                if key < name.as_bytes() {
                    return Err(WireError::UnknownField);
                }
                // An unknown field further on is the better news, so a missing one waits.
                missing = missing.or(Some(name));
            }
        }
        match missing.or(slots.next().map(|(_, name)| name)) {
            Some(name) => Err(WireError::MissingField(name)),
            None => Ok(values),
        }
    }

    /// The bytes of this object.
    pub const fn bytes(self) -> &'a [u8] {
        self.bytes
    }
}

impl<'a> Value<'a> {
    /// The text of a string without escapes: what every id, digest and keyword is.
    pub fn plain(self, name: &'static str) -> Result<&'a str, WireError> {
        serde_json_core::from_slice::<&str>(self.bytes)
            .ok()
            .map(|(text, _)| text)
            .filter(|text| !text.contains('\\'))
            .ok_or(WireError::BadValue(name))
    }

    /// A string of at most `N` bytes, escapes resolved.
    pub fn text<const N: usize>(self, name: &'static str) -> Result<String<N>, WireError> {
        let mut unescaped = [0_u8; crate::limits::RECEIPT_MAX];
        serde_json_core::from_slice_escaped::<String<N>>(self.bytes, &mut unescaped)
            .map(|(text, _)| text)
            .map_err(|_| WireError::BadValue(name))
    }

    /// A non-negative integer.
    pub fn unsigned(self, name: &'static str) -> Result<u64, WireError> {
        serde_json_core::from_slice::<u64>(self.bytes).map(|(n, _)| n).map_err(|_| WireError::BadValue(name))
    }

    /// An integer, or `None` for `null`.
    pub fn signed_or_null(self, name: &'static str) -> Result<Option<i32>, WireError> {
        serde_json_core::from_slice::<Option<i32>>(self.bytes)
            .map(|(n, _)| n)
            .map_err(|_| WireError::BadValue(name))
    }

    /// Lower-case hex of exactly `N` bytes.
    pub fn hex<const N: usize>(self, name: &'static str) -> Result<[u8; N], WireError> {
        crate::from_hex(self.plain(name)?.as_bytes()).ok_or(WireError::BadValue(name))
    }

    /// A nested object.
    pub fn object(self, name: &'static str) -> Result<Object<'a>, WireError> {
        match self.bytes.first() {
            Some(b'{') => Ok(Object { bytes: self.bytes }),
            _ => Err(WireError::BadValue(name)),
        }
    }

    /// The elements of an array.
    pub fn array(self, name: &'static str) -> Result<Elements<'a>, WireError> {
        match self.bytes.first() {
            Some(b'[') => Ok(Elements { scan: Scan { bytes: self.bytes, at: 1 } }),
            _ => Err(WireError::BadValue(name)),
        }
    }
}

/// Walks the elements of a checked array.
#[derive(Debug)]
pub struct Elements<'a> {
    scan: Scan<'a>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.scan.peek() == Some(b',') {
            self.scan.step();
        }
        if self.scan.peek()? == b']' {
            return None;
        }
        self.scan.take_value(1).ok()
    }
}

/// Walks the members of a checked object.
struct Members<'a> {
    scan: Scan<'a>,
}

impl<'a> Members<'a> {
    fn next(&mut self) -> Result<Option<(&'a [u8], Value<'a>)>, WireError> {
        self.scan.step(); // the brace before the first member, the comma before any other
        if self.scan.peek() != Some(b'"') {
            return Ok(None);
        }
        let key = self.scan.key()?;
        self.scan.expect(b':')?;
        Ok(Some((key, self.scan.take_value(1)?)))
    }
}

/// One pass over bytes; every step is bounds-checked.
#[derive(Debug)]
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// White space is JSON, but not canonical; anything else in the wrong place is not even JSON.
    fn unexpected(&self) -> WireError {
        match self.peek() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => WireError::NotCanonical { at: self.at },
            _ => WireError::NotJson { at: self.at },
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), WireError> {
        if self.peek() != Some(wanted) {
            return Err(self.unexpected());
        }
        self.step();
        Ok(())
    }

    fn literal(&mut self, wanted: &[u8]) -> Result<(), WireError> {
        wanted.iter().try_for_each(|byte| self.expect(*byte))
    }

    fn take_value(&mut self, depth: usize) -> Result<Value<'a>, WireError> {
        let from = self.at;
        self.value(depth)?;
        Ok(Value { bytes: self.slice(from, self.at) })
    }

    fn value(&mut self, depth: usize) -> Result<(), WireError> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= DEPTH_MAX => Err(WireError::TooDeep { at: self.at }),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.integer(),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(self.unexpected()),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), WireError> {
        self.step();
        if self.peek() == Some(b'}') {
            self.step();
            return Ok(());
        }
        let mut previous: &[u8] = b"";
        loop {
            let at = self.at;
            let key = self.key()?;
            if key == previous {
                return Err(WireError::Duplicate { at });
            }
            if key < previous {
                return Err(self.unsorted_or_duplicate(depth, key, at));
            }
            previous = key;
            self.expect(b':')?;
            self.value(depth.saturating_add(1))?;
            match self.peek() {
                Some(b',') => self.step(),
                Some(b'}') => break,
                _ => return Err(self.unexpected()),
            }
        }
        self.step();
        Ok(())
    }

    /// A key out of order: a repetition of an earlier one says more than the wrong order does.
    fn unsorted_or_duplicate(&self, depth: usize, key: &[u8], at: usize) -> WireError {
        let mut earlier = Scan { bytes: self.bytes, at: self.start_of_object(at) };
        loop {
            earlier.step();
            if earlier.at >= at {
                break;
            }
            match earlier.key() {
                Ok(seen) if seen == key => return WireError::Duplicate { at },
                Ok(_) => {}
                Err(_) => break,
            }
            if earlier.expect(b':').is_err() || earlier.value(depth.saturating_add(1)).is_err() {
                break;
            }
        }
        WireError::NotCanonical { at }
    }

    /// Where the object opens whose member starts at `at`: everything before it has been scanned.
    fn start_of_object(&self, at: usize) -> usize {
        let mut opened = heapless::Vec::<usize, { DEPTH_MAX + 1 }>::new();
        let mut scan = Scan { bytes: self.bytes, at: 0 };
        while scan.at < at {
            match scan.peek() {
                Some(b'"') => match scan.string() {
                    Ok(()) => continue,
                    Err(_) => return at,
                },
                Some(b'{' | b'[') => match opened.push(scan.at) {
                    Ok(()) => {}
                    Err(_) => return at,
                },
                Some(b'}' | b']') => {
                    opened.pop();
                }
                _ => {}
            }
            scan.step();
        }
        opened.last().copied().unwrap_or(at)
    }

    fn array(&mut self, depth: usize) -> Result<(), WireError> {
        self.step();
        if self.peek() == Some(b']') {
            self.step();
            return Ok(());
        }
        loop {
            self.value(depth.saturating_add(1))?;
            match self.peek() {
                Some(b',') => self.step(),
                Some(b']') => break,
                _ => return Err(self.unexpected()),
            }
        }
        self.step();
        Ok(())
    }

    fn key(&mut self) -> Result<&'a [u8], WireError> {
        let from = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        self.string()?;
        let key = self.slice(from.saturating_add(1), self.at.saturating_sub(1));
        let known = |c: &u8| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'_';
        if key.is_empty() || !key.iter().all(known) {
            return Err(WireError::UnknownField);
        }
        Ok(key)
    }

    fn string(&mut self) -> Result<(), WireError> {
        self.step();
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(0..=31) | None => return Err(WireError::NotJson { at: self.at }),
                Some(_) => self.step(),
            }
        }
        self.step();
        Ok(())
    }

    /// Only what must be escaped is, and in its shortest form.
    fn escape(&mut self) -> Result<(), WireError> {
        let at = self.at;
        self.step();
        match self.peek() {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => self.step(),
            Some(b'/') => return Err(WireError::NotCanonical { at }),
            Some(b'u') => {
                self.step();
                let digits = self.slice(self.at, self.at.saturating_add(4));
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(WireError::NotJson { at });
                }
                let code: Option<[u8; 2]> = crate::from_hex(digits);
                match code {
                    Some([0, 8 | 9 | 10 | 12 | 13]) => return Err(WireError::NotCanonical { at }),
                    Some([0, 0..=31]) => self.at = self.at.saturating_add(4),
                    _ => return Err(WireError::NotCanonical { at }),
                }
            }
            _ => return Err(WireError::NotJson { at }),
        }
        Ok(())
    }

    fn integer(&mut self) -> Result<(), WireError> {
        let at = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.step();
        }
        let digits = self.at;
        let mut magnitude = 0_u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            magnitude = magnitude.saturating_mul(10).saturating_add(u64::from(digit.wrapping_sub(b'0')));
            self.step();
        }
        let text = self.slice(digits, self.at);
        match text {
            [] | [b'0', _, ..] => return Err(WireError::NotJson { at }),
            _ => {}
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(WireError::Float { at });
        }
        if negative && magnitude == 0 {
            return Err(WireError::NotCanonical { at });
        }
        if magnitude > INTEGER_MAX {
            return Err(WireError::IntegerRange { at });
        }
        Ok(())
    }
}

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

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
