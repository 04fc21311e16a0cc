//! One connection: requests in order, one at a time, each with its deadlines, until it ends.
//!
//! Pipelined requests wait in the buffer; what doesn't fit waits in the peer. Nothing here knows what an
//! envelope may do: its form is checked, and the monitor does the rest.

use std::io::{self, IoSlice};
use std::ops::ControlFlow;

use heapless::Vec;
use secmon_wire::Envelope;
use secmon_wire::limits::{HEALTH_MAX, RECEIPT_MAX};
use secmon_wire::signature::Signature;

use super::deadline::within;
use super::http::{Failure, Head, Parsed, Route, failure_body, parse, response_head};
use super::limits::{BODY_MAX, BODY_TIME, HEAD_MAX, HEAD_TIME, IDLE_TIME, LINGER_TIME, WRITE_TIME};
use super::link::Seat;
use super::receipts::{self, List};
use super::reports::{Reports, Turn};
use super::stream::{Body, Stream};
use crate::areas::Areas;
use crate::message::{Reply, Request};

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Connection<'a, S> {
    stream: S,
    seat: Seat<'a>,
    manifest: &'a [u8],
    reports: &'a Reports,
    /// Received and not yet used.
    buffer: Vec<u8, { HEAD_MAX + BODY_MAX }>,
}

/// What a request comes to.
#[expect(clippy::large_enum_variant, reason = "the largest is the one that matters, and is not allocated")]
enum Answer<'a> {
    Manifest(&'a [u8]),
    Health(Vec<u8, HEALTH_MAX>),
    Signed(Signature, Vec<u8, RECEIPT_MAX>),
    /// Sent in pieces.
    Receipts(List),
    /// Sent in pieces.
    Report {
        length: usize,
        turn: Turn<'a>,
    },
}

/// Why there is no request to answer.
enum NoRequest {
    /// The peer is gone.
    Ended,
    Failed(Failure),
}

/// How a response is to be sent.
#[derive(Clone, Copy)]
struct Manner {
    head_only: bool,
    keep_alive: bool,
}

impl<'a, S: Stream> Connection<'a, S> {
    pub(crate) const fn new(stream: S, seat: Seat<'a>, manifest: &'a [u8], reports: &'a Reports) -> Self {
        Self { stream, seat, manifest, reports, buffer: Vec::new() }
    }

    /// Serves requests until the peer ends the connection, or must not keep it.
    pub(crate) async fn serve(&mut self) {
        // An error here is the peer's: it went, or it was too slow. There is nobody to tell.
        while let Ok(ControlFlow::Continue(())) = self.exchange().await {}
        let _peers_own = within(LINGER_TIME, self.stream.close()).await;
    }

    /// One request and its response; whether the connection goes on.
    async fn exchange(&mut self) -> io::Result<ControlFlow<()>> {
        if self.buffer.is_empty() && within(IDLE_TIME, self.fill()).await? == 0 {
            return Ok(ControlFlow::Break(()));
        }
        // After what is no request the connection doesn't go on: nobody knows where the next one begins.
        let mut manner = Manner { head_only: false, keep_alive: false };
        let answer = match self.request().await {
            Ok((head, body)) => {
                manner = Manner { head_only: head.head_only, keep_alive: head.keep_alive };
                self.answer(&head, &body).await
            }
            Err(NoRequest::Failed(failure)) => Err(failure),
            Err(NoRequest::Ended) => return Ok(ControlFlow::Break(())),
        };
        within(WRITE_TIME, self.respond(&answer, manner)).await?;
        Ok(if manner.keep_alive { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
    }

    async fn request(&mut self) -> Result<(Head, Vec<u8, BODY_MAX>), NoRequest> {
        let head = within(HEAD_TIME, self.head()).await?;
        let body = within(BODY_TIME, self.body(&head)).await?;
        Ok((head, body))
    }

    /// Receives some more. 0 at the end of the connection, and where the buffer is full.
    async fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0_u8; 1024];
        let room = self.buffer.capacity().saturating_sub(self.buffer.len()).min(piece.len());
        let length = self.stream.read(piece.get_mut(..room).unwrap_or_default()).await?;
        let received = piece.get(..length).unwrap_or_default();
        self.buffer.extend_from_slice(received).map_err(|_| io::ErrorKind::OutOfMemory)?;
        Ok(length)
    }

    /// The next request's head, taken from the buffer.
    async fn head(&mut self) -> Result<Head, NoRequest> {
        loop {
            match parse(&self.buffer) {
                Parsed::Partial if self.fill().await? == 0 => return Err(NoRequest::Ended),
                Parsed::Partial => {}
                Parsed::Complete(head) => {
                    self.consume(head.length);
                    return Ok(head);
                }
                Parsed::Failed(failure) => return Err(NoRequest::Failed(failure)),
            }
        }
    }

    /// The body that belongs to `head`.
    async fn body(&mut self, head: &Head) -> Result<Vec<u8, BODY_MAX>, NoRequest> {
        if head.expects_continue && self.buffer.len() < head.body {
            self.stream.write(&mut [IoSlice::new(b"HTTP/1.1 100 Continue\r\n\r\n")]).await?;
        }
        while self.buffer.len() < head.body {
            if self.fill().await? == 0 {
                return Err(NoRequest::Ended);
            }
        }
        let body = self.buffer.get(..head.body).unwrap_or_default();
        let body = Vec::from_slice(body).map_err(|_| NoRequest::Failed(Failure::ContentTooLarge))?;
        self.consume(head.body);
        Ok(body)
    }

    fn consume(&mut self, length: usize) {
        let used = length.min(self.buffer.len());
        self.buffer.rotate_left(used);
        self.buffer.truncate(self.buffer.len().saturating_sub(used));
    }

    async fn answer(&mut self, head: &Head, body: &[u8]) -> Result<Answer<'a>, Failure> {
        match head.route? {
            Route::Manifest => Ok(Answer::Manifest(self.manifest)),
            Route::Health => match self.seat.ask(&Request::Health).await {
                Some(Reply::Health(body)) => Ok(Answer::Health(body)),
                _ => Err(Failure::Unavailable),
            },
            Route::Receipts => match receipts::measure::<S>(&mut self.seat).await {
                Ok(list) => Ok(Answer::Receipts(list)),
                Err(_) => Err(Failure::Unavailable),
            },
            Route::Execute => self.execute(head.signature, body).await,
            Route::Diagnose(areas) => self.diagnose(areas).await,
        }
    }

    async fn diagnose(&mut self, areas: Areas) -> Result<Answer<'a>, Failure> {
        let turn = self.reports.turn().ok_or(Failure::Unavailable)?;
        match self.seat.ask(&Request::Diagnose(areas)).await {
            Some(Reply::Diagnosed) => match turn.length() {
                Ok(length) => Ok(Answer::Report { length, turn }),
                Err(_) => Err(Failure::Unavailable),
            },
            Some(Reply::Forbidden) => Err(Failure::Forbidden),
            _ => Err(Failure::Unavailable),
        }
    }

    async fn execute(&mut self, signature: Option<Signature>, body: &[u8]) -> Result<Answer<'a>, Failure> {
        // Bytes that are no envelope go no further than here; the monitor sees signed ones only.
        if let Err(error) = Envelope::read(body) {
            return Err(Failure::Malformed(error));
        }
        let signature = signature.ok_or(Failure::Forbidden)?;
        let body = Vec::from_slice(body).map_err(|_| Failure::ContentTooLarge)?;
        match self.seat.ask(&Request::Execute { signature, body }).await {
            Some(Reply::Receipt { signature, body, .. }) => Ok(Answer::Signed(signature, body)),
            Some(Reply::Malformed) => Err(Failure::BadRequest),
            Some(Reply::Forbidden) => Err(Failure::Forbidden),
            _ => Err(Failure::Unavailable),
        }
    }

    async fn respond(&mut self, answer: &Result<Answer<'_>, Failure>, manner: Manner) -> io::Result<()> {
        let failure;
        let (result, body, length): (_, &[u8], _) = match answer {
            Ok(Answer::Manifest(body)) => (Ok(None), body, body.len()),
            Ok(Answer::Health(body)) => (Ok(None), body, body.len()),
            Ok(Answer::Signed(signature, body)) => (Ok(Some(signature)), body, body.len()),
            Ok(Answer::Receipts(List { length, .. }) | Answer::Report { length, .. }) => {
                (Ok(None), &[], *length)
            }
            Err(f) => {
                failure = failure_body(*f);
                (Err(*f), failure.as_bytes(), failure.len())
            }
        };
        let head = response_head(result, length, manner.keep_alive);
        let body = if manner.head_only { &[] } else { body };
        self.stream.write(&mut [head.as_bytes(), body].map(IoSlice::new)).await?;
        match answer {
            Ok(Answer::Receipts(list)) if !manner.head_only => {
                let mut body = Body::after_head(&mut self.stream, list.length);
                receipts::write(*list, &mut self.seat, &mut body).await?;
                body.end()
            }
            Ok(Answer::Report { length, turn }) => {
                let mut body = Body::after_head(&mut self.stream, *length);
                turn.write(*length, &mut body).await?;
                body.end()
            }
            _ => Ok(()),
        }
    }
}

impl From<io::Error> for NoRequest {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::Failed(Failure::RequestTimeout),
            _ => Self::Ended,
        }
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
