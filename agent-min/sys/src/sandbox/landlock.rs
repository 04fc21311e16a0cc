//! Landlock (landlock(7)): the kernel checks files, TCP ports and signals against a list that only we can
//! shorten. By raw system calls: the C library has none of them.

use std::fs::{File, OpenOptions};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

/// The newest version whose rights are known here; a newer kernel has them all.
const NEWEST: u8 = 7;

// From linux/landlock.h.
const CREATE_RULESET_VERSION: libc::c_uint = 1;
const RULE_PATH_BENEATH: libc::c_uint = 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const BIND_TCP: u64 = 1 << 0;
const CONNECT_TCP: u64 = 1 << 1;
const SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS: u64 = 0b11;

/// `struct landlock_ruleset_attr` of version 6. An older kernel takes it too while what it doesn't know is
/// zero.
#[derive(Debug, PartialEq, Eq)]
#[repr(C)]
struct Ruleset {
    files: u64,
    tcp: u64,
    scopes: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: libc::c_int,
}

/// From now on, this thread and what it starts reads these files at most; with `None`, it touches no file and
/// no TCP port at all. The version of landlock that sees to it; 0 if the kernel has none.
pub(super) fn restrict(readable: Option<&[&Path]>) -> u8 {
    try_to_restrict(readable).unwrap_or(0)
}

fn try_to_restrict(readable: Option<&[&Path]>) -> Result<u8, Errno> {
    let version = version()?.min(NEWEST);
    let ruleset = Ruleset::new(version, readable.is_some()).create()?;
    for path in readable.unwrap_or_default() {
        if let Some(beneath) = open(path) {
            allow_reading(&ruleset, &beneath)?;
        }
    }
    // SAFETY: a plain system call on a descriptor of ours.
    let restricted = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    Errno::result(restricted).map(|_| version)
}

impl Ruleset {
    /// Everything that the version knows is forbidden unless a rule allows it.
    const fn new(version: u8, connects: bool) -> Self {
        let files = match version {
            0 | 1 => (1 << 13) - 1, // EXECUTE to MAKE_SYM
            2 => (1 << 14) - 1,     // and REFER
            3 | 4 => (1 << 15) - 1, // and TRUNCATE
            _ => (1 << 16) - 1,     // and IOCTL_DEV
        };
        let tcp = match (version, connects) {
            (..=3, _) => 0,
            (_, true) => BIND_TCP,
            (_, false) => BIND_TCP | CONNECT_TCP,
        };
        Self { files, tcp, scopes: if version < 6 { 0 } else { SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS } }
    }

    fn create(&self) -> Result<OwnedFd, Errno> {
        // SAFETY: the structure is the kernel's own layout, of the size that is said, for the whole call.
        let created = unsafe {
            libc::syscall(libc::SYS_landlock_create_ruleset, &raw const *self, size_of::<Self>(), 0_u32)
        };
        let fd = libc::c_int::try_from(Errno::result(created)?).map_err(|_| Errno::EBADF)?;
        // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

fn version() -> Result<u8, Errno> {
    let none = std::ptr::null::<Ruleset>();
    // SAFETY: with this flag the call reads no structure.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, CREATE_RULESET_VERSION) };
    Ok(u8::try_from(Errno::result(version)?).unwrap_or(u8::MAX))
}

/// `None` if it isn't there, or can't be reached: then it can't be read either.
fn open(path: &Path) -> Option<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_PATH).open(path).ok()
}

fn allow_reading(ruleset: &OwnedFd, beneath: &File) -> Result<(), Errno> {
    let is_directory = beneath.metadata().is_ok_and(|metadata| metadata.is_dir());
    let allowed = if is_directory { READ_FILE | READ_DIR } else { READ_FILE };
    let rule = PathBeneath { allowed, parent: beneath.as_raw_fd() };
    let (ruleset, kind) = (ruleset.as_raw_fd(), RULE_PATH_BENEATH);
    // SAFETY: the structure is the kernel's own layout, and there for the whole call.
    let added = unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset, kind, &raw const rule, 0_u32) };
    Errno::result(added).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_forbids_all_that_it_knows_and_nothing_that_it_does_not() {
        // The number of rights in force since each version, from landlock(7).
        for (version, files, tcp, scopes) in [
            (1, 13, 0, 0),
            (2, 14, 0, 0),
            (3, 15, 0, 0),
            (4, 15, 2, 0),
            (5, 16, 2, 0),
            (6, 16, 2, 2),
            (7, 16, 2, 2),
        ] {
            let Ruleset { files: f, tcp: t, scopes: s } = Ruleset::new(version, false);
            assert_eq!((f.count_ones(), t.count_ones(), s.count_ones()), (files, tcp, scopes), "{version}");
            assert_eq!(Ruleset::new(version, true).tcp, if tcp == 0 { 0 } else { BIND_TCP });
        }
    }
}
