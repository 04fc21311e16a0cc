//! Names broken links: from the segments of a log to one reason per disturbed place.
//!
//! The segments are laid out as they stand in the file; their ends say in which order they belong. A swap,
//! a copy, an insertion and a cut each leave a pattern of ends, and the first pattern that explains the most
//! is named, so that one act of tampering doesn't come out as four.

use std::collections::{HashMap, HashSet};

use super::HashText;
use super::reason::Reason;
use super::report::Break;
use super::segment::{Into, Out, Segment, follows, joins};

/// The records whose lines would make the names of these breaks better.
pub(super) fn wanted(segments: &[Segment]) -> HashSet<HashText> {
    let mut wanted = HashSet::new();
    for segment in segments.iter().skip(1) {
        wanted.extend(segment.first_hash);
        if let Into::Link(Some(link)) = segment.into {
            wanted.insert(link);
        }
    }
    wanted
}

/// The breaks between `segments`, the first of which is the start of the file.
pub(super) fn name_links(segments: &[Segment], located: &HashMap<HashText, u64>) -> Vec<Break> {
    let Some(start) = segments.first() else { return Vec::new() };
    let mut naming = Naming {
        segments,
        located,
        wanting: HashMap::new(),
        ends: segments.iter().map(|segment| segment.last_line).collect(),
        tail: start,
        swapped: HashMap::new(),
        breaks: Vec::new(),
    };
    for (at, segment) in segments.iter().enumerate().skip(1) {
        naming.wanting.entry(segment.into).or_insert(at);
    }
    let mut at = 1;
    while at < segments.len() {
        at = at.saturating_add(naming.explain(at));
    }
    naming.breaks
}

struct Naming<'s> {
    segments: &'s [Segment],
    located: &'s HashMap<HashText, u64>,
    /// The first segment that wants this before it.
    wanting: HashMap<Into, usize>,
    /// The last lines of all segments: what follows one of these stands elsewhere.
    ends: HashSet<u64>,
    /// The segment that the chain, as far as it is understood, ends with.
    tail: &'s Segment,
    /// Segments further on in whose place another one belongs, and which.
    swapped: HashMap<usize, &'s Segment>,
    breaks: Vec<Break>,
}

impl<'s> Naming<'s> {
    /// Names what is wrong at segment `at`; returns how many segments that explains.
    fn explain(&mut self, at: usize) -> usize {
        let Some(segment) = self.segments.get(at) else { return 1 };
        if let Some(other) = self.swapped.remove(&at) {
            self.tail = other;
            return 1;
        }
        if joins(&self.tail.out, &segment.into) {
            self.tail = segment;
            return 1;
        }
        if let Some(explained) = self.swap(at, segment) {
            return explained;
        }
        let next = self.segments.get(at.saturating_add(1));
        let resumes = next.is_some_and(|next| follows(&self.tail.out, &next.into));
        let reason = self.reason(segment, resumes);
        self.add(segment.first_line, reason);
        if !resumes {
            self.tail = segment;
        }
        1
    }

    fn add(&mut self, line: u64, reason: Reason) {
        self.breaks.push(Break { line, reason });
    }

    /// Two segments in each other's place, next to each other or with others in between.
    fn swap(&mut self, at: usize, first: &'s Segment) -> Option<usize> {
        let due = match self.tail.out {
            Out::Start => Into::Link(None),
            Out::Known { stated, .. } => Into::Link(Some(stated)),
            Out::Unknown => return None,
        };
        let other = *self.wanting.get(&due).filter(|other| **other > at)?;
        let second = self.segments.get(other)?;
        let after = self.segments.get(other.saturating_add(1));
        if after.is_some_and(|after| !joins(&first.out, &after.into)) {
            return None;
        }
        let next = at.saturating_add(1);
        if other == next {
            if !follows(&second.out, &first.into) {
                return None;
            }
            self.name_swap(first, second);
            self.tail = first;
            return Some(2);
        }
        let before = self.segments.get(other.saturating_sub(1))?;
        if !follows(&before.out, &first.into) || !follows(&second.out, &self.segments.get(next)?.into) {
            return None;
        }
        self.name_swap(first, second);
        self.tail = second;
        self.swapped.insert(other, first);
        Some(1)
    }

    fn name_swap(&mut self, first: &Segment, second: &Segment) {
        if first.span() == second.span() {
            for (line, with) in (first.first_line..=first.last_line).zip(second.first_line..) {
                self.add(line, Reason::Swapped { with });
                self.add(with, Reason::Swapped { with: line });
            }
        } else {
            let after = self.tail.last_line;
            if second.span() < first.span() {
                self.add(second.first_line, Reason::OutOfOrder { after });
            } else {
                self.add(first.first_line, Reason::OutOfOrder { after: second.last_line });
            }
        }
    }

    fn reason(&self, segment: &Segment, resumes: bool) -> Reason {
        if let Some(of) = self.original(segment) {
            return Reason::Duplicated { of, through: if resumes { segment.through() } else { 0 } };
        }
        let due = self.tail.last_seq.and_then(|last| last.checked_add(1));
        let link = match segment.into {
            Into::Link(Some(link)) => link,
            Into::Link(None) | Into::Unknown => {
                return match segment.first_seq {
                    Some(1) if !resumes => Reason::JoinedWhole,
                    _ => Reason::SecondChain { through: resumes.then(|| segment.through()) },
                };
            }
        };
        if resumes {
            return Reason::Inserted { through: segment.through() };
        }
        if let Some(line) = self.located.get(&link) {
            return if self.ends.contains(line) || *line > segment.first_line {
                Reason::OutOfOrder { after: *line }
            } else {
                Reason::Forked { from: *line }
            };
        }
        match due.zip(segment.first_seq) {
            _ if self.tail.out == Out::Start => Reason::HeadCut {
                missing: segment.first_seq.and_then(|seq| seq.checked_sub(1)).filter(|missing| *missing > 0),
            },
            Some((due, seq)) if seq > due => Reason::MissingLines { first: due, last: seq.saturating_sub(1) },
            Some((due, seq)) if seq == due => Reason::Resealed,
            Some(_) => Reason::JoinedPart,
            None => Reason::Unlinked,
        }
    }

    /// The earlier line that has the first record of `segment`.
    fn original(&self, segment: &Segment) -> Option<u64> {
        let hash = segment.first_hash?;
        if matches!(self.tail.out, Out::Known { stated, .. } if stated == hash) {
            return Some(self.tail.last_line);
        }
        self.located.get(&hash).copied().filter(|line| *line < segment.first_line)
    }
}
