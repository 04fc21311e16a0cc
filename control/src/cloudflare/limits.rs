//! What each plan can do, as one table.
//!
//! Sources: developers.cloudflare.com/waf/custom-rules/ and /waf/rate-limiting-rules/ (availability by plan),
//! /waf/rate-limiting-rules/parameters/ (a challenge needs a timeout of 0 below Enterprise, which is why no rate
//! limiting rule here challenges; `cf.colo.id` is always among the characteristics), and
//! /ruleset-engine/rules-language/operators/ (regular expressions from Business on). Custom rules have all fields.

use super::expression::Field::{self, Method, Path, Query, Source, UserAgent, VerifiedBot};
use super::{Phase, Plan};

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Custom rules.
    pub custom_rules: usize,
    /// Rate limiting rules.
    pub rate_rules: usize,
    /// Whether custom rules may have regular expressions.
    pub regex: bool,
    /// Seconds over which a rate limiting rule counts, at most.
    pub period_max: u32,
    /// Seconds for which it acts, at most.
    pub timeout_max: u32,
    /// What a rate limiting rule may look at.
    pub rate_fields: &'static [Field],
}

static TABLE: [(Plan, Limits); 4] = [
    (
        Plan::Free,
        Limits {
            custom_rules: 5,
            rate_rules: 1,
            regex: false,
            period_max: 10,
            timeout_max: 10,
            rate_fields: &[Path, VerifiedBot],
        },
    ),
    (
        Plan::Pro,
        Limits {
            custom_rules: 20,
            rate_rules: 2,
            regex: false,
            period_max: 60,
            timeout_max: 3_600,
            rate_fields: &[Path, VerifiedBot, Query],
        },
    ),
    (
        Plan::Business,
        Limits {
            custom_rules: 100,
            rate_rules: 5,
            regex: true,
            period_max: 600,
            timeout_max: 86_400,
            rate_fields: &[Path, VerifiedBot, Query, Method, Source, UserAgent],
        },
    ),
    // What a contract adds isn't known; this much is in each.
    (
        Plan::Enterprise,
        Limits {
            custom_rules: 1_000,
            rate_rules: 5,
            regex: true,
            period_max: 3_600,
            timeout_max: 86_400,
            rate_fields: &[Path, VerifiedBot, Query, Method, Source, UserAgent],
        },
    ),
];

/// Periods and timeouts that a rate limiting rule may have, in seconds.
const PERIODS: &[u32] = &[10, 60, 600, 3_600, 86_400];
/// What a rate limiting rule counts by. Others are for higher plans, or count visitors twice.
pub(super) const CHARACTERISTICS: [&str; 2] = ["cf.colo.id", "ip.src"];

impl Plan {
    /// What it can do.
    pub fn limits(self) -> &'static Limits {
        let [(_, least), ..] = &TABLE;
        TABLE.iter().find(|(plan, _)| *plan == self).map_or(least, |(_, limits)| limits)
    }
}

impl Limits {
    /// Rules in a phase, at most, all of the zone's together.
    pub const fn rules(&self, phase: Phase) -> usize {
        match phase {
            Phase::Custom => self.custom_rules,
            Phase::RateLimit => self.rate_rules,
        }
    }

    /// The longest period up to `wished` to count over.
    pub fn period(&self, wished: u32) -> u32 {
        longest(self.period_max.min(wished))
    }

    /// The longest time up to `wished` to act for.
    pub fn timeout(&self, wished: u32) -> u32 {
        longest(self.timeout_max.min(wished))
    }

    /// Whether a rate limiting rule may look at this.
    pub fn counts_by(&self, field: Field) -> bool {
        self.rate_fields.contains(&field)
    }
}

fn longest(most: u32) -> u32 {
    PERIODS.iter().copied().filter(|period| *period <= most).max().unwrap_or(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plan_has_its_own_row_and_a_dearer_one_is_never_poorer() {
        for pair in Plan::ALL.windows(2) {
            let (less, more) = (pair[0].limits(), pair[1].limits());
            assert!(TABLE.iter().filter(|(plan, _)| *plan == pair[0]).count() == 1);
            assert!(less.custom_rules < more.custom_rules && less.rate_rules <= more.rate_rules);
            assert!(less.period_max < more.period_max && less.timeout_max <= more.timeout_max);
            assert!(less.regex <= more.regex);
            assert!(less.rate_fields.iter().all(|field| more.counts_by(*field)));
        }
        assert_eq!(TABLE.len(), Plan::ALL.len());
    }

    #[test]
    fn a_period_is_one_that_the_plan_has() {
        for (plan, period, timeout) in [
            (Plan::Free, 10, 10),
            (Plan::Pro, 60, 600),
            (Plan::Business, 60, 600),
            (Plan::Enterprise, 60, 600),
        ] {
            assert_eq!((plan.limits().period(60), plan.limits().timeout(600)), (period, timeout), "{plan}");
        }
        assert_eq!(Plan::Pro.limits().period(600), 60);
        assert_eq!(Plan::Pro.limits().timeout(u32::MAX), 3_600);
        assert_eq!(Plan::Business.limits().period(599), 60);
    }
}
