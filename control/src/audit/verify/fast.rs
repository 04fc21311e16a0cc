//! The quick reader: one pass over a line that is exactly canonical, which finds the two hashes and
//! leaves out nothing else.
//!
//! It copies the pieces around the hashes instead of writing the record again. Whatever it doesn't take
//! (another layout, an escape in a key, a fault) is left to the careful reader, so it needs no errors.
//! The caller has checked that the line is UTF-8.

use super::{HashText, Link};

/// Objects and arrays inside each other, at most, before the careful reader is asked.
const DEPTH_MAX: usize = 32;

/// What the quick reader found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) prev_hash: Link,
    pub(super) record_hash: &'a HashText,
}

/// Reads `line` if it is canonical, and puts the bytes that its hash covers into `preimage`:
/// `prev_hash ‖ "|" ‖ canonical`.
pub(super) fn read<'a>(line: &'a [u8], preimage: &mut Vec<u8>) -> Option<Found<'a>> {
    let mut scan = Scan { bytes: line, at: 0 };
    scan.expect(b'{')?;
    let mut key: &[u8] = b"";
    // Members between the hashes are adjacent in the line, so at most three runs are copied.
    let mut runs = [(1, 0); 3];
    let mut run = 0;
    let (mut prev_hash, mut record_hash) = (None, None);
    let mut first = true;
    loop {
        let from = scan.at;
        let next = scan.key()?;
        if !first && next <= key {
            return None;
        }
        (key, first) = (next, false);
        scan.expect(b':')?;
        match key {
            b"prev_hash" => {
                prev_hash = Some(scan.prev_hash()?);
                run += 1;
            }
            b"record_hash" => {
                record_hash = Some(scan.hash()?);
                run += 1;
            }
            _ => {
                scan.value(1)?;
                let (start, end) = runs.get_mut(run)?;
                if *end == 0 {
                    *start = from;
                }
                *end = scan.at;
            }
        }
        match scan.take()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    if scan.at != line.len() {
        return None;
    }
    let (prev_hash, record_hash) = (prev_hash?, record_hash?);
    preimage.clear();
    preimage.extend_from_slice(prev_hash.as_ref().map_or(&[][..], |hash| &hash[..]));
    preimage.extend_from_slice(b"|");
    let mut separator = b'{';
    for (start, end) in runs {
        if end > 0 {
            preimage.push(separator);
            preimage.extend_from_slice(line.get(start..end)?);
            separator = b',';
        }
    }
    if separator == b'{' {
        preimage.push(b'{');
    }
    preimage.push(b'}');
    Some(Found { prev_hash, record_hash })
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scan<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        (self.take()? == wanted).then_some(())
    }

    /// A key without escapes: its bytes sort as its code points do.
    fn key(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let from = self.at;
        self.plain();
        let key = self.bytes.get(from..self.at)?;
        self.expect(b'"')?;
        Some(key)
    }

    fn hash(&mut self) -> Option<&'a HashText> {
        self.expect(b'"')?;
        let text = self.bytes.get(self.at..)?.first_chunk::<64>()?;
        self.at += text.len();
        self.expect(b'"')?;
        Some(text)
    }

    /// Whether these are hex digits shows when they are compared with the hash that is due here.
    fn prev_hash(&mut self) -> Option<Link> {
        if self.bytes.get(self.at..)?.starts_with(b"\"\"") {
            self.at += 2;
            return Some(None);
        }
        self.hash().map(|text| Some(*text))
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' if depth < DEPTH_MAX => self.object(depth),
            b'[' if depth < DEPTH_MAX => self.array(depth),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => None,
        }
    }

    fn literal(&mut self, wanted: &[u8]) -> Option<()> {
        self.bytes.get(self.at..)?.starts_with(wanted).then_some(())?;
        self.at += wanted.len();
        Some(())
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        let mut key: Option<&[u8]> = None;
        loop {
            let next = self.key()?;
            if key.is_some_and(|key| next <= key) {
                return None;
            }
            key = Some(next);
            self.expect(b':')?;
            self.value(depth + 1)?;
            match self.take()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth + 1)?;
            match self.take()? {
                b',' => {}
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            self.plain();
            match self.take()? {
                b'"' => return Some(()),
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    /// Steps over characters that stand for themselves: to a quote, a backslash or a control character.
    fn plain(&mut self) {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let (words, _) = rest.as_chunks::<8>();
        let mut plain = 0;
        for word in words {
            let stops = stops(u64::from_le_bytes(*word));
            if stops != 0 {
                self.at += plain + stops.trailing_zeros() as usize / 8;
                return;
            }
            plain += 8;
        }
        while let Some(byte) = rest.get(plain)
            && !matches!(byte, 0..=31 | b'"' | b'\\')
        {
            plain += 1;
        }
        self.at += plain;
    }

    fn escape(&mut self) -> Option<()> {
        match self.take()? {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = self.bytes.get(self.at..)?.first_chunk::<4>()?;
                self.at += 4;
                match digits {
                    [b'0', b'0', b'0', b'0'..=b'7' | b'b' | b'e' | b'f']
                    | [b'0', b'0', b'1', b'0'..=b'9' | b'a'..=b'f'] => Some(()),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        (self.at > from).then_some(())
    }
}

/// The high bit of each byte of `word` that is a quote, a backslash or below 0x20. Bytes above the lowest
/// such one may be marked wrongly by a borrow; only the lowest is asked for.
const fn stops(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let low = word.wrapping_sub(ONES * 32) & !word;
    (low | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGHS
}

#[cfg(test)]
#[path = "fast_tests.rs"]
mod tests;
