//! One JSON object per line, both ways.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::OwnedReadHalf;
use tokio::sync::mpsc;

/// The longest line, either way: Telegram's longest message, escaped, with room.
const LINE_MAX: u64 = 64 * 1024;

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

/// Reads lines until the end, or one that isn't of the protocol.
pub(super) async fn receive<T: DeserializeOwned>(read: OwnedReadHalf, into: mpsc::Sender<T>) {
    let mut lines = BufReader::new(read.take(LINE_MAX));
    let mut line = String::new();
    loop {
        line.clear();
        lines.get_mut().set_limit(LINE_MAX);
        match lines.read_line(&mut line).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
        let Ok(message) = serde_json::from_str(&line) else { return };
        if into.send(message).await.is_err() {
            return;
        }
    }
}
