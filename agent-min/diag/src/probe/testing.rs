//! Hosts for the tests of probes: one made of answers, whose time passes when something waits; and this machine's
//! loopback with real sockets.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::Notes;
use crate::host::{ClockState, Denied, Endpoint, Fetch, Filesystem, Host, Metadata, Page, Stream};
use crate::stack::{Listen, Site, Stack};

type Connect = dyn Fn(&Endpoint, Duration) -> Result<Script, Denied> + Sync;
type Get = dyn Fn(&Fetch<'_>, Duration) -> Result<Page, Denied> + Sync;
type Ask = dyn Fn((SocketAddr, &[u8]), Duration) -> Result<Vec<u8>, Denied> + Sync;
type Certificates = dyn Fn(&str, Duration) -> Result<Vec<Vec<u8>>, Denied> + Sync;

/// The wall clock of every fake host.
pub(super) const NOW: u64 = 1_795_342_021;

/// What a server does on a connection: what it sends, in pieces, and whether it then hangs up or is silent.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    pub(super) pieces: Vec<Vec<u8>>,
    pub(super) silent: bool,
}

/// Everything that a probe can ask. The functions get the run's time so far, to answer differently later.
pub(super) struct Fake {
    pub(super) whole: Duration,
    pub(super) files: BTreeMap<&'static str, (Result<Vec<u8>, Denied>, u64)>,
    pub(super) connect: Box<Connect>,
    pub(super) fetch: Box<Get>,
    pub(super) ask: Box<Ask>,
    pub(super) certificates: Box<Certificates>,
    pub(super) clock_state: Result<ClockState, Denied>,
    /// The kernel's messages about connections.
    pub(super) sockets: Vec<Vec<u8>>,
    /// How long each piece of a script takes to come.
    pub(super) each_piece: Duration,
    /// Everything that was sent over connections.
    pub(super) sent: Arc<Mutex<Vec<u8>>>,
    pub(super) elapsed: Arc<Mutex<Duration>>,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            whole: Duration::from_secs(3),
            files: BTreeMap::new(),
            connect: Box::new(|_, _| Err(Denied::Absent)),
            fetch: Box::new(|_, _| Err(Denied::Refused)),
            ask: Box::new(|_, _| Err(Denied::Timeout)),
            certificates: Box::new(|_, _| Err(Denied::Refused)),
            clock_state: Ok(ClockState { synchronized: true, max_error_us: 1_000 }),
            sockets: Vec::new(),
            each_piece: Duration::ZERO,
            sent: Arc::default(),
            elapsed: Arc::default(),
        }
    }
}

impl Fake {
    /// Time goes on by as much as was waited in vain.
    fn waited<T>(&self, result: Result<T, Denied>, time: Duration) -> Result<T, Denied> {
        if matches!(result, Err(Denied::Timeout)) {
            *self.elapsed.lock().expect("unpoisoned") += time;
        }
        result
    }
}

impl Host for Fake {
    fn clock(&self) -> u64 {
        NOW + self.elapsed().as_secs()
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().expect("unpoisoned")
    }

    fn left(&self) -> Duration {
        self.whole.saturating_sub(self.elapsed())
    }

    fn pause(&self, time: Duration) {
        let time = time.min(self.left());
        *self.elapsed.lock().expect("unpoisoned") += time;
    }

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        let (content, _) = self.files.get(path).ok_or(Denied::Absent)?;
        content.clone().map(|mut content| {
            content.truncate(most);
            content
        })
    }

    fn read_at(&self, _: &str, _: u64, _: &mut [u8]) -> Result<usize, Denied> {
        Err(Denied::Unsupported)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        let (_, modified) = self.files.get(path).ok_or(Denied::Absent)?;
        Ok(Metadata { size: 1, modified: *modified, mode: 0o644, uid: 0, gid: 0, inode: 1, device: 1 })
    }

    fn read_link(&self, _: &str) -> Result<String, Denied> {
        Err(Denied::Unsupported)
    }

    fn list(&self, _: &str, _: usize) -> Result<Vec<String>, Denied> {
        Err(Denied::Unsupported)
    }

    fn filesystem(&self, _: &str) -> Result<Filesystem, Denied> {
        Err(Denied::Unsupported)
    }

    fn connect(&self, to: &Endpoint, time: Duration) -> Result<Box<dyn Stream>, Denied> {
        let script = self.waited((self.connect)(to, self.elapsed()), time)?;
        let pieces = script.pieces.into_iter().rev().collect();
        Ok(Box::new(Scripted {
            pieces,
            silent: script.silent.then_some(time),
            each_piece: self.each_piece,
            sent: Arc::clone(&self.sent),
            elapsed: Arc::clone(&self.elapsed),
        }))
    }

    fn ask(
        &self,
        to: SocketAddr,
        question: &[u8],
        answer: &mut [u8],
        time: Duration,
    ) -> Result<usize, Denied> {
        let message = self.waited((self.ask)((to, question), self.elapsed()), time)?;
        answer[..message.len()].copy_from_slice(&message);
        Ok(message.len())
    }

    fn sockets(&self, request: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        // All of them are IPv4's.
        let wanted = self.sockets.iter().filter(|_| request[16] == 2);
        wanted.for_each(|message| each(message));
        Ok(())
    }

    fn fetch(&self, page: &Fetch<'_>, time: Duration) -> Result<Page, Denied> {
        self.waited((self.fetch)(page, self.elapsed()), time)
    }

    fn certificates(&self, _: SocketAddr, name: &str, time: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        self.waited((self.certificates)(name, self.elapsed()), time)
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        self.clock_state
    }
}

struct Scripted {
    /// Still to be sent, last one first.
    pieces: Vec<Vec<u8>>,
    silent: Option<Duration>,
    each_piece: Duration,
    sent: Arc<Mutex<Vec<u8>>>,
    elapsed: Arc<Mutex<Duration>>,
}

impl Read for Scripted {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(mut piece) = self.pieces.pop() else {
            let Some(time) = self.silent else { return Ok(0) };
            *self.elapsed.lock().expect("unpoisoned") += time;
            return Err(io::ErrorKind::TimedOut.into());
        };
        *self.elapsed.lock().expect("unpoisoned") += self.each_piece;
        let count = piece.len().min(out.len());
        out[..count].copy_from_slice(&piece[..count]);
        if count < piece.len() {
            self.pieces.push(piece.split_off(count));
        }
        Ok(count)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.lock().expect("unpoisoned").extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Scripted {
    fn allow(&mut self, _: Duration) {}
}

/// This machine, with real sockets and real time.
pub(super) struct Loopback(pub(super) Instant);

impl Loopback {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }
}

impl Host for Loopback {
    fn clock(&self) -> u64 {
        NOW
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    fn left(&self) -> Duration {
        Duration::from_secs(3).saturating_sub(self.elapsed())
    }

    fn pause(&self, _: Duration) {}

    fn read(&self, _: &str, _: usize) -> Result<Vec<u8>, Denied> {
        Err(Denied::Absent)
    }

    fn read_at(&self, _: &str, _: u64, _: &mut [u8]) -> Result<usize, Denied> {
        Err(Denied::Unsupported)
    }

    fn metadata(&self, _: &str) -> Result<Metadata, Denied> {
        Err(Denied::Absent)
    }

    fn read_link(&self, _: &str) -> Result<String, Denied> {
        Err(Denied::Unsupported)
    }

    fn list(&self, _: &str, _: usize) -> Result<Vec<String>, Denied> {
        Err(Denied::Unsupported)
    }

    fn filesystem(&self, _: &str) -> Result<Filesystem, Denied> {
        Err(Denied::Unsupported)
    }

    fn connect(&self, to: &Endpoint, time: Duration) -> Result<Box<dyn Stream>, Denied> {
        match to {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).map_err(denied)?;
                stream.set_read_timeout(Some(time)).map_err(denied)?;
                Ok(Box::new(stream))
            }
            Endpoint::Tcp(address) => {
                let stream = TcpStream::connect_timeout(address, time).map_err(denied)?;
                stream.set_read_timeout(Some(time)).map_err(denied)?;
                Ok(Box::new(stream))
            }
        }
    }

    fn ask(
        &self,
        to: SocketAddr,
        question: &[u8],
        answer: &mut [u8],
        time: Duration,
    ) -> Result<usize, Denied> {
        let socket = UdpSocket::bind("127.0.0.1:0").map_err(denied)?;
        socket.set_read_timeout(Some(time)).map_err(denied)?;
        socket.connect(to).and_then(|()| socket.send(question)).map_err(denied)?;
        socket.recv(answer).map_err(denied)
    }

    fn sockets(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        Err(Denied::Unsupported)
    }

    fn fetch(&self, _: &Fetch<'_>, _: Duration) -> Result<Page, Denied> {
        Err(Denied::Unsupported)
    }

    fn certificates(&self, _: SocketAddr, _: &str, _: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        Err(Denied::Unsupported)
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        Err(Denied::Unsupported)
    }
}

fn denied(error: io::Error) -> Denied {
    match error.kind() {
        io::ErrorKind::NotFound => Denied::Absent,
        io::ErrorKind::ConnectionRefused => Denied::Refused,
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Denied::Timeout,
        _ => Denied::Failed,
    }
}

/// How certificates are made for the tests.
pub(super) struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    /// Its own certificate, in DER.
    pub(super) der: Vec<u8>,
}

/// Seconds since the epoch, as the certificates' maker wants them.
fn moment(seconds: u64) -> rcgen::CertificateParams {
    let mut params = rcgen::CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    params
}

/// What a certificate says: names, and from when to when.
pub(super) fn params(names: &[&str], from: u64, to: u64) -> rcgen::CertificateParams {
    let names: Vec<String> = names.iter().copied().map(str::to_owned).collect();
    let mut params = rcgen::CertificateParams::new(names).expect("names");
    params.not_before = moment(from).not_before;
    params.not_after = moment(to).not_before;
    params.use_authority_key_identifier_extension = true;
    params
}

impl Authority {
    /// One that is called so and valid until then; it signs itself unless somebody else does.
    pub(super) fn new(name: &str, to: u64, by: Option<&Self>) -> Self {
        let mut params = params(&[], NOW - 900 * 86_400, to);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let signed = match by {
            Some(by) => params.signed_by(&key, &by.issuer),
            None => params.self_signed(&key),
        };
        Self { der: signed.expect("signed").der().to_vec(), issuer: rcgen::Issuer::new(params, key) }
    }

    /// The same authority's own certificate with another end, in DER.
    pub(super) fn until(&self, name: &str, to: u64) -> Vec<u8> {
        let mut params = params(&[], NOW - 900 * 86_400, to);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(self.issuer.key()).expect("signed").der().to_vec()
    }

    /// A certificate, in DER.
    pub(super) fn sign(&self, params: &rcgen::CertificateParams) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().expect("a key");
        params.signed_by(&key, &self.issuer).expect("signed").der().to_vec()
    }
}

/// A certificate that vouches for itself, in DER.
pub(super) fn self_signed(params: &rcgen::CertificateParams) -> Vec<u8> {
    let key = rcgen::KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("signed").der().to_vec()
}

/// A site with this name, served at 127.0.0.1 with and without TLS.
pub(super) fn site(name: &str) -> Site {
    let listen = |port, tls| Listen { address: [0, 0, 0, 0].into(), port, tls };
    Site {
        names: vec![name.to_owned()],
        listens: vec![listen(80, false), listen(443, true)],
        root: Some("/srv".to_owned()),
        access_log: None,
        certificates: Vec::new(),
        php: None,
        real_ip: false,
    }
}

/// Software that is nothing but these sites.
pub(super) fn sites(names: &[&str]) -> Stack {
    Stack { sites: names.iter().copied().map(site).collect(), ..Stack::default() }
}

/// What a check noted.
pub(super) fn noted(check: impl FnOnce(&mut Notes)) -> Notes {
    let mut notes = Notes::default();
    check(&mut notes);
    notes
}

/// The findings, each as `id severity: sentence`.
pub(super) fn sentences(notes: &Notes) -> Vec<String> {
    let lines = notes.findings().iter().map(|found| format!("{} {}: {found}", found.id, found.severity));
    lines.collect()
}

/// What wasn't checked, each as `what why detail`.
pub(super) fn skips(notes: &Notes) -> Vec<String> {
    let lines = notes.what_was_not_checked().iter();
    lines.map(|skip| format!("{} {} {}", skip.what, skip.why, skip.detail)).collect()
}
