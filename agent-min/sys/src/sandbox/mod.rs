//! The walls around the processes that read what strangers write. Each puts them up itself, before it reads a
//! byte of that, in two steps: [`enter`] while it has one thread, [`Entered::seal`] once it has all.
//!
//! A wall that this kernel doesn't have is missing in the [`Strength`], by name, never silently. What must
//! not be missing where it is possible is an error instead: another user than root, and no descriptors but
//! ours.

mod bpf;
mod calls;
mod capabilities;
mod identity;
mod landlock;
mod limits;
mod seccomp;
mod strength;
#[cfg(test)]
pub(crate) mod testing;

use std::fmt;
use std::os::fd::BorrowedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use nix::unistd::getppid;

pub use capabilities::{Capability, CapabilityLimit, limit_capabilities};
pub use identity::Identity;
pub use limits::keep_memory_to_ourselves;
pub use strength::{Protection, Strength};

use crate::descriptors;

/// What a process is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Speaks TLS and HTTP with strangers: sees no file and opens no socket.
    Network,
    /// Reads hostile logs: opens given files to read, and connects to services of this host.
    Diagnostics,
}

/// Everything that a process is confined to.
#[derive(Clone, Debug)]
pub struct Plan<'a> {
    /// Who it becomes.
    pub identity: Identity,
    /// Its descriptors beside the standard three.
    pub keep: &'a [BorrowedFd<'a>],
    /// What it sees.
    pub confinement: Confinement<'a>,
}

/// What a process of each role sees.
#[derive(Clone, Copy, Debug)]
pub enum Confinement<'a> {
    /// [`Role::Network`].
    Network {
        /// Its root: an empty directory that only root can write in.
        root: &'a Path,
    },
    /// [`Role::Diagnostics`].
    Diagnostics {
        /// Directories and files that it may read; those that aren't there are passed over. A file is the one
        /// that is there now, not one that replaces it: name the directory of files that are rotated.
        readable: &'a [&'a Path],
        /// Bytes of its address space.
        memory: u64,
    },
}

/// Why a process must not begin its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnterError {
    /// The kernel refused a step that must not fail.
    Kernel(&'static str, Errno),
    /// What was planned is no confinement.
    Plan(&'static str),
}

/// A process inside its walls, but for the last.
#[derive(Debug)]
#[must_use = "the last wall is still missing"]
pub struct Entered {
    role: Role,
    strength: Strength,
}

/// Puts up every wall that leaves room for starting threads. Afterwards there is no way back.
///
/// To be called early, by a process with one thread: what else it has opened, and doesn't keep, is closed.
pub fn enter(plan: &Plan<'_>) -> Result<Entered, EnterError> {
    let parent = getppid();
    let role = plan.confinement.role();
    let mut strength = Strength::none(role);
    descriptors::close_all_but(plan.keep);
    umask(Mode::from_bits_truncate(0o077));
    strength.set(Protection::SingleThread, has_one_thread());
    // What takes privileges, while there are any.
    strength.set(Protection::BoundingSet, capabilities::never_gain_any());
    if let Confinement::Network { root } = plan.confinement {
        strength.set(Protection::Chroot, identity::change_root(root)?);
    }
    let changed = identity::assume(&plan.identity)?;
    strength.set(Protection::Uid, changed);
    strength.set(Protection::Groups, changed);
    // The change of the user has reset what follows, so it comes after.
    strength.set(Protection::Capabilities, capabilities::drop_all());
    if changed {
        identity::check_for_good()?;
    }
    strength.set(Protection::NotDumpable, keep_memory_to_ourselves().is_ok());
    strength.set(Protection::Parent, die_with(parent)?);
    strength.set(Protection::NoNewPrivileges, no_new_privileges());
    strength.set_landlock(match plan.confinement {
        Confinement::Network { .. } => landlock::restrict(None),
        Confinement::Diagnostics { readable, .. } => landlock::restrict(Some(readable)),
    });
    strength.set(Protection::Limits, limits::lower(plan.confinement));
    Ok(Entered { role, strength })
}

impl Entered {
    /// Puts up the last wall, for every thread that there is by now. There will be no other.
    pub fn seal(mut self) -> Strength {
        let limits = limits::lower_last();
        self.strength.set(Protection::Limits, self.strength.has(Protection::Limits) && limits);
        let sealed = seccomp::install(self.role);
        self.strength.set(Protection::Seccomp, sealed.is_some());
        self.strength.set(Protection::KillProcess, sealed == Some(seccomp::Punishment::Process));
        self.strength
    }

    /// What holds so far.
    pub fn strength(&self) -> Strength {
        self.strength
    }
}

impl Confinement<'_> {
    const fn role(&self) -> Role {
        match self {
            Self::Network { .. } => Role::Network,
            Self::Diagnostics { .. } => Role::Diagnostics,
        }
    }
}

/// Half of the walls are around one thread only. False without `/proc`, too.
fn has_one_thread() -> bool {
    // The directory's links: itself, its name, and one from each thread's directory.
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| std::os::unix::fs::MetadataExt::nlink(&tasks) == 3)
}

/// Has the kernel kill us when `parent` ends. It forgets that when a process changes its user.
fn die_with(parent: nix::unistd::Pid) -> Result<bool, EnterError> {
    let promised = prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).is_ok();
    if getppid() != parent {
        return Err(EnterError::Plan("the process that started this one has ended"));
    }
    Ok(promised)
}

fn no_new_privileges() -> bool {
    prctl::set_no_new_privs().is_ok() && prctl::get_no_new_privs() == Ok(true)
}

impl EnterError {
    fn kernel(step: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::Kernel(step, errno)
    }
}

impl fmt::Display for EnterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(step, errno) => write!(f, "can't {step}: {}", errno.desc()),
            Self::Plan(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for EnterError {}

#[cfg(test)]
#[path = "sandbox_tests.rs"]
mod tests;
