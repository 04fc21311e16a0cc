//! The checker: one pass over bytes that decides whether they are canonical, and where the first fault is.

use super::Value;
use crate::WireError;
use crate::limits::{INTEGER_MAX, REPORT_DEPTH_MAX};

/// One pass over bytes; every step is bounds-checked.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// How deep objects and arrays may be nested.
    pub(super) depth: usize,
}

impl<'a> Scan<'a> {
    /// Walks bytes that have been checked.
    pub(super) const fn again(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, depth: usize::MAX }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(super) fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        self.bytes.get(from..to).unwrap_or_default()
    }

    /// White space is JSON, but not canonical; anything else in the wrong place is not even JSON.
    pub(super) fn unexpected(&self) -> WireError {
        match self.peek() {
            Some(b' ' | b'\t' | b'\n' | b'\r') => WireError::NotCanonical { at: self.at },
            _ => WireError::NotJson { at: self.at },
        }
    }

    pub(super) fn expect(&mut self, wanted: u8) -> Result<(), WireError> {
        if self.peek() != Some(wanted) {
            return Err(self.unexpected());
        }
        self.step();
        Ok(())
    }

    fn literal(&mut self, wanted: &[u8]) -> Result<(), WireError> {
        wanted.iter().try_for_each(|byte| self.expect(*byte))
    }

    pub(super) fn take_value(&mut self, depth: usize) -> Result<Value<'a>, WireError> {
        let from = self.at;
        self.value(depth)?;
        Ok(Value { bytes: self.slice(from, self.at) })
    }

    pub(super) fn value(&mut self, depth: usize) -> Result<(), WireError> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= self.depth => Err(WireError::TooDeep { at: self.at }),
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
        let mut earlier = Scan::again(self.bytes, self.start_of_object(at));
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
        let mut opened = heapless::Vec::<usize, { REPORT_DEPTH_MAX + 1 }>::new();
        let mut scan = Scan::again(self.bytes, 0);
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

    pub(super) fn key(&mut self) -> Result<&'a [u8], WireError> {
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
