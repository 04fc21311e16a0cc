//! The terminal console: a second transport on the same door, with no rights of its own.
//!
//! A running control plane listens on a socket in its data directory, which only its own user can reach.
//! `secmon console` connects to it; where none runs, it starts the core itself, without Telegram.

mod client;
mod protocol;
mod server;

pub use client::run;
pub(super) use server::{listen, remove, serve};
