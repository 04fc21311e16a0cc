//! Runs one program: an absolute path and a fixed argument list, no shell, an empty environment but for
//! `PATH` and `LANG`, `/dev/null` as input, one pipe for both outputs, every other descriptor closed, default
//! signals, and a process group of its own.
//!
//! Starting one allocates nothing: the words are copied when the [`Command`] is made.

use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::libc;
use nix::unistd::{Pid, pipe2};

use crate::child::{Launch, Launched};
use crate::process::ProcPath;

/// The whole environment of every program.
pub const ENVIRONMENT: [&CStr; 2] =
    [c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", c"LANG=C"];

/// Bytes that an orphan's pipe holds; the most that an unprivileged process may ask for (pipe(7)).
const ROOM: i32 = 1024 * 1024;

/// Words of the longest command.
pub const WORDS_MAX: usize = 32;

/// A program with its whole argument list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The path, and again as the first argument.
    argv: Vec<CString>,
}

/// What becomes of a program that still writes when the agent has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orphan {
    /// It gets SIGPIPE, which ends it: right for a check, whose answer nobody waits for any more.
    Ends,
    /// Its output is dropped and it goes on: right for a restart, which must not stop half-way with the
    /// service down. It holds the pipe's reading end itself, in the same descriptor as the writing end, so
    /// the pipe never breaks; and it writes without blocking, so a full pipe never holds it up: what finds no room
    /// fails (EAGAIN), which takes a megabyte that nobody has read yet.
    GoesOn,
}

/// A program that runs.
#[derive(Debug)]
pub struct Child {
    pub(crate) pid: Pid,
    pub(crate) output: File,
}

impl Command {
    /// A command, if `program` is an absolute path, no word holds a NUL and there are at most [`WORDS_MAX`].
    pub fn new<W: AsRef<str>>(program: &Path, args: impl IntoIterator<Item = W>) -> Option<Self> {
        if !program.is_absolute() {
            return None;
        }
        let mut argv = vec![CString::new(program.as_os_str().as_bytes()).ok()?];
        for arg in args {
            argv.push(CString::new(arg.as_ref()).ok()?);
        }
        (argv.len() <= WORDS_MAX).then_some(Self { argv })
    }

    /// The program's path.
    pub fn program(&self) -> &Path {
        let path = self.argv.first().map_or(b"".as_slice(), |path| path.to_bytes());
        Path::new(std::ffi::OsStr::from_bytes(path))
    }

    /// Starts the program. An error means that it did not start.
    pub fn spawn(&self, orphan: Orphan) -> io::Result<Child> {
        self.spawn_recorded(orphan, |_| Ok::<(), Infallible>(())).unwrap_or_else(|never| match never {})
    }

    /// Starts the program once `record` has taken down its process id.
    ///
    /// The process is there already, but waits: if `record` fails, or if we are killed before it is done, the
    /// program never runs. So a program that isn't on record has not run. The outer error is `record`'s; the
    /// inner one means that the program did not start.
    pub fn spawn_recorded<E>(
        &self,
        orphan: Orphan,
        record: impl FnOnce(u32) -> Result<(), E>,
    ) -> Result<io::Result<Child>, E> {
        let mut held = match self.fork_held(orphan) {
            Ok(held) => held,
            Err(e) => return Ok(Err(e)),
        };
        match record(id(held.launched.pid)) {
            Ok(()) => Ok(held.release()),
            Err(e) => {
                held.launched.go = None;
                held.launched.reap();
                Err(e)
            }
        }
    }

    fn fork_held(&self, orphan: Orphan) -> io::Result<Held> {
        let (output, input) = pipe2(OFlag::O_CLOEXEC)?;
        let input = match orphan {
            Orphan::Ends => input,
            Orphan::GoesOn => {
                // Such a program doesn't wait for room, so there should be some.
                let _smaller_will_do = nix::fcntl::fcntl(&input, nix::fcntl::FcntlArg::F_SETPIPE_SZ(ROOM));
                both_ends(&input).unwrap_or(input)
            }
        };
        // The reading end must not block: a daemon that keeps the writing end open is not waited for.
        nix::fcntl::fcntl(&output, nix::fcntl::FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        let mut argv = [std::ptr::null(); WORDS_MAX + 1];
        for (pointer, word) in argv.iter_mut().take(WORDS_MAX).zip(&self.argv) {
            *pointer = word.as_ptr();
        }
        let [path, language] = ENVIRONMENT.map(CStr::as_ptr);
        let launched = Launch {
            argv: &argv,
            environment: &[path, language, std::ptr::null()],
            output: Some(input.as_fd()),
            keep: &[],
            held: true,
            leads_group: true,
            dies_with_us: false,
        }
        .fork()?;
        Ok(Held { launched, output: File::from(output) })
    }
}

/// A process that waits to become its program.
struct Held {
    launched: Launched,
    output: File,
}

impl Held {
    fn release(mut self) -> io::Result<Child> {
        let pid = self.launched.pid;
        // Also here, so that the group exists whichever of the two runs first. It fails once the program
        // has started, and then the child has done it.
        let _done_by_the_child = nix::unistd::setpgid(pid, pid);
        let told = self.launched.go.take().map_or(Ok(()), |mut go| go.write_all(&[1]));
        if told.is_err() {
            self.launched.reap();
            told?;
        }
        Ok(Child { pid: self.launched.started()?, output: self.output })
    }
}

impl fmt::Display for Command {
    /// As a reader would type it; a word that needs quotes gets them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.argv.iter().enumerate() {
            let word = word.to_string_lossy();
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-=@:,+%".contains(c);
            let space = if at == 0 { "" } else { " " };
            if !word.is_empty() && word.chars().all(plain) {
                write!(f, "{space}{word}")?;
            } else {
                write!(f, "{space}'{}'", word.replace('\'', r"'\''"))?;
            }
        }
        Ok(())
    }
}

impl Child {
    /// Its process id, which is its process group's id too.
    pub fn id(&self) -> u32 {
        id(self.pid)
    }
}

fn id(pid: Pid) -> u32 {
    u32::try_from(pid.as_raw()).unwrap_or(0)
}

/// The pipe behind `input`, opened for reading and writing at once. Needs `/proc`; `None` without it.
fn both_ends(input: &OwnedFd) -> Option<OwnedFd> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(ProcPath::new(format_args!("/proc/self/fd/{}", input.as_raw_fd()))?)
        .ok()
        .map(OwnedFd::from)
}
