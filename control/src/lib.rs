//! The control plane: takes approvals from operators, proves them, and dispatches them to agents.
//!
//! Pure modules (`approval`, the chain of `audit`) know no clock, socket, thread or database. `store`,
//! `dispatch`, `chat` and `cli` are the shells around them.

pub mod approval;
pub mod audit;
pub mod chat;
pub mod cli;
pub mod cloudflare;
pub mod config;
pub mod demo;
pub mod diag;
pub mod dispatch;
pub mod fleet;
pub mod policy;
pub mod store;
