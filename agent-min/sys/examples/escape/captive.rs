//! A process for each attempt: outside, or inside the walls of one of the agent's processes.

use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use secmon_sys::role::End;
use secmon_sys::sandbox::{Confinement, EnterError, Identity, Plan, Strength, enter};

use crate::REACHED;
use crate::scene::Scene;
use crate::table::Outcome;

/// Seconds until the kernel ends an attempt that hangs.
const ATTEMPT_TIME: libc::c_uint = 60;
/// Bytes of the diagnostics' address space, and what they may read, as in the agent.
const MEMORY: u64 = 96 << 20;
const READABLE: [&str; 6] = ["/etc", "/proc", "/run", "/sys", "/var/lib/dpkg/updates", "/var/log"];
/// Bytes of a report.
const REPORT: usize = 4;
const _: () = assert!(Strength::SIZE == REPORT && size_of::<i32>() == REPORT);

/// Where an attempt is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Outside,
    Network,
    Diagnostics,
}

impl Place {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Network => "network",
            Self::Diagnostics => "diagnostics",
        }
    }

    /// A user that each place has for itself.
    pub(crate) const fn uid(self) -> u32 {
        match self {
            Self::Outside | Self::Network => 64_711,
            Self::Diagnostics => 64_712,
        }
    }
}

/// What one attempt came to. An error means that it couldn't be made.
pub(crate) fn attempt(place: Place, work: fn(&Scene) -> Result<(), Errno>) -> io::Result<Outcome> {
    let scene = Scene::set(place)?;
    let (report, end) = in_process(&scene, |_| Some(work(&scene).map_or_else(|errno| errno as i32, |()| 0)))?;
    Ok(match (report.map(i32::from_ne_bytes), end) {
        (Some(0), End::Status(0)) | (None, End::Status(REACHED)) => Outcome::Succeeded,
        (Some(errno), End::Status(0)) => Outcome::Failed(Errno::from_raw(errno)),
        (_, end) => Outcome::Ended(end),
    })
}

/// The walls of a place, which must let its work through: otherwise that they let nothing else through says nothing.
pub(crate) fn check(place: Place) -> io::Result<Strength> {
    let scene = Scene::set(place)?;
    let work = |strength: Option<Strength>| {
        let works = match place {
            Place::Diagnostics => std::fs::read(&scene.log).is_ok(),
            Place::Network | Place::Outside => matches!(
                scene.listener.accept(), Err(e) if e.kind() == io::ErrorKind::WouldBlock
            ),
        };
        strength.filter(|_| works).map(|strength| i32::from_ne_bytes(strength.to_bytes()))
    };
    let (report, end) = in_process(&scene, work)?;
    report
        .and_then(Strength::from_bytes)
        .ok_or_else(|| io::Error::other(format!("it can't do its work ({end})")))
}

/// What `work` reports in a process of its own, and how that ends.
fn in_process(
    scene: &Scene,
    work: impl FnOnce(Option<Strength>) -> Option<i32>,
) -> io::Result<(Option<[u8; REPORT]>, End)> {
    let (mut report, said) = io::pipe()?;
    // SAFETY: this process has one thread, so that its copy is whole; the copy ends with `_exit`.
    let child = match unsafe { fork() }? {
        ForkResult::Child => {
            let done = catch_unwind(AssertUnwindSafe(|| say(&said, enter_place(scene, &said).map(work))));
            // SAFETY: ends the process, without running what belongs to the parent.
            unsafe { libc::_exit(i32::from(!matches!(done, Ok(Ok(()))))) }
        }
        ForkResult::Parent { child } => child,
    };
    drop(said);
    let mut bytes = [0; REPORT];
    let report = report.read_exact(&mut bytes).is_ok().then_some(bytes);
    let end = match waitpid(child, None)? {
        WaitStatus::Exited(_, status) => End::Status(status),
        WaitStatus::Signaled(_, signal, _) => End::Signal(signal as i32),
        _ => End::Unknown,
    };
    Ok((report, end))
}

fn say(mut to: &PipeWriter, what: Result<Option<i32>, EnterError>) -> io::Result<()> {
    let what = what.map_err(io::Error::other)?.ok_or(io::ErrorKind::Other)?;
    to.write_all(&what.to_ne_bytes())
}

/// Becomes the captive of the scene's place. Its standard input is a terminal, the most that one could hope for.
fn enter_place(scene: &Scene, report: &PipeWriter) -> Result<Option<Strength>, EnterError> {
    // SAFETY: takes no pointer.
    unsafe { libc::alarm(ATTEMPT_TIME) };
    scene.take_terminal();
    let readable: Vec<&Path> = READABLE.iter().map(Path::new).chain([scene.log.as_path()]).collect();
    let confinement = match scene.place {
        Place::Outside => return Ok(None),
        Place::Network => Confinement::Network { root: &scene.empty },
        Place::Diagnostics => Confinement::Diagnostics { readable: &readable, memory: MEMORY },
    };
    let uid = scene.place.uid();
    let kept: [&File; 3] = [&scene.namespace, &scene.spare, &scene.handle_mount];
    let [namespace, spare, mount] = kept.map(AsFd::as_fd);
    let entered = enter(&Plan {
        identity: Identity { uid, gid: uid, groups: Vec::new() },
        keep: &[report.as_fd(), scene.listener.as_fd(), namespace, spare, mount],
        confinement,
    })?;
    Ok(Some(entered.seal()))
}
