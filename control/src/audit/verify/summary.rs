//! What is known about a stretch of lines. Stretches are summed up one by one and then joined in order,
//! so the workers need nothing from each other.
//!
//! A summary's size is bounded whatever the lines are: beyond a limit, breaks are only counted.

use std::collections::HashMap;

use super::json::Layout;
use super::line::{Mismatch, sealed_on};
use super::reason::Reason;
use super::report::Break;
use super::segment::{Into, Out, Segment, joins};
use super::{BREAKS_MAX, HashText};

/// A stretch of lines, numbered from 1.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) lines: u64,
    pub(super) records: u64,
    pub(super) last_hash: Option<HashText>,
    pub(super) breaks: Vec<Break>,
    /// Breaks that were not kept.
    pub(super) unlisted: u64,
    pub(super) segments: Vec<Segment>,
    pub(super) layouts: Layouts,
    /// The first line of each record that was asked for.
    pub(super) found: HashMap<HashText, u64>,
    /// The first record, if its hash doesn't hold: why depends on the line before the stretch.
    open_mismatch: Option<(u64, Box<Mismatch>)>,
}

/// Which lines have which layout.
#[derive(Debug, Default)]
pub(super) struct Layouts {
    pub(super) canonical: u64,
    pub(super) wide: Lines,
    pub(super) ascii_only: Lines,
    pub(super) other: Lines,
}

/// Line numbers, of which some may be only counted.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) count: u64,
    pub(super) listed: Vec<u64>,
}

impl Lines {
    fn push(&mut self, line: u64) {
        self.count = self.count.saturating_add(1);
        if self.listed.len() < BREAKS_MAX {
            self.listed.push(line);
        }
    }

    fn append(&mut self, next: &Self, offset: u64) {
        self.count = self.count.saturating_add(next.count);
        let room = BREAKS_MAX.saturating_sub(self.listed.len());
        self.listed.extend(next.listed.iter().take(room).map(|line| line.saturating_add(offset)));
    }
}

/// One record's two ends, to be appended to a stretch.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) into: Into,
    pub(super) hash: Option<HashText>,
    pub(super) out: Out,
}

impl Summary {
    /// The stretch of no lines at the start of a file.
    pub(super) fn start() -> Self {
        Self { segments: vec![Segment::start()], ..Self::default() }
    }

    /// What the next line has to link to, if anything is known.
    pub(super) fn out(&self) -> Option<&Out> {
        self.segments.last().map(|segment| &segment.out)
    }

    pub(super) fn add_break(&mut self, line: u64, reason: Reason) {
        if self.breaks.len() < BREAKS_MAX {
            self.breaks.push(Break { line, reason });
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    pub(super) fn add_layout(&mut self, line: u64, layout: Layout) {
        match layout {
            Layout::Canonical => self.layouts.canonical = self.layouts.canonical.saturating_add(1),
            Layout::CanonicalWide => self.layouts.wide.push(line),
            Layout::AsciiOnly => self.layouts.ascii_only.push(line),
            Layout::Other => self.layouts.other.push(line),
        }
    }

    /// Whether a line that wants `into` before it continues the last segment.
    pub(super) fn continues(&self, into: &Into) -> bool {
        self.out().is_some_and(|out| joins(out, into))
    }

    /// Completes the last segment; `seq` is the sequence number of its last line.
    pub(super) fn close(&mut self, seq: impl FnOnce() -> Option<u64>) {
        if let Some(last) = self.segments.last_mut()
            && last.last_seq.is_none()
        {
            last.last_seq = seq();
        }
    }

    /// Adds a line to the chain. `seq` is asked only where a segment starts.
    pub(super) fn add_ends(&mut self, line: u64, ends: &Ends, seq: impl FnOnce() -> Option<u64>) {
        self.note_true_hash(&ends.into);
        if let Some(last) = self.segments.last_mut()
            && joins(&last.out, &ends.into)
        {
            last.last_line = line;
            last.out = ends.out;
            last.last_seq = None;
            return;
        }
        let seq = seq();
        self.push_segment(Segment {
            first_line: line,
            last_line: line,
            into: ends.into,
            first_hash: ends.hash,
            first_seq: seq,
            out: ends.out,
            last_seq: seq,
        });
    }

    /// A record whose hash doesn't hold: its break, and the ends that keep it from causing another one.
    pub(super) fn add_mismatch(&mut self, line: u64, mismatch: Box<Mismatch>) {
        let ends = Ends {
            into: Into::Unknown,
            hash: None,
            out: Out::Known { stated: mismatch.stated, computed: Some(mismatch.computed) },
        };
        match self.out() {
            Some(out) => {
                let reason = name_mismatch(&mismatch, out);
                self.add_break(line, reason);
            }
            None => {
                self.add_break(line, Reason::ContentChanged);
                self.open_mismatch = Some((line, mismatch));
            }
        }
        self.add_ends(line, &ends, || None);
    }

    /// Joins the stretch that comes after this one.
    pub(super) fn append(&mut self, mut next: Self) {
        let offset = self.lines;
        if let Some((line, mismatch)) = next.open_mismatch.take() {
            match self.out() {
                Some(out) => {
                    let reason = name_mismatch(&mismatch, out);
                    next.refine(line, reason);
                }
                None => self.open_mismatch = Some((line.saturating_add(offset), mismatch)),
            }
        }
        for Break { line, reason } in next.breaks {
            self.add_break(line.saturating_add(offset), reason);
        }
        for segment in next.segments {
            self.append_segment(segment, offset);
        }
        for (hash, line) in next.found {
            self.found.entry(hash).or_insert(line.saturating_add(offset));
        }
        self.layouts.canonical = self.layouts.canonical.saturating_add(next.layouts.canonical);
        self.layouts.wide.append(&next.layouts.wide, offset);
        self.layouts.ascii_only.append(&next.layouts.ascii_only, offset);
        self.layouts.other.append(&next.layouts.other, offset);
        self.lines = self.lines.saturating_add(next.lines);
        self.records = self.records.saturating_add(next.records);
        self.unlisted = self.unlisted.saturating_add(next.unlisted);
        self.last_hash = next.last_hash.or(self.last_hash);
    }

    fn append_segment(&mut self, mut segment: Segment, offset: u64) {
        segment.first_line = segment.first_line.saturating_add(offset);
        segment.last_line = segment.last_line.saturating_add(offset);
        self.note_true_hash(&segment.into);
        match self.segments.last_mut() {
            Some(last) if joins(&last.out, &segment.into) => {
                last.last_line = segment.last_line;
                last.out = segment.out;
                last.last_seq = segment.last_seq;
            }
            _ => self.push_segment(segment),
        }
    }

    fn push_segment(&mut self, segment: Segment) {
        let full = self.segments.len() > BREAKS_MAX;
        match self.segments.last_mut() {
            Some(last) if full => {
                self.unlisted = self.unlisted.saturating_add(1);
                (last.last_line, last.out, last.last_seq) =
                    (segment.last_line, segment.out, segment.last_seq);
            }
            _ => self.segments.push(segment),
        }
    }

    /// If the line before stated another hash than it has, and the next line links to the one it has, then
    /// the stated hash is what was changed.
    fn note_true_hash(&mut self, into: &Into) {
        let Some(Segment { out: Out::Known { stated, computed: Some(computed) }, last_line, .. }) =
            self.segments.last()
        else {
            return;
        };
        if *into == Into::Link(Some(*computed)) && computed != stated {
            self.rename(*last_line, Reason::RecordHashReplaced);
        }
    }

    /// Says more about a changed record, unless its successor has said it already.
    fn refine(&mut self, line: u64, reason: Reason) {
        let known = |found: &&mut Break| found.line == line && found.reason == Reason::ContentChanged;
        if let Some(found) = self.breaks.iter_mut().find(known) {
            found.reason = reason;
        }
    }

    fn rename(&mut self, line: u64, reason: Reason) {
        if let Some(found) = self.breaks.iter_mut().rev().find(|found| found.line == line) {
            found.reason = reason;
        }
    }
}

fn name_mismatch(mismatch: &Mismatch, before: &Out) -> Reason {
    let due = match before {
        Out::Start => None,
        Out::Known { stated, .. } => Some(*stated),
        Out::Unknown => return Reason::ContentChanged,
    };
    if mismatch.prev_hash == due {
        Reason::ContentChanged
    } else if sealed_on(&due, &mismatch.canonical) == mismatch.stated {
        Reason::PrevHashReplaced
    } else {
        Reason::ContentChangedAndUnlinked
    }
}
