//! The offline verifier: streams any chain of this format and names every broken line and why.
//!
//! A chain is one JSON object per line; every member but `prev_hash` and `record_hash` is data, whoever
//! wrote it. The verifier knows no key, no configuration and no writer: it shares with the writer only the
//! canonical form, so that one's bug is not the other's blind spot. Its memory doesn't grow with the
//! log, and it never changes a file.
//!
//! ```text
//! reader ── chunks of whole lines ──▶ workers (check each line, link lines within the chunk)
//!                                        │ summaries, in order
//!                                        ▼
//!                                    sequencer (links the chunks) ──▶ naming (one reason per line)
//! ```

pub mod cli;
mod fast;
mod json;
mod line;
mod naming;
mod pipeline;
mod reason;
mod report;
mod segment;
mod stretch;
mod summary;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Seek};

pub use reason::Reason;
pub use report::{Break, Report};
use secmon_wire::Hash;

/// Bytes of the longest line, without its newline. A longer one is a break and is never held in memory.
pub const LINE_MAX: usize = 16 << 20;

/// Breaks that are kept. More are only counted, and the report says so.
pub const BREAKS_MAX: usize = 10_000;

/// A hash as the log has it: 64 lower-case hex digits.
type HashText = [u8; 64];

/// What a `prev_hash` says; `None` is `""`, the start of a chain.
type Link = Option<HashText>;

/// Verifies a chain in a file, from its start. A second pass over it, when links are broken, finds where the records that
/// the breaks speak of stand.
pub fn verify_file(file: &File, checkpoints: &[Hash], progress: &mut dyn FnMut(u64)) -> io::Result<Report> {
    (&mut { file }).rewind()?;
    let summary = pipeline::run(&mut { file }, &texts(checkpoints), progress)?;
    let wanted = naming::wanted(&summary.segments);
    let mut located = summary.found.clone();
    if !wanted.is_empty() {
        (&mut { file }).rewind()?;
        located.extend(pipeline::run(&mut { file }, &wanted, &mut |_| {})?.found);
    }
    Ok(report::make(summary, &located, checkpoints))
}

/// Verifies a chain that can be read only once.
pub fn verify_stream(
    source: &mut (dyn Read + Send),
    checkpoints: &[Hash],
    progress: &mut dyn FnMut(u64),
) -> io::Result<Report> {
    let summary = pipeline::run(source, &texts(checkpoints), progress)?;
    let located = summary.found.clone();
    Ok(report::make(summary, &located, checkpoints))
}

pub(super) use line::last_record;

fn texts(hashes: &[Hash]) -> HashSet<HashText> {
    hashes.iter().filter_map(|hash| line::hash_text(hash.hex().as_str())).collect()
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
