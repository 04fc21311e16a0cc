//! What the verifier says about a log: how many records, where it ends, and every break.

use std::collections::HashMap;

use secmon_wire::Hash;

use super::naming::name_links;
use super::reason::Reason;
use super::summary::{Layouts, Summary};
use super::{BREAKS_MAX, HashText};

/// One broken line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// From 1. A missing checkpoint has the number of the last line.
    pub line: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// The verdict on one log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Report {
    /// Lines that hold a record, broken ones included.
    pub records: u64,
    /// The `record_hash` of the last record; empty if there is none.
    pub head: String,
    /// In the order of the lines. If there were more than [`super::BREAKS_MAX`], the last one is
    /// [`Reason::NotListed`].
    pub breaks: Vec<Break>,
    /// How many lines there are.
    pub lines: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.breaks.is_empty()
    }
}

/// The report of a whole log. `located` says where records that the naming asked for stand.
pub(super) fn make(summary: Summary, located: &HashMap<HashText, u64>, checkpoints: &[Hash]) -> Report {
    let mut breaks = summary.breaks;
    let mut unlisted = summary.unlisted;
    breaks.extend(name_links(&summary.segments, located));
    breaks.extend(odd_layouts(&summary.layouts, &mut unlisted));
    breaks.sort_by_key(|found| found.line);
    // A line is one break, with the reason that was found first; another adds nothing to what to do.
    breaks.dedup_by_key(|found| found.line);
    for checkpoint in checkpoints {
        let hash = checkpoint.to_string();
        if super::line::hash_text(&hash).is_none_or(|text| !summary.found.contains_key(&text)) {
            breaks.push(Break { line: summary.lines, reason: Reason::CheckpointMissing { hash } });
        }
    }
    unlisted = unlisted.saturating_add(breaks.len().saturating_sub(BREAKS_MAX) as u64);
    breaks.truncate(BREAKS_MAX);
    if unlisted > 0 {
        breaks.push(Break { line: summary.lines, reason: Reason::NotListed { count: unlisted } });
    }
    let head = summary.last_hash.map_or_else(String::new, |text| String::from_utf8_lossy(&text).into_owned());
    Report { records: summary.records, head, breaks, lines: summary.lines }
}

/// Lines whose layout the others contradict: somebody edited them without changing what they say.
///
/// A file that is mostly laid out in another way is somebody else's and stays unquestioned, and so does one
/// whose writer escapes everything beyond ASCII.
fn odd_layouts(layouts: &Layouts, unlisted: &mut u64) -> Vec<Break> {
    let Layouts { canonical, wide, ascii_only, other } = layouts;
    let regular = canonical.saturating_add(wide.count).saturating_add(ascii_only.count);
    if other.count > regular {
        return Vec::new();
    }
    let minority = if ascii_only.count <= wide.count { ascii_only } else { wide };
    let mut odd = Vec::new();
    for lines in [other, minority] {
        odd.extend(lines.listed.iter().map(|line| Break { line: *line, reason: Reason::NotCanonical }));
        *unlisted = unlisted.saturating_add(lines.count.saturating_sub(lines.listed.len() as u64));
    }
    odd
}
