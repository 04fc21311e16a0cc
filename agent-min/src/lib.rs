//! The agent: runs the operations that its signed capability manifest lists, and nothing else.
//!
//! ```text
//! network process (net)   ── fixed-size messages (message) ──   monitor (monitor)
//!   no user, no file, no secret   ── handshakes (handshake) ──    every key, manifest, state; root
//!   parses what strangers send                                     admit: signature first, then everything else
//! ```
//!
//! `run` is the monitor; it starts the network process from the same program, and for each look at the host a
//! diagnostics process ([`diagnostics`]). They share no memory.

mod admit;
mod areas;
mod bundle;
mod bytes;
mod certificate;
mod check;
mod cli;
mod config;
mod diagnostics;
#[cfg(fuzzing)]
pub mod fuzz;
mod handshake;
mod keys;
mod look;
mod message;
mod monitor;
mod net;
mod run;
mod setup;
mod state;
mod state_codec;
mod users;

pub use cli::main;

/// The version of the agent.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A line on stderr, which the service manager keeps. In one piece: several processes write there.
pub(crate) fn say(line: &(impl std::fmt::Display + ?Sized)) {
    use std::io::Write;
    let mut out = [0_u8; LINE_MAX];
    let mut rest = out.as_mut_slice();
    let _cut_at_its_limit = writeln!(rest, "secmon-agent: {line}");
    let left = rest.len();
    let _nobody_listens =
        std::io::stderr().write_all(out.get(..LINE_MAX.saturating_sub(left)).unwrap_or_default());
}

/// Bytes of the longest line.
const LINE_MAX: usize = 1024;
