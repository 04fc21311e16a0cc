//! How many requests may leave. Pure: the time comes in.
//!
//! Cloudflare allows 1,200 requests in 5 minutes to each user, over all of their tokens, and then none for 5 minutes. One
//! window here is for all tokens: they may well belong to one user. A part of it is for changes alone, so that looking
//! at zones never keeps a mitigation from being set or put back.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// Requests of all tokens in [`WINDOW`].
const ALL: usize = 1_200;
const WINDOW: Duration = Duration::from_secs(300);
/// Those that reads leave to changes, here and of what `Ratelimit` says is left.
const RESERVE: usize = 200;
/// No wait is longer, whatever a header says: the API's own block is.
const LONGEST: Duration = Duration::from_secs(300);
/// What a 429 without a time means.
const UNSAID: Duration = Duration::from_secs(60);

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It changes nothing.
    Read,
    /// It changes a zone.
    Change,
}

/// Which token a request carries: its SHA-256. Requests without a token share one.
pub(super) type Payer = [u8; 32];

/// Whether a request may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Leave {
    /// It may, and counts from now on.
    Go,
    /// Not before this time has passed.
    Wait(Duration),
}

/// What has left, and who was told to wait.
#[derive(Debug, Default)]
pub(super) struct Budget {
    sent: VecDeque<Instant>,
    paces: HashMap<Payer, Pace>,
}

#[derive(Clone, Copy, Debug)]
struct Pace {
    /// Until when nothing may leave.
    blocked: Option<Instant>,
    /// Until when reads wait.
    reads: Option<Instant>,
}

impl Budget {
    /// Asks for one request.
    pub(super) fn ask(&mut self, payer: Payer, kind: Kind, now: Instant) -> Leave {
        while self.sent.front().is_some_and(|first| now.saturating_duration_since(*first) >= WINDOW) {
            self.sent.pop_front();
        }
        let allowed = if kind == Kind::Read { ALL.saturating_sub(RESERVE) } else { ALL };
        let crowd = self.sent.len().checked_sub(allowed).and_then(|over| self.sent.get(over)).copied();
        let free = crowd.and_then(|first| first.checked_add(WINDOW));
        let pace = self.paces.get(&payer).copied();
        let told = pace
            .and_then(|pace| if kind == Kind::Read { pace.blocked.max(pace.reads) } else { pace.blocked });
        let wait = free.max(told).map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if wait.is_zero() {
            self.sent.push_back(now);
            return Leave::Go;
        }
        Leave::Wait(wait)
    }

    /// A 429 came, with this `retry-after`. Returns how long the token waits.
    pub(super) fn refused(&mut self, payer: Payer, retry_after: Option<&str>, now: Instant) -> Duration {
        let said = retry_after.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        let wait = said.unwrap_or(UNSAID).clamp(Duration::from_secs(1), LONGEST);
        self.block(payer, now.checked_add(wait), None);
        wait
    }

    /// An answer's `Ratelimit` header: `"name";r=LEFT;t=SECONDS`.
    pub(super) fn told(&mut self, payer: Payer, header: &str, now: Instant) {
        let Some((left, reset)) = read(header) else { return };
        let until = now.checked_add(reset.min(LONGEST));
        match left {
            0 => self.block(payer, until, None),
            1..=RESERVE => self.block(payer, None, until),
            _ => {}
        }
    }

    fn block(&mut self, payer: Payer, blocked: Option<Instant>, reads: Option<Instant>) {
        let pace = self.paces.entry(payer).or_insert(Pace { blocked: None, reads: None });
        pace.blocked = pace.blocked.max(blocked);
        pace.reads = pace.reads.max(reads);
    }
}

/// How much is left, and when the window ends. Of several windows, the one with the least left.
fn read(header: &str) -> Option<(usize, Duration)> {
    let window = |item: &str| {
        let number = |name: &str| {
            let mut parts = item.split(';').map(str::trim);
            parts.find_map(|part| part.strip_prefix(name)?.strip_prefix('=')?.parse::<u64>().ok())
        };
        Some((usize::try_from(number("r")?).ok()?, Duration::from_secs(number("t")?)))
    };
    header.split(',').filter_map(window).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Payer = [1; 32];
    const B: Payer = [2; 32];

    fn fill(budget: &mut Budget, kind: Kind, now: Instant) -> usize {
        (0..10_000).take_while(|_| budget.ask(A, kind, now) == Leave::Go).count()
    }

    #[test]
    fn reads_leave_a_part_of_the_window_to_changes() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        assert_eq!(fill(&mut budget, Kind::Read, start), ALL - RESERVE);
        assert_eq!(budget.ask(B, Kind::Read, start), Leave::Wait(WINDOW), "the window is of all tokens");
        assert_eq!(fill(&mut budget, Kind::Change, start), RESERVE);
        assert_eq!(
            budget.ask(A, Kind::Change, start + Duration::from_secs(100)),
            Leave::Wait(Duration::from_secs(200))
        );
        assert_eq!(budget.ask(A, Kind::Change, start + WINDOW), Leave::Go);
    }

    #[test]
    fn never_more_than_the_window_holds_at_any_time() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        let mut sent: Vec<u64> = Vec::new();
        for second in 0..2_000 {
            for _ in 0..7 {
                if budget.ask(A, Kind::Change, start + Duration::from_secs(second)) == Leave::Go {
                    sent.push(second);
                }
            }
        }
        assert!(sent.len() > 7_000, "{}", sent.len());
        assert!(sent.windows(ALL + 1).all(|window| window[ALL] - window[0] >= 300));
    }

    #[test]
    fn a_429_stops_its_token_alone_for_as_long_as_it_says() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let second = Duration::from_secs;
        assert_eq!(budget.refused(A, Some("17"), now), second(17));
        assert_eq!(budget.ask(A, Kind::Change, now), Leave::Wait(second(17)));
        assert_eq!(budget.ask(A, Kind::Read, now + second(16)), Leave::Wait(second(1)));
        assert_eq!(budget.ask(B, Kind::Read, now), Leave::Go);
        assert_eq!(budget.ask(A, Kind::Change, now + second(17)), Leave::Go);
        for (header, wait) in [(None, 60), (Some("soon"), 60), (Some("0"), 1), (Some("99999999"), 300)] {
            assert_eq!(budget.refused(B, header, now), second(wait), "{header:?}");
        }
    }

    #[test]
    fn the_ratelimit_header_holds_reads_back_before_it_holds_changes_back() {
        let (mut budget, now) = (Budget::default(), Instant::now());
        let second = Duration::from_secs;
        for harmless in
            ["", "x", "\"default\";r=;t=9", "\"default\";r=1000;t=9", "\"default\";t=9", "r=-1;t=9"]
        {
            budget.told(A, harmless, now);
            assert_eq!(budget.ask(A, Kind::Read, now), Leave::Go, "{harmless}");
        }
        budget.told(A, "\"burst\";r=900;t=1, \"default\";r=150;t=30", now);
        assert_eq!(budget.ask(A, Kind::Read, now), Leave::Wait(second(30)));
        assert_eq!(budget.ask(A, Kind::Change, now), Leave::Go);
        budget.told(A, "\"default\";r=0;t=20", now);
        assert_eq!(budget.ask(A, Kind::Change, now), Leave::Wait(second(20)));
        assert_eq!(budget.ask(B, Kind::Read, now), Leave::Go);
    }
}
