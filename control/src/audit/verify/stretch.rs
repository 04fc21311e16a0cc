//! A worker's share: whole lines in memory → their summary.

use std::collections::HashSet;

use super::line::{self, Checked};
use super::reason::Reason;
use super::segment::{Into, Out};
use super::summary::{Ends, Summary};
use super::{HashText, LINE_MAX};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a worker keeps from one chunk to the next.
#[derive(Debug)]
pub(super) struct Checker<'w> {
    wanted: &'w HashSet<HashText>,
    preimage: Vec<u8>,
}

impl<'w> Checker<'w> {
    /// A checker that notes the lines of the `wanted` records.
    pub(super) const fn new(wanted: &'w HashSet<HashText>) -> Self {
        Self { wanted, preimage: Vec::new() }
    }

    /// Sums up `bytes`: lines that end with a newline, but for the last one of a torn file.
    pub(super) fn sum_up(&mut self, bytes: &[u8]) -> Summary {
        let mut summary = Summary::default();
        let utf8 = std::str::from_utf8(bytes).is_ok();
        let mut last = None;
        let mut rest = bytes;
        while !rest.is_empty() {
            summary.lines += 1;
            let (line, newline) = match memchr::memchr(b'\n', rest) {
                Some(at) => {
                    let (line, after) = rest.split_at(at);
                    rest = after.get(1..).unwrap_or_default();
                    (line, true)
                }
                None => (std::mem::take(&mut rest), false),
            };
            self.add(&mut summary, line, utf8, newline, &mut last);
        }
        summary.close(|| last.and_then(line::seq));
        summary
    }

    fn add<'b>(
        &mut self,
        summary: &mut Summary,
        whole: &'b [u8],
        utf8: bool,
        newline: bool,
        last: &mut Option<&'b [u8]>,
    ) {
        let number = summary.lines;
        let (line, dressing) = undress(whole);
        let dressing = if newline { dressing } else { Some(Reason::NoNewline) };
        let expected = match summary.out() {
            Some(Out::Known { stated, .. }) => Some(*stated),
            _ => None,
        };
        match line::check(line, utf8, &expected, &mut self.preimage) {
            Checked::Sound { prev_hash, record_hash, layout } => {
                match dressing {
                    Some(reason) => summary.add_break(number, reason),
                    None => summary.add_layout(number, layout),
                }
                if !self.wanted.is_empty() && self.wanted.contains(&record_hash) {
                    summary.found.entry(record_hash).or_insert(number);
                }
                let out = Out::Known { stated: record_hash, computed: None };
                let ends = Ends { into: Into::Link(prev_hash), hash: Some(record_hash), out };
                if !summary.continues(&ends.into) {
                    summary.close(|| last.and_then(line::seq));
                }
                summary.add_ends(number, &ends, || line::seq(line));
                summary.records += 1;
                summary.last_hash = Some(record_hash);
                *last = Some(line);
            }
            Checked::Mismatch(mismatch) => {
                summary.records += 1;
                summary.last_hash = Some(mismatch.stated);
                summary.add_mismatch(number, mismatch);
                *last = Some(line);
            }
            // An empty line holds nothing that could be missing from the chain.
            Checked::Unreadable(Reason::EmptyLine) => summary.add_break(number, Reason::EmptyLine),
            Checked::Unreadable(reason) => {
                let cut = !newline && !matches!(reason, Reason::NulBytes);
                summary.add_break(number, if cut { Reason::CutShort } else { reason });
                add_gap(summary, number);
                *last = None;
            }
        }
    }
}

/// The summary of one line that was too long to be kept.
pub(super) fn too_long() -> Summary {
    let mut summary = Summary::default();
    summary.lines = 1;
    summary.add_break(1, Reason::TooLong { limit: LINE_MAX });
    add_gap(&mut summary, 1);
    summary
}

fn add_gap(summary: &mut Summary, line: u64) {
    summary.add_ends(line, &Ends { into: Into::Unknown, hash: None, out: Out::Unknown }, || None);
}

/// The line without what editors put around it, and the name of that.
fn undress(line: &[u8]) -> (&[u8], Option<Reason>) {
    if let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        (rest.strip_suffix(b"\r").unwrap_or(rest), Some(Reason::ByteOrderMark))
    } else if let Some(rest) = line.strip_suffix(b"\r") {
        (rest, Some(Reason::CarriageReturn))
    } else {
        (line, None)
    }
}
