//! What each plan has, as one table of the stand-in's own: the published plan tables of custom rules and of rate
//! limiting rules. Where they name a group of values ("up to one hour"), every listed value up to it counts.

use serde::{Deserialize, Serialize};

/// What a zone is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// Free.
    #[default]
    Free,
    /// Pro.
    Pro,
    /// Business.
    Business,
    /// Enterprise, with everything that can be bought.
    Enterprise,
}

/// What a plan has.
#[derive(Debug)]
pub(crate) struct Limits {
    /// As the API calls the plan.
    pub(crate) legacy_id: &'static str,
    /// As the dashboard calls it.
    pub(crate) name: &'static str,
    pub(crate) custom_rules: usize,
    pub(crate) rate_rules: usize,
    pub(crate) longest_period: u64,
    pub(crate) longest_timeout: u64,
    /// What may be counted by, beside `cf.colo.id`; anything when empty.
    pub(crate) characteristics: &'static [&'static str],
    /// `matches`.
    pub(crate) regex: bool,
    /// The action `log`, a challenge that lasts, and access rules that block countries.
    pub(crate) enterprise: bool,
    /// `counting_expression` of rate limiting rules.
    pub(crate) counting_expression: bool,
}

/// Counting periods and mitigation timeouts that exist, in seconds.
pub(crate) const SECONDS: &[u64] = &[
    10, 15, 20, 30, 40, 45, 60, 90, 120, 180, 240, 300, 480, 600, 900, 1200, 1800, 2400, 3600, 65535, 86400,
];

const FREE: Limits = Limits {
    legacy_id: "free",
    name: "Free Website",
    custom_rules: 5,
    rate_rules: 1,
    longest_period: 10,
    longest_timeout: 10,
    characteristics: &["ip.src"],
    regex: false,
    enterprise: false,
    counting_expression: false,
};

const PRO: Limits = Limits {
    legacy_id: "pro",
    name: "Pro Website",
    custom_rules: 20,
    rate_rules: 2,
    longest_period: 60,
    longest_timeout: 3600,
    ..FREE
};

const BUSINESS: Limits = Limits {
    legacy_id: "business",
    name: "Business Website",
    custom_rules: 100,
    rate_rules: 5,
    longest_period: 600,
    longest_timeout: 86400,
    characteristics: &["ip.src", "cf.unique_visitor_id"],
    regex: true,
    enterprise: false,
    counting_expression: true,
};

const ENTERPRISE: Limits = Limits {
    legacy_id: "enterprise",
    name: "Enterprise Website",
    custom_rules: 1000,
    rate_rules: 100,
    longest_period: 65535,
    longest_timeout: 86400,
    characteristics: &[],
    enterprise: true,
    ..BUSINESS
};

impl Plan {
    pub(crate) const fn limits(self) -> &'static Limits {
        match self {
            Self::Free => &FREE,
            Self::Pro => &PRO,
            Self::Business => &BUSINESS,
            Self::Enterprise => &ENTERPRISE,
        }
    }
}
