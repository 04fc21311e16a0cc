//! What a command can fail with. Every text is one line and ends with what to do.

use std::io;
use std::path::PathBuf;

use crate::config::{ConfigError, EnvFileError};
use crate::fleet::init::InitError;
use crate::fleet::manifest::SignError;
use crate::fleet::{FleetError, RegistryError};
use crate::store::StoreError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// A variable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A variable, where a file that may hold it couldn't be read.
    #[error("{error} (and {path} can't be read: {reason})", path = .path.display())]
    ConfigUnread { error: ConfigError, path: PathBuf, reason: io::Error },
    /// The environment file.
    #[error(transparent)]
    EnvFile(#[from] EnvFileError),
    /// Keys, certificates, bundles.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// Clients and agents.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A new data directory.
    #[error(transparent)]
    Init(#[from] InitError),
    /// The registry isn't there.
    #[error(
        "there is no data directory at {path}; run `secmon init`, or point SECMON_DATA_DIR or --data-dir at the \
         right place"
    )]
    NoDataDir { path: PathBuf },
    /// A file that was named on the command line.
    #[error("{path}: {source}", path = .path.display())]
    Input { path: PathBuf, source: io::Error },
    /// A document that can't be signed.
    #[error("{path}: {source}", path = .path.display())]
    Sign { path: PathBuf, source: SignError },
    /// A combination of flags that parses and means nothing.
    #[error("{0}")]
    Usage(String),
    /// No server was looked at, because of this.
    #[error(transparent)]
    NotChecked(Box<CliError>),
    /// Cloudflare's API.
    #[error(transparent)]
    Api(#[from] crate::cloudflare::api::ApiError),
    /// What should be an API token.
    #[error(transparent)]
    Token(#[from] crate::cloudflare::NotAToken),
    /// A token or its zone, which was not stored.
    #[error("{0}")]
    Zone(Box<crate::cloudflare::Unchecked>),
    /// A token that may do too little, which was not stored.
    #[error("{0}; it was not stored")]
    Scope(String),
    /// A stored token doesn't open.
    #[error(transparent)]
    WrongKey(#[from] crate::cloudflare::WrongKey),
    /// A new data key.
    #[error(transparent)]
    Rotate(#[from] crate::fleet::rotation::RotateError),
    /// The data key is where only its owner can change it.
    #[error(
        "SECMON_DATA_KEY comes from the environment, which secmon can't change; make a key (openssl rand -base64 32 | \
         tr +/ -_), set SECMON_DATA_KEY to NEW,OLD, restart secmon serve, run this again, and remove OLD"
    )]
    KeyElsewhere,
    /// The audit log's recovery.
    #[error(transparent)]
    Recover(#[from] crate::audit::RecoverError),
    /// Serving, or the console.
    #[error(transparent)]
    Serve(#[from] crate::chat::serve::ServeError),
    /// The demonstration.
    #[error("demo: {0}")]
    Demo(#[from] crate::demo::DemoError),
    /// The runtime or a signal handler couldn't be set up.
    #[error("can't start: {0}")]
    Start(io::Error),
    /// Stdout.
    #[error("can't write the output: {0}")]
    Output(#[from] io::Error),
}

impl CliError {
    /// The exit code.
    pub(super) const fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NotChecked(_) => 3,
            _ => 1,
        }
    }
}
