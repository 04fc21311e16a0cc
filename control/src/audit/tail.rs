//! Reads where a log ends, from its last line alone.

use std::io;

use super::chain::Head;
use super::file::DiskFile;
use super::verify::{LINE_MAX, last_record};

/// Bytes that are read at a time, going backwards.
const BLOCK: usize = 64 << 10;

/// What the end of a log is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tail {
    Sound { head: Head, length: u64 },
    Broken { why: String },
}

/// Reads the end of `log`. Everything before the last line is the verifier's business.
pub(super) fn read(log: &DiskFile) -> io::Result<Tail> {
    let length = log.file().metadata()?.len();
    if length == 0 {
        return Ok(Tail::Sound { head: Head::START, length });
    }
    let broken = |why: &str| Ok(Tail::Broken { why: why.to_owned() });
    let mut tail = Vec::new();
    let mut from = length;
    loop {
        let size = usize::try_from(from).unwrap_or(usize::MAX).min(BLOCK);
        from = from.saturating_sub(size as u64);
        let mut block = vec![0; size];
        log.read_at(&mut block, from)?;
        block.append(&mut tail);
        tail = block;
        let Some(lines) = tail.strip_suffix(b"\n") else {
            return broken("it has no newline at its end: it was torn while it was written");
        };
        let newline = memchr::memrchr(b'\n', lines);
        if newline.is_none() && from > 0 {
            if tail.len() > LINE_MAX {
                return broken("it is longer than a line may be");
            }
            continue;
        }
        let line = lines.get(newline.map_or(0, |at| at.saturating_add(1))..).unwrap_or_default();
        return Ok(match last_record(line) {
            Ok(head) => Tail::Sound { head, length },
            Err(why) => Tail::Broken { why },
        });
    }
}
