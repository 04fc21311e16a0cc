//! The part of a log that is read: its last hours, found by halving, and what was rotated away from it within them.

use crate::host::{Denied, Host};

use super::bytes::find;
use super::format::Format;
use super::json::Rewritten;
use super::time::Clock;

/// Seconds before the log's end that are read: an hour that is judged, and one that it is judged by.
pub(super) const SPAN: u64 = 7_200;
/// Of one log, no more is read.
pub(super) const TAIL_MAX: u64 = 32 * 1024 * 1024;
/// What is read at a time. A longer line is none.
pub(super) const BUFFER: usize = 64 * 1024;
/// What is read to find the time at a place.
const LOOK: usize = 16 * 1024;

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) path: String,
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The parts that hold the log's time since `begin`, oldest first.
pub(super) fn pieces(host: &dyn Host, path: &str, format: &Format, begin: u64) -> Result<Vec<Piece>, Denied> {
    let size = host.metadata(path)?.size;
    let from = start(host, path, size, TAIL_MAX, format, begin)?;
    let mut pieces = vec![Piece { path: path.to_owned(), from, to: size }];
    let is_older = from == 0 && time_at(host, path, 0, format)?.is_none_or(|first| first > begin);
    let left = TAIL_MAX.saturating_sub(size);
    if is_older
        && left > 0
        && let Some((path, size)) = rotated(host, path, begin)
        && let Ok(from) = start(host, &path, size, left, format, begin)
    {
        pieces.insert(0, Piece { path, from, to: size });
    }
    Ok(pieces)
}

/// The end of the log, as a whole: at most as much as there is room for.
pub(super) fn last_part(host: &dyn Host, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
    let size = host.metadata(path)?.size;
    let from = size.saturating_sub(most as u64);
    let mut last = vec![0; usize::try_from(size.saturating_sub(from)).unwrap_or(most).min(most)];
    let mut filled = 0_usize;
    while let Some(room) = last.get_mut(filled..).filter(|room| !room.is_empty()) {
        match host.read_at(path, from.saturating_add(filled as u64), room)? {
            0 => break,
            n => filled = filled.saturating_add(n),
        }
    }
    last.truncate(filled);
    Ok(last)
}

/// Hands out each line of a piece. False from `line` ends it.
pub(super) fn each_line(
    host: &dyn Host,
    piece: &Piece,
    buffer: &mut [u8],
    line: &mut dyn FnMut(&[u8]) -> bool,
) -> Result<(), Denied> {
    let mut offset = piece.from;
    let mut filled = 0_usize;
    // The first line is whole only where the file begins.
    let mut skip = piece.from > 0;
    while offset < piece.to {
        let most = usize::try_from(piece.to.saturating_sub(offset)).unwrap_or(usize::MAX);
        let Some(room) = buffer.get_mut(filled..) else { break };
        let room_len = room.len().min(most);
        let Some(room) = room.get_mut(..room_len) else { break };
        let read = host.read_at(&piece.path, offset, room)?.min(room_len);
        if read == 0 {
            break;
        }
        offset = offset.saturating_add(read as u64);
        filled = filled.saturating_add(read);
        let mut rest = buffer.get(..filled).unwrap_or_default();
        while let Some(end) = find(b'\n', rest) {
            let text = rest.get(..end).unwrap_or_default();
            if !std::mem::take(&mut skip) && !line(text) {
                return Ok(());
            }
            rest = rest.get(end.saturating_add(1)..).unwrap_or_default();
        }
        let left = rest.len();
        if left == buffer.len() {
            // Nobody's line is that long: it is dropped to its end.
            (skip, filled) = (true, 0);
            continue;
        }
        buffer.copy_within(filled.saturating_sub(left)..filled, 0);
        filled = left;
    }
    if filled > 0 && !skip {
        let _it_was_the_last = line(buffer.get(..filled).unwrap_or_default());
    }
    Ok(())
}

/// Where the lines since `begin` start, at most `most` before the end. Lines out of order make it inexact, which a
/// wide span forgives.
fn start(
    host: &dyn Host,
    path: &str,
    size: u64,
    most: u64,
    format: &Format,
    begin: u64,
) -> Result<u64, Denied> {
    let (mut low, mut high) = (size.saturating_sub(most), size);
    if low == 0 && high <= LOOK as u64 {
        return Ok(0);
    }
    if time_at(host, path, low, format)?.is_none_or(|time| time >= begin) {
        return Ok(low);
    }
    while high.saturating_sub(low) > LOOK as u64 {
        let middle = low.saturating_add(high.saturating_sub(low) / 2);
        match time_at(host, path, middle, format)? {
            Some(time) if time < begin => low = middle,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The time of the first line that begins behind this place.
fn time_at(host: &dyn Host, path: &str, at: u64, format: &Format) -> Result<Option<u64>, Denied> {
    let mut look = vec![0; LOOK];
    let read = host.read_at(path, at, &mut look)?;
    let look = look.get(..read).unwrap_or_default();
    let (mut clock, mut room) = (Clock::default(), Rewritten::new());
    let skip = usize::from(at > 0);
    let mut lines = look.split(|byte| *byte == b'\n').skip(skip);
    Ok(lines.find_map(|line| format.read(line, &mut clock, &mut room).map(|line| line.time)))
}

/// The file that the log was last renamed to, if it was written to since `begin`.
fn rotated(host: &dyn Host, path: &str, begin: u64) -> Option<(String, u64)> {
    let fresh = |path: String| {
        let metadata = host.metadata(&path).ok()?;
        (metadata.modified >= begin).then_some((path, metadata.size))
    };
    fresh(format!("{path}.1")).or_else(|| {
        // With `dateext`, the date is in the name.
        let (directory, name) = path.rsplit_once('/')?;
        let names = host.list(directory, NAMES_MAX).ok()?;
        let dated = names.into_iter().filter(|other| {
            let date = other.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            date.is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
        });
        fresh(format!("{directory}/{}", dated.max()?))
    })
}

/// Names in a directory of logs that are looked at.
const NAMES_MAX: usize = 512;

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
