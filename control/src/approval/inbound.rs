//! A message as a transport delivered it, before anything is known about it.

use std::fmt;

/// The numeric id of whoever wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operator(pub i64);

/// Where a message was written and where its reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChatId(pub i64);

/// Which front a message came through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// The Telegram bot.
    Telegram,
    /// The terminal console.
    Console,
}

/// What kind of message it is. Only a plain one can approve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A new text message that its sender typed.
    Plain,
    /// A message changed after it was sent.
    Edited,
    /// Somebody else's words.
    Forwarded,
    /// A post of a channel, or of somebody in a channel's or group's name.
    Channel,
    /// Sent through an inline bot.
    ViaBot,
    /// The caption of a picture or file.
    Caption,
    /// Sent by a business connection on an account's behalf.
    Business,
    /// A button that was pressed.
    Button,
}

/// How the approval line came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// Typed or pasted whole.
    Line,
    /// Composed from a prepared line and a six-digit reply to it.
    Reply,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Inbound {
    /// Who wrote it, as the transport says.
    pub sender: Operator,
    /// Where.
    pub chat: ChatId,
    /// Whether the chat is the private one of sender and bot.
    pub private: bool,
    /// Through which front.
    pub transport: Transport,
    /// What kind of message.
    pub form: Form,
    /// How the text came to be.
    pub via: Via,
    /// The text of our own message that this one answers, if it answers one.
    pub answers: Option<String>,
    /// The text or caption, verbatim.
    pub text: String,
}

impl Transport {
    /// The name in records and the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Telegram => "telegram",
            Self::Console => "console",
        }
    }

    /// The transport with this name.
    pub fn new(text: &str) -> Option<Self> {
        [Self::Telegram, Self::Console].into_iter().find(|transport| transport.as_str() == text)
    }
}

impl Form {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Edited => "edited",
            Self::Forwarded => "forwarded",
            Self::Channel => "channel",
            Self::ViaBot => "via-bot",
            Self::Caption => "caption",
            Self::Business => "business",
            Self::Button => "button",
        }
    }
}

impl Via {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Reply => "reply",
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
