//! Canonical JSON (RFC 8785 for the subset that secmon uses: objects, arrays, strings, integers, `true`,
//! `false`, `null`): a checker, a reader over checked bytes, and a writer.
//!
//! In Python: `json.dumps(x, sort_keys=True, separators=(",", ":"), ensure_ascii=False)`.
//! Keys are `[a-z0-9_]+` here, so every order of code units is the same order.

mod scan;
mod writer;

use heapless::String;

pub use writer::Writer;

use crate::WireError;
use crate::limits::DEPTH_MAX;
use scan::Scan;

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
        Self::parse_nested(bytes, limit, DEPTH_MAX)
    }

    /// The same, for a message whose objects and arrays are nested up to `depth`.
    pub fn parse_nested(bytes: &'a [u8], limit: usize, depth: usize) -> Result<Self, WireError> {
        if bytes.len() > limit {
            return Err(WireError::TooLong { limit });
        }
        if core::str::from_utf8(bytes).is_err() {
            return Err(WireError::NotUtf8);
        }
        let mut scan = Scan { bytes, at: 0, depth };
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
        self.exact_but(names, "")
    }

    /// The same, where one of the fields needn't be there: its value is then [absent](Value::is_absent).
    pub fn exact_but<const N: usize>(
        self,
        names: [&'static str; N],
        optional: &str,
    ) -> Result<[Value<'a>; N], WireError> {
        debug_assert!(names.is_sorted());
        let mut values = [Value { bytes: b"" }; N];
        let mut members = Members { scan: Scan::again(self.bytes, 0) };
        let mut slots = values.iter_mut().zip(names);
        let mut missing = None;
        while let Some((key, value)) = members.next()? {
            loop {
                let Some((slot, name)) = slots.next() else { return Err(WireError::UnknownField) };
                if name.as_bytes() == key {
                    *slot = value;
                    break;
                }
                // A key that is none of the names uses all of them up, which says more than a missing one.
                missing = missing.or(Some(name).filter(|name| *name != optional));
            }
        }
        match missing.or(slots.map(|(_, name)| name).find(|name| *name != optional)) {
            Some(name) => Err(WireError::MissingField(name)),
            None => Ok(values),
        }
    }

    /// Every key with its value.
    pub(crate) fn members(self) -> impl Iterator<Item = Result<(&'a [u8], Value<'a>), WireError>> {
        let mut members = Members { scan: Scan::again(self.bytes, 0) };
        core::iter::from_fn(move || members.next().transpose())
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

    /// Whether there is no such field.
    pub fn is_absent(self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.bytes == b"null"
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
            Some(b'[') => Ok(Elements { scan: Scan::again(self.bytes, 1) }),
            _ => Err(WireError::BadValue(name)),
        }
    }
}

/// Walks the elements of a checked array.
#[derive(Clone, Debug)]
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

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
