//! The careful reader: any JSON object on one line → the bytes that its hash covers.
//!
//! It accepts every layout (white space, order of keys, escapes), re-emits numbers in their own text, and
//! refuses what has two readings: duplicate keys, lone surrogates, text after the object. It writes the
//! canonical form while it reads and keeps no tree, so that a long hostile line costs a small multiple
//! of its length and no more.

use std::borrow::Cow;

use super::reason::{Reason, shown};
use crate::audit::canonical::write_string;

/// Objects and arrays inside each other, at most.
const DEPTH_MAX: usize = 128;

/// How a line is laid out, apart from what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Exactly the canonical form, all of it ASCII: both of the next two.
    Canonical,
    /// Exactly the canonical form, with characters in it that an ASCII-only writer would have escaped.
    CanonicalWide,
    /// The canonical form but for `\uXXXX` where the text isn't ASCII.
    AsciiOnly,
    /// Anything else.
    Other,
}

/// One of the two hash members at the top of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HashMember {
    Missing,
    NotText,
    Text(String),
}

/// A record that was read.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The canonical form without the two hashes.
    pub(super) canonical: Vec<u8>,
    pub(super) prev_hash: HashMember,
    pub(super) record_hash: HashMember,
    /// The top-level `seq`, where it is a small non-negative integer.
    pub(super) seq: Option<u64>,
    pub(super) layout: Layout,
}

/// Reads one line, without its newline.
pub(super) fn parse(line: &str) -> Result<Parsed, Reason> {
    let mut scan = Scan { text: line, at: 0, out: Vec::with_capacity(line.len()), seen: Seen::default() };
    scan.white_space();
    let Some(b'{') = scan.peek() else { return Err(scan.unexpected("an object was expected")) };
    let members = scan.members(0)?;
    scan.white_space();
    if scan.peek().is_some() {
        return Err(scan.unexpected("text after the record"));
    }
    let mut parsed = Parsed {
        canonical: Vec::with_capacity(scan.out.len()),
        prev_hash: HashMember::Missing,
        record_hash: HashMember::Missing,
        seq: None,
        layout: Layout::Other,
    };
    let order = scan.sorted(&members)?;
    parsed.canonical.push(b'{');
    for member in order {
        let value = scan.out.get(member.value..member.end).unwrap_or_default();
        match &*member.key {
            "prev_hash" => parsed.prev_hash = hash_member(value),
            "record_hash" => parsed.record_hash = hash_member(value),
            key => {
                if key == "seq" {
                    parsed.seq = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                }
                if parsed.canonical.len() > 1 {
                    parsed.canonical.push(b',');
                }
                parsed.canonical.extend_from_slice(scan.out.get(member.from..member.end).unwrap_or_default());
            }
        }
    }
    parsed.canonical.push(b'}');
    parsed.layout = scan.seen.layout();
    Ok(parsed)
}

/// A hash has no character that needs an escape, so the canonical text between the quotes is the value.
fn hash_member(value: &[u8]) -> HashMember {
    match value {
        [b'"', text @ .., b'"'] => HashMember::Text(String::from_utf8_lossy(text).into_owned()),
        _ => HashMember::NotText,
    }
}

/// What of a layout has been seen so far.
#[derive(Debug, Default)]
struct Seen {
    /// White space, keys out of order, or an escape that no ASCII-only writer makes.
    other: bool,
    ascii_escape: bool,
    wide: bool,
}

impl Seen {
    const fn layout(&self) -> Layout {
        match self {
            Self { other: true, .. } | Self { ascii_escape: true, wide: true, .. } => Layout::Other,
            Self { ascii_escape: true, .. } => Layout::AsciiOnly,
            Self { wide: true, .. } => Layout::CanonicalWide,
            _ => Layout::Canonical,
        }
    }
}

/// A member of an object: its key, and where `"key":value` lies in the output.
struct Member<'a> {
    key: Cow<'a, str>,
    from: usize,
    value: usize,
    end: usize,
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: Vec<u8>,
    seen: Seen,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn slice(&self, from: usize, to: usize) -> &'a str {
        self.text.get(from..to).unwrap_or_default()
    }

    const fn fault(&self, why: &'static str) -> Reason {
        Reason::NotJson { at: self.at, why }
    }

    /// The end of the line in the middle of a record says more than what was expected there.
    fn unexpected(&self, why: &'static str) -> Reason {
        if self.peek().is_none() { Reason::CutShort } else { self.fault(why) }
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\r') = self.peek() {
            self.seen.other = true;
            self.step();
        }
    }

    fn expect(&mut self, wanted: u8, why: &'static str) -> Result<(), Reason> {
        if self.peek() != Some(wanted) {
            return Err(self.unexpected(why));
        }
        self.step();
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<(), Reason> {
        match self.peek() {
            Some(b'{' | b'[') if depth >= DEPTH_MAX => Err(self.fault("nested too deeply")),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => {
                let text = self.string()?;
                write_string(&mut self.out, &text);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.unexpected("a value was expected")),
        }
    }

    fn literal(&mut self, wanted: &'static str) -> Result<(), Reason> {
        for byte in wanted.bytes() {
            self.expect(byte, "no such word in JSON")?;
        }
        self.out.extend_from_slice(wanted.as_bytes());
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Reason> {
        let base = self.out.len();
        let members = self.members(depth)?;
        if members.is_sorted_by(|left, right| left.key < right.key) {
            return Ok(());
        }
        let mut rebuilt = Vec::with_capacity(self.out.len().saturating_sub(base));
        rebuilt.push(b'{');
        for (position, member) in self.sorted(&members)?.into_iter().enumerate() {
            if position > 0 {
                rebuilt.push(b',');
            }
            rebuilt.extend_from_slice(self.out.get(member.from..member.end).unwrap_or_default());
        }
        rebuilt.push(b'}');
        self.out.truncate(base);
        self.out.append(&mut rebuilt);
        Ok(())
    }

    /// Reads an object and writes it in its own order.
    fn members(&mut self, depth: usize) -> Result<Vec<Member<'a>>, Reason> {
        let mut members = Vec::new();
        self.step();
        self.out.push(b'{');
        self.white_space();
        if self.peek() != Some(b'}') {
            loop {
                members.push(self.member(depth)?);
                self.white_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.step();
                self.out.push(b',');
                self.white_space();
            }
        }
        self.expect(b'}', "a comma or a closing brace was expected")?;
        self.out.push(b'}');
        Ok(members)
    }

    fn member(&mut self, depth: usize) -> Result<Member<'a>, Reason> {
        let Some(b'"') = self.peek() else { return Err(self.unexpected("a key was expected")) };
        let from = self.out.len();
        let key = self.string()?;
        write_string(&mut self.out, &key);
        self.white_space();
        self.expect(b':', "a colon was expected")?;
        self.out.push(b':');
        self.white_space();
        let value = self.out.len();
        self.value(depth.saturating_add(1))?;
        Ok(Member { key, from, value, end: self.out.len() })
    }

    /// The members in canonical order, unless two have one key.
    fn sorted<'m>(&mut self, members: &'m [Member<'a>]) -> Result<Vec<&'m Member<'a>>, Reason> {
        let mut order: Vec<_> = members.iter().collect();
        if !order.is_sorted_by(|left, right| left.key <= right.key) {
            self.seen.other = true;
            order.sort_unstable_by(|left, right| left.key.cmp(&right.key));
        }
        for pair in order.windows(2) {
            if let [left, right] = pair
                && left.key == right.key
            {
                return Err(Reason::DuplicateKey { key: shown(&right.key) });
            }
        }
        Ok(order)
    }

    fn array(&mut self, depth: usize) -> Result<(), Reason> {
        self.step();
        self.out.push(b'[');
        self.white_space();
        if self.peek() != Some(b']') {
            loop {
                self.value(depth.saturating_add(1))?;
                self.white_space();
                if self.peek() != Some(b',') {
                    break;
                }
                self.step();
                self.out.push(b',');
                self.white_space();
            }
        }
        self.expect(b']', "a comma or a closing bracket was expected")?;
        self.out.push(b']');
        Ok(())
    }

    /// The text of a string, escapes resolved.
    fn string(&mut self) -> Result<Cow<'a, str>, Reason> {
        self.step();
        let mut text = Cow::Borrowed("");
        loop {
            let from = self.at;
            let rest = self.text.as_bytes().get(from..).unwrap_or_default();
            let plain =
                rest.iter().position(|byte| matches!(byte, 0..=31 | b'"' | b'\\')).unwrap_or(rest.len());
            self.at = from.saturating_add(plain);
            let piece = self.slice(from, self.at);
            self.seen.wide |= piece.bytes().any(|byte| byte >= 0x7f);
            if text.is_empty() {
                text = Cow::Borrowed(piece);
            } else {
                text.to_mut().push_str(piece);
            }
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let character = self.escape()?;
                    text.to_mut().push(character);
                }
                _ => return Err(self.unexpected("a raw control character in a string")),
            }
        }
        self.step();
        Ok(text)
    }

    fn escape(&mut self) -> Result<char, Reason> {
        self.step();
        let character = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'/') => {
                self.seen.other = true;
                '/'
            }
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.unexpected("no such escape in JSON")),
        };
        self.step();
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char, Reason> {
        let first = self.code_unit()?;
        let code = match first {
            0xd800..=0xdbff => {
                if self.peek() != Some(b'\\') {
                    return Err(self.unexpected("a lone surrogate"));
                }
                self.step();
                if self.peek() != Some(b'u') {
                    return Err(self.unexpected("a lone surrogate"));
                }
                let second = self.code_unit()?;
                if !(0xdc00..=0xdfff).contains(&second) {
                    return Err(self.fault("a lone surrogate"));
                }
                0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            _ => first,
        };
        match code {
            8 | 9 | 10 | 12 | 13 | 32..=0x7e => self.seen.other = true,
            0..=31 => {}
            _ => self.seen.ascii_escape = true,
        }
        char::from_u32(code).ok_or_else(|| self.fault("a lone surrogate"))
    }

    /// The four digits after `\u`, of which writers differ in the case.
    fn code_unit(&mut self) -> Result<u32, Reason> {
        self.step();
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return Err(self.unexpected("four hex digits were expected"));
            };
            self.seen.other |= matches!(self.peek(), Some(b'A'..=b'F'));
            code = code << 4 | digit;
            self.step();
        }
        Ok(code)
    }

    /// A number keeps its own text: there is no other form of it that every writer agrees on.
    fn number(&mut self) -> Result<(), Reason> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        self.out.extend_from_slice(self.slice(from, self.at).as_bytes());
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Reason> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        if self.at == from { Err(self.unexpected("a digit was expected")) } else { Ok(()) }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
