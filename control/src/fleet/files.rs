//! Files and directories that nothing overwrites and that are on disk once the call returns.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::FleetError;

/// Who may read a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Its owner alone: keys and secrets.
    Private,
    /// Everybody: certificates, public keys, settings.
    Public,
}

/// Writes a new file and syncs it. A file that exists already is left as it is.
pub fn create(path: &Path, access: Access, content: &[u8]) -> Result<(), FleetError> {
    let mode = match access {
        Access::Private => 0o600,
        Access::Public => 0o644,
    };
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write().map_err(FleetError::writing(path))
}

/// Replaces the content of a file in one step: whenever the power goes, the file has the old content or the new one. Its
/// mode and owner stay.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FleetError> {
    let replace = || {
        let path = std::fs::canonicalize(path)?;
        let before = path.metadata()?;
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(".new");
        let new = path.with_file_name(name);
        // What a killed process left behind goes.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
        file.write_all(content)?;
        let made = file.metadata()?;
        if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
            std::os::unix::fs::fchown(&file, Some(before.uid()), Some(before.gid()))?;
        }
        file.set_permissions(before.permissions())?;
        file.sync_all()?;
        std::fs::rename(&new, &path)?;
        sync_directory(parent(&path))
    };
    replace().map_err(FleetError::writing(path))
}

/// A directory under construction. Dropped before [`NewDirectory::publish`], it is removed with everything
/// in it; so either the whole directory appears, or nothing does.
#[derive(Debug)]
pub struct NewDirectory {
    /// Where it is built; empty once published.
    building: Option<PathBuf>,
    target: PathBuf,
    place: Place,
}

/// Where a directory is built.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Beside its target, which doesn't exist yet.
    Beside,
    /// Inside its target: an empty directory that a package, systemd or a mount put there, whose owner and
    /// mode stay as they are, and whose parent may belong to somebody else.
    Inside,
}

impl NewDirectory {
    /// Starts a directory that is to become `target`. Anything but an empty directory in its place is
    /// refused with `hint`.
    pub fn start(target: &Path, hint: &'static str) -> Result<Self, FleetError> {
        let place = match place(target).map_err(FleetError::reading(target))? {
            Some(place) => place,
            None => return Err(FleetError::Exists { path: target.to_owned(), hint }),
        };
        let name = target.file_name().ok_or_else(|| FleetError::File {
            path: target.to_owned(),
            source: io::Error::from(io::ErrorKind::InvalidInput),
            hint: "give the path of a directory with a name",
        })?;
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".new-{}", std::process::id()));
        let building = match place {
            Place::Beside => target.with_file_name(hidden),
            Place::Inside => target.join(hidden),
        };
        DirBuilder::new().mode(0o700).create(&building).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => FleetError::writing(&building)(error),
            _ => FleetError::writing(target)(error),
        })?;
        Ok(Self { building: Some(building), target: target.to_owned(), place })
    }

    /// Where to put the files until then.
    pub fn path(&self) -> &Path {
        self.building.as_deref().unwrap_or(&self.target)
    }

    /// Moves what is finished to its place.
    pub fn publish(mut self) -> Result<(), FleetError> {
        let publish = || {
            sync_directory(self.path())?;
            match self.place {
                Place::Beside => {
                    // rename(2) replaces an empty directory and refuses any other.
                    std::fs::rename(self.path(), &self.target)?;
                    sync_directory(parent(&self.target))
                }
                Place::Inside => {
                    move_entries(self.path(), &self.target)?;
                    std::fs::remove_dir(self.path())?;
                    sync_directory(&self.target)
                }
            }
        };
        publish().map_err(FleetError::writing(&self.target))?;
        self.building = None;
        Ok(())
    }
}

impl Drop for NewDirectory {
    fn drop(&mut self) {
        if let Some(path) = self.building.take() {
            // Nothing can be done about a failure here; what stays is hidden and named `.new-…`.
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// Moves all entries from one directory to another, or none.
fn move_entries(from: &Path, to: &Path) -> io::Result<()> {
    let mut moved = Vec::new();
    let result = std::fs::read_dir(from)?.try_for_each(|entry| {
        let entry = entry?;
        let target = to.join(entry.file_name());
        std::fs::rename(entry.path(), &target)?;
        moved.push((target, entry.path()));
        Ok(())
    });
    if result.is_err() {
        for (target, origin) in moved {
            let _ = std::fs::rename(target, origin);
        }
    }
    result
}

/// Where a new directory can be built for `target`; nowhere if something is in the way.
fn place(target: &Path) -> io::Result<Option<Place>> {
    match std::fs::read_dir(target) {
        Ok(mut entries) => Ok(entries.next().is_none().then_some(Place::Inside)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok((!target.is_symlink()).then_some(Place::Beside))
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) => Err(error),
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_never_overwritten_and_has_its_mode() {
        let directory = tempfile::tempdir().expect("a directory");
        for (access, mode) in [(Access::Private, 0o600), (Access::Public, 0o644)] {
            let path = directory.path().join(format!("{access:?}"));
            create(&path, access, b"first").expect("a file");
            assert_eq!(path.metadata().expect("metadata").permissions().mode() & 0o777, mode);
            assert!(matches!(create(&path, access, b"second"), Err(FleetError::Exists { .. })));
            assert_eq!(std::fs::read(&path).expect("content"), b"first");
        }
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_through_a_link_and_after_a_kill() {
        let directory = tempfile::tempdir().expect("a directory");
        let (path, link) = (directory.path().join("file"), directory.path().join("link"));
        create(&path, Access::Private, b"first").expect("a file");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).expect("a mode");
        std::os::unix::fs::symlink("file", &link).expect("a link");
        std::fs::write(directory.path().join(".file.new"), b"half a fi").expect("what a killed process left");
        replace(&link, b"second").expect("replaced");
        assert_eq!(std::fs::read(&path).expect("content"), b"second");
        assert_eq!(path.metadata().expect("metadata").permissions().mode() & 0o777, 0o640);
        assert!(link.is_symlink());
        assert_eq!(std::fs::read_dir(directory.path()).expect("entries").count(), 2);
        assert!(replace(&directory.path().join("absent"), b"x").is_err());
    }

    #[test]
    fn a_directory_appears_whole_or_not_at_all() {
        let home = tempfile::tempdir().expect("a directory");
        let target = home.path().join("bundle");
        let entries = || std::fs::read_dir(home.path()).expect("entries").count();

        let abandoned = NewDirectory::start(&target, "").expect("a directory");
        create(&abandoned.path().join("a"), Access::Private, b"").expect("a file");
        drop(abandoned);
        assert_eq!(entries(), 0);

        let finished = NewDirectory::start(&target, "").expect("a directory");
        create(&finished.path().join("a"), Access::Private, b"").expect("a file");
        assert!(!target.exists());
        finished.publish().expect("published");
        assert_eq!(entries(), 1);
        assert!(target.join("a").exists());
        assert_eq!(target.metadata().expect("metadata").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_empty_directory_is_filled_in_its_place() {
        let target = tempfile::tempdir().expect("a directory");
        let names = || {
            let entries = std::fs::read_dir(target.path()).expect("entries");
            entries.map(|entry| entry.expect("an entry").file_name()).collect::<Vec<_>>()
        };
        let abandoned = NewDirectory::start(target.path(), "").expect("a directory");
        create(&abandoned.path().join("a"), Access::Private, b"").expect("a file");
        drop(abandoned);
        assert!(names().is_empty());

        let finished = NewDirectory::start(target.path(), "").expect("a directory");
        create(&finished.path().join("a"), Access::Private, b"").expect("a file");
        finished.publish().expect("published");
        assert_eq!(names(), ["a"]);
    }

    #[test]
    fn whatever_is_in_the_way_is_refused() {
        let home = tempfile::tempdir().expect("a directory");
        let file = home.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let link = home.path().join("link");
        std::os::unix::fs::symlink("nowhere", &link).expect("a link");
        for taken in [home.path(), &file, &link] {
            assert!(matches!(NewDirectory::start(taken, "x"), Err(FleetError::Exists { .. })), "{taken:?}");
        }
        let absent = home.path().join("absent/inner");
        assert!(matches!(NewDirectory::start(&absent, "x"), Err(FleetError::File { .. })));
    }
}
