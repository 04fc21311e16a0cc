//! The contract between the control plane and the agents: ids, the capability manifest, the envelope,
//! the receipt, health, the diagnostic report, the tables of operations and of findings, limits and errors.
//!
//! It is `no_std`, allocates nothing, and knows no clock, socket or key store: bytes come in, typed
//! values come out, or the reverse. Every message is canonical JSON (keys sorted, no white space,
//! integers only), and what isn't canonical is refused on read with an error of its own, so that one
//! value has one encoding and a signature can't cover two readings.
#![cfg_attr(not(test), no_std)]

mod action;
pub mod canonical;
pub mod diag;
mod envelope;
mod error;
mod health;
mod hex;
mod id;
pub mod limits;
mod manifest;
mod operation;
mod receipt;
pub mod signature;
mod threshold;
mod tuning;

pub use action::{ActionId, Area, OperationId};
pub use envelope::{Envelope, Intent};
pub use error::WireError;
pub use health::Health;
pub use hex::{from_hex, to_hex};
pub use id::{AgentId, ClientId, Hash, Nonce, Unit};
pub use manifest::{Capability, Manifest, ManifestBody};
pub use operation::{OPERATIONS, Operation, Preflight, UnitPattern, operation};
pub use receipt::{OutcomeState, Receipt};
pub use threshold::{THRESHOLDS, Threshold, ThresholdRow};
pub use tuning::{Tuning, is_host, is_log_path};

/// The version of every message in this crate.
pub const VERSION: u64 = 1;

/// The HTTP header that carries the hex Ed25519 signature of an envelope or a receipt.
pub const SIGNATURE_HEADER: &str = "Secmon-Signature";

/// The DNS name in the control plane's certificate. Agents accept clients with this name only.
pub const CONTROL_NAME: &str = "control.secmon.internal";

/// What follows the agent's id in the DNS name of its certificate.
pub const AGENT_NAME_SUFFIX: &str = ".agent.secmon.internal";
