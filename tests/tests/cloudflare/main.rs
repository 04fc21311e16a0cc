//! What mitigations leave in a zone, in the audit log and in the chat, and how they are put back.

mod cell;
mod matrix;
mod restore;
mod several;
mod situation;
