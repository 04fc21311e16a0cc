//! What the agent asks of the kernel, and the only place of secmon with `unsafe` code and `nix`: running
//! programs, waiting, the state file, files that must be nobody else's, the clock.
//!
//! Nothing here decides anything about operations, messages or signatures; nothing here reads the network.

pub mod clock;
pub mod files;
pub mod process;
pub mod spawn;
pub mod state_file;
pub mod wait;
