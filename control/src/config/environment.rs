//! Looking a variable up, also through its `NAME_FILE` (systemd credentials, Docker secrets).

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Secret;

/// Where the values of variables come from: the process's environment, or a test's table.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// No secret is longer; a longer file is the wrong file.
const SECRET_FILE_MAX: u64 = 4096;

/// Why the configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable that must be there isn't.
    #[error("{name} is not set; {hint}")]
    Missing { name: &'static str, hint: &'static str },
    /// It is there, with nothing in it.
    #[error("{name} is empty; {hint}")]
    Empty { name: &'static str, hint: &'static str },
    /// Its value has the wrong form. The value isn't shown: it may be a secret that landed in the wrong place.
    #[error("{name} has a value of the wrong form; expected {expected}")]
    Value { name: &'static str, expected: &'static str },
    /// Both the value and the file are given.
    #[error("{name} and {name}_FILE are both set; remove one of them")]
    Both { name: &'static str },
    /// The file can't be read.
    #[error("{name}_FILE: {path}: {source}; check that the path is right and that this user may read it")]
    File { name: &'static str, path: PathBuf, source: io::Error },
}

/// A variable without which nothing works.
pub(super) fn required(
    lookup: Lookup<'_>,
    name: &'static str,
    hint: &'static str,
) -> Result<String, ConfigError> {
    match lookup(name) {
        None => Err(ConfigError::Missing { name, hint }),
        Some(text) if text.trim().is_empty() => Err(ConfigError::Empty { name, hint }),
        Some(text) => Ok(text),
    }
}

/// A variable that has a default, which an empty value stands for too.
pub(super) fn optional(lookup: Lookup<'_>, name: &'static str) -> Option<String> {
    lookup(name).filter(|text| !text.is_empty())
}

/// A secret, from the variable or its file.
pub(super) fn required_secret(
    lookup: Lookup<'_>,
    name: &'static str,
    hint: &'static str,
) -> Result<Secret, ConfigError> {
    optional_secret(lookup, name, hint)?.ok_or(ConfigError::Missing { name, hint })
}

/// A secret that may be absent, but not empty.
pub(super) fn optional_secret(
    lookup: Lookup<'_>,
    name: &'static str,
    hint: &'static str,
) -> Result<Option<Secret>, ConfigError> {
    let file = lookup(&format!("{name}_FILE")).filter(|path| !path.is_empty());
    let text = match (lookup(name), file) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(ConfigError::Both { name }),
        (Some(text), None) => text,
        (None, Some(path)) => read_line(Path::new(&path)).map_err(|source| ConfigError::File {
            name,
            path: path.into(),
            source,
        })?,
    };
    if text.is_empty() {
        return Err(ConfigError::Empty { name, hint });
    }
    Ok(Some(Secret::new(text)))
}

/// The text of a file without its trailing newline.
fn read_line(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(SECRET_FILE_MAX.saturating_add(1)).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|length| length > SECRET_FILE_MAX) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than any secret"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
