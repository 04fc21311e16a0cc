//! `secmon doctor`: everything that can be wrong before anybody needs an approval, as data.
//!
//! Each check stands alone: one that fails doesn't hide the next. Nothing is changed, and no secret is
//! shown; that one is there and well formed is all that a finding says.

mod agents;
mod environment;
mod files;
mod leases;
mod sandbox;
mod zones;

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;

use std::fmt;

pub use agents::{Reach, check_reach, check_registered};
pub use environment::check_environment;
pub use files::{check_clock, check_data_dir};
pub use leases::check_leases;
pub use zones::{LookedAt, NotLooked, check_credentials, look_at_zones, missing, unproven};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Works, but somebody should look.
    Warn,
    /// Doesn't work.
    Fail,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at.
    pub subject: String,
    /// What was found, and what to do about it.
    pub text: String,
}

impl Finding {
    /// As it should be.
    pub fn ok(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject: subject.into(), text: text.into() }
    }

    /// Works, but somebody should look.
    pub fn warn(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject: subject.into(), text: text.into() }
    }

    /// Doesn't work.
    pub fn fail(subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self { level: Level::Fail, subject: subject.into(), text: text.into() }
    }

    /// What a check's result comes to: its text, or its error.
    fn of<E: fmt::Display>(subject: impl Into<String>, result: Result<impl Into<String>, E>) -> Self {
        match result {
            Ok(text) => Self::ok(subject, text),
            Err(error) => Self::fail(subject, error.to_string()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.level {
            Level::Ok => "ok  ",
            Level::Warn => "warn",
            Level::Fail => "FAIL",
        };
        write!(f, "{mark}  {}: {}", self.subject, self.text)
    }
}

const DAY_S: u64 = 86_400;
/// From here on a certificate's end is worth a warning.
const EXPIRY_WARNING_DAYS: u64 = 30;

/// What there is to say about the end of a certificate. `renewal` says how to get a new one.
fn expiry(subject: impl Into<String>, not_after: u64, now: u64, renewal: &str) -> Finding {
    let date = super::pki::date(not_after);
    match not_after.checked_sub(now) {
        None => Finding::fail(subject, format!("expired on {date}; {renewal}")),
        Some(left) if left / DAY_S < EXPIRY_WARNING_DAYS => {
            Finding::warn(subject, format!("expires on {date}, in {} days; {renewal}", left / DAY_S))
        }
        Some(_) => Finding::ok(subject, format!("good until {date}")),
    }
}
