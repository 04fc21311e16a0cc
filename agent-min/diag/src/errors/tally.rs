//! Counting of lines that say the same.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

/// What is kept of a line: more than a finding shows.
const LINE_MAX: usize = 512;
/// Different things (paths, files, sockets) that are counted apart; what comes later is not counted.
const KEYS_MAX: usize = 32;
/// What is kept of a key.
const KEY_MAX: usize = 160;

/// How many lines of one kind, in the window that its owner has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) count: u64,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) line: Vec<u8>,
    /// The last three moments, the newest last: what tells a burst.
    recent: [u64; 3],
}

impl Tally {
    pub(crate) fn add(&mut self, at: u64, line: &[u8]) {
        if self.count == 0 {
            self.first = at;
        }
        self.count = self.count.saturating_add(1);
        self.last = self.last.max(at);
        self.line = line.get(..LINE_MAX).unwrap_or(line).to_owned();
        let [_, second, third] = self.recent;
        self.recent = [second, third, at];
    }

    pub(crate) const fn some(&self) -> bool {
        self.count > 0
    }

    /// Whether the last three came within so many seconds.
    pub(crate) const fn three_within(&self, seconds: u64) -> bool {
        let [first, _, last] = self.recent;
        self.count >= 3 && last.saturating_sub(first) <= seconds
    }

    /// Whether the last three came after this moment. Requests that began before a change may fail after it: one
    /// late line is no proof that nothing changed.
    pub(crate) const fn three_since(&self, moment: u64) -> bool {
        let [first, ..] = self.recent;
        self.count >= 3 && first > moment
    }

    /// The line as a finding shows it.
    pub(crate) fn shown(&self) -> heapless::String<{ secmon_wire::limits::EVIDENCE_LINE_MAX }> {
        crate::text::redacted(&self.line)
    }
}

/// Tallies by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tallies(Vec<(String, Tally)>);

impl Tallies {
    pub(crate) fn add(&mut self, key: &str, at: u64, line: &[u8]) {
        let end = key.char_indices().map(|(at, _)| at).take_while(|at| *at <= KEY_MAX).last().unwrap_or(0);
        let key = if key.len() <= KEY_MAX { key } else { key.get(..end).unwrap_or_default() };
        let room = self.0.len() < KEYS_MAX;
        match self.0.iter_mut().find(|(known, _)| known == key) {
            Some((_, tally)) => tally.add(at, line),
            None if room => {
                let mut tally = Tally::default();
                tally.add(at, line);
                self.0.push((key.to_owned(), tally));
            }
            None => {}
        }
    }

    /// The one that was counted most.
    pub(crate) fn most(&self) -> Option<(&str, &Tally)> {
        self.iter().max_by_key(|(_, tally)| tally.count)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Tally)> {
        self.0.iter().map(|(key, tally)| (key.as_str(), tally))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_three_close_together() {
        let mut tally = Tally::default();
        for at in [0, 100, 159] {
            tally.add(at, b"");
        }
        assert!(!tally.three_within(60));
        tally.add(160, b"");
        assert!(tally.three_within(60));
        assert_eq!((tally.count, tally.first, tally.last), (4, 0, 160));
    }

    #[test]
    fn keys_are_bounded_in_number_and_length() {
        let mut tallies = Tallies::default();
        for n in 0..1_000 {
            tallies.add(&format!("{n}"), 1, b"");
        }
        assert_eq!(tallies.iter().count(), KEYS_MAX);
        let mut tallies = Tallies::default();
        tallies.add(&"é".repeat(500), 1, &[0; 10_000]);
        let (key, tally) = tallies.most().expect("one");
        assert!(key.len() <= KEY_MAX);
        assert_eq!(tally.line.len(), LINE_MAX);
    }
}
