//! Reads what a host says of itself, and judges it: the thinking half of the agent's diagnostics.
//!
//! It opens nothing and connects to nothing itself: all of that goes through a [`host::Host`]; [`Notes`] are taken. Most of
//! the bytes are written by strangers (log lines, answers of services, a taken-over site's files), so nothing here
//! trusts a length, an encoding or an order, and what goes into a finding is bounded and printable.

pub mod discover;
pub mod errors;
pub mod flood;
pub mod host;
pub mod journal;
pub mod kernel;
pub mod netlink;
pub mod networks;
mod notes;
pub mod probe;
pub mod stack;
#[cfg(test)]
mod testing;
pub mod text;
pub mod tuning;

pub use notes::{Notes, Run};
