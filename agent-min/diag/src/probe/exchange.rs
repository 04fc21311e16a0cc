//! A conversation with a local service that may be slow, broken or hostile: bounded in time as a whole, so that an
//! answer in drops ends when one in a gush would.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::io::{self, Read as _, Write as _};
use std::time::Duration;

use crate::host::{Denied, Endpoint, Host, Stream};

/// An open connection.
pub(super) struct Exchange<'h> {
    host: &'h dyn Host,
    stream: Box<dyn Stream>,
    until: Duration,
}

impl<'h> Exchange<'h> {
    /// Connects; all that follows must end within `time`.
    pub(super) fn open(host: &'h dyn Host, to: &Endpoint, time: Duration) -> Result<Self, Denied> {
        let until = host.elapsed().saturating_add(time);
        let mut stream = host.connect(to, time)?;
        stream.allow(until.saturating_sub(host.elapsed()));
        Ok(Self { host, stream, until })
    }

    /// What follows may take this long again.
    pub(super) fn allow(&mut self, time: Duration) {
        self.until = self.host.elapsed().saturating_add(time);
        self.stream.allow(time);
    }

    /// Sends all of it.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Denied> {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).map_err(|error| denied(&error))
    }

    /// Receives something; 0 at the end.
    pub(super) fn receive(&mut self, out: &mut [u8]) -> Result<usize, Denied> {
        loop {
            if self.host.elapsed() >= self.until {
                return Err(Denied::Timeout);
            }
            match self.stream.read(out) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map_err(|error| denied(&error)),
            }
        }
    }

    /// Receives exactly as much as there is room for.
    pub(super) fn fill(&mut self, mut out: &mut [u8]) -> Result<(), Denied> {
        while !out.is_empty() {
            let count = self.receive(out)?;
            out = out.get_mut(count..).filter(|_| count > 0).ok_or(Denied::Failed)?;
        }
        Ok(())
    }
}

fn denied(error: &io::Error) -> Denied {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Denied::Timeout,
        io::ErrorKind::PermissionDenied => Denied::Permission,
        io::ErrorKind::ConnectionRefused => Denied::Refused,
        _ => Denied::Failed,
    }
}
