//! A host for the real agent: a bundle in a directory of its own, an init script with a small service, the
//! agent as a process, and a control plane that signs what a test asks for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ED25519,
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use secmon_wire::limits::{ENVELOPE_MAX, MANIFEST_MAX};
use secmon_wire::signature::{envelope_message, receipt_message};
use secmon_wire::{
    AgentId, Area, CONTROL_NAME, Capability, ClientId, Envelope, Hash, Intent, ManifestBody, Nonce,
    OperationId, Receipt, Unit, from_hex, to_hex,
};

pub(crate) const SECRET: &[u8] = b"a manifest secret for tests only";

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Host {
    pub(crate) dir: tempfile::TempDir,
    authority: Issuer<'static, KeyPair>,
    authority_der: CertificateDer<'static>,
    pub(crate) dispatch: Ed25519KeyPair,
    receipt_public: Vec<u8>,
}

/// An agent process; killed when dropped.
pub(crate) struct Agent {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
    /// What it writes to stderr beside its listening line, until it ends.
    pub(crate) log: std::sync::mpsc::Receiver<String>,
}

pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Host {
    /// A host with an lsws service (which has no preflight, so the host's own programs don't matter).
    pub(crate) fn new() -> Self {
        Self::with_operations(&[(OperationId::RestartWeb, "lsws", 3)])
    }

    pub(crate) fn with_operations(operations: &[(OperationId, &str, u32)]) -> Self {
        let dir = tempfile::Builder::new().prefix("secmon-host").tempdir().expect("a directory");
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec![]).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_cert = params.self_signed(&key).expect("a certificate");
        let authority_der = authority_cert.der().clone();
        let dispatch_pem = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let receipt_pem = KeyPair::generate_for(&PKCS_ED25519).expect("a key");
        let dispatch = Ed25519KeyPair::from_pkcs8(dispatch_pem.serialized_der()).expect("a key");
        let receipt = Ed25519KeyPair::from_pkcs8(receipt_pem.serialized_der()).expect("a key");
        let host = Self {
            authority: Issuer::new(params, key),
            authority_der,
            dispatch,
            receipt_public: receipt.public_key().as_ref().to_vec(),
            dir,
        };
        let (cert, key) =
            host.issue(&["web1.agent.secmon.internal".to_owned()], ExtendedKeyUsagePurpose::ServerAuth);
        host.write("ca.pem", authority_cert.pem().as_bytes(), 0o644);
        host.write("agent.pem", cert.as_bytes(), 0o644);
        host.write("agent.key", key.as_bytes(), 0o600);
        host.write("dispatch.pub", dispatch_pem.public_key_pem().as_bytes(), 0o644);
        host.write("receipt.key", receipt_pem.serialize_pem().as_bytes(), 0o600);
        host.write("capabilities.manifest.json", &host.manifest("web1", operations), 0o644);
        for name in ["init.d", "run"] {
            std::fs::create_dir(host.path(name)).expect("a directory");
        }
        host.write_config("sysv");
        host.write_service(SERVICE);
        assert!(host.command("init").success(), "no state file");
        host
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8], mode: u32) {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    }

    pub(crate) fn write_config(&self, manager: &str) {
        let dir = self.dir.path().display();
        let config = format!(
            r#"{{"agent_id":"web1","listen":"127.0.0.1:0","service_manager":"{manager}","state":"{dir}/state","init_dir":"{dir}/init.d","run_dir":"{dir}/run"}}"#
        );
        self.write("agent.json", config.as_bytes(), 0o644);
    }

    /// Puts an init script in place; `@DIR@` in it is this host's directory.
    pub(crate) fn write_service(&self, script: &str) {
        self.write(
            "init.d/lsws",
            script.replace("@DIR@", &self.dir.path().display().to_string()).as_bytes(),
            0o755,
        );
    }

    /// Signs a manifest that allows looking at `areas`, and nothing else.
    pub(crate) fn allow_looking_at(&self, areas: &[Area]) {
        self.write("capabilities.manifest.json", &self.manifest_with("web1", &[], areas), 0o644);
    }

    pub(crate) fn manifest(&self, agent_id: &str, operations: &[(OperationId, &str, u32)]) -> Vec<u8> {
        self.manifest_with(agent_id, operations, &[])
    }

    fn manifest_with(
        &self,
        agent_id: &str,
        operations: &[(OperationId, &str, u32)],
        areas: &[Area],
    ) -> Vec<u8> {
        let mut body = ManifestBody {
            agent_id: AgentId::new(agent_id).expect("an id"),
            client_id: ClientId::new("acme").expect("an id"),
            diagnostics: areas.try_into().expect("room"),
            issued: now(),
            operations: Default::default(),
            seq: 1,
            tuning: Default::default(),
        };
        for (action, unit, interval) in operations {
            let unit = Unit::new(unit).expect("a unit");
            body.operations
                .push(Capability::new(*action, unit, *interval).expect("a capability"))
                .expect("room");
        }
        let mut out = [0; MANIFEST_MAX];
        let message = body.control_message(&mut out).expect("a message");
        let signature = self.dispatch.sign(message).as_ref().try_into().expect("64 bytes");
        let manifest = body.seal(signature, SECRET).expect("a manifest");
        manifest.write(&mut out).expect("a manifest").to_vec()
    }

    pub(crate) fn issue(&self, names: &[String], purpose: ExtendedKeyUsagePurpose) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("parameters");
        params.extended_key_usages = vec![purpose];
        let cert = params.signed_by(&key, &self.authority).expect("a certificate");
        (cert.pem(), key.serialize_pem())
    }

    /// A server certificate that ends at `end`, in seconds since the epoch.
    pub(crate) fn issue_until(&self, names: &[String], end: u64) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(names).expect("parameters");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_after = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(end);
        let cert = params.signed_by(&key, &self.authority).expect("a certificate");
        (cert.pem(), key.serialize_pem())
    }

    /// Runs a command of the agent to its end. One that doesn't end is killed, and has no exit status.
    pub(crate) fn run_command(&self, name: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_secmon-agent"))
            .args([name, "--config"])
            .arg(self.path("agent.json"))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent");
        let given_up = Instant::now() + PATIENCE;
        while child.try_wait().expect("its state").is_none() {
            if Instant::now() >= given_up {
                child.kill().expect("a signal");
            }
            std::thread::yield_now();
        }
        child.wait_with_output().expect("its output")
    }

    pub(crate) fn command(&self, name: &str) -> std::process::ExitStatus {
        self.run_command(name).status
    }

    pub(crate) fn start(&self) -> Agent {
        // A write over the file size limit must be an error here, as on a broken disk, and not a signal.
        let mut shell = Command::new("/bin/sh");
        shell.args([
            "-c",
            "trap '' XFSZ; exec \"$0\" run --config \"$1\"",
            env!("CARGO_BIN_EXE_secmon-agent"),
        ]);
        self.spawn(shell)
    }

    /// The agent under another name, by which it starts its processes.
    pub(crate) fn start_as(&self, program: &Path) -> Agent {
        let mut agent = Command::new(env!("CARGO_BIN_EXE_secmon-agent"));
        agent.arg0(program).args(["run", "--config"]);
        self.spawn(agent)
    }

    fn spawn(&self, mut command: Command) -> Agent {
        command.arg(self.path("agent.json")).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the agent");
        let lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let (send, log) = std::sync::mpsc::channel();
        let (listens, address) = std::sync::mpsc::channel();
        // Somebody must read on, or the agent's log lines would find the pipe full.
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("{line}");
                let _nobody_asks = match line.strip_prefix("secmon-agent: listening on ") {
                    Some(rest) => listens.send(rest.to_owned()).is_ok(),
                    None => send.send(line).is_ok(),
                };
            }
        });
        // Killed when this test ends, however it ends.
        let mut agent = Agent { child, address: ([0, 0, 0, 0], 0).into(), log };
        let line = address.recv_timeout(PATIENCE).expect("a line that says where it listens");
        agent.address = line.strip_suffix(" as web1").expect("its id").parse().expect("an address");
        agent
    }

    /// A TLS configuration with a client certificate of our authority that carries `name`.
    pub(crate) fn client_config(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Arc<ClientConfig> {
        use rustls::pki_types::pem::PemObject;
        let (cert, key) = self.issue(&[name.to_owned()], purpose);
        let cert = CertificateDer::from_pem_slice(cert.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let config = self.client_builder().with_client_auth_cert(vec![cert], key).expect("a configuration");
        Arc::new(config)
    }

    pub(crate) fn client_builder(
        &self,
    ) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority_der.clone()).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("TLS 1.3")
            .with_root_certificates(roots)
    }

    pub(crate) fn control(&self) -> Arc<ClientConfig> {
        self.client_config(CONTROL_NAME, ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(crate) fn envelope(&self, action: OperationId, nonce: u64, ts: u64) -> Vec<u8> {
        self.envelope_for("web1", action, nonce, ts)
    }

    pub(crate) fn envelope_for(&self, agent_id: &str, action: OperationId, nonce: u64, ts: u64) -> Vec<u8> {
        let envelope = Envelope {
            action,
            agent_id: AgentId::new(agent_id).expect("an id"),
            intent: Intent { hash: Hash([7; 32]), seq: nonce },
            nonce: Nonce(nonce.to_be_bytes()),
            ts,
        };
        envelope.write(&mut [0; ENVELOPE_MAX]).expect("an envelope").to_vec()
    }

    pub(crate) fn sign(&self, body: &[u8]) -> String {
        let message = envelope_message(body).expect("a message");
        to_hex::<128>(self.dispatch.sign(&message).as_ref()).as_str().to_owned()
    }

    /// Sends a signed envelope over a connection of its own.
    pub(crate) fn execute(&self, agent: &Agent, body: &[u8]) -> Response {
        let mut tls = agent.connect(self.control());
        tls.send(&post(body, &self.sign(body)));
        tls.receive()
    }

    /// Sends a signed envelope and reads the receipt, whose signature is checked.
    pub(crate) fn receipt(&self, agent: &Agent, body: &[u8]) -> Receipt {
        self.read_receipt(&self.execute(agent, body))
    }

    /// The same where the agent may not answer.
    pub(crate) fn try_receipt(&self, agent: &Agent, body: &[u8]) -> Option<Receipt> {
        let mut tls = agent.try_connect(self.control()).ok()?;
        tls.write_all(&post(body, &self.sign(body))).ok()?;
        Some(self.read_receipt(&tls.try_receive().ok()?))
    }

    pub(crate) fn read_receipt(&self, response: &Response) -> Receipt {
        assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
        let hex = response.header("Secmon-Signature").expect("a signature");
        let signature: [u8; 64] = from_hex(hex.as_bytes()).expect("64 bytes");
        let message = receipt_message(&response.body).expect("a receipt");
        UnparsedPublicKey::new(&ED25519, &self.receipt_public)
            .verify(&message, &signature)
            .expect("the host's own");
        Receipt::read(&response.body).expect("a receipt")
    }

    /// The service's process, as its pid file names it.
    pub(crate) fn service_pid(&self) -> Option<u32> {
        std::fs::read_to_string(self.path("run/lshttpd.pid")).ok()?.trim().parse().ok()
    }

    /// How often the init script has been run.
    pub(crate) fn runs(&self) -> usize {
        std::fs::read_to_string(self.path("runs")).map_or(0, |runs| runs.lines().count())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(pid) = self.service_pid() {
            let _gone_already = Command::new("/bin/kill").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
    }
}

/// Stops the old process of the service, starts a new one, notes that it ran.
pub(crate) const SERVICE: &str = r#"#!/bin/sh
echo "$1" >> @DIR@/runs
[ -f @DIR@/run/lshttpd.pid ] && kill "$(cat @DIR@/run/lshttpd.pid)"
sleep 600 &
echo $! > @DIR@/run/lshttpd.pid
echo "restarted lsws"
"#;

impl Agent {
    pub(crate) fn connect(&self, config: Arc<ClientConfig>) -> Tls {
        connect(self.address, config)
    }

    pub(crate) fn try_connect(&self, config: Arc<ClientConfig>) -> std::io::Result<Tls> {
        try_connect(self.address, config)
    }

    pub(crate) fn get(&self, config: Arc<ClientConfig>, path: &str) -> Response {
        let mut tls = self.connect(config);
        tls.send(format!("GET {path} HTTP/1.1\r\nHost: web1\r\n\r\n").as_bytes());
        tls.receive()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('Z'))
    }

    /// The process id of its network process.
    pub(crate) fn network_process(&self) -> Option<u32> {
        self.process("network")
    }

    /// The process id of its process of this role.
    pub(crate) fn process(&self, role: &str) -> Option<u32> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        let children = children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok());
        let is_it = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|word| word == role.as_bytes())
        };
        children.into_iter().find(is_it)
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("a signal");
        self.child.wait().expect("its end");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _gone_already = self.child.wait();
    }
}

pub(crate) fn connect(address: SocketAddr, config: Arc<ClientConfig>) -> Tls {
    try_connect(address, config).expect("a connection")
}

fn try_connect(address: SocketAddr, config: Arc<ClientConfig>) -> std::io::Result<Tls> {
    let name = ServerName::try_from("web1.agent.secmon.internal").expect("a name");
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    Ok(StreamOwned::new(ClientConnection::new(config, name).expect("a client"), tcp))
}

pub(crate) trait Talk {
    fn send(&mut self, bytes: &[u8]);
    fn receive(&mut self) -> Response;
    fn try_receive(&mut self) -> std::io::Result<Response>;
}

impl Talk for Tls {
    fn send(&mut self, bytes: &[u8]) {
        self.write_all(bytes).expect("sent");
        self.flush().expect("sent");
    }

    fn receive(&mut self) -> Response {
        self.try_receive().expect("a response")
    }

    fn try_receive(&mut self) -> std::io::Result<Response> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("text");
        let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
        let mut response = Response { status, head, body: Vec::new() };
        let length = response.header("Content-Length").map_or(0, |n| n.parse().expect("a number"));
        response.body.resize(length, 0);
        self.read_exact(&mut response.body)?;
        Ok(response)
    }
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

pub(crate) fn post(body: &[u8], signature: &str) -> Vec<u8> {
    let head = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: {}\r\nSecmon-Signature: {signature}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Waits until `ready` says so.
pub(crate) fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let given_up = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < given_up, "waited in vain until {what}");
        std::thread::yield_now();
    }
}
