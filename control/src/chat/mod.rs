//! One front door for every transport. A message goes in, replies come out of the outbox.
//!
//! No transport has rights of its own: Telegram and the console differ only in how text gets here.

mod cloudflare;
mod cloudflare_reply;
mod commands;
pub mod console;
mod diagnose;
mod door;
mod outbox;
mod outcome_reply;
mod reply;
pub mod serve;
mod strangers;
mod telegram;

pub use door::Door;
pub use outbox::Outbox;
pub use reply::{Button, Part, Reply};
pub use strangers::Due;
