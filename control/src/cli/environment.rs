//! Where variables come from: flags, then the environment, then the environment file.

use std::io;
use std::path::{Path, PathBuf};

use super::args::Global;
use super::error::CliError;
use crate::config::{Config, ConfigError, DataDir, EnvFile, EnvFileError, variable};
use crate::fleet::FleetError;

/// Who gives a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder<'a> {
    /// The environment file, in a line of its own.
    File(&'a Path),
    /// The process's environment, or a file that a variable names.
    Environment,
}

/// The variables as this process sees them.
#[derive(Debug)]
pub(super) struct Environment {
    data_dir: Option<PathBuf>,
    file: EnvFile,
    /// Where the file is, whether or not it is there.
    path: PathBuf,
    /// The default file, if it is there but closed to this user.
    unread: Option<(PathBuf, io::Error)>,
}

impl Environment {
    /// Reads the environment file, if there is one.
    pub(super) fn load(global: Global) -> Result<Self, CliError> {
        let (file, path) = (EnvFile::default(), PathBuf::new());
        let mut environment = Self { data_dir: global.data_dir, file, path, unread: None };
        if let Some(path) = global.env_file {
            environment.file = EnvFile::read(&path)?;
            environment.path = path;
            return Ok(environment);
        }
        let path = environment.config().data_dir().env_file();
        environment.path.clone_from(&path);
        match EnvFile::read(&path) {
            Ok(file) => environment.file = file,
            Err(EnvFileError::Read { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            // The environment may well hold everything: a service gets its secrets from its manager.
            Err(EnvFileError::Read { source, .. }) => environment.unread = Some((path, source)),
            Err(error) => return Err(error.into()),
        }
        Ok(environment)
    }

    /// The configuration.
    pub(super) fn config(&self) -> Config {
        Config::from_env(&|name| self.get(name))
    }

    /// The names of all variables that are set, wherever.
    pub(super) fn names(&self) -> Vec<String> {
        let process = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let mut names: Vec<String> = process.chain(self.file.names().map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Whether the environment itself, not the file, gives this variable or its file.
    pub(super) fn is_given(name: &str) -> bool {
        std::env::var_os(name).is_some() || std::env::var_os(format!("{name}_FILE")).is_some()
    }

    /// Who gives a variable that is set.
    pub(super) fn holder(&self, name: &str) -> Holder<'_> {
        match Self::is_given(name) || self.file.get(name).is_none() {
            true => Holder::Environment,
            false => Holder::File(&self.path),
        }
    }

    /// Says of a missing variable that the file which may hold it couldn't be read.
    pub(super) fn explain(self, error: CliError) -> CliError {
        match (error, self.unread) {
            (CliError::Config(error @ ConfigError::Missing { .. }), Some((path, reason))) => {
                CliError::ConfigUnread { error, path, reason }
            }
            (error, _) => error,
        }
    }

    fn get(&self, name: &str) -> Option<String> {
        if name == variable::DATA_DIR
            && let Some(path) = &self.data_dir
        {
            return Some(path.to_string_lossy().into_owned());
        }
        // The environment wins over the file also where one gives the value and the other a path to it.
        let base = name.strip_suffix("_FILE").unwrap_or(name);
        if Self::is_given(base) {
            return std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        }
        self.file.get(name).map(str::to_owned)
    }
}

/// The data directory, if it is there.
pub(super) fn existing(config: &Config) -> Result<&DataDir, CliError> {
    let data = config.data_dir();
    match data.database().try_exists() {
        Ok(true) => Ok(data),
        Ok(false) => Err(CliError::NoDataDir { path: data.as_path().to_owned() }),
        Err(source) => Err(FleetError::reading(data.as_path())(source).into()),
    }
}
