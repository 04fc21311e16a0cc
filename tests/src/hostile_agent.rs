//! An agent that lies: it presents a real certificate, hears the control plane, may pass a request on to the
//! genuine agent, and then does with the answer what the test wants.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

use crate::agent_host::Answer;
use crate::plane::{Plane, Site, new_address};

/// One request of the control plane.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `POST /v1/execute`.
    pub line: String,
    /// Everything, as it came.
    pub bytes: Vec<u8>,
}

/// What the liar does about a request.
#[derive(Debug)]
pub enum Deed {
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes, some at a time, with this many milliseconds in between.
    Drip(Vec<u8>, u64),
    /// Sends these bytes and ends the connection.
    Break(Vec<u8>),
    /// Says nothing and holds the connection.
    Silence,
}

/// The genuine agent behind a liar, for one request.
#[derive(Debug)]
pub struct Genuine<'a> {
    upstream: &'a Upstream,
    request: &'a Request,
}

/// What a liar does: a request, and the genuine agent if it cares to ask.
pub type Conduct = Box<dyn Fn(&Request, &Genuine<'_>) -> Deed + Send + Sync>;

/// What a liar presents to those who connect.
#[derive(Debug)]
pub enum Front {
    /// A certificate: a path whose .pem and .key exist.
    Certificate(PathBuf),
    /// No TLS at all.
    Plain,
}

/// A running liar. Dropping it ends every connection and frees the address.
#[derive(Debug)]
pub struct HostileAgent {
    address: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Upstream {
    address: String,
    name: String,
    tls: Arc<ClientConfig>,
}

struct Shared {
    front: Option<Arc<ServerConfig>>,
    upstream: Upstream,
    conduct: Conduct,
    stopped: AtomicBool,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<Vec<TcpStream>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("upstream", &self.upstream).finish_non_exhaustive()
    }
}

impl Genuine<'_> {
    /// Passes the request on and waits for the genuine agent's answer.
    pub fn answer(&self) -> Answer {
        self.upstream.ask(&self.request.bytes).unwrap_or_else(|error| panic!("the genuine agent: {error}"))
    }
}

impl HostileAgent {
    /// Moves the genuine agent of `site` to another address, starts it there, and takes its place with its
    /// certificate.
    pub fn in_front_of(
        plane: &Plane,
        site: &mut Site,
        conduct: impl Fn(&Request, &Genuine<'_>) -> Deed + Send + Sync + 'static,
    ) -> Self {
        let front = Front::Certificate(site.bundle("agent"));
        Self::presenting(&front, plane, site, conduct)
    }

    /// The same with another face.
    pub fn presenting(
        front: &Front,
        plane: &Plane,
        site: &mut Site,
        conduct: impl Fn(&Request, &Genuine<'_>) -> Deed + Send + Sync + 'static,
    ) -> Self {
        let address = new_address();
        site.listen_on(&address);
        site.start();
        let name = format!("{}.agent.secmon.internal", site.id);
        let upstream = Upstream { address, name, tls: client_config(plane) };
        let front = match front {
            Front::Certificate(base) => Some(server_config(base)),
            Front::Plain => None,
        };
        let listener = TcpListener::bind(&site.address).expect("a free address");
        let shared = Arc::new(Shared {
            front,
            upstream,
            conduct: Box::new(conduct),
            stopped: AtomicBool::new(false),
            requests: Mutex::default(),
            connections: Mutex::default(),
        });
        let accepting = Arc::clone(&shared);
        let thread = thread::spawn(move || accept(&listener, &accepting));
        Self { address: site.address.clone(), shared, thread: Some(thread) }
    }

    /// Every request so far, as `METHOD PATH`.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().expect("no panic under the lock").iter().map(|r| r.line.clone()).collect()
    }

    /// Goes away, and the genuine agent comes to its place.
    pub fn give_way(self, site: &mut Site) {
        let address = self.address.clone();
        drop(self);
        site.kill();
        site.listen_on(&address);
        site.start();
    }
}

impl Drop for HostileAgent {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over.
        let _woken = TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            // Its panic has failed the test already.
            let _ended = thread.join();
        }
        for connection in self.shared.connections.lock().expect("no panic under the lock").drain(..) {
            // The other side may have closed it.
            let _closed = connection.shutdown(Shutdown::Both);
        }
    }
}

/// The bytes of an HTTP answer with this status and body, and a signature if it has one.
pub fn http(status: u16, signature: Option<&str>, body: &[u8]) -> Vec<u8> {
    let signature = signature.map_or_else(String::new, |hex| format!("Secmon-Signature: {hex}\r\n"));
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: application/json\r\n{signature}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The bytes of an answer as the agent gave it.
pub fn unchanged(answer: &Answer) -> Vec<u8> {
    http(answer.status, answer.header("secmon-signature"), &answer.body)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let (Ok(handle), Ok(end)) = (stream.try_clone(), stream.try_clone()) else { continue };
        shared.connections.lock().expect("no panic under the lock").push(handle);
        let shared = Arc::clone(shared);
        thread::spawn(move || {
            // A connection that breaks is what some tests want.
            let _broken = match &shared.front {
                None => converse(&shared, stream),
                Some(tls) => ServerConnection::new(Arc::clone(tls))
                    .map_err(io::Error::other)
                    .and_then(|connection| converse(&shared, StreamOwned::new(connection, stream))),
            };
            // The other side may have been faster.
            let _closed = end.shutdown(Shutdown::Both);
        });
    }
}

fn converse(shared: &Shared, mut stream: impl Read + Write) -> io::Result<()> {
    let mut waiting = Vec::new();
    loop {
        let request = read_request(&mut stream, &mut waiting)?;
        shared.requests.lock().expect("no panic under the lock").push(request.clone());
        let genuine = Genuine { upstream: &shared.upstream, request: &request };
        match (shared.conduct)(&request, &genuine) {
            Deed::Send(bytes) => stream.write_all(&bytes).and_then(|()| stream.flush())?,
            Deed::Drip(bytes, pause_ms) => {
                for piece in bytes.chunks(20) {
                    stream.write_all(piece).and_then(|()| stream.flush())?;
                    thread::park_timeout(std::time::Duration::from_millis(pause_ms));
                }
            }
            Deed::Break(bytes) => return stream.write_all(&bytes).and_then(|()| stream.flush()),
            // Until the other side gives up or the test ends.
            Deed::Silence => return io::copy(&mut stream, &mut io::sink()).map(|_| ()),
        }
    }
}

fn read_request(stream: &mut impl Read, waiting: &mut Vec<u8>) -> io::Result<Request> {
    loop {
        if let Some(request) = whole_request(waiting) {
            waiting.drain(..request.bytes.len());
            return Ok(request);
        }
        let mut buffer = [0; 4096];
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        waiting.extend_from_slice(&buffer[..length]);
    }
}

fn whole_request(bytes: &[u8]) -> Option<Request> {
    let head_end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    });
    let end = head_end + length.unwrap_or(0);
    let line = head.lines().next()?.trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { line, bytes: bytes.get(..end)?.to_vec() })
}

impl Upstream {
    fn ask(&self, request: &[u8]) -> io::Result<Answer> {
        let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, TcpStream::connect(&self.address)?);
        stream.write_all(request)?;
        stream.flush()?;
        let mut read = Vec::new();
        loop {
            if let Some((answer, _)) = Answer::first(&read) {
                return Ok(answer);
            }
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer)?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            read.extend_from_slice(&buffer[..length]);
        }
    }
}

fn server_config(base: &Path) -> Arc<ServerConfig> {
    let (chain, key) = identity(base);
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider knows")
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.expect("a certificate and its key"))
}

/// Speaks to agents as the control plane does.
fn client_config(plane: &Plane) -> Arc<ClientConfig> {
    let (chain, key) = identity(&plane.data("control"));
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(plane.data("ca.pem")).expect("a certificate");
    roots.add(authority).expect("a certificate authority");
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider knows")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key);
    Arc::new(config.expect("a certificate and its key"))
}

fn identity(base: &Path) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let chain = CertificateDer::pem_file_iter(base.with_extension("pem")).expect("a certificate file");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    (chain, PrivateKeyDer::from_pem_file(base.with_extension("key")).expect("a key"))
}
