//! Updates as users cause them: texts in every disguise, and pressed buttons. Pure.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// In which form a text reaches the bot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Typed by its sender, new.
    #[default]
    Plain,
    /// A later edit of a message (`edited_message`).
    Edited,
    /// Forwarded from another user.
    Forwarded,
    /// A post in a channel (`channel_post`, no `from`).
    Channel,
    /// Sent with the help of an inline bot.
    ViaBot,
    /// The caption of a photo.
    Caption,
    /// Sent by an anonymous administrator of a group.
    Anonymous,
}

/// A text that a user sends to the bot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incoming {
    /// The sender's id.
    pub from: i64,
    /// The text, or the caption.
    pub text: String,
    /// The chat; the private chat with the sender when absent.
    #[serde(default)]
    pub chat: Option<i64>,
    /// How it comes.
    #[serde(default)]
    pub form: Form,
    /// The message of this chat that it answers.
    #[serde(default)]
    pub reply_to: Option<i64>,
    /// The message that an edit is about; a new id when absent.
    #[serde(default)]
    pub message_id: Option<i64>,
    /// Seconds since the epoch; the server's clock when absent.
    #[serde(default)]
    pub date: Option<i64>,
}

impl Incoming {
    /// A plain new text in the private chat with its sender.
    #[must_use]
    pub fn new(from: i64, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { from, text, chat: None, form: Form::Plain, reply_to: None, message_id: None, date: None }
    }

    /// In another chat.
    #[must_use]
    pub fn in_chat(mut self, chat: i64) -> Self {
        self.chat = Some(chat);
        self
    }

    /// In another form.
    #[must_use]
    pub fn form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// As an answer to a message.
    #[must_use]
    pub fn reply_to(mut self, message_id: i64) -> Self {
        self.reply_to = Some(message_id);
        self
    }

    /// The chat it arrives in.
    #[must_use]
    pub fn chat_id(&self) -> i64 {
        self.chat.unwrap_or(self.from)
    }

    /// The update without its id.
    pub(crate) fn update(&self, message_id: i64, now: i64, replied: Option<Value>) -> Value {
        let date = self.date.unwrap_or(now);
        let mut message = json!({
            "message_id": message_id,
            "from": user(self.from),
            "chat": if self.form == Form::Channel { channel(self.chat_id()) } else { chat(self.chat_id()) },
            "date": date,
            "text": self.text,
        });
        let mut kind = "message";
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(object) = message.as_object_mut() {
                match value {
                    Some(value) => object.insert(name.to_owned(), value),
                    None => object.remove(name),
                };
            }
        };
        if let Some(command) = self.text.strip_prefix('/') {
            let length =
                1 + command.chars().take_while(|c| c.is_ascii_alphanumeric() || "_@".contains(*c)).count();
            set("entities", Some(json!([{"type": "bot_command", "offset": 0, "length": length}])));
        }
        if replied.is_some() {
            set("reply_to_message", replied);
        }
        match self.form {
            Form::Plain => {}
            Form::Edited => {
                kind = "edited_message";
                set("edit_date", Some(json!(date)));
            }
            Form::Forwarded => {
                set(
                    "forward_origin",
                    Some(json!({"type": "user", "date": date, "sender_user": user(777_000)})),
                );
            }
            Form::Channel => {
                kind = "channel_post";
                set("from", None);
                set("sender_chat", Some(channel(self.chat_id())));
            }
            Form::ViaBot => {
                let bot = json!({"id": 93_372_553, "is_bot": true, "first_name": "Inline", "username": "inline_bot"});
                set("via_bot", Some(bot));
            }
            Form::Caption => {
                set("text", None);
                set("entities", None);
                set("caption", Some(json!(self.text)));
                let size = json!({"file_id": "AgAD", "file_unique_id": "AQAD", "width": 90, "height": 90});
                set("photo", Some(json!([size])));
            }
            Form::Anonymous => {
                let bot = json!({"id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot"});
                set("from", Some(bot));
                set("sender_chat", Some(chat(self.chat_id())));
            }
        }
        json!({kind: message})
    }
}

/// A button that a user presses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Press {
    /// The user's id.
    pub from: i64,
    /// The chat of the message; the private chat with the user when absent.
    #[serde(default)]
    pub chat: Option<i64>,
    /// The message with the button.
    pub message_id: i64,
    /// `callback_data` of the button.
    pub data: String,
}

impl Press {
    /// The update without its id. Without the message, the server reports it as inaccessible.
    pub(crate) fn update(&self, query_id: &str, message: Option<Value>) -> Value {
        let chat_id = self.chat.unwrap_or(self.from);
        let inaccessible = || json!({"message_id": self.message_id, "chat": chat(chat_id), "date": 0});
        json!({"callback_query": {
            "id": query_id,
            "from": user(self.from),
            "message": message.unwrap_or_else(inaccessible),
            "chat_instance": chat_id.to_string(),
            "data": self.data,
        }})
    }
}

/// A `User` with this id.
pub(crate) fn user(id: i64) -> Value {
    json!({"id": id, "is_bot": false, "first_name": format!("User {id}"), "language_code": "en"})
}

/// A `Chat` with this id: positive ids are private chats, `-100…` supergroups, other negative ones groups.
pub(crate) fn chat(id: i64) -> Value {
    if id > 0 {
        json!({"id": id, "type": "private", "first_name": format!("User {id}")})
    } else {
        let kind = if id <= -1_000_000_000_000 { "supergroup" } else { "group" };
        json!({"id": id, "type": kind, "title": format!("Group {id}")})
    }
}

fn channel(id: i64) -> Value {
    json!({"id": id, "type": "channel", "title": format!("Channel {id}")})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_recognisable() {
        let update = |form| Incoming::new(5, "x").form(form).update(1, 9, None);
        assert_eq!(update(Form::Plain)["message"]["from"]["id"], 5);
        assert_eq!(update(Form::Edited)["edited_message"]["edit_date"], 9);
        assert_eq!(update(Form::Forwarded)["message"]["forward_origin"]["type"], "user");
        assert_eq!(update(Form::Channel)["channel_post"].get("from"), None);
        assert_eq!(update(Form::ViaBot)["message"]["via_bot"]["is_bot"], true);
        assert_eq!(update(Form::Caption)["message"]["caption"], "x");
        assert_eq!(update(Form::Caption)["message"].get("text"), None);
        assert_eq!(update(Form::Anonymous)["message"]["from"]["is_bot"], true);
    }

    #[test]
    fn the_json_form_needs_only_sender_and_text() {
        let incoming: Incoming = serde_json::from_str(r#"{"from":5,"text":"/help me"}"#).unwrap();
        assert_eq!(incoming, Incoming::new(5, "/help me"));
        assert_eq!(incoming.update(1, 9, None)["message"]["entities"][0]["length"], 5);
        assert!(serde_json::from_str::<Incoming>(r#"{"from":5,"text":"x","chatt":1}"#).is_err());
    }
}
