//! A journal file of systemd, read without its library: the newest messages that have a certain field.
//!
//! The format is systemd's: <https://systemd.io/JOURNAL_FILE_FORMAT/>. Only what is needed is read: the header, the hash
//! table of data, lists of entries, and messages that aren't compressed (those under 512 bytes aren't). Every offset is
//! somebody else's: lists of entries only go forward in the file, and lists and reads are limited in number.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::blocks::{Blocks, Source};
use super::siphash::siphash24;

/// Why nothing can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is no journal, or what it says of itself isn't true.
    Broken,
    /// Its data is found by another hash, as before systemd 246.
    Old,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// When it was taken in, in seconds since the epoch.
    pub at: u64,
    /// Its first bytes.
    pub message: Vec<u8>,
}

/// What is read of a message.
const MESSAGE_MAX: usize = 600;
/// Fields of one entry that are looked at; systemd's own have about 25.
const ITEMS_MAX: u64 = 64;
/// Pieces of a list of entries: each is twice as long as the one before.
const PIECES_MAX: usize = 64;
/// Data with the same place in the hash table.
const CHAIN_MAX: usize = 256;
/// Fields that are known to be no message: most entries share them.
const OTHERS_MAX: usize = 128;

const SIGNATURE: &[u8; 8] = b"LPKSHHRH";
const KEYED_HASH: u32 = 4;
const COMPACT: u32 = 16;
/// What this reader knows of: three kinds of compression, and those two.
const KNOWN: u32 = 1 | 2 | 8 | KEYED_HASH | COMPACT;
const COMPRESSED: u8 = 1 | 2 | 4;
const DATA: u8 = 1;
const ENTRY: u8 = 3;
const ENTRY_ARRAY: u8 = 6;
const MESSAGE: &[u8] = b"MESSAGE=";

/// An open journal.
pub struct Journal<'a> {
    blocks: Blocks<'a>,
    key: [u8; 16],
    compact: bool,
    table: u64,
    buckets: u64,
    others: Vec<u64>,
}

impl std::fmt::Debug for Journal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("compact", &self.compact).finish_non_exhaustive()
    }
}

impl<'a> Journal<'a> {
    /// Reads the header.
    pub fn open(source: Source<'a>) -> Result<Self, Unreadable> {
        let mut blocks = Blocks::new(source);
        let header: [u8; 208] = blocks.array(0).ok_or(Unreadable::Broken)?;
        let flags = field32(&header, 12);
        if header.get(..8) != Some(SIGNATURE) || flags & !KNOWN != 0 {
            return Err(Unreadable::Broken);
        }
        if flags & KEYED_HASH == 0 {
            return Err(Unreadable::Old);
        }
        let mut key = [0; 16];
        key.copy_from_slice(header.get(24..40).ok_or(Unreadable::Broken)?);
        let buckets = field64(&header, 112) / 16;
        if buckets == 0 {
            return Err(Unreadable::Broken);
        }
        let compact = flags & COMPACT != 0;
        Ok(Self { blocks, key, compact, table: field64(&header, 104), buckets, others: Vec::new() })
    }

    /// The newest messages with a field (`_SYSTEMD_UNIT=nginx.service`), oldest first: at most `most`, and none that is
    /// older than `since` (seconds since the epoch).
    pub fn newest(&mut self, field: &str, since: u64, most: usize) -> Vec<Entry> {
        let mut out = Vec::new();
        let Some(data) = self.find(field.as_bytes()) else { return out };
        let Some(pieces) = self.pieces(data) else { return out };
        'pieces: for (offset, count) in pieces.into_iter().rev() {
            for index in (0..count).rev() {
                let Some(entry) = self.item(offset, index) else { break 'pieces };
                let Some(at) = self.time_of(entry) else { continue };
                if at < since || out.len() >= most {
                    break 'pieces;
                }
                if let Some(message) = self.message_of(entry) {
                    out.push(Entry { at, message });
                }
            }
        }
        out.reverse();
        out
    }

    /// The data object with this content, through the hash table.
    fn find(&mut self, content: &[u8]) -> Option<u64> {
        let hash = siphash24(self.key, content);
        let bucket = hash.checked_rem(self.buckets)?;
        let mut at = u64::from_le_bytes(self.blocks.array(self.table.checked_add(bucket.checked_mul(16)?)?)?);
        for _ in 0..CHAIN_MAX {
            if at == 0 {
                return None;
            }
            let head: [u8; 64] = self.object(at, DATA)?;
            let whole =
                field64(&head, 8).checked_sub(self.payload())? == u64::try_from(content.len()).ok()?;
            if field64(&head, 16) == hash && whole {
                let mut same = vec![0; content.len()];
                self.blocks.read(at.checked_add(self.payload())?, &mut same)?;
                if same == content {
                    return Some(at);
                }
            }
            at = field64(&head, 24);
        }
        None
    }

    /// The parts of the list of a data object's entries: where each is and how many entries it has. The first entry
    /// stands in the object itself: its part is the object.
    fn pieces(&mut self, data: u64) -> Option<Vec<(u64, u64)>> {
        let head: [u8; 64] = self.object(data, DATA)?;
        let mut left = field64(&head, 56).checked_sub(1)?;
        let mut pieces = vec![(data, 1)];
        let mut at = field64(&head, 48);
        while left > 0 && at > 0 && pieces.len() < PIECES_MAX {
            let head: [u8; 24] = self.object(at, ENTRY_ARRAY)?;
            let room = field64(&head, 8).checked_sub(24)?.checked_div(self.width())?;
            pieces.push((at, room.min(left)));
            left = left.saturating_sub(room);
            let next = field64(&head, 16);
            at = if next > at { next } else { 0 };
        }
        Some(pieces)
    }

    /// The entry at a place of a part.
    fn item(&mut self, piece: u64, index: u64) -> Option<u64> {
        let kind: [u8; 1] = self.blocks.array(piece)?;
        if kind == [DATA] {
            return Some(u64::from_le_bytes(self.blocks.array(piece.checked_add(40)?)?));
        }
        let at = piece.checked_add(24)?.checked_add(index.checked_mul(self.width())?)?;
        self.offset_at(at)
    }

    fn time_of(&mut self, entry: u64) -> Option<u64> {
        let head: [u8; 64] = self.object(entry, ENTRY)?;
        field64(&head, 24).checked_div(1_000_000)
    }

    fn message_of(&mut self, entry: u64) -> Option<Vec<u8>> {
        let head: [u8; 64] = self.object(entry, ENTRY)?;
        let width = if self.compact { 4 } else { 16 };
        let count = field64(&head, 8).checked_sub(64)?.checked_div(width)?.min(ITEMS_MAX);
        for index in 0..count {
            let data = self.offset_at(entry.checked_add(64)?.checked_add(index.checked_mul(width)?)?)?;
            if self.others.contains(&data) {
                continue;
            }
            if let Some(message) = self.message_in(data) {
                return Some(message);
            }
            if self.others.len() < OTHERS_MAX {
                self.others.push(data);
            }
        }
        None
    }

    fn message_in(&mut self, data: u64) -> Option<Vec<u8>> {
        let head: [u8; 64] = self.object(data, DATA)?;
        if head.get(1)? & COMPRESSED != 0 {
            return None;
        }
        let length = usize::try_from(field64(&head, 8).checked_sub(self.payload())?).ok()?;
        let mut payload = vec![0; length.min(MESSAGE_MAX)];
        let payload_at = data.checked_add(self.payload())?;
        // Its name first: most are something else.
        let mut name = [0; MESSAGE.len()];
        if length < MESSAGE.len() || self.blocks.read(payload_at, &mut name).is_none() || name != MESSAGE {
            return None;
        }
        self.blocks.read(payload_at, &mut payload)?;
        payload.get(MESSAGE.len()..).map(<[u8]>::to_vec)
    }

    /// The beginning of an object that must be of this kind.
    fn object<const N: usize>(&mut self, at: u64, kind: u8) -> Option<[u8; N]> {
        let head: [u8; N] = self.blocks.array(at)?;
        (head.first() == Some(&kind)).then_some(head)
    }

    fn offset_at(&mut self, at: u64) -> Option<u64> {
        if self.compact {
            Some(u64::from(u32::from_le_bytes(self.blocks.array(at)?)))
        } else {
            Some(u64::from_le_bytes(self.blocks.array(at)?))
        }
    }

    /// How wide an offset is in lists.
    const fn width(&self) -> u64 {
        if self.compact { 4 } else { 8 }
    }

    /// Where a data object's content begins.
    const fn payload(&self) -> u64 {
        if self.compact { 72 } else { 64 }
    }
}

fn field64(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    if let Some(field) = bytes.get(at..at.saturating_add(8)) {
        out.copy_from_slice(field);
    }
    u64::from_le_bytes(out)
}

fn field32(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    if let Some(field) = bytes.get(at..at.saturating_add(4)) {
        out.copy_from_slice(field);
    }
    u32::from_le_bytes(out)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
