//! The host, as the checks see it: everything that they read, ask and connect to goes through here.
//!
//! The agent's diagnostics process implements it with system calls; tests implement it with tables.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

/// A host that can be looked at. Every call is bounded in time and size.
pub trait Host: Sync {
    /// The wall clock, in seconds since the epoch.
    fn clock(&self) -> u64;

    /// Time that only goes forward, from any beginning.
    fn elapsed(&self) -> Duration;

    /// What is left of the run's time: no check begins what takes longer.
    fn left(&self) -> Duration;

    /// Lets this check wait; not beyond what is left.
    fn pause(&self, time: Duration);

    /// The file's first `most` bytes.
    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied>;

    /// The file's bytes from `offset` on, as many as there is room for; how many. 0 at its end.
    fn read_at(&self, path: &str, offset: u64, out: &mut [u8]) -> Result<usize, Denied>;

    /// What there is of the file (links are followed), without opening it.
    fn metadata(&self, path: &str) -> Result<Metadata, Denied>;

    /// Where a symbolic link points.
    fn read_link(&self, path: &str) -> Result<String, Denied>;

    /// The names in a directory, in no order, at most `most`.
    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied>;

    /// The file system that the path is on.
    fn filesystem(&self, path: &str) -> Result<Filesystem, Denied>;

    /// A connection. Making it takes `time` at most, and so does everything on it together, until it is allowed more:
    /// then reads and writes end in [`TimedOut`](std::io::ErrorKind::TimedOut) or
    /// [`WouldBlock`](std::io::ErrorKind::WouldBlock).
    fn connect(&self, to: &Endpoint, time: Duration) -> Result<Box<dyn Stream>, Denied>;

    /// Sends one datagram and waits for one answer from the same address; its length.
    fn ask(
        &self,
        to: SocketAddr,
        question: &[u8],
        answer: &mut [u8],
        time: Duration,
    ) -> Result<usize, Denied>;

    /// Sends a dump request to the kernel's list of sockets (sock_diag(7)) and hands every message of the answer,
    /// header included, to `each`.
    fn sockets(&self, request: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Denied>;

    /// One GET request, redirects not followed.
    fn fetch(&self, page: &Fetch<'_>, time: Duration) -> Result<Page, Denied>;

    /// The certificates that a server shows for a name, leaf first, in DER. They are not verified.
    fn certificates(&self, to: SocketAddr, name: &str, time: Duration) -> Result<Vec<Vec<u8>>, Denied>;

    /// How well the kernel thinks that its clock is (adjtimex(2)).
    fn clock_state(&self) -> Result<ClockState, Denied>;
}

/// A connection.
pub trait Stream: Read + Write {
    /// What follows may take this long, all of it together, however little each read brings.
    fn allow(&mut self, time: Duration);
}

/// Why something could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is no such file, name or host.
    Absent,
    /// It is there, and not for us.
    Permission,
    /// It takes too long.
    Timeout,
    /// It is there, and nobody listens (ECONNREFUSED).
    Refused,
    /// Its queue of connections is full (EAGAIN of a local socket).
    Full,
    /// This kernel or this build can't.
    Unsupported,
    /// Anything else.
    Failed,
}

/// What stat(2) says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Bytes.
    pub size: u64,
    /// When it was changed, in seconds since the epoch.
    pub modified: u64,
    /// Kind and permissions, as in `st_mode`.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its number in its file system.
    pub inode: u64,
    /// The file system's number.
    pub device: u64,
}

/// What statvfs(3) says, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filesystem {
    /// What is used and what is free, as df(1) counts: without what is kept back for root.
    pub size: u64,
    /// What an ordinary user can still write (`f_bavail`).
    pub free: u64,
    /// Inodes; 0 where the file system doesn't count them.
    pub inodes: u64,
    /// Inodes that an ordinary user can still have (`f_favail`).
    pub inodes_free: u64,
    /// Whether nothing can be written.
    pub readonly: bool,
}

/// Where a service listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A local socket's path.
    Unix(String),
    /// An address.
    Tcp(SocketAddr),
}

/// How our requests for pages name themselves: in a log they are nobody's visit.
pub const USER_AGENT: &str = "secmon-diag";

/// What is fetched.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// Whom to connect to.
    pub to: SocketAddr,
    /// Over TLS, with any certificate.
    pub tls: bool,
    /// The `Host`, and the server's name in TLS.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body's first 64 KiB.
    pub body: Vec<u8>,
    /// From the connection to the first byte of the answer.
    pub first_byte: Duration,
}

/// The kernel's view of its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Whether anything keeps it right.
    pub synchronized: bool,
    /// How wrong it may be, in microseconds.
    pub max_error_us: u64,
}

impl Page {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
