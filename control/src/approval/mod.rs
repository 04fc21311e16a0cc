//! The gates, in order: sender → plain text → grammar → action → client → ttl → policy → totp and nonce.
//!
//! Each stage is a type whose only constructor takes the stage before it, so code that leaves out a gate
//! doesn't compile:
//!
//! `Inbound → KnownSender → PlainText → Words → Approval → Fresh → Authorized → Claimed`
//!
//! (`Claimed → Recorded → Receipted → Closed` goes on in [`crate::dispatch`].) Nothing here knows a clock,
//! a socket, a thread or a database: time and state come in as arguments.

mod gates;
mod grammar;
mod inbound;
mod prepared;
mod reason;
mod senders;
mod totp;

pub use gates::{Approval, Authorized, Claim, ClaimVerdict, Claimed, Claims, Fresh};
pub use grammar::{GrammarError, Otp, Words, is_attempt};
pub use inbound::{ChatId, Form, Inbound, Operator, Transport, Via};
pub use prepared::Prepared;
pub use reason::{Reason, Rejected};
pub use senders::{KnownSender, PlainText, Senders, Stranger, StrangerReason};
pub use totp::{CodeVerdict, TotpSecret};

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
