//! Telegram's updates, as far as we read them. What we don't know we don't need.
//!
//! Each update is parsed by itself, so one that can't be read costs only itself.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::approval::{ChatId, Form, Inbound, Operator, Transport, Via};

/// Beyond every number that Telegram gives out. The offset follows the highest number seen, so one that is
/// far too high would hide all later updates.
const UPDATE_ID_END: i64 = 1 << 52;

/// What one poll brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// The updates in order; `None` for one that can't be read or isn't a message.
    pub(super) updates: Vec<(i64, Content)>,
    /// Entries without even a number.
    pub(super) unnumbered: usize,
}

/// What an update is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A message with a text or caption of a sender.
    Message(Box<Message>),
    /// A button that somebody pressed.
    Press(Box<Press>),
    /// A kind that we have no use for.
    Other,
    /// Not readable.
    Unreadable(String),
}

#[derive(Deserialize)]
struct Numbered {
    update_id: i64,
}

#[derive(Deserialize)]
struct Update {
    message: Option<Message>,
    edited_message: Option<Message>,
    channel_post: Option<Message>,
    edited_channel_post: Option<Message>,
    business_message: Option<Message>,
    edited_business_message: Option<Message>,
    callback_query: Option<Press>,
}

/// A pressed button, as far as we read it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Press {
    /// What its sign of waiting is ended by.
    pub(super) id: String,
    from: User,
    message: Option<Pressed>,
    data: Option<String>,
}

/// The message with the button; one that is too old has no text any more.
#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Pressed {
    chat: Chat,
}

/// A message, as far as we read it.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Message {
    from: Option<User>,
    chat: Chat,
    text: Option<String>,
    caption: Option<String>,
    reply_to_message: Option<Box<Answered>>,
    edit_date: Option<Present>,
    forward_origin: Option<Present>,
    forward_date: Option<Present>,
    is_automatic_forward: Option<bool>,
    sender_chat: Option<Present>,
    via_bot: Option<Present>,
    business_connection_id: Option<Present>,
    sender_business_bot: Option<Present>,
    /// Not Telegram's: which field of the update held the message.
    #[serde(skip)]
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    New,
    Edited,
    Channel,
    Business,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct User {
    id: i64,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Chat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Answered {
    from: Option<User>,
    text: Option<String>,
    forward_origin: Option<Present>,
}

/// A field whose presence is all that matters.
#[derive(Debug, PartialEq, Eq)]
struct Present;

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl Batch {
    /// Reads the `result` of getUpdates.
    pub(super) fn read(result: &[&RawValue]) -> Self {
        let mut batch = Self { updates: Vec::new(), unnumbered: 0 };
        for raw in result {
            match serde_json::from_str::<Numbered>(raw.get()) {
                Ok(Numbered { update_id }) if (0..UPDATE_ID_END).contains(&update_id) => {
                    batch.updates.push((update_id, Content::read(raw.get())))
                }
                Ok(_) | Err(_) => batch.unnumbered = batch.unnumbered.saturating_add(1),
            }
        }
        batch.updates.sort_by_key(|(id, _)| *id);
        batch
    }
}

impl Content {
    fn read(raw: &str) -> Self {
        let update: Update = match serde_json::from_str(raw) {
            Ok(update) => update,
            // The category and the place are enough, and repeat nothing of the message.
            Err(error) => {
                return Self::Unreadable(format!(
                    "{:?} error at column {}",
                    error.classify(),
                    error.column()
                ));
            }
        };
        if let Some(press) = update.callback_query {
            return Self::Press(Box::new(press));
        }
        let kinds = [
            (update.message, Kind::New),
            (update.edited_message, Kind::Edited),
            (update.channel_post, Kind::Channel),
            (update.edited_channel_post, Kind::Channel),
            (update.business_message, Kind::Business),
            (update.edited_business_message, Kind::Business),
        ];
        let found = kinds.into_iter().find_map(|(message, kind)| Some(Message { kind, ..message? }));
        found.map_or(Self::Other, |message| Self::Message(Box::new(message)))
    }
}

impl Press {
    /// The command behind the button, for the front door; `None` if the button is not one of a chat of ours. Whether
    /// the button was ever there, Telegram doesn't say: a modified client sends what it wants.
    pub(super) fn inbound(self) -> Option<Inbound> {
        let chat = self.message?.chat;
        Some(Inbound {
            sender: Operator(self.from.id),
            chat: ChatId(chat.id),
            private: chat.kind == "private" && chat.id == self.from.id,
            transport: Transport::Telegram,
            form: Form::Button,
            via: Via::Line,
            answers: None,
            text: self.data?,
        })
    }
}

impl Message {
    /// The message for the front door; `None` if it has no sender or no words.
    pub(super) fn inbound(self, bot: i64) -> Option<Inbound> {
        let form = self.form();
        let sender =
            self.from.as_ref().map(|user| user.id).or((form == Form::Channel).then_some(self.chat.id))?;
        let answers = self.reply_to_message.and_then(|answered| answered.words_of(bot));
        Some(Inbound {
            sender: Operator(sender),
            chat: ChatId(self.chat.id),
            private: self.chat.kind == "private" && self.chat.id == sender,
            transport: Transport::Telegram,
            form,
            via: Via::Line,
            answers,
            text: self.text.or(self.caption)?,
        })
    }

    /// Everything that isn't the sender's own typing, just now, has a name.
    fn form(&self) -> Form {
        match self.kind {
            Kind::Edited => Form::Edited,
            Kind::Channel => Form::Channel,
            Kind::Business => Form::Business,
            Kind::New if self.business_connection_id.is_some() || self.sender_business_bot.is_some() => {
                Form::Business
            }
            Kind::New if self.edit_date.is_some() => Form::Edited,
            Kind::New if self.forward_origin.is_some() || self.forward_date.is_some() => Form::Forwarded,
            Kind::New if self.is_automatic_forward == Some(true) => Form::Forwarded,
            Kind::New if self.sender_chat.is_some() => Form::Channel,
            Kind::New if self.via_bot.is_some() => Form::ViaBot,
            Kind::New if self.text.is_none() => Form::Caption,
            Kind::New => Form::Plain,
        }
    }
}

impl Answered {
    /// Its text, if the bot itself wrote it.
    fn words_of(self, bot: i64) -> Option<String> {
        let ours = self.from.is_some_and(|user| user.id == bot) && self.forward_origin.is_none();
        if ours { self.text } else { None }
    }
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
