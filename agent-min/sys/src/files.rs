//! Small files and programs that nobody else may have a hand in.
//!
//! Every refusal names the file, what is wrong with it, and what to do about it. Paths come from the
//! command line, the configuration or the code, never from the network.

use std::fmt;
use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;
use nix::unistd::geteuid;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// Everybody may.
    Public,
    /// Nobody but its owner may: it holds a key.
    Secret,
}

/// A file that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileProblem {
    /// Which one.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl FileProblem {
    /// A problem with `path`.
    pub fn new(path: &Path, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path.display(), self.what, self.remedy)
    }
}

impl std::error::Error for FileProblem {}

/// Reads a regular file of at most `limit` bytes that only root or we can have written.
///
/// A symbolic link in the last place is not followed, and the checks are made on the opened file, so that
/// nothing can be exchanged between check and read.
pub fn read_small(path: &Path, limit: usize, privacy: Privacy) -> Result<Vec<u8>, FileProblem> {
    let file = open_unfollowed(path)?;
    let metadata = file.metadata().map_err(|e| FileProblem::new(path, e.to_string(), "check the disk"))?;
    if !metadata.is_file() {
        return Err(FileProblem::new(path, "is not a regular file", "put the file itself here"));
    }
    check_owner_and_mode(path, &metadata, privacy)?;
    let mut bytes = Vec::new();
    let read_limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(read_limit)
        .read_to_end(&mut bytes)
        .map_err(|e| FileProblem::new(path, e.to_string(), "check the disk"))?;
    if bytes.len() > limit {
        return Err(FileProblem::new(path, format!("is longer than {limit} bytes"), "is it the right file?"));
    }
    Ok(bytes)
}

/// Checks that `path` is a directory in which only root or we can exchange files.
pub fn check_directory(path: &Path) -> Result<(), FileProblem> {
    let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if !metadata.is_dir() {
        return Err(FileProblem::new(path, "is not a directory", "name a directory"));
    }
    check_owner_and_mode(path, &metadata, Privacy::Public)
}

/// Checks that `path` is a program that only root or we can have written.
pub fn check_program(path: &Path) -> Result<(), FileProblem> {
    let metadata = std::fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(FileProblem::new(path, "is not a program", "make it an executable file"));
    }
    check_owner_and_mode(path, &metadata, Privacy::Public)
}

fn open_unfollowed(path: &Path) -> Result<File, FileProblem> {
    // O_NONBLOCK keeps a FIFO in the file's place from holding us up; it means nothing to a regular file.
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path).map_err(|e| {
        match e.raw_os_error() {
            Some(libc::ELOOP) => {
                FileProblem::new(path, "is a symbolic link", "put the file itself here, not a link to it")
            }
            _ => unreadable(path, &e),
        }
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> FileProblem {
    let remedy = match error.kind() {
        std::io::ErrorKind::NotFound => "put it there, or correct the path",
        std::io::ErrorKind::PermissionDenied => "run as the user that owns it",
        _ => "check the path and the disk",
    };
    FileProblem::new(path, error.to_string(), remedy)
}

pub(crate) fn check_owner_and_mode(
    path: &Path,
    metadata: &Metadata,
    privacy: Privacy,
) -> Result<(), FileProblem> {
    let us = geteuid().as_raw();
    let owner = metadata.uid();
    if owner != 0 && owner != us {
        return Err(FileProblem::new(
            path,
            format!("belongs to user {owner}"),
            format!("chown {us} {}", path.display()),
        ));
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(FileProblem::new(
            path,
            format!("can be written by others (mode {mode:04o})"),
            format!("chmod go-w {}", path.display()),
        ));
    }
    if privacy == Privacy::Secret && mode & 0o044 != 0 {
        return Err(FileProblem::new(
            path,
            format!("holds a key that others can read (mode {mode:04o})"),
            format!("chmod 600 {}", path.display()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_with_mode(mode: u32) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("file");
        std::fs::write(&path, b"content").expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        (dir, path)
    }

    #[test]
    fn a_file_that_others_can_write_is_refused_and_a_private_one_is_read() {
        for (mode, accepted) in [(0o644, true), (0o600, true), (0o664, false), (0o646, false), (0o666, false)]
        {
            let (_dir, path) = file_with_mode(mode);
            assert_eq!(read_small(&path, 100, Privacy::Public).is_ok(), accepted, "{mode:o}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_and_a_private_one_is_read() {
        for (mode, accepted) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o644, false)]
        {
            let (_dir, path) = file_with_mode(mode);
            assert_eq!(read_small(&path, 100, Privacy::Secret).is_ok(), accepted, "{mode:o}");
        }
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let (dir, path) = file_with_mode(0o600);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).expect("a link");
        let problem = read_small(&link, 100, Privacy::Public).expect_err("a link");
        assert!(problem.to_string().contains("symbolic link"), "{problem}");
        assert!(read_small(&path, 100, Privacy::Public).is_ok());
    }

    #[test]
    fn a_file_over_its_limit_is_refused_and_one_at_its_limit_is_read() {
        let (_dir, path) = file_with_mode(0o600);
        assert_eq!(read_small(&path, 7, Privacy::Public).as_deref(), Ok(b"content".as_slice()));
        assert!(read_small(&path, 6, Privacy::Public).is_err());
    }

    #[test]
    fn a_directory_or_a_fifo_is_no_file_and_does_not_block() {
        let dir = tempfile::tempdir().expect("a directory");
        assert!(read_small(dir.path(), 100, Privacy::Public).is_err());
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRUSR).expect("a fifo");
        assert!(read_small(&fifo, 100, Privacy::Public).is_err());
    }

    #[test]
    fn a_program_that_others_can_write_is_refused() {
        for (mode, accepted) in [(0o755, true), (0o700, true), (0o775, false), (0o757, false), (0o644, false)]
        {
            let (_dir, path) = file_with_mode(mode);
            assert_eq!(check_program(&path).is_ok(), accepted, "{mode:o}");
        }
    }

    #[test]
    fn a_directory_that_others_can_write_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(check_directory(dir.path()), Ok(()));
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).expect("a mode");
        assert!(check_directory(dir.path()).is_err());
    }
}
