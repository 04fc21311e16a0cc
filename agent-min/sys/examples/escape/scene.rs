//! What a captive finds to break out to, made anew for every attempt.

use std::ffi::CString;
use std::fs::{self, File, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Gid, Pid, Uid, fork, setgroups, setresgid, setresuid};
use secmon_sys::process::runs_as_root;
use secmon_sys::sandbox::keep_memory_to_ourselves;

use crate::captive::Place;

/// What there is.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) place: Place,
    /// The network process's root.
    pub(crate) empty: PathBuf,
    /// The file that the diagnostics may read. Everybody may write it, as far as its mode goes.
    pub(crate) log: PathBuf,
    /// Like the monitor: root's, and not dumpable.
    pub(crate) monitor: Bystander,
    /// A process with the captive's user.
    pub(crate) neighbour: Bystander,
    /// A network namespace that could be joined.
    pub(crate) namespace: File,
    /// A TCP socket that is neither bound nor connected.
    pub(crate) spare: File,
    /// The directory in which handles of files are opened.
    pub(crate) handle_mount: File,
    pub(crate) listener: TcpListener,
    pub(crate) host_name: CString,
    terminal: Option<(OwnedFd, OwnedFd)>,
    dir: tempfile::TempDir,
}

impl Scene {
    pub(crate) fn set(place: Place) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("secmon-escape").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        for (name, mode) in [("", 0o755), ("empty", 0o755), ("open", 0o777)] {
            fs::create_dir_all(at(name))?;
            fs::set_permissions(at(name), Permissions::from_mode(mode))?;
        }
        for file in ["log", "open/file"] {
            fs::write(at(file), "a line\n")?;
            fs::set_permissions(at(file), Permissions::from_mode(0o666))?;
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            place,
            empty: at("empty"),
            log: at("log"),
            monitor: Bystander::start(|| keep_memory_to_ourselves().is_ok())?,
            neighbour: Bystander::start(|| !runs_as_root() || become_user(place.uid()).is_ok())?,
            namespace: File::open("/proc/self/ns/net")?,
            spare: stream_socket()?,
            handle_mount: File::open(dir.path())?,
            listener,
            host_name: host_name()?,
            terminal: terminal(),
            dir,
        })
    }

    /// A path in the directory that everybody may write in.
    pub(crate) fn open(&self, name: &str) -> CString {
        c_string(&self.dir.path().join("open").join(name))
    }

    /// The file that everybody may write.
    pub(crate) fn file(&self) -> CString {
        self.open("file")
    }

    /// Makes the terminal this process's own, and its standard input.
    pub(crate) fn take_terminal(&self) {
        let Some((_, ours)) = &self.terminal else { return };
        // SAFETY: plain system calls on a descriptor of ours; the last argument of the ioctl is a number. Where they
        // fail, standard input is no terminal, and what is tried with one fails outside too.
        unsafe {
            libc::setsid();
            libc::ioctl(ours.as_raw_fd(), libc::TIOCSCTTY, 0);
            libc::dup2(ours.as_raw_fd(), 0);
        }
    }
}

/// A process that does nothing until it is killed.
#[derive(Debug)]
pub(crate) struct Bystander {
    pid: Pid,
}

impl Bystander {
    fn start(prepare: impl FnOnce() -> bool) -> io::Result<Self> {
        let (mut ready, done) = io::pipe()?;
        // SAFETY: this process has one thread, so that its copy is whole; the copy never returns.
        match unsafe { fork() }? {
            ForkResult::Child => {
                let is_as_wanted = prepare();
                // SAFETY: none of these takes a pointer. The process ends with the one that started it, or is killed.
                unsafe {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as libc::c_ulong);
                    if !is_as_wanted {
                        libc::_exit(1);
                    }
                    drop(done);
                    loop {
                        libc::pause();
                    }
                }
            }
            ForkResult::Parent { child } => {
                drop(done);
                let _end_of_file = io::Read::read(&mut ready, &mut [0])?;
                Ok(Self { pid: child })
            }
        }
    }

    pub(crate) fn pid(&self) -> libc::c_long {
        self.pid.as_raw().into()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _gone_already = kill(self.pid, Signal::SIGKILL);
        let _reaped = waitpid(self.pid, None);
    }
}

/// A user whose processes may look into each other, as far as the kernel's own rules go.
fn become_user(id: u32) -> Result<(), Errno> {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    setgroups(&[])?;
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    nix::sys::prctl::set_dumpable(true)
}

fn stream_socket() -> io::Result<File> {
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    Errno::result(fd)?;
    // SAFETY: the kernel has just given this descriptor to us, and nobody else knows it.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// Both ends of a terminal, where this host has any.
fn terminal() -> Option<(OwnedFd, OwnedFd)> {
    let (mut other, mut ours) = (-1, -1);
    let (no_name, no_settings, no_size) = (std::ptr::null_mut(), std::ptr::null(), std::ptr::null());
    // SAFETY: two numbers are written; the rest may be null (openpty(3)).
    let made = unsafe { libc::openpty(&raw mut other, &raw mut ours, no_name, no_settings, no_size) };
    // SAFETY: both have just been opened for us, and nobody else knows them.
    (made == 0).then(|| unsafe { (OwnedFd::from_raw_fd(other), OwnedFd::from_raw_fd(ours)) })
}

fn host_name() -> io::Result<CString> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")?;
    Ok(CString::new(name.trim_end())?)
}

pub(crate) fn c_string(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}
