//! Connections that end in time: whoever answers in drops gets no longer than who says nothing.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use secmon_diag::host::Stream;

/// A connection with the moment at which it is over.
#[derive(Debug)]
pub(super) struct Timed {
    stream: TcpStream,
    until: Instant,
    /// When the run is over.
    end: Instant,
}

impl Timed {
    /// What was connected already; everything on it ends with the run at the latest.
    pub(super) fn tcp(stream: TcpStream, until: Instant, end: Instant) -> Self {
        Self { stream, until: until.min(end), end }
    }

    /// The same of a local socket, which is read and written by the same calls.
    pub(super) fn local(stream: UnixStream, until: Instant, end: Instant) -> Self {
        Self::tcp(TcpStream::from(OwnedFd::from(stream)), until, end)
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Timed {
    fn allow(&mut self, time: Duration) {
        self.until = (Instant::now() + time).min(self.end);
    }
}
