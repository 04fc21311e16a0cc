//! How many requests of each kind there were when: for each ten seconds of the window that is looked at, and for each
//! minute of the hour before it.

use super::request::KINDS;

/// Seconds of a window: what the rules count over.
pub(super) const WINDOW: u64 = 300;
/// Seconds of a slot: rates are the most that any six of them in a row had.
const SLOT: u64 = 10;
/// The window's slots, with those of the minute before it, so that nothing is cut in two.
const SLOTS: usize = 35;
const SLOTS_BEFORE: usize = 5;
const PER_MINUTE: usize = 6;
/// Minutes before the window that a baseline is taken from.
const HISTORY: usize = 60;
const HISTORY_MIN: usize = 3;
/// In the history: this minute was part of a flood, or before the log began.
const UNKNOWN: u32 = u32::MAX;
/// What is counted beside the kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Tally {
    All = KINDS as u8,
    /// Pages and files, and those of them that were answered well.
    Seen,
    Well,
    GaveUp,
    E502,
    E503,
    E504,
    E5xx,
    /// Requests of tools that PHP works for.
    Tool,
    /// Pages that the server's own cache had, and had not.
    CacheHit,
    CacheMiss,
}

const TALLIES: usize = Tally::CacheMiss as usize + 1;

/// The counts.
#[derive(Debug)]
pub(super) struct Rates {
    slots: [[u32; TALLIES]; SLOTS],
    minutes: [[u32; TALLIES]; HISTORY],
    /// Where the next minute goes.
    minute: usize,
}

impl Rates {
    pub(super) const fn new() -> Self {
        Self { slots: [[0; TALLIES]; SLOTS], minutes: [[UNKNOWN; TALLIES]; HISTORY], minute: 0 }
    }

    /// The slot of a moment: so many seconds after the window's beginning.
    #[inline]
    pub(super) fn slot(at: u64) -> usize {
        SLOTS_BEFORE.saturating_add((at.saturating_sub(1) / SLOT) as usize).min(SLOTS - 1)
    }

    #[inline]
    pub(super) fn add(&mut self, slot: usize, tally: usize) {
        if let Some(count) = self.slots.get_mut(slot).and_then(|slot| slot.get_mut(tally)) {
            *count = count.saturating_add(1);
        }
    }

    /// How many there were in the window.
    pub(super) fn total(&self, tally: usize) -> u32 {
        let slots = self.slots.iter().skip(SLOTS_BEFORE);
        slots.filter_map(|slot| slot.get(tally)).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The most of these together in any minute of the window.
    pub(super) fn rate(&self, tallies: &[usize]) -> u32 {
        self.peak(tallies).0
    }

    /// How many of `tally` there were in the minute that had the most of `tallies`.
    pub(super) fn in_peak(&self, tallies: &[usize], tally: usize) -> u32 {
        let minute = self.slots.iter().skip(self.peak(tallies).1).take(PER_MINUTE);
        minute.filter_map(|slot| slot.get(tally)).fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The most of these together in six slots in a row, and the first of those.
    fn peak(&self, tallies: &[usize]) -> (u32, usize) {
        let of = |slot: &[u32; TALLIES]| -> u32 {
            let counts = tallies.iter().filter_map(|tally| slot.get(*tally));
            counts.fold(0, |sum, count| sum.saturating_add(*count))
        };
        let sums: [u32; SLOTS] = std::array::from_fn(|at| self.slots.get(at).map_or(0, of));
        let minutes = sums.windows(PER_MINUTE).enumerate();
        let minutes =
            minutes.map(|(at, minute)| (minute.iter().fold(0_u32, |a, b| a.saturating_add(*b)), at));
        minutes.max().unwrap_or_default()
    }

    /// Whether enough is known of the minutes before the window, if only that they were quiet.
    pub(super) fn has_history(&self) -> bool {
        let of_all = self.minutes.iter().filter_map(|minute| minute.get(Tally::All as usize));
        of_all.filter(|count| **count != UNKNOWN).count() >= HISTORY_MIN
    }

    /// The median of those minutes before the window in which there was any traffic, if there are three or more of
    /// them: a site that sleeps between two visits isn't measured by its sleep.
    pub(super) fn baseline(&self, tally: usize) -> Option<u32> {
        let mut known = [0; HISTORY];
        let mut len = 0_usize;
        let busy =
            self.minutes.iter().filter(|minute| minute.get(Tally::All as usize).is_some_and(|all| *all > 0));
        let minutes = busy.filter_map(|minute| minute.get(tally));
        for (to, count) in known.iter_mut().zip(minutes.filter(|count| **count != UNKNOWN)) {
            *to = *count;
            len = len.saturating_add(1);
        }
        let known = known.get_mut(..len).filter(|known| known.len() >= HISTORY_MIN)?;
        known.sort_unstable();
        known.get(known.len() / 2).copied()
    }

    /// Closes the window: its minutes, but for what was part of a flood, become history, and `idle` empty minutes
    /// after it. `skip` seconds of its beginning were before the log began.
    pub(super) fn turn(&mut self, flooded: &[usize], skip: u64, idle: u64) {
        let first = (skip / 60) as usize;
        for minute in first..(WINDOW / 60) as usize {
            let begin = SLOTS_BEFORE.saturating_add(minute.saturating_mul(PER_MINUTE));
            let counts: [u32; TALLIES] = std::array::from_fn(|tally| {
                let slots = self.slots.iter().skip(begin).take(PER_MINUTE);
                let sum = slots.filter_map(|slot| slot.get(tally)).fold(0_u32, |a, b| a.saturating_add(*b));
                if flooded.contains(&tally) { UNKNOWN } else { sum }
            });
            self.push_minute(counts);
        }
        for _ in 0..idle.min(HISTORY as u64) {
            self.push_minute([0; TALLIES]);
        }
        // What was judged already isn't counted into the next minute.
        let carried = |slot: &[u32; TALLIES]| -> [u32; TALLIES] {
            std::array::from_fn(|tally| {
                if flooded.contains(&tally) { 0 } else { slot.get(tally).copied().unwrap_or(0) }
            })
        };
        let tail: [[u32; TALLIES]; SLOTS_BEFORE] = std::array::from_fn(|at| {
            let slot = self.slots.get(SLOTS.saturating_sub(SLOTS_BEFORE).saturating_add(at));
            slot.filter(|_| idle == 0).map_or([0; TALLIES], carried)
        });
        self.slots = [[0; TALLIES]; SLOTS];
        self.slots.iter_mut().zip(tail).for_each(|(slot, before)| *slot = before);
    }

    fn push_minute(&mut self, counts: [u32; TALLIES]) {
        if let Some(minute) = self.minutes.get_mut(self.minute) {
            *minute = counts;
        }
        self.minute = self.minute.wrapping_add(1) % HISTORY;
    }
}
