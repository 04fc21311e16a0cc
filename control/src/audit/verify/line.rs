//! One line on its own: does it hold a record, and does the record's hash hold.
//!
//! Whether it follows the line before is not asked here.

use secmon_wire::Hash;
use sha2::{Digest, Sha256};

use super::json::{self, HashMember, Layout};
use super::reason::Reason;
use super::{HashText, LINE_MAX, Link, fast};
use crate::audit::chain::Head;

/// What a line is.
#[derive(Debug)]
pub(super) enum Checked {
    /// A record whose hash holds.
    Sound { prev_hash: Link, record_hash: HashText, layout: Layout },
    /// A record whose hash doesn't.
    Mismatch(Box<Mismatch>),
    /// No record.
    Unreadable(Reason),
}

/// A record whose hash doesn't hold over it.
#[derive(Debug)]
pub(super) struct Mismatch {
    pub(super) prev_hash: Link,
    pub(super) stated: HashText,
    pub(super) computed: HashText,
    pub(super) canonical: Vec<u8>,
}

/// Checks `line`, which has no newline. `expected` is what its `prev_hash` probably is, and saves a look at
/// it. `preimage` is scratch space.
pub(super) fn check(line: &[u8], utf8: bool, expected: &Link, preimage: &mut Vec<u8>) -> Checked {
    if line.len() > LINE_MAX {
        return Checked::Unreadable(Reason::TooLong { limit: LINE_MAX });
    }
    let text = match std::str::from_utf8(if utf8 { b"" } else { line }) {
        Ok(_) => line,
        Err(_) => return Checked::Unreadable(Reason::NotUtf8),
    };
    if let Some(found) = fast::read(text, preimage)
        && hex(&Sha256::digest(&preimage)) == *found.record_hash
        && (found.prev_hash == *expected || found.prev_hash.is_none_or(|text| is_hash(&text)))
    {
        let layout = if is_wide(line) { Layout::CanonicalWide } else { Layout::Canonical };
        return Checked::Sound { prev_hash: found.prev_hash, record_hash: *found.record_hash, layout };
    }
    carefully(line).unwrap_or_else(Checked::Unreadable)
}

fn carefully(line: &[u8]) -> Result<Checked, Reason> {
    if line.trim_ascii().is_empty() {
        return Err(Reason::EmptyLine);
    }
    if line.iter().all(|byte| *byte == 0) {
        return Err(Reason::NulBytes);
    }
    let parsed = json::parse(std::str::from_utf8(line).map_err(|_| Reason::NotUtf8)?)?;
    let stated = match parsed.record_hash {
        HashMember::Missing => return Err(Reason::MissingHash { field: "record_hash" }),
        HashMember::Text(text) => hash_text(&text),
        HashMember::NotText => None,
    };
    let stated = stated.ok_or(Reason::BadHash { field: "record_hash" })?;
    let prev_hash = match parsed.prev_hash {
        HashMember::Missing => return Err(Reason::MissingHash { field: "prev_hash" }),
        HashMember::Text(text) if text.is_empty() => None,
        HashMember::Text(text) => Some(hash_text(&text).ok_or(Reason::BadHash { field: "prev_hash" })?),
        HashMember::NotText => return Err(Reason::BadHash { field: "prev_hash" }),
    };
    let computed = sealed_on(&prev_hash, &parsed.canonical);
    if computed == stated {
        return Ok(Checked::Sound { prev_hash, record_hash: stated, layout: parsed.layout });
    }
    let canonical = parsed.canonical;
    Ok(Checked::Mismatch(Box::new(Mismatch { prev_hash, stated, computed, canonical })))
}

/// The hash of a record with this predecessor.
pub(super) fn sealed_on(prev_hash: &Link, canonical: &[u8]) -> HashText {
    let prev_hash = prev_hash.as_ref().map_or(&[][..], |text| &text[..]);
    hex(&Sha256::new().chain_update(prev_hash).chain_update(b"|").chain_update(canonical).finalize())
}

/// The record's sequence number, if it carries one.
pub(super) fn seq(line: &[u8]) -> Option<u64> {
    json::parse(std::str::from_utf8(line).ok()?).ok()?.seq
}

/// The head that a chain has whose last line this is (without its newline).
pub(in crate::audit) fn last_record(line: &[u8]) -> Result<Head, String> {
    match check(line, false, &None, &mut Vec::new()) {
        Checked::Unreadable(reason) => Err(reason.to_string()),
        Checked::Mismatch(_) => Err(Reason::ContentChanged.to_string()),
        Checked::Sound { prev_hash, record_hash, .. } => {
            let seq = seq(line).filter(|seq| *seq > 0).ok_or("it has no positive integer seq")?;
            if prev_hash.is_none() != (seq == 1) {
                return Err("only the record with seq 1 starts a chain with an empty prev_hash".to_owned());
            }
            let hash = std::str::from_utf8(&record_hash).ok().and_then(Hash::new);
            Ok(Head { seq, hash })
        }
    }
}

/// `text`, if it is 64 lower-case hex digits.
pub(super) fn hash_text(text: &str) -> Option<HashText> {
    <HashText>::try_from(text.as_bytes()).ok().filter(is_hash)
}

fn is_hash(text: &HashText) -> bool {
    text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether an ASCII-only writer would have escaped something here (U+007F is one of these for Python).
fn is_wide(line: &[u8]) -> bool {
    !line.is_ascii() || memchr::memchr(0x7f, line).is_some()
}

fn hex(digest: &[u8]) -> HashText {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 64];
    for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(digest) {
        *pair = [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    }
    text
}
