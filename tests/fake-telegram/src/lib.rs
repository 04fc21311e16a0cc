//! A stateful stand-in for the Telegram Bot API, for tests only.
//!
//! It shares no code with the client under test: its HTTP loop, its form parsers and its idea of the API
//! are its own, so that a mistake on one side doesn't hide one on the other. It keeps everything in memory,
//! serves one bot, and never reaches for the network beyond 127.0.0.1.
//!
//! ```
//! use secmon_fake_telegram::{FakeTelegram, Options};
//!
//! let telegram = FakeTelegram::start(Options::default());
//! telegram.text(42, "/help");
//! assert_eq!(telegram.pending().len(), 1);
//! ```

mod answer;
mod connection;
mod control;
mod fault;
mod formatted;
mod handle;
mod html;
mod inject;
mod keyboard;
mod messages;
mod methods;
mod multipart;
mod params;
mod poll;
mod queue;
mod rate;
mod raw;
mod record;
mod server;
mod spec;
mod state;
mod waiting;

pub use fault::{Fault, PlannedFault};
pub use formatted::{Entity, MAX_TEXT};
pub use inject::{Form, Incoming, Press};
pub use params::Transport;
pub use poll::MAX_POLL;
pub use queue::UPDATE_LIFETIME_MS;
pub use record::{CallbackAnswer, Content, Injected, RequestRecord, SentMessage};
pub use server::{DEFAULT_TOKEN, FakeTelegram, Options};
pub use spec::{Spec, find_spec};
pub use waiting::Wait;
