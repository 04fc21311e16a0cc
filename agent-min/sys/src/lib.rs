//! What the agent asks of the kernel, and the only place of secmon with `unsafe` code and `nix`: running
//! programs, waiting, the processes that the agent is made of, the walls around each of them, the channel
//! between them, the state file, files that must be nobody else's, the clock, what the diagnostics ask.
//!
//! Nothing here decides anything about operations, messages or signatures; nothing here reads the network.

pub mod account;
pub mod channel;
mod child;
pub mod clock;
mod descriptors;
pub mod files;
pub mod inherited;
pub mod notify;
pub mod probe;
pub mod process;
pub mod role;
pub mod sandbox;
pub mod spawn;
pub mod state_file;
pub mod wait;
