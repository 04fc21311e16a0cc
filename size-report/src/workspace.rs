//! Where things are in the workspace, and reading them. The only module that opens files.

use std::path::{Path, PathBuf};

use crate::baseline::{Baseline, BaselineError};
use crate::dependencies;
use crate::image::{Image, ImageError};
use crate::markdown::replace_table;
use crate::targets::{self, TableError, Target};

/// The checked-in sizes, as git names the file.
pub(crate) const BASELINE: &str = "size-report/baseline.json";

/// The picture of the checked-in sizes.
const PICTURE: &str = "size-report/sizes.svg";
/// Where the table of targets is.
pub(crate) const README: &str = "README.md";
/// Where the table of the diagnostics' areas is.
pub(crate) const OWN_README: &str = "size-report/README.md";
const TABLE: &str = "cross/targets.toml";
const DEPENDENCIES: &str = "agent-min/dependencies.txt";

/// A checkout of secmon.
#[derive(Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// Why something in the workspace can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("no {TABLE} in {0} or above; start this inside a checkout of secmon")]
    NotFound(PathBuf),
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{path}: {source}")]
    Table { path: PathBuf, source: TableError },
    #[error("{path}: {source}")]
    Baseline { path: PathBuf, source: BaselineError },
    #[error("{0}: the lines around its table are missing (size-report/src/markdown.rs has them)")]
    NoTable(PathBuf),
    #[error("{path}: {source}")]
    Image { path: PathBuf, source: ImageError },
}

impl Workspace {
    /// The checkout around a directory.
    pub(crate) fn find(start: &Path) -> Result<Self, WorkspaceError> {
        let root = start.ancestors().find(|directory| directory.join(TABLE).is_file());
        let root = root.ok_or_else(|| WorkspaceError::NotFound(start.into()))?;
        Ok(Self { root: root.into() })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where `cross/build` leaves what it built.
    pub(crate) fn artefacts(&self) -> PathBuf {
        self.root.join("target/cross")
    }

    pub(crate) fn targets(&self) -> Result<Vec<Target>, WorkspaceError> {
        let path = self.root.join(TABLE);
        targets::parse(&read_text(&path)?).map_err(|source| WorkspaceError::Table { path, source })
    }

    pub(crate) fn dependencies(&self) -> Result<std::collections::BTreeSet<String>, WorkspaceError> {
        Ok(dependencies::parse(&read_text(&self.root.join(DEPENDENCIES))?))
    }

    /// The checked-in sizes; an empty baseline if there is no file yet.
    pub(crate) fn baseline(&self) -> Result<Baseline, WorkspaceError> {
        let path = self.root.join(BASELINE);
        if !path.exists() {
            return Ok(Baseline::default());
        }
        let text = read_text(&path)?;
        Baseline::parse(&text).map_err(|source| WorkspaceError::Baseline { path, source })
    }

    pub(crate) fn write_baseline(&self, baseline: &Baseline) -> Result<(), WorkspaceError> {
        let path = self.root.join(BASELINE);
        match baseline.render() {
            Ok(text) => write(&path, &text),
            Err(source) => Err(WorkspaceError::Baseline { path, source }),
        }
    }
}

/// What is checked in beside the baseline and shows the same sizes.
impl Workspace {
    pub(crate) fn text(&self, name: &str) -> Result<String, WorkspaceError> {
        read_text(&self.root.join(name))
    }

    /// Puts the table of targets where the README has one.
    pub(crate) fn write_readme_table(&self, table: &str) -> Result<(), WorkspaceError> {
        self.write_table(README, table)
    }

    /// Puts the table of the diagnostics' areas where this program's README has one.
    pub(crate) fn write_areas_table(&self, table: &str) -> Result<(), WorkspaceError> {
        self.write_table(OWN_README, table)
    }

    fn write_table(&self, readme: &str, table: &str) -> Result<(), WorkspaceError> {
        let path = self.root.join(readme);
        let text = replace_table(&self.text(readme)?, table);
        write(&path, &text.ok_or_else(|| WorkspaceError::NoTable(path.clone()))?)
    }

    pub(crate) fn write_picture(&self, picture: &str) -> Result<(), WorkspaceError> {
        write(&self.root.join(PICTURE), picture)
    }
}

/// The two builds of a target; the second is there if it was built with symbols.
pub(crate) fn builds(
    directory: &Path,
    triple: &str,
) -> Result<Option<(Image, Option<Image>)>, WorkspaceError> {
    let stripped = directory.join(triple).join("secmon-agent");
    if !stripped.is_file() {
        return Ok(None);
    }
    let symbols = stripped.with_extension("symbols");
    let symbols = if symbols.is_file() { Some(image(&symbols)?) } else { None };
    Ok(Some((image(&stripped)?, symbols)))
}

fn image(path: &Path) -> Result<Image, WorkspaceError> {
    Image::parse(&read(path)?).map_err(|source| WorkspaceError::Image { path: path.into(), source })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, WorkspaceError> {
    std::fs::read(path).map_err(|source| WorkspaceError::Io { path: path.into(), source })
}

fn read_text(path: &Path) -> Result<String, WorkspaceError> {
    std::fs::read_to_string(path).map_err(|source| WorkspaceError::Io { path: path.into(), source })
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), WorkspaceError> {
    std::fs::write(path, text).map_err(|source| WorkspaceError::Io { path: path.into(), source })
}
