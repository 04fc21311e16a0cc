//! The fleet: clients and their servers, the certificates and keys that prove who is who, the manifests
//! that say what each server may be asked to do.
//!
//! Private keys of the control plane never leave the data directory; an agent's leave it once, in the
//! bundle for its host, and no copy stays behind.

mod address;
pub mod bundle;
pub mod doctor;
mod error;
pub mod files;
pub mod init;
mod json;
pub mod keys;
pub mod manifest;
pub mod pki;
pub mod rotation;
mod self_report;
mod tls;

pub use address::Address;
pub use error::{FleetError, RegistryError};
pub use self_report::{MissingWalls, SelfReport};
pub use tls::control_tls;

use ring::signature::Ed25519KeyPair;

use crate::config::DataDir;

/// The key that signs envelopes and manifests.
pub fn dispatch_key(data: &DataDir) -> Result<Ed25519KeyPair, FleetError> {
    keys::SigningKey::read(&data.dispatch_key()).map(keys::SigningKey::into_pair)
}
