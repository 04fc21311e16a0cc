//! From root to a user without rights, with an empty directory as the root of its files; and that there is no
//! way back.

use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{
    Gid, Uid, chdir, chroot, fchdir, getgroups, getresgid, getresuid, setgroups, setresgid, setresuid,
};

use super::EnterError;

/// A user and its groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Not root.
    pub uid: u32,
    /// Not root's.
    pub gid: u32,
    /// All its other groups.
    pub groups: Vec<u32>,
}

const ROOT: Uid = Uid::from_raw(0);

/// Becomes `identity`. False if we are not root, and stay who we are.
pub(super) fn assume(identity: &Identity) -> Result<bool, EnterError> {
    if !is_root() {
        return Ok(false);
    }
    let Identity { uid, gid, groups } = identity;
    // The highest number means "unchanged" to the kernel (setresuid(2)).
    if [uid, gid].into_iter().chain(groups).any(|id| [0, u32::MAX].contains(id)) {
        return Err(EnterError::Plan("root's user and group are no confinement; name others"));
    }
    let (uid, gid) = (Uid::from_raw(*uid), Gid::from_raw(*gid));
    let mut groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    setgroups(&groups).map_err(EnterError::kernel("leave the groups"))?;
    setresgid(gid, gid, gid).map_err(EnterError::kernel("change the group"))?;
    setresuid(uid, uid, uid).map_err(EnterError::kernel("change the user"))?;
    let is_uid = getresuid().is_ok_and(|now| [now.real, now.effective, now.saved] == [uid; 3]);
    let is_gid = getresgid().is_ok_and(|now| [now.real, now.effective, now.saved] == [gid; 3]);
    let mut has_groups = getgroups().map_err(EnterError::kernel("read the groups"))?;
    for list in [&mut groups, &mut has_groups] {
        list.sort_unstable_by_key(|group| group.as_raw());
        list.dedup();
    }
    if is_uid && is_gid && has_groups == groups {
        Ok(true)
    } else {
        Err(EnterError::Plan("the kernel says that user and groups have changed, and shows others"))
    }
}

/// Checks that root can't be regained.
pub(super) fn check_for_good() -> Result<(), EnterError> {
    let root = Gid::from_raw(0);
    if setresuid(ROOT, ROOT, ROOT).is_ok() || setresgid(root, root, root).is_ok() {
        return Err(EnterError::Plan("root could be regained after the change of the user"));
    }
    Ok(())
}

/// Makes `directory` the root of all files. False if we are not root, or root without the right to.
pub(super) fn change_root(directory: &Path) -> Result<bool, EnterError> {
    if !is_root() {
        return Ok(false);
    }
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_DIRECTORY | libc::O_NOFOLLOW)
        .open(directory)
        .map_err(|e| EnterError::Kernel("open the empty directory", errno_of(&e)))?;
    let metadata = opened.metadata().map_err(|e| EnterError::Kernel("look at it", errno_of(&e)))?;
    if metadata.uid() != 0 || metadata.mode() & 0o022 != 0 {
        return Err(EnterError::Plan("the empty directory must be root's, and written by nobody else"));
    }
    fchdir(&opened).map_err(EnterError::kernel("enter the empty directory"))?;
    match std::fs::read_dir(".").map(|mut entries| entries.next().is_none()) {
        Ok(true) => {}
        Ok(false) => return Err(EnterError::Plan("the empty directory has something in it")),
        Err(e) => return Err(EnterError::Kernel("look into the empty directory", errno_of(&e))),
    }
    let changed = match chroot(".") {
        Ok(()) => true,
        Err(Errno::EPERM | Errno::ENOSYS) => false,
        Err(e) => return Err(EnterError::Kernel("change the root directory", e)),
    };
    chdir("/").map_err(EnterError::kernel("enter the root directory"))?;
    Ok(changed)
}

/// Also a process that could become root again is.
fn is_root() -> bool {
    getresuid().map_or(true, |now| [now.real, now.effective, now.saved].contains(&ROOT))
}

fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
