//! Reports of the diagnostics, on their way from a pipe to a connection. They are passed on in pieces, unread: who
//! wrote them reads hostile logs, and is believed no more than a peer.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, IoSlice, Read};

use async_io::Async;
use secmon_wire::limits::REPORT_MAX;

use super::stream::{Body, Stream};
use crate::diagnostics::{LENGTH_SIZE, REPORT_SIZE};

/// Bytes that are passed on at a time.
const PIECE: usize = 1024;

/// The pipe. One connection at a time waits for a report and takes it.
#[derive(Debug)]
pub(crate) struct Reports {
    pipe: Async<File>,
    taken: Cell<bool>,
}

/// The right to the next report, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'r> {
    reports: &'r Reports,
}

impl Reports {
    pub(crate) fn new(pipe: File) -> io::Result<Self> {
        Ok(Self { pipe: Async::new(pipe)?, taken: Cell::new(false) })
    }

    /// A turn, with the pipe empty: what an earlier run has left is gone. `None` while somebody else has it.
    pub(crate) fn turn(&self) -> Option<Turn<'_>> {
        if self.taken.get() {
            return None;
        }
        let mut rest = [0; PIECE];
        let mut most = REPORT_SIZE.div_ceil(PIECE).saturating_mul(2);
        while self.pipe.get_ref().read(&mut rest).is_ok_and(|length| length > 0) {
            // Somebody still writes, whose process can't be killed yet.
            most = most.checked_sub(1)?;
        }
        self.taken.set(true);
        Some(Turn { reports: self })
    }
}

impl Turn<'_> {
    /// Bytes of the report, which is there.
    pub(crate) fn length(&self) -> io::Result<usize> {
        let mut bytes = [0; LENGTH_SIZE];
        self.read(&mut bytes)?;
        let length = usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX);
        if length <= REPORT_MAX { Ok(length) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Passes the report on.
    pub(crate) async fn write<S: Stream>(&self, length: usize, body: &mut Body<'_, S>) -> io::Result<()> {
        let mut left = length;
        let mut bytes = [0; PIECE];
        while left > 0 {
            let piece = bytes.get_mut(..left.min(PIECE)).unwrap_or_default();
            self.read(piece)?;
            left = left.saturating_sub(piece.len());
            body.piece(&mut [IoSlice::new(piece)]).await?;
        }
        Ok(())
    }

    /// Fills the buffer. What isn't there by now doesn't come: the report is whole before we hear of it.
    fn read(&self, buffer: &mut [u8]) -> io::Result<()> {
        let mut at = 0_usize;
        while let Some(rest) = buffer.get_mut(at..).filter(|rest| !rest.is_empty()) {
            match self.reports.pipe.get_ref().read(rest)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => at = at.saturating_add(length),
            }
        }
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.reports.taken.set(false);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write};
    use std::os::fd::OwnedFd;

    use async_io::block_on;

    use super::*;

    fn piped() -> (Reports, PipeWriter) {
        let (reader, writer) = secmon_sys::channel::pipe_for(REPORT_SIZE).expect("a pipe");
        (Reports::new(File::from(OwnedFd::from(reader))).expect("a pipe"), writer)
    }

    /// A peer that keeps what it is sent.
    struct Kept(Vec<u8>);

    impl Stream for Kept {
        async fn read(&mut self, _buffer: &mut [u8]) -> io::Result<usize> {
            Ok(0)
        }

        async fn write(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
            parts.iter().for_each(|part| self.0.extend_from_slice(part));
            Ok(())
        }

        async fn close(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_longest_report_goes_through_and_what_was_left_before_does_not() {
        let (reports, mut writer) = piped();
        writer.write_all(&[b'x'; 5_000]).expect("an earlier one");
        let turn = reports.turn().expect("a turn");
        assert!(reports.turn().is_none(), "one at a time");
        let report = vec![b'r'; REPORT_MAX];
        writer.write_all(&u32::try_from(REPORT_MAX).expect("short").to_le_bytes()).expect("written");
        writer.write_all(&report).expect("written");
        let length = turn.length().expect("a length");
        let mut kept = Kept(Vec::new());
        let mut body = Body::after_head(&mut kept, length);
        block_on(turn.write(length, &mut body)).expect("passed on");
        body.end().expect("whole");
        assert_eq!(kept.0, report);
        drop(turn);
        assert!(reports.turn().is_some());
    }

    #[test]
    fn a_report_that_is_too_long_or_cut_short_is_an_error_and_not_a_wait() {
        let (reports, mut writer) = piped();
        let turn = reports.turn().expect("a turn");
        assert!(turn.length().is_err(), "nothing there");
        writer.write_all(&u32::MAX.to_le_bytes()).expect("written");
        assert!(turn.length().is_err(), "too long");
        writer.write_all(b"short").expect("written");
        let mut kept = Kept(Vec::new());
        let mut body = Body::after_head(&mut kept, 10);
        assert!(block_on(turn.write(10, &mut body)).is_err(), "cut short");
    }
}
