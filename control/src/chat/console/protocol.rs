//! One JSON object per line, both ways.

use serde::{Deserialize, Serialize};

/// The longest line, either way: Telegram's longest message, escaped, with room.
pub(super) const LINE_MAX: u64 = 64 * 1024;

/// What the operator says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// Whose id the operator writes under; the door decides whether it is heard.
    #[serde(rename = "as")]
    pub(super) operator: i64,
    /// The line.
    pub(super) text: String,
}

/// What the console shows.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Shown {
    /// A reply.
    Reply(String),
    /// The line was taken in; its replies so far came before this.
    Taken,
}
