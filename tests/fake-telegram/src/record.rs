//! What the server remembers about its client, as tests read it.

use crate::formatted::Entity;
use crate::params::Transport;
use serde::Serialize;
use serde_json::{Map, Value};

/// A text as the bot gave it and as the reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Content {
    /// As it came in the request.
    pub raw: String,
    /// After entity parsing.
    pub text: String,
    /// The formatted pieces of `text`.
    pub entities: Vec<Entity>,
    /// `parse_mode` of the request.
    pub parse_mode: Option<String>,
    /// `reply_markup` of the request.
    pub reply_markup: Option<Value>,
    /// Seconds since the epoch, by the server's clock.
    pub date: i64,
}

/// A message that the bot sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SentMessage {
    /// Its chat.
    pub chat_id: i64,
    /// Its id in that chat.
    pub message_id: i64,
    /// The message of the same chat that it answers.
    pub reply_to: Option<i64>,
    /// As it was sent first.
    #[serde(flatten)]
    pub first: Content,
    /// Every edit, oldest first.
    pub edits: Vec<Content>,
    /// The bot deleted it.
    pub deleted: bool,
}

impl SentMessage {
    /// What the message says now.
    #[must_use]
    pub fn latest(&self) -> &Content {
        self.edits.last().unwrap_or(&self.first)
    }

    /// The plain text that the message shows now.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.latest().text
    }

    /// The buttons of the inline keyboard that the message shows now, row by row.
    #[must_use]
    pub fn buttons(&self) -> Vec<Value> {
        let rows = self.latest().reply_markup.as_ref().and_then(|markup| markup.get("inline_keyboard"));
        let rows = rows.and_then(Value::as_array).into_iter().flatten();
        rows.filter_map(Value::as_array).flatten().cloned().collect()
    }
}

/// A request to a method.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RequestRecord {
    /// The method as the client wrote it.
    pub method: String,
    /// How the parameters came.
    pub transport: Transport,
    /// The parameters as they came.
    pub params: Map<String, Value>,
    /// Names of uploaded files.
    pub files: Vec<String>,
    /// Milliseconds since the epoch, by the server's clock.
    pub at_ms: i64,
    /// HTTP status of the answer; absent while there is none, and for ever when a fault swallowed it.
    pub status: Option<u16>,
    /// The fault that struck, by its kind.
    pub fault: Option<String>,
}

/// An accepted answer to a callback query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallbackAnswer {
    /// The query.
    pub id: String,
    /// What the user is shown.
    pub text: String,
    /// Whether it is shown as an alert.
    pub show_alert: bool,
}

/// What became of an injected update.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Injected {
    /// Its id in the queue.
    pub update_id: i64,
    /// `false` when the bot didn't ask for this kind of update.
    pub queued: bool,
    /// The id of the message in it, as far as there is one.
    pub message_id: Option<i64>,
    /// The id of the callback query in it, as far as there is one.
    pub callback_query_id: Option<String>,
}
