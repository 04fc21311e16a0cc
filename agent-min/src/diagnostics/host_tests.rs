//! Servers that take their time, or speak an older language than ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use super::*;

/// What a check gives such a server; and what is long enough to say that it took more.
const GIVEN: Duration = Duration::from_millis(200);
const MORE: Duration = Duration::from_secs(5);

fn host() -> RealHost {
    RealHost::new(Instant::now() + Duration::from_secs(60))
}

/// Says the beginning at once, and then a letter every few milliseconds for as long as somebody listens.
fn drip(mut stream: impl Read + Write, beginning: &[u8]) {
    let mut said = stream.write(beginning);
    while said.is_ok() {
        pause(Instant::now() + Duration::from_millis(10), &mut Alone);
        said = stream.write(b"x");
    }
}

fn dripping(beginning: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || drip(listener.accept().expect("a client").0, beginning));
    address
}

/// Reads until that isn't allowed any more.
fn read_all(stream: &mut dyn Stream) {
    let mut out = [0; 64];
    loop {
        match stream.read(&mut out) {
            Ok(length) => assert!(length > 0, "hung up"),
            Err(error) => return assert_eq!(denied(error), Denied::Timeout),
        }
    }
}

#[test]
fn an_answer_in_drops_gets_no_more_time_than_none() {
    let (host, begun) = (host(), Instant::now());
    let page = |to| host.fetch(&Fetch { to, tls: false, host: "acme.example", path: "/" }, GIVEN);
    assert_eq!(page(dripping(b"HTTP/1.1 200 OK\r\nX: ")), Err(Denied::Timeout));
    // What came of a body is there to judge.
    let cut = page(dripping(b"HTTP/1.1 200 OK\r\n\r\n")).expect("a page");
    assert!(cut.body.starts_with(b"xx") && cut.body.len() < 100);
    // A record of TLS that is about to come.
    assert_eq!(
        host.certificates(dripping(b"\x16\x03\x03\x3f\xff"), "acme.example", GIVEN),
        Err(Denied::Timeout)
    );
    assert!(begun.elapsed() < MORE, "{:?}", begun.elapsed());
}

#[test]
fn a_conversation_in_drops_ends_with_its_time_and_goes_on_where_more_is_allowed() {
    let (host, begun) = (host(), Instant::now());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || drip(listener.accept().expect("a client").0, b""));
    let local = Endpoint::Unix(path.to_str().expect("text").to_owned());
    for endpoint in [local, Endpoint::Tcp(dripping(b""))] {
        let mut stream = host.connect(&endpoint, GIVEN).expect("a connection");
        read_all(&mut *stream);
        stream.allow(GIVEN);
        assert!(stream.read(&mut [0]).is_ok());
        read_all(&mut *stream);
    }
    assert!(begun.elapsed() < MORE, "{:?}", begun.elapsed());
}

#[test]
fn nothing_lasts_longer_than_the_run() {
    let begun = Instant::now();
    let mut stream =
        RealHost::new(begun + GIVEN).connect(&Endpoint::Tcp(dripping(b"")), MORE * 9).expect("a connection");
    stream.allow(MORE * 9);
    read_all(&mut *stream);
    assert!(begun.elapsed() < MORE);
    let late = RealHost::new(begun).connect(&Endpoint::Tcp(dripping(b"")), MORE);
    assert_eq!(late.err(), Some(Denied::Timeout));
}

/// A server of OpenSSL's that speaks this version only.
struct Server(Child, SocketAddr);

impl Server {
    fn start(version: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name).to_str().expect("text").to_owned();
        let (key, certificate) = (path("key"), path("certificate"));
        let made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let names = ["-subj", "/CN=acme.example", "-keyout", &key, "-out", &certificate];
        let made = Command::new("openssl").args(made).args(names).output().expect("openssl runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let serve = ["s_server", version, "-accept", "127.0.0.1:0", "-key", &key, "-cert", &certificate];
        let piped = Command::new("openssl").args(serve).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut server = piped.expect("openssl runs");
        let lines = BufReader::new(server.stdout.take().expect("piped")).lines();
        let listens = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ACCEPT ")?.parse().ok());
        Self(server, listens.expect("an address"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("it is ours");
    }
}

#[test]
fn a_server_that_speaks_tls_1_2_only_is_not_asked_and_not_broken() {
    let (old, new) = (Server::start("-tls1_2"), Server::start("-tls1_3"));
    let shown =
        |server: &Server| host().certificates(server.1, "acme.example", MORE).map(|shown| shown.len());
    assert_eq!((shown(&old), shown(&new)), (Err(Denied::Unsupported), Ok(1)));
    let page = Fetch { to: old.1, tls: true, host: "acme.example", path: "/" };
    assert_eq!(host().fetch(&page, MORE), Err(Denied::Unsupported));
    // What doesn't speak TLS at all is another matter.
    assert_eq!(
        host().certificates(dripping(b"HTTP/1.1 400 \r\n"), "acme.example", MORE),
        Err(Denied::Failed)
    );
}

#[test]
fn a_server_that_answers_in_tls_1_2_whatever_it_is_asked_is_too_old_as_well() {
    // A ServerHello of 38 bytes: its version, random, no session, a suite, no compression, and no extensions.
    let hello = [&[3, 3][..], &[7; 32], &[0], &[0xc0, 0x2b], &[0]].concat();
    let record = [&[0x16, 3, 3, 0, 42, 2, 0, 0, 38][..], &hello].concat();
    assert_eq!(host().certificates(dripping(record.leak()), "acme.example", MORE), Err(Denied::Unsupported));
}
