//! The data directory: where each file of the control plane is.

use std::path::{Path, PathBuf};

/// The directory that holds keys, database and audit log. Its existence is not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir(PathBuf);

macro_rules! files {
    ($($(#[$doc:meta])* $method:ident = $name:literal),+ $(,)?) => {
        impl DataDir {
            $($(#[$doc])*
            pub fn $method(&self) -> PathBuf {
                self.0.join($name)
            })+
        }
    };
}

files! {
    /// The SQLite database.
    database = "secmon.db",
    /// The audit log.
    audit_log = "audit.jsonl",
    /// The certificate of our authority.
    ca_certificate = "ca.pem",
    /// Its private key, which never leaves this directory.
    ca_key = "ca.key",
    /// The certificate that names the control plane.
    control_certificate = "control.pem",
    /// Its private key.
    control_key = "control.key",
    /// The Ed25519 key that signs envelopes and manifests.
    dispatch_key = "dispatch.key",
    /// Its public half.
    dispatch_public = "dispatch.pub",
    /// There while automatic changes at Cloudflare are switched off.
    auto_off = "auto-off",
    /// Generated settings and secrets, as a systemd `EnvironmentFile`.
    env_file = "secmon.env",
}

impl DataDir {
    /// The directory at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    pub fn as_path(&self) -> &Path {
        &self.0
    }

    /// The files that only their owner may read.
    pub fn private_files(&self) -> [PathBuf; 6] {
        [
            self.ca_key(),
            self.control_key(),
            self.dispatch_key(),
            self.env_file(),
            self.database(),
            self.audit_log(),
        ]
    }
}

impl Default for DataDir {
    fn default() -> Self {
        Self::new("/var/lib/secmon")
    }
}
