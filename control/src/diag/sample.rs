//! What was counted on a host, when, and how long it is worth keeping.

use secmon_wire::diag::Counters;
use secmon_wire::{OperationId, Unit};

/// Nothing older is kept.
const KEPT_S: u64 = 7 * 86_400;
/// Up to this age, one sample is kept in each stretch of so many seconds: many of the last minutes, for what happens
/// again and again; few of the last days, for what grows.
const DENSITY: [(u64, u64); 3] = [(600, 10), (3 * 3_600, 300), (KEPT_S, 6 * 3_600)];

/// The counters of one report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When the report came, by our own clock: the host's may be what is wrong with it.
    pub taken: u64,
    /// The host's boot id. Totals of two boots can't be compared.
    pub boot: [u8; 16],
    /// The totals.
    pub counters: Counters,
}

/// A restart that operators approved: what it resets and replaces is no crash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnRestart {
    /// When its receipt came, by our own clock.
    pub at: u64,
    /// What ran.
    pub operation: OperationId,
    /// On what.
    pub unit: Option<Unit>,
}

/// Which of these times, newest first, need no longer be kept. The one of now is kept, and of each stretch the oldest,
/// so that what is kept stays where it is while time goes on.
pub fn superfluous(times: &[u64], now: u64) -> Vec<u64> {
    let stretch = |taken: u64| {
        let age = now.checked_sub(taken)?;
        let (_, seconds) = DENSITY.iter().find(|(up_to, _)| age < *up_to)?;
        Some((*seconds, taken.checked_div(*seconds)))
    };
    let older = times.iter().skip(1).chain([&u64::MAX]);
    let mut superfluous = Vec::new();
    for (taken, older) in times.iter().zip(older) {
        let oldest = stretch(*taken).is_some_and(|of| stretch(*older) != Some(of));
        if *taken != now && !oldest {
            superfluous.push(*taken);
        }
    }
    superfluous
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

    use super::*;

    /// Samples every `step` seconds up to `until`, thinned after each; newest first.
    fn kept(step: u64, until: u64) -> Vec<u64> {
        let mut kept: Vec<u64> = Vec::new();
        for now in (0..=until).step_by(usize::try_from(step).expect("small")).map(|s| s + 1_767_225_600) {
            kept.insert(0, now);
            let gone = superfluous(&kept, now);
            kept.retain(|taken| !gone.contains(taken));
        }
        kept
    }

    #[test]
    fn looking_all_the_time_leaves_few_samples_of_every_age() {
        let kept = kept(7, 10 * 86_400);
        assert!(kept.len() < 140, "{}", kept.len());
        let newest = kept[0];
        for age in [60, 300, 1_800, 3_600, 2 * 3_600, 86_400, 6 * 86_400] {
            let near = kept.iter().any(|taken| {
                let found = newest - taken;
                found >= age && found <= age + 6 * 3_600_u64.min(age.max(20))
            });
            assert!(near, "nothing about {age} s old");
        }
        assert!(kept.iter().all(|taken| newest - taken < KEPT_S));
    }

    #[test]
    fn looking_seldom_loses_nothing_of_a_week() {
        assert_eq!(kept(86_400, 6 * 86_400).len(), 7);
        assert_eq!(kept(86_400, 60 * 86_400).len(), 7);
    }

    #[test]
    fn the_one_of_now_is_kept_and_what_comes_from_the_future_is_not() {
        assert_eq!(superfluous(&[], 5), Vec::<u64>::new());
        assert_eq!(superfluous(&[1_000_009, 1_000_005, 1_000_001], 1_000_009), [1_000_005]);
        assert_eq!(superfluous(&[1_000_900, 1_000_001, 1_000_000], 1_000_001), [1_000_900]);
    }
}
