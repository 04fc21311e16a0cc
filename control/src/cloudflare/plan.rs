//! What a zone is paid for.

use std::fmt;

/// A zone's plan. What each can do stands in one table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plan {
    /// Free.
    Free,
    /// Pro.
    Pro,
    /// Business.
    Business,
    /// Enterprise, and whatever else is paid for by contract.
    Enterprise,
}

impl Plan {
    /// All there are.
    pub const ALL: &[Self] = &[Self::Free, Self::Pro, Self::Business, Self::Enterprise];

    /// The name as it stands in the database and in messages; the API's `legacy_id` has the same.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Pro => "pro",
            Self::Business => "business",
            Self::Enterprise => "enterprise",
        }
    }

    /// The plan with this name.
    pub fn new(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|plan| plan.as_str() == name)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
