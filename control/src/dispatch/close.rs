//! The outcome on disk, and the reply.

use super::{Dispatcher, Receipted, Recorded, Unproven, now};
use crate::audit::{AuditLog, event};
use crate::chat::Reply;
use crate::store::StoreError;

/// What is known of an intent's end.
#[derive(Debug)]
pub enum Outcome<'a> {
    /// The host's signed word.
    Proven(&'a Receipted),
    /// Not known, for now.
    Unknown(&'a Unproven),
    /// It never ran and never can: the host's receipts of the whole window don't hold it.
    NeverRan,
    /// Not known, and it will not be.
    Lost(&'a Unproven),
}

/// An intent whose outcome was written to the audit log, or couldn't be. Only this can be worded as a reply.
#[derive(Debug)]
#[must_use]
pub struct Closed<'a> {
    recorded: &'a Recorded,
    outcome: Outcome<'a>,
    written: Result<(), String>,
}

impl Outcome<'_> {
    /// Succeeded, failed, refused or unknown.
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Proven(receipted) => receipted.receipt().state.as_str(),
            Self::NeverRan => "refused",
            Self::Unknown(_) | Self::Lost(_) => "unknown",
        }
    }

    /// Whether nothing more will be learned.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// Why it isn't a success; empty if it is.
    pub fn reason(&self) -> String {
        match self {
            Self::Proven(receipted) => receipted.receipt().reason.as_str().to_owned(),
            Self::NeverRan => "the envelope never reached the agent; nothing was executed".to_owned(),
            Self::Unknown(why) | Self::Lost(why) => why.to_string(),
        }
    }
}

impl<'a> Closed<'a> {
    /// Writes the outcome and waits until it is on disk.
    async fn write(audit: &AuditLog, recorded: &'a Recorded, outcome: Outcome<'a>) -> Self {
        let written = audit.append(event::outcome(recorded, &outcome)).await;
        Self { recorded, outcome, written: written.map(|_| ()).map_err(|error| error.to_string()) }
    }

    /// What was sent.
    pub const fn recorded(&self) -> &Recorded {
        self.recorded
    }

    /// How it ended.
    pub const fn outcome(&self) -> &Outcome<'a> {
        &self.outcome
    }

    /// Why the outcome isn't on disk, if it isn't.
    pub fn unwritten(&self) -> Option<&str> {
        self.written.as_ref().err().map(String::as_str)
    }
}

impl Dispatcher {
    /// Keeps the receipt, records the outcome, and tells the operator.
    pub(super) async fn close(&self, recorded: &Recorded, outcome: Outcome<'_>) {
        let kept = match &outcome {
            Outcome::Proven(receipted) => {
                self.store.keep_receipt(receipted.receipt(), receipted.row(), now())
            }
            Outcome::Unknown(_) | Outcome::NeverRan | Outcome::Lost(_) => Ok(()),
        };
        let closed = Closed::write(&self.audit, recorded, outcome).await;
        let mut reply = Reply::outcome(&closed);
        match kept {
            Ok(()) => {}
            Err(StoreError::ForkedReceipts(_)) => {
                reply.note("This host signed two receipts under one number: treat it as compromised.");
            }
            Err(error) => tracing::error!("receipt: {error}"),
        }
        self.post(recorded.transport(), recorded.chat(), &reply);
        match closed.unwritten() {
            None if closed.outcome().is_final() => self.forget(recorded.envelope().nonce),
            None => {}
            // The intent stays pending, so the next start looks the outcome up and records it.
            Some(error) => tracing::error!("audit: {error}"),
        }
    }
}
