//! One connection: requests in order, one at a time, each with its deadlines, until it ends.
//!
//! Pipelined requests wait in the buffer; what doesn't fit waits in the peer. Nothing here knows what an
//! envelope may do: its form is checked, and the monitor does the rest.

use std::io;

use heapless::Vec;
use secmon_wire::Envelope;
use secmon_wire::canonical::Writer;
use secmon_wire::limits::{RECEIPT_MAX, RECEIPTS_KEPT};
use secmon_wire::signature::Signature;

use super::deadline::within;
use super::http::{Failure, Head, Parsed, Route, failure_body, parse, response_head};
use super::limits::{BODY_MAX, BODY_TIME, HEAD_MAX, HEAD_TIME, IDLE_TIME, LINGER_TIME, WRITE_TIME};
use super::link::Seat;
use super::tls::TlsStream;
use crate::message::{Reply, Request};

/// Bytes of the longest list of receipts: each with its signature and the words around it.
const RECEIPTS_BODY_MAX: usize = 64 + RECEIPTS_KEPT * (RECEIPT_MAX + 192);

/// A connection after its handshake.
#[derive(Debug)]
pub(crate) struct Connection<'a> {
    stream: TlsStream,
    seat: Seat<'a>,
    manifest: &'a [u8],
    /// Received and not yet used.
    buffer: Vec<u8, { HEAD_MAX + BODY_MAX }>,
}

/// What a request comes to.
#[expect(clippy::large_enum_variant, reason = "the largest is the one that matters, and is not allocated")]
enum Answer<'a> {
    Manifest(&'a [u8]),
    Signed(Signature, Vec<u8, RECEIPT_MAX>),
    Body(std::vec::Vec<u8>),
}

impl<'a> Connection<'a> {
    pub(crate) const fn new(stream: TlsStream, seat: Seat<'a>, manifest: &'a [u8]) -> Self {
        Self { stream, seat, manifest, buffer: Vec::new() }
    }

    /// Serves requests until the peer ends the connection, or must not keep it.
    pub(crate) async fn serve(mut self) {
        // An error here is the peer's: it went, or it was too slow. There is nobody to tell.
        let _peers_own = self.serve_requests().await;
        let _peers_own = within(LINGER_TIME, self.stream.close()).await;
    }

    async fn serve_requests(&mut self) -> io::Result<()> {
        loop {
            if self.buffer.is_empty() && within(IDLE_TIME, self.fill()).await? == 0 {
                return Ok(());
            }
            let head = match within(HEAD_TIME, self.head()).await {
                Ok(Parsed::Complete(head)) => head,
                Ok(Parsed::Partial) => return Ok(()),
                Ok(Parsed::Failed(failure)) => return self.respond(Err(failure), false, false).await,
                Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                    return self.respond(Err(Failure::RequestTimeout), false, false).await;
                }
                Err(e) => return Err(e),
            };
            let body = match within(BODY_TIME, self.body(&head)).await {
                Ok(Some(body)) => body,
                Ok(None) => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::TimedOut => {
                    return self.respond(Err(Failure::RequestTimeout), false, false).await;
                }
                Err(e) => return Err(e),
            };
            let answer = self.answer(&head, &body).await;
            self.respond(answer, head.head_only, head.keep_alive).await?;
            if !head.keep_alive {
                return Ok(());
            }
        }
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

    /// The next request's head, taken from the buffer; `Partial` if the peer ended the connection before.
    async fn head(&mut self) -> io::Result<Parsed> {
        loop {
            match parse(&self.buffer) {
                Parsed::Partial if self.fill().await? == 0 => return Ok(Parsed::Partial),
                Parsed::Partial => {}
                Parsed::Complete(head) => {
                    self.consume(head.length);
                    return Ok(Parsed::Complete(head));
                }
                failed @ Parsed::Failed(_) => return Ok(failed),
            }
        }
    }

    /// The body that belongs to `head`; `None` if the peer ended the connection before.
    async fn body(&mut self, head: &Head) -> io::Result<Option<Vec<u8, BODY_MAX>>> {
        if head.expects_continue && self.buffer.len() < head.body {
            self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        while self.buffer.len() < head.body {
            if self.fill().await? == 0 {
                return Ok(None);
            }
        }
        let body = self.buffer.get(..head.body).and_then(|body| Vec::from_slice(body).ok());
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
                Some(Reply::Health(body)) => Ok(Answer::Body(body.to_vec())),
                _ => Err(Failure::Unavailable),
            },
            Route::Receipts => self.receipts().await.map(Answer::Body),
            Route::Execute => self.execute(head.signature, body).await,
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

    /// `{"receipts":[{"body":{…},"signature":"…"},…],"v":1}`, oldest first.
    async fn receipts(&mut self) -> Result<std::vec::Vec<u8>, Failure> {
        let mut out = vec![0_u8; RECEIPTS_BODY_MAX];
        let mut w = Writer::new(&mut out);
        w.open(b'{');
        w.key("receipts");
        w.open(b'[');
        let mut last = 0;
        for _ in 0..RECEIPTS_KEPT {
            match self.seat.ask(&Request::ReceiptAfter(last)).await {
                Some(Reply::Receipt { seq, signature, body }) => {
                    w.open(b'{');
                    w.key("body");
                    w.raw(&body);
                    w.key("signature");
                    w.text(&secmon_wire::to_hex::<128>(&signature));
                    w.close(b'}');
                    last = seq;
                }
                Some(Reply::NoReceipt) => break,
                _ => return Err(Failure::Unavailable),
            }
        }
        w.close(b']');
        w.key("v");
        w.unsigned(secmon_wire::VERSION);
        w.close(b'}');
        let length = w.finish().map_err(|_| Failure::Unavailable)?.len();
        out.truncate(length);
        Ok(out)
    }

    async fn respond(
        &mut self,
        answer: Result<Answer<'_>, Failure>,
        head_only: bool,
        keep_alive: bool,
    ) -> io::Result<()> {
        let failure;
        let (result, body): (_, &[u8]) = match &answer {
            Ok(Answer::Manifest(body)) => (Ok(None), body),
            Ok(Answer::Body(body)) => (Ok(None), body),
            Ok(Answer::Signed(signature, body)) => (Ok(Some(signature)), body),
            Err(f) => {
                failure = failure_body(*f);
                (Err(*f), failure.as_bytes())
            }
        };
        let head = response_head(result, body.len(), keep_alive);
        let body = if head_only { &[] } else { body };
        within(WRITE_TIME, self.stream.write_parts(&[head.as_bytes(), body])).await
    }
}
