//! Automatic dispatch, and the switch that stops it.

mod ladder;
mod switch;
mod watch;

pub use ladder::AutoPolicy;
pub use switch::{Permit, Suppressed, Switch};
pub use watch::Auto;
