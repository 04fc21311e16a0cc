//! An agent that says what a test wants: a real certificate and receipt key, an invented health.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use secmon_control::fleet::keys::SigningKey;
use secmon_wire::limits::{HEALTH_MAX, RECEIPT_MAX};
use secmon_wire::{
    AgentId, Envelope, Health, Manifest, OutcomeState, Receipt, SIGNATURE_HEADER, signature, to_hex,
};

/// A running fake. It serves until the test's process ends.
pub(crate) struct FakeAgent {
    shared: Arc<Shared>,
}

struct Shared {
    tls: Arc<ServerConfig>,
    manifest: Vec<u8>,
    key: SigningKey,
    conduct: Mutex<Conduct>,
}

struct Conduct {
    missing: String,
    version: String,
    /// Whether envelopes are answered with a receipt.
    receipts: bool,
    /// How often it was asked for its health.
    asked: usize,
    /// What the next answer about its health waits for.
    held: Option<Receiver<()>>,
}

impl FakeAgent {
    /// Serves `bundle` on `listener`. Its network process misses what `missing` says.
    pub(crate) fn start(bundle: &Path, listener: TcpListener, missing: &str) -> Self {
        let conduct = Conduct {
            missing: missing.to_owned(),
            version: "0.1.0".to_owned(),
            receipts: true,
            asked: 0,
            held: None,
        };
        let shared = Arc::new(Shared {
            tls: server_config(bundle),
            manifest: std::fs::read(bundle.join("capabilities.manifest.json")).expect("a manifest"),
            key: SigningKey::read(&bundle.join("receipt.key")).expect("a key"),
            conduct: Mutex::new(conduct),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                // A connection ends when the other side ends it.
                thread::spawn(move || shared.converse(stream).err());
            }
        });
        Self { shared }
    }

    /// From now on, its network process misses this.
    pub(crate) fn misses(&self, missing: &str) {
        self.conduct(|conduct| missing.clone_into(&mut conduct.missing));
    }

    /// From now on, it is of this version.
    pub(crate) fn is_version(&self, version: &str) {
        self.conduct(|conduct| version.clone_into(&mut conduct.version));
    }

    /// From now on, it answers envelopes with nothing that proves anything.
    pub(crate) fn keeps_its_receipts(&self) {
        self.conduct(|conduct| conduct.receipts = false);
    }

    /// The next time that it is asked for its health, its answer, of that time, waits until the sender is dropped.
    pub(crate) fn holds_its_health(&self) -> Sender<()> {
        let (release, held) = channel();
        self.conduct(|conduct| conduct.held = Some(held));
        release
    }

    /// How often it was asked for its health.
    pub(crate) fn asked(&self) -> usize {
        self.conduct(|conduct| conduct.asked)
    }

    fn conduct<T>(&self, act: impl FnOnce(&mut Conduct) -> T) -> T {
        act(&mut self.shared.conduct.lock().expect("no panic under the lock"))
    }
}

impl Shared {
    fn converse(&self, stream: TcpStream) -> io::Result<()> {
        let tls = ServerConnection::new(Arc::clone(&self.tls)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, stream);
        loop {
            let (line, body) = read_request(&mut stream)?;
            let answer = match line.as_str() {
                "GET /v1/health" => http(200, "", &self.health()),
                "GET /v1/manifest" => http(200, "", &self.manifest),
                "GET /v1/receipts" => http(200, "", br#"{"receipts":[],"v":1}"#),
                "POST /v1/execute" => self.receipt(&body),
                _ => http(404, "", b""),
            };
            stream.write_all(&answer)?;
            stream.flush()?;
        }
    }

    fn health(&self) -> Vec<u8> {
        let mut conduct = self.conduct.lock().expect("no panic under the lock");
        conduct.asked += 1;
        let health = Health {
            agent_id: AgentId::new("web1").expect("an id"),
            clock: now(),
            last_intent: 0,
            manifest: signature::sha256(&self.manifest),
            receipts: 0,
            sandbox_missing: conduct.missing.as_str().try_into().expect("short"),
            uptime_s: 60,
            version: conduct.version.as_str().try_into().expect("short"),
        };
        let held = conduct.held.take();
        drop(conduct);
        // It ends with an error, since nothing is ever sent.
        held.map(|held| held.recv());
        health.write(&mut [0; HEALTH_MAX]).expect("room").to_vec()
    }

    fn receipt(&self, envelope: &[u8]) -> Vec<u8> {
        if !self.conduct.lock().expect("no panic under the lock").receipts {
            return http(503, "", b"");
        }
        let envelope = Envelope::read(envelope).expect("an envelope");
        let manifest = Manifest::read(&self.manifest).expect("a manifest");
        let receipt = Receipt {
            action: envelope.action,
            after: "b".try_into().expect("short"),
            agent_id: envelope.agent_id,
            before: "a".try_into().expect("short"),
            clock: now(),
            duration_ms: 1,
            exit: Some(0),
            intent: envelope.intent,
            nonce: envelope.nonce,
            prev: None,
            reason: Default::default(),
            seq: 1,
            state: OutcomeState::Succeeded,
            unit: manifest.body.capability(envelope.action).map(|capability| capability.unit.clone()),
        };
        let mut out = [0; RECEIPT_MAX];
        let body = receipt.write(&mut out).expect("room");
        let signed = self.key.sign(&signature::receipt_message(body).expect("room"));
        http(200, &format!("{SIGNATURE_HEADER}: {}\r\n", to_hex::<128>(&signed)), body)
    }
}

fn http(status: u16, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} Status\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The method and path, and the body.
fn read_request(stream: &mut impl Read) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        bytes.extend(byte);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    let first = String::from_utf8_lossy(&bytes);
    let line = first.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
    Ok((line.to_owned(), body))
}

fn server_config(bundle: &Path) -> Arc<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(bundle.join("agent.pem")).expect("a certificate file");
    let chain = chain.collect::<Result<_, _>>().expect("certificates");
    let key = PrivateKeyDer::from_pem_file(bundle.join("agent.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider knows")
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.expect("a certificate and its key"))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
