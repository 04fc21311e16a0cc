//! Automatic dispatch, and the switch that stops it.

mod ladder;
mod news;
mod switch;
mod watch;

pub use ladder::{AutoPolicy, Ladder, Level, Seen, Step};
pub use news::{News, Told};
pub use switch::{Path, Permit, Suppressed, Switch};
pub use watch::Auto;
