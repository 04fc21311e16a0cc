//! The agent: runs the operations that its signed capability manifest lists, and nothing else.
//!
//! ```text
//! network side (net)  ── fixed-size messages (message) ──  acting side (monitor)
//!   TLS key, sockets                                        receipt key, dispatch.pub, manifest, state
//!   parses what strangers send                              admit: signature first, then everything else
//! ```
//!
//! The two sides share no memory but the code, so that each can become a process of its own.

mod admit;
mod bundle;
mod bytes;
mod certificate;
mod check;
mod cli;
mod config;
mod keys;
mod message;
mod monitor;
mod net;
mod run;
mod state;
mod state_codec;

pub use cli::main;

/// The version of the agent.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
