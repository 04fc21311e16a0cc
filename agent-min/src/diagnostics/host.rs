//! This host, for the checks: files, sockets, services, by system calls. All of it within limits of time and size.

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use secmon_diag::host::{ClockState, Denied, Endpoint, Fetch, Filesystem, Host, Metadata, Page, Stream};
use secmon_sys::clock::wall_seconds;
use secmon_sys::probe;
use secmon_sys::wait::{Alone, pause};

use super::timed::Timed;
use super::{client, tls};

/// A read of a file is never longer than this, whatever a check asks for.
const READ_MAX: usize = 4 * 1024 * 1024;
/// Names of a directory that are looked at.
const NAMES_MAX: usize = 100_000;

/// The host that this process runs on.
#[derive(Debug)]
pub(super) struct RealHost {
    begun: Instant,
    until: Instant,
}

impl RealHost {
    /// Everything ends at `until`.
    pub(super) fn new(until: Instant) -> Self {
        Self { begun: Instant::now(), until }
    }

    /// What is left of `time`; `Timeout` if nothing is.
    fn within(&self, time: Duration) -> Result<Duration, Denied> {
        let time = time.min(self.left());
        if time.is_zero() { Err(Denied::Timeout) } else { Ok(time) }
    }

    fn open_tcp(&self, to: SocketAddr, time: Duration) -> Result<Timed, Denied> {
        let time = self.within(time)?;
        let until = Instant::now() + time;
        let stream = TcpStream::connect_timeout(&to, time).map_err(denied)?;
        Ok(Timed::tcp(stream, until, self.until))
    }
}

impl Host for RealHost {
    fn clock(&self) -> u64 {
        wall_seconds()
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    fn pause(&self, time: Duration) {
        pause(Instant::now() + time.min(self.left()), &mut Alone);
    }

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        let file = open(path)?;
        let mut bytes = Vec::new();
        file.take(most.min(READ_MAX) as u64).read_to_end(&mut bytes).map_err(denied)?;
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, out: &mut [u8]) -> Result<usize, Denied> {
        let file = open(path)?;
        let mut length = 0;
        // The kernel gives its own tables in pages, and walks them from the beginning after each opening.
        while let Some(room) = out.get_mut(length..).filter(|room| !room.is_empty()) {
            match file.read_at(room, offset + length as u64).map_err(denied)? {
                0 => break,
                more => length += more,
            }
        }
        Ok(length)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        let metadata = std::fs::metadata(path).map_err(denied)?;
        Ok(Metadata {
            size: metadata.size(),
            modified: u64::try_from(metadata.mtime()).unwrap_or(0),
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }

    fn read_link(&self, path: &str) -> Result<String, Denied> {
        let target = std::fs::read_link(path).map_err(denied)?;
        Ok(target.to_string_lossy().into_owned())
    }

    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied> {
        let entries = std::fs::read_dir(path).map_err(denied)?.take(NAMES_MAX).flatten();
        Ok(entries.filter_map(|entry| entry.file_name().into_string().ok()).take(most).collect())
    }

    fn filesystem(&self, path: &str) -> Result<Filesystem, Denied> {
        let space = probe::space(Path::new(path)).map_err(denied)?;
        Ok(Filesystem {
            size: space.size,
            free: space.free,
            inodes: space.inodes,
            inodes_free: space.inodes_free,
            readonly: space.readonly,
        })
    }

    fn connect(&self, to: &Endpoint, time: Duration) -> Result<Box<dyn Stream>, Denied> {
        match to {
            Endpoint::Unix(path) => {
                let time = self.within(time)?;
                let until = Instant::now() + time;
                let stream = probe::connect_local(Path::new(path), time);
                // A queue that is full is the answer here, and no wait.
                let stream = stream.map_err(|e| match e.kind() {
                    io::ErrorKind::WouldBlock => Denied::Full,
                    _ => denied(e),
                })?;
                Ok(Box::new(Timed::local(stream, until, self.until)))
            }
            Endpoint::Tcp(address) => Ok(Box::new(self.open_tcp(*address, time)?)),
        }
    }

    fn ask(
        &self,
        to: SocketAddr,
        question: &[u8],
        answer: &mut [u8],
        time: Duration,
    ) -> Result<usize, Denied> {
        let socket = probe::datagrams(to).map_err(denied)?;
        socket.set_read_timeout(Some(self.within(time)?)).map_err(denied)?;
        socket.send(question).map_err(denied)?;
        socket.recv(answer).map_err(denied)
    }

    fn sockets(&self, request: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        let mut failed = false;
        probe::sockets(request, self.within(Duration::from_secs(1))?, &mut |datagram| {
            let (end, error) = secmon_diag::netlink::walk(datagram, each);
            failed |= error;
            end || error
        })
        .map_err(denied)?;
        if failed { Err(Denied::Unsupported) } else { Ok(()) }
    }

    fn fetch(&self, page: &Fetch<'_>, time: Duration) -> Result<Page, Denied> {
        let mut tcp = self.open_tcp(page.to, time)?;
        let fetched = if page.tls {
            tls::open(tcp, page.host)
                .and_then(|mut session| client::get(&mut session.stream, page.host, page.path))
        } else {
            client::get(&mut tcp, page.host, page.path)
        };
        fetched.map_err(denied)
    }

    fn certificates(&self, to: SocketAddr, name: &str, time: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        let tcp = self.open_tcp(to, time)?;
        Ok(tls::open(tcp, name).map_err(denied)?.shown)
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        let state = probe::clock_state().map_err(denied)?;
        Ok(ClockState { synchronized: state.synchronized, max_error_us: state.max_error_us })
    }
}

/// Opens a file to read. One that is a pipe or a device is none: opening it could wait for ever.
fn open(path: &str) -> Result<File, Denied> {
    let kind = std::fs::metadata(path).map_err(denied)?;
    if !kind.is_file() {
        return Err(Denied::Failed);
    }
    File::open(path).map_err(denied)
}

fn denied(error: io::Error) -> Denied {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Denied::Absent,
        io::ErrorKind::PermissionDenied => Denied::Permission,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Denied::Timeout,
        io::ErrorKind::ConnectionRefused => Denied::Refused,
        io::ErrorKind::Unsupported => Denied::Unsupported,
        _ => Denied::Failed,
    }
}

#[cfg(test)]
#[path = "host_tests.rs"]
mod tests;
