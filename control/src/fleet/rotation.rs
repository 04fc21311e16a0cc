//! A new data key: every stored credential is encrypted with it, and the old key goes.
//!
//! Whenever the process dies, the settings hold every key that a stored credential needs: first both keys are written,
//! then the credentials, then the new key alone. What was interrupted is finished by the next rotation.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::FleetError;
use super::files::replace;
use super::keys::random;
use crate::cloudflare::{Vault, WrongKey};
use crate::config::{DataDir, DataKey, DataKeys, EnvFile, EnvFileError, Secret, variable, with_value};
use crate::store::{Store, StoreError};

/// What a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// How many credentials were encrypted anew.
    pub credentials: usize,
    /// Whether an interrupted rotation was finished, with the key that it had made.
    pub finished: bool,
}

/// Why there is no new key. The credentials open with the keys that the settings hold.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] EnvFileError),
    /// A file or a random number.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A credential needs a key that isn't there.
    #[error(transparent)]
    WrongKey(#[from] WrongKey),
    /// The settings don't hold what they held a moment ago.
    #[error("{path}: SECMON_DATA_KEY is not in it as one line with Fernet keys; nothing was changed", path = .path.display())]
    Changed { path: PathBuf },
    /// Another rotation.
    #[error("another rotation is running in {path}; wait for it", path = .path.display())]
    Running { path: PathBuf },
}

/// Makes a new key, or finishes with the one that an interrupted rotation made.
pub fn rotate(data: &DataDir, settings: &Path, store: &Store, now: u64) -> Result<Rotated, RotateError> {
    let directory = data.as_path();
    let lock = File::open(directory).map_err(FleetError::reading(directory))?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => RotateError::Running { path: directory.to_owned() },
        TryLockError::Error(source) => FleetError::reading(directory)(source).into(),
    })?;
    let found = read(settings)?;
    Vault::new(found.clone()).check(&store.zones()?)?;
    let finished = !found.older().is_empty();
    let keys = if finished { found } else { found.with_newer(new_key()?) };
    if !finished {
        write(settings, &keys)?;
    }
    let credentials = reseal(store, &keys, now)?;
    write(settings, &DataKeys::one(keys.newest().clone()))?;
    Ok(Rotated { credentials, finished })
}

/// Encrypts every credential with the newest key.
pub fn reseal(store: &Store, keys: &DataKeys, now: u64) -> Result<usize, RotateError> {
    let vault = Vault::new(keys.clone());
    store.reseal(|zone| Ok(vault.seal(&vault.open(zone)?, now)?))
}

fn new_key() -> Result<DataKey, FleetError> {
    let (mut signing, mut encryption) = ([0; 16], [0; 16]);
    random(&mut signing)?;
    random(&mut encryption)?;
    Ok(DataKey::of(signing, encryption))
}

fn read(settings: &Path) -> Result<DataKeys, RotateError> {
    let file = EnvFile::read(settings)?;
    let text = file.get(variable::DATA_KEY).map(str::to_owned);
    text.and_then(|text| DataKeys::new(&Secret::new(text)))
        .ok_or_else(|| RotateError::Changed { path: settings.to_owned() })
}

/// What the file says besides is read again: somebody may have edited it meanwhile.
fn write(settings: &Path, keys: &DataKeys) -> Result<(), RotateError> {
    let text = std::fs::read_to_string(settings).map_err(FleetError::reading(settings))?;
    let text = with_value(&text, variable::DATA_KEY, keys.to_text().expose())
        .ok_or_else(|| RotateError::Changed { path: settings.to_owned() })?;
    Ok(replace(settings, text.as_bytes())?)
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
