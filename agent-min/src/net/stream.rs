//! The bytes between us and a peer, and a body that goes to it in pieces.
//!
//! Knows nothing of TLS, and nothing of what the bytes mean. What is longer than one answer of the monitor is never
//! held in memory: it is measured first, and then sent as it comes.

use std::io::{self, IoSlice};

/// A connection as the ones that speak on it see it.
pub(crate) trait Stream {
    /// Reads some bytes; 0 at the end of the connection, orderly or not.
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Sends the parts one after the other, all of them, in as few packets as they fit in.
    async fn write(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()>;

    /// Says goodbye.
    async fn close(&mut self) -> io::Result<()>;
}

/// A body in pieces, which is exactly as long as its head has said, or is cut off together with its connection.
#[derive(Debug)]
pub(crate) struct Body<'s, S> {
    /// `None` where a body is only measured.
    stream: Option<&'s mut S>,
    /// Bytes of the pieces so far.
    length: usize,
    /// Bytes that there may be.
    promised: usize,
}

impl<'s, S: Stream> Body<'s, S> {
    /// A body that goes nowhere, to learn its [length](Self::length).
    pub(crate) const fn measured() -> Self {
        Self { stream: None, length: 0, promised: usize::MAX }
    }

    /// A body of `promised` bytes, whose head `stream` has been sent.
    pub(crate) const fn after_head(stream: &'s mut S, promised: usize) -> Self {
        Self { stream: Some(stream), length: 0, promised }
    }

    /// The next bytes. Not one of them is sent if they are more than was promised: they would be taken for the
    /// next response.
    pub(crate) async fn piece(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.length = parts.iter().map(|part| part.len()).fold(self.length, usize::saturating_add);
        if self.length > self.promised {
            return Err(io::ErrorKind::InvalidData.into());
        }
        match &mut self.stream {
            Some(stream) => stream.write(parts).await,
            None => Ok(()),
        }
    }

    /// Bytes of all pieces so far.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    /// An error if bytes are missing: the connection is of no use any more.
    pub(crate) fn end(self) -> io::Result<()> {
        if self.length == self.promised { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
