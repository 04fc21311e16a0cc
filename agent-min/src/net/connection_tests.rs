//! One connection over a plain socket, between a peer and a thread that answers as the monitor does.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::vec::Vec;

use secmon_sys::channel::{Channel, pipe_for};
use secmon_wire::limits::{ENVELOPE_MAX, RECEIPTS_KEPT};
use secmon_wire::{AgentId, Area, Hash, Intent, Nonce, OperationId, VERSION};

use super::*;
use crate::diagnostics::REPORT_SIZE;
use crate::message::REQUEST_SIZE;
use crate::net::link::Link;

const MANIFEST: &[u8] = br#"{"a":"manifest"}"#;
/// More than fits into one piece.
const REPORT: &[u8] = &[b'r'; 5_000];
/// As many receipts as there can be.
const KEPT: u64 = RECEIPTS_KEPT as u64;
const LIST: &str = "GET /v1/receipts HTTP/1.1\r\nHost: a\r\n\r\n";

/// Bytes that a connection gets at a time.
const READ: usize = 64;

/// Never waits: what is read has been sent before, and what is written has room.
struct Plain {
    socket: UnixStream,
    longest_write: usize,
    /// How reading fails once everything has been read; otherwise that is the end of the connection.
    fails: Option<io::ErrorKind>,
}

impl Stream for Plain {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(READ);
        match (self.socket.read(&mut buffer[..room])?, self.fails) {
            (0, Some(kind)) => Err(kind.into()),
            (length, _) => Ok(length),
        }
    }

    async fn write(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let length = parts.iter().map(|part| part.len()).sum();
        self.longest_write = self.longest_write.max(length);
        assert_eq!(self.socket.write_vectored(parts)?, length);
        Ok(())
    }

    async fn close(&mut self) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Both)
    }
}

/// What the monitor answers to each request.
type Answers = Box<dyn FnMut(&Request) -> Reply + Send>;

/// What a connection has behind it.
struct Behind {
    link: Link,
    reports: Reports,
}

/// A link whose monitor answers as `answers` says, and has [`REPORT`] written, for as long as the link is there.
fn linked(mut answers: Answers) -> Behind {
    let (ours, theirs) = Channel::pair().expect("a pair");
    let (reports, mut pipe) = pipe_for(REPORT_SIZE).expect("a pipe");
    thread::spawn(move || {
        let mut bytes = [0; REQUEST_SIZE];
        while theirs.recv(&mut bytes).is_ok_and(|length| length == REQUEST_SIZE) {
            let (token, request) = Request::decode(&bytes).expect("a request");
            let reply = answers(&request);
            if reply == Reply::Diagnosed {
                pipe.write_all(&u32::try_from(REPORT.len()).expect("short").to_le_bytes()).expect("written");
                pipe.write_all(REPORT).expect("written");
            }
            theirs.send(&reply.encode(token)).expect("sent");
        }
    });
    let reports = Reports::new(OwnedFd::from(reports).into()).expect("a pipe");
    Behind { link: Link::new(ours).expect("a link"), reports }
}

/// A connection that has been sent `request` and no more, and its peer.
fn connected<'a>(behind: &'a Behind, request: &[u8]) -> (Connection<'a, Plain>, UnixStream) {
    let (socket, mut peer) = UnixStream::pair().expect("a pair");
    peer.write_all(request).expect("sent");
    peer.shutdown(Shutdown::Write).expect("shut");
    let stream = Plain { socket, longest_write: 0, fails: None };
    let seat = behind.link.seat().expect("a seat");
    (Connection::new(stream, seat, MANIFEST, &behind.reports), peer)
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls on this thread, which leaves the library's reactor to its own: what is counted here is ours.
fn block_on<T>(work: impl Future<Output = T>, waker: &Waker) -> T {
    let mut work = pin!(work);
    loop {
        match work.as_mut().poll(&mut Context::from_waker(waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => thread::park(),
        }
    }
}

/// One exchange, and what it allocated.
fn exchange(behind: &Behind, connection: &mut Connection<'_, Plain>) -> (io::Result<ControlFlow<()>>, u64) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut ended = Err(io::ErrorKind::NotConnected.into());
    let counted = allocation_counter::measure(|| {
        let deliver = async { Err(behind.link.deliver().await) };
        ended = block_on(futures_lite::future::or(connection.exchange(), deliver), &waker);
    });
    (ended, counted.count_total)
}

/// All that the peer has been sent. The connection is not dropped before: that would reset it.
fn received(connection: &Connection<'_, Plain>, mut peer: UnixStream) -> String {
    connection.stream.socket.shutdown(Shutdown::Write).expect("shut");
    let mut text = String::new();
    peer.read_to_string(&mut text).expect("text");
    text
}

/// What the peer has after one exchange, and after the end of the connection if that failed.
fn response(behind: &Behind, request: &str) -> (io::Result<ControlFlow<()>>, String) {
    let (mut connection, peer) = connected(behind, request.as_bytes());
    let (ended, _) = exchange(behind, &mut connection);
    let text = received(&connection, peer);
    (ended, text)
}

/// A monitor that keeps these receipts, and changes them when it has been asked `changes_after` times.
fn keeping(receipts: Vec<(u64, String)>, changes_after: usize, then: Vec<(u64, String)>) -> Answers {
    let mut asked = 0;
    Box::new(move |request| {
        let Request::ReceiptAfter(last) = request else { return Reply::Overloaded };
        let kept = if asked < changes_after { &receipts } else { &then };
        asked += 1;
        kept.iter().find(|(seq, _)| seq > last).map_or(Reply::NoReceipt, |(seq, body)| Reply::Receipt {
            seq: *seq,
            signature: [0xab; 64],
            body: heapless::Vec::from_slice(body.as_bytes()).expect("a receipt"),
        })
    })
}

fn kept(numbers: std::ops::Range<u64>, length: usize) -> Vec<(u64, String)> {
    numbers.map(|seq| (seq, format!("{{\"n\":\"{seq:0>width$}\"}}", width = length - 8))).collect()
}

fn list(receipts: &[(u64, String)]) -> String {
    let item = |(_, body): &(u64, String)| format!(r#"{{"body":{body},"signature":"{}"}}"#, "ab".repeat(64));
    let items: Vec<_> = receipts.iter().map(item).collect();
    format!(r#"{{"receipts":[{}],"v":{VERSION}}}"#, items.join(","))
}

fn post(signature: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n{signature}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn envelope() -> Vec<u8> {
    let envelope = Envelope {
        action: OperationId::RestartWeb,
        agent_id: AgentId::new("web1").expect("an id"),
        intent: Intent { hash: Hash([3; 32]), seq: 1 },
        nonce: Nonce([1; 8]),
        ts: 1,
    };
    envelope.write(&mut [0; ENVELOPE_MAX]).expect("an envelope").to_vec()
}

/// A monitor of which every answer can be had.
fn obliging() -> Answers {
    let receipt = |seq| Reply::Receipt {
        seq,
        signature: [0xab; 64],
        body: heapless::Vec::from_slice(&[b'1'; RECEIPT_MAX]).expect("a receipt"),
    };
    Box::new(move |request| match request {
        Request::Health => Reply::Health(heapless::Vec::from_slice(b"{}").expect("health")),
        Request::ReceiptAfter(last) if *last < KEPT => receipt(last + 1),
        Request::ReceiptAfter(_) => Reply::NoReceipt,
        Request::Execute { signature: [0x01, ..], .. } => receipt(1),
        Request::Execute { signature: [0x02, ..], .. } => Reply::Malformed,
        Request::Execute { signature: [0x03, ..], .. } => Reply::Forbidden,
        Request::Execute { .. } => Reply::Overloaded,
        Request::Diagnose(areas) if *areas == Areas::ALL => Reply::Diagnosed,
        Request::Diagnose(areas) if areas.has(Area::Web) => Reply::Forbidden,
        Request::Diagnose(_) => Reply::Overloaded,
        Request::Ready(_) | Request::HereIAm => panic!("{request:?} has no answer"),
    })
}

/// Outside this count are TLS, what the libraries' executor keeps for a connection, and what their reactor keeps, on
/// its own thread, for a deadline that is waited for.
#[test]
fn no_request_allocates_in_the_network_process() {
    let link = linked(obliging());
    let get = |request: &str| format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    let signed =
        |byte: u8| post(&format!("Secmon-Signature: {}\r\n", format!("{byte:02x}").repeat(64)), &envelope());
    let chunked =
        |coding: &str| format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: {coding}\r\n\r\n");
    let requests = [
        (get("GET /v1/manifest"), "200"),
        (get("HEAD /v1/manifest"), "200"),
        (get("GET /v1/health"), "200"),
        (get("GET /v1/receipts"), "200"),
        (get("HEAD /v1/receipts"), "200"),
        (signed(1), "200"),
        (signed(2), "400"),
        (signed(3), "403"),
        (signed(4), "503"),
        (post("", &envelope()), "403"),
        (post("", b"{}"), "400"),
        (get("GET /v1/diag"), "200"),
        (get("GET /v1/diag?area=all"), "200"),
        (get("GET /v1/diag?area=web,db"), "403"),
        (get("GET /v1/diag?area=db"), "503"),
        (get("GET /v1/diag?area=shell"), "400"),
        (get("GET /v1/health?area=db"), "404"),
        (get("HEAD /v1/diag"), "405"),
        (get("garbage"), "400"),
        (get("GET /v1/nowhere"), "404"),
        (get("DELETE /v1/health"), "405"),
        (chunked("chunked").into_bytes(), "411"),
        (post("", &[b'1'; BODY_MAX + 1]), "413"),
        (b"GET /v1/health HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n".to_vec(), "417"),
        (get(&format!("GET /{}", "x".repeat(HEAD_MAX))), "431"),
        (chunked("gzip").into_bytes(), "501"),
        (b"GET / HTTP/9.9\r\n\r\n".to_vec(), "505"),
    ];
    // Twice: what a library sets up at its first use is no request's own.
    for round in [false, true] {
        for (request, status) in &requests {
            let (mut connection, peer) = connected(&link, request);
            let (ended, count) = exchange(&link, &mut connection);
            let response = received(&connection, peer);
            let last = response.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&response);
            let request = String::from_utf8_lossy(request);
            assert!(
                ended.is_ok() && last.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request:?}: {response:?}"
            );
            assert!(!round || count == 0, "{count} for {request:?}");
        }
    }
}

#[test]
fn a_report_is_passed_on_whole_and_in_pieces() {
    let behind = linked(obliging());
    for _ in 0..2 {
        let (ended, text) = response(&behind, "GET /v1/diag?area=all HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert_eq!(ended.expect("served"), ControlFlow::Continue(()));
        assert_eq!(body.as_bytes(), REPORT);
        assert!(head.contains(&format!("Content-Length: {}\r\n", REPORT.len())), "{head}");
    }
    let turn = behind.reports.turn().expect("a turn");
    let (_, busy) = response(&behind, "GET /v1/diag HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(busy.starts_with("HTTP/1.1 503 "), "{busy}");
    drop(turn);
}

#[test]
fn no_failure_allocates() {
    let link = linked(obliging());
    let manner = Manner { head_only: false, keep_alive: false };
    for failure in Failure::ALL {
        let (mut connection, peer) = connected(&link, b"");
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let answer = Err(*failure);
        let mut ended = Err(io::ErrorKind::NotConnected.into());
        let counted =
            allocation_counter::measure(|| ended = block_on(connection.respond(&answer, manner), &waker));
        let text = received(&connection, peer);
        assert!(ended.is_ok() && text.starts_with(&format!("HTTP/1.1 {}\r\n", failure.status().0)), "{text}");
        assert_eq!(counted.count_total, 0, "{failure:?}");
    }
}

#[test]
fn after_what_is_no_request_the_connection_ends_and_after_a_refusal_it_goes_on() {
    let link = linked(obliging());
    for (request, status, goes_on) in [
        ("GET /v1/nowhere HTTP/1.1\r\nHost: a\r\n\r\n", "404", true),
        ("garbage\r\n\r\n", "400", false),
        ("GET / HTTP/9.9\r\n\r\n", "505", false),
    ] {
        let (ended, text) = response(&link, request);
        assert_eq!(ended.expect("answered").is_continue(), goes_on, "{text}");
        let connection = if goes_on { "keep-alive" } else { "close" };
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
        assert!(text.contains(&format!("Connection: {connection}\r\n")), "{text}");
    }
}

#[test]
fn a_peer_that_is_too_slow_is_told_so_unless_it_has_not_begun_and_one_that_is_gone_is_not() {
    let link = linked(obliging());
    let post = "POST /v1/execute HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n{";
    for (request, kind, told) in [
        ("GET /v1", io::ErrorKind::TimedOut, true),
        (post, io::ErrorKind::TimedOut, true),
        ("", io::ErrorKind::TimedOut, false),
        ("GET /v1", io::ErrorKind::ConnectionReset, false),
        (post, io::ErrorKind::ConnectionReset, false),
    ] {
        let (mut connection, peer) = connected(&link, request.as_bytes());
        connection.stream.fails = Some(kind);
        let (ended, _) = exchange(&link, &mut connection);
        let text = received(&connection, peer);
        assert!(!ended.is_ok_and(|flow| flow.is_continue()), "{request:?} {kind}");
        assert_eq!(text.starts_with("HTTP/1.1 408 "), told, "{request:?} {kind}: {text}");
        assert!(told || text.is_empty(), "{text}");
    }
}

#[test]
fn the_list_of_receipts_is_whole_and_as_long_as_its_head_says() {
    for count in [0, 1, KEPT] {
        let receipts = kept(7..7 + count, RECEIPT_MAX);
        let expected = list(&receipts);
        let link = linked(keeping(receipts, usize::MAX, Vec::new()));
        let (ended, get) = response(&link, LIST);
        let (head, body) = get.split_once("\r\n\r\n").expect("a head");
        assert_eq!((ended.expect("served"), body), (ControlFlow::Continue(()), expected.as_str()));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        let (_, head_only) = response(&link, &LIST.replacen("GET", "HEAD", 1));
        assert_eq!(head_only, format!("{head}\r\n\r\n"));
    }
}

#[test]
fn the_list_of_receipts_is_never_held_as_a_whole() {
    let link = linked(keeping(kept(1..1 + KEPT, RECEIPT_MAX), usize::MAX, Vec::new()));
    let (mut connection, _peer) = connected(&link, LIST.as_bytes());
    let (ended, _) = exchange(&link, &mut connection);
    assert_eq!(ended.expect("served"), ControlFlow::Continue(()));
    let longest = connection.stream.longest_write;
    assert!((RECEIPT_MAX..RECEIPT_MAX + 256).contains(&longest), "{longest} bytes at once");
}

#[test]
fn a_list_that_grows_after_it_was_measured_is_sent_as_it_was_and_one_that_lost_its_first_is_cut_off() {
    let before = kept(1..KEPT, 100);
    let measured = list(&before);
    let grown = [&before[..], &kept(KEPT..1 + KEPT, 99)].concat();
    let asked = RECEIPTS_KEPT;
    for (then, served) in
        [(before.clone(), true), (grown.clone(), true), (grown[1..].to_vec(), false), (Vec::new(), false)]
    {
        let link = linked(keeping(before.clone(), asked, then));
        let (ended, text) = response(&link, LIST);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("Content-Length: {}\r\n", measured.len())), "{head}");
        assert_eq!(ended.is_ok(), served, "{body}");
        assert!(if served { body == measured } else { body.len() < measured.len() }, "{body}");
    }
}

#[test]
fn a_monitor_that_fails_before_the_head_is_said_and_after_it_cuts_the_list_off() {
    let failing_after = |count: usize| {
        let mut keeping = keeping(kept(1..1 + KEPT, 100), usize::MAX, Vec::new());
        let mut asked = 0;
        let answers = move |request: &Request| {
            asked += 1;
            if asked > count { Reply::Overloaded } else { keeping(request) }
        };
        response(&linked(Box::new(answers)), LIST)
    };
    let (ended, text) = failing_after(RECEIPTS_KEPT - 1);
    assert!(ended.is_ok() && text.starts_with("HTTP/1.1 503 "), "{text}");
    let (ended, text) = failing_after(RECEIPTS_KEPT + 1);
    assert!(ended.is_err() && text.starts_with("HTTP/1.1 200 ") && !text.contains("],\"v\":1}"), "{text}");
}
