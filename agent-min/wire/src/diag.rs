//! Diagnostics: what an agent finds on its host, as data.
//!
//! A [`Report`] is the result of one run: findings, counters that only mean something beside an earlier
//! report, what was checked and what wasn't, and why. The catalogue says what each finding is called, how it
//! reads, what explains it, and which restarts it forbids; [`conclude`] picks the causes among symptoms.

mod cause;
mod counter;
mod fact;
mod finding;
mod flood;
mod report;
mod table;

pub use cause::{Advice, Conclusion, conclude};
pub use counter::{Counter, CounterId, Counters};
pub use fact::{Fact, FactName, Facts, Quantity};
pub use finding::{Finding, Part, Severity};
pub use flood::{FLOOD_SOURCES_MAX, Flood, Pattern, PatternField, Source, Window};
pub use report::{Check, NotChecked, Report, ReportWriter, Skipped, WhyNotChecked};
pub use table::{Entry, FindingId, WhyNot};
