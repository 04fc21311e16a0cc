//! Why something about the fleet can't be done. Every text says what to do next.

use std::io;
use std::path::{Path, PathBuf};

use secmon_wire::{AgentId, ClientId, OperationId, WireError};

use crate::store::StoreError;

/// Why a key, a certificate, a manifest or a bundle can't be made or read.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// A file can't be read or written.
    #[error("{path}: {source}; {hint}", path = .path.display())]
    File { path: PathBuf, source: io::Error, hint: &'static str },
    /// Something is in the way, and nothing is overwritten.
    #[error("{path} is there already and is not overwritten; {hint}", path = .path.display())]
    Exists { path: PathBuf, hint: &'static str },
    /// A file holds something else than it should.
    #[error("{path}: not {expected}; restore it from a backup", path = .path.display())]
    Content { path: PathBuf, expected: &'static str },
    /// The system gave no randomness, or a key couldn't be made of it.
    #[error("can't make a key: {0}")]
    Key(&'static str),
    /// A certificate couldn't be made.
    #[error("can't make a certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A manifest can't be written in its form.
    #[error("can't make a manifest: {0}")]
    Manifest(#[from] WireError),
}

impl FleetError {
    /// Wraps what the system said about a file that couldn't be read.
    pub(crate) fn reading(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| Self::File {
            path: path.to_owned(),
            source,
            hint: "check that the data directory is the right one and that this user may read it",
        }
    }

    /// Wraps what the system said about a file that couldn't be written.
    pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |source| match source.kind() {
            io::ErrorKind::AlreadyExists => {
                Self::Exists { path: path.to_owned(), hint: "move it away or choose another place" }
            }
            _ => Self::File {
                path: path.to_owned(),
                source,
                hint: "check that the directory exists, has space and may be written by this user",
            },
        }
    }
}

/// Why a client or an agent isn't registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The client is there already.
    #[error("the client {0} is there already; `secmon client list` shows all")]
    ClientExists(ClientId),
    /// No such client.
    #[error("there is no client {0}; `secmon client add {0}` adds it")]
    NoClient(ClientId),
    /// The agent's name is taken.
    #[error("there is an agent {0} already; names are unique over all clients, choose another")]
    AgentExists(AgentId),
    /// No such agent.
    #[error("there is no agent {0}; `secmon agent list` shows all")]
    NoAgent(AgentId),
    /// Another agent of the client answers for this operation.
    #[error(
        "{operation} of the client {client} is offered by the agent {by} already; one operation of a client \
         belongs to one agent, so that an approval names one server: leave it out, or register this server \
         under a client of its own"
    )]
    Offered { operation: OperationId, client: ClientId, by: AgentId },
    /// The zone is another client's.
    #[error(
        "the zone {name} belongs to the client {by} already; one zone belongs to one client, so that an approval \
         names whose visitors it is about"
    )]
    ZoneTaken { name: String, by: ClientId },
    /// No such zone.
    #[error("{client} has no zone {zone}; `secmon cloudflare list` shows all")]
    NoZone { client: ClientId, zone: String },
    /// Something of secmon is in force in the zone.
    #[error(
        "something of secmon is in force on {name}, and only the zone's token puts it back: approve \
         cf-restore {client} first (a token that doesn't work any more is replaced by `secmon cloudflare add`)"
    )]
    InForce { client: ClientId, name: String },
    /// The manifest names another client than the agent's.
    #[error("the manifest names the client {manifest}, but its agent belongs to {client}")]
    OtherClient { client: ClientId, manifest: ClientId },
    /// The manifest isn't newer than the one in force.
    #[error(
        "the manifest's seq is {found}, the one in force for {agent} has {current}; sign one with a higher seq"
    )]
    NotNewer { agent: AgentId, found: u64, current: u64 },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
