//! Runs of lines that link to each other, and what is known at their two ends.

use super::{HashText, Link};

/// Lines of which each follows the one before. A sound chain is a single segment.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) first_line: u64,
    pub(super) last_line: u64,
    pub(super) into: Into,
    pub(super) first_hash: Option<HashText>,
    pub(super) first_seq: Option<u64>,
    pub(super) out: Out,
    pub(super) last_seq: Option<u64>,
}

/// What the first line of a segment wants before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Into {
    Link(Link),
    /// The line can't be read, or what it says is known to be false.
    Unknown,
}

/// What a line after the segment has to link to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Out {
    /// Nothing came before: an empty `prev_hash`.
    Start,
    /// The hash that the last line states, and the one it really has where that differs.
    Known { stated: HashText, computed: Option<HashText> },
    /// The last line can't be read. Whatever follows it is believed, so that one bad line is one break.
    Unknown,
}

impl Segment {
    /// What is before the first line of a file.
    pub(super) const fn start() -> Self {
        Self {
            first_line: 0,
            last_line: 0,
            into: Into::Unknown,
            first_hash: None,
            first_seq: None,
            out: Out::Start,
            last_seq: Some(0),
        }
    }

    /// How many lines it spans.
    pub(super) const fn span(&self) -> u64 {
        self.last_line.saturating_sub(self.first_line).saturating_add(1)
    }

    /// The last line, where there is more than one.
    pub(super) const fn through(&self) -> u64 {
        if self.last_line > self.first_line { self.last_line } else { 0 }
    }
}

/// Whether nothing speaks against `into` following `out`.
pub(super) fn joins(out: &Out, into: &Into) -> bool {
    match (out, into) {
        (_, Into::Unknown) | (Out::Unknown, Into::Link(Some(_))) => true,
        _ => follows(out, into),
    }
}

/// Whether the hashes prove that `into` follows `out`.
pub(super) fn follows(out: &Out, into: &Into) -> bool {
    match (out, into) {
        (Out::Start, Into::Link(None)) => true,
        (Out::Known { stated, computed }, Into::Link(Some(link))) => {
            link == stated || computed.as_ref() == Some(link)
        }
        _ => false,
    }
}
