//! Diagnostics: asks agents what is wrong on their hosts, compares with what they counted before, and says the causes
//! in few lines.
//!
//! Read-only from end to end: nothing here approves, dispatches or writes to the audit log. What an agent reports is
//! a stranger's until [`secmon_wire::diag::Report::read`] took it, and reaches a reader only through [`page()`] and
//! [`details()`], bounded and set apart from our own words.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

mod areas;
mod compare;
mod crash_loop;
mod desk;
mod details;
mod disk;
mod json;
mod killed;
mod line;
mod look;
mod not_run;
mod page;
mod rules;
mod sample;
#[cfg(test)]
mod testing;
mod usual;
mod verdict;

pub use areas::Areas;
pub use compare::{Compared, compare};
pub use desk::{Ask, Desk, HOSTS_MAX};
pub use details::{Room, details};
pub use json::json;
pub use look::{Look, Seen, Visit};
pub use not_run::NotRun;
pub use page::{Client, page};
pub use sample::{OwnRestart, Sample, superfluous};
pub use verdict::{Judged, Verdict};
