//! The first two gates: who wrote it, and whether they typed it just now.

use std::collections::BTreeSet;

use super::{ChatId, Form, Inbound, Operator, Prepared, Reason, Rejected, Via, is_attempt};

/// Who is heard, and where.
#[derive(Clone, Debug)]
pub struct Senders {
    operators: BTreeSet<Operator>,
    chats: BTreeSet<ChatId>,
}

/// A message of an allowlisted operator in a chat that we serve.
#[derive(Debug)]
pub struct KnownSender {
    inbound: Inbound,
}

/// A plain new text message of a known sender.
#[derive(Debug)]
pub struct PlainText {
    inbound: Inbound,
}

/// A message that is logged and counted, and never parsed or answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// Who wrote it.
    pub sender: Operator,
    /// Where.
    pub chat: ChatId,
    /// What is unknown.
    pub reason: StrangerReason,
}

/// Why a sender isn't heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrangerReason {
    /// Not in the allowlist.
    Sender,
    /// An operator, but in a chat that is neither private nor allowed.
    Chat,
}

impl Senders {
    /// The allowlist of operators, and the chats besides private ones.
    pub fn new(
        operators: impl IntoIterator<Item = Operator>,
        chats: impl IntoIterator<Item = ChatId>,
    ) -> Self {
        Self { operators: operators.into_iter().collect(), chats: chats.into_iter().collect() }
    }

    /// The gate of the sender. The text isn't looked at.
    pub fn admit(&self, inbound: Inbound) -> Result<KnownSender, Stranger> {
        let stranger = |reason| Stranger { sender: inbound.sender, chat: inbound.chat, reason };
        if !self.operators.contains(&inbound.sender) {
            return Err(stranger(StrangerReason::Sender));
        }
        if !inbound.private && !self.chats.contains(&inbound.chat) {
            return Err(stranger(StrangerReason::Chat));
        }
        Ok(KnownSender { inbound })
    }
}

impl StrangerReason {
    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sender => "unknown-sender",
            Self::Chat => "chat-not-allowed",
        }
    }
}

impl KnownSender {
    /// The message. It may be read, for a reply or a record, but only [`Self::plain`] leads on.
    pub fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    /// A command behind a button that this sender pressed. What a modified client made it say is a command all the same,
    /// and what looks like an approval is left to the gate of the form, which refuses it.
    pub fn pressed(&self) -> Option<Inbound> {
        let command = self.inbound.form == Form::Button && !is_attempt(&self.inbound.text);
        command.then(|| self.inbound.clone())
    }

    /// The gate of the form: only a plain new text message goes on.
    pub fn plain(self) -> Result<PlainText, Rejected> {
        match self.inbound.form {
            Form::Plain => Ok(PlainText { inbound: self.inbound }),
            form => Err(Rejected::of(&self.inbound, Reason::NotPlain(form))),
        }
    }
}

impl PlainText {
    /// The message.
    pub fn inbound(&self) -> &Inbound {
        &self.inbound
    }

    /// Six digits in answer to a prepared line become that line with its code filled in, and go on through
    /// the same gates. Everything else stays as it is.
    pub fn compose(mut self) -> Self {
        let answers = self.inbound.answers.as_deref();
        if let Some(line) = answers.and_then(|text| Prepared::fill(text, &self.inbound.text)) {
            self.inbound.text = line;
            self.inbound.via = Via::Reply;
        }
        self
    }

    /// The message itself, for what is no approval.
    pub fn into_inbound(self) -> Inbound {
        self.inbound
    }
}
