//! A throw-away host for the real agent binary: keys, certificates and signatures by the openssl program, a
//! real service under an init script, the agent as a process of its own.
//!
//! It links no crate of secmon: what it knows of the formats is written here a second time, on purpose, so
//! that a change of the wire that the agent and its own tests agree on still fails here.

mod client;
mod keys;
mod processes;
mod service;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

pub use client::{Answer, RawClient};
pub use keys::{Issuer, Purpose, ed25519, sha256, sign, verify};
pub use processes::{
    Dice, descriptors, is_alive, is_static, kill, kilobytes, limit_descriptors, naps, root_or_skipped, signal,
};
pub use service::{Service, Visit};

/// How long anything that should happen may take before the test fails. No test waits this long when all is well.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// The agent's id on every host here.
pub const AGENT: &str = "web1";
/// The name in the control plane's certificate.
pub const CONTROL_NAME: &str = "control.secmon.internal";
/// A request that changes nothing, for [`RawClient::send`].
pub const HEALTH: &str = "GET /v1/health HTTP/1.1\r\nHost: agent\r\n\r\n";
/// What the manifest's HMAC is made with. The agent never sees it.
pub const MANIFEST_SECRET: &str = "a manifest secret for tests";

const ENVELOPE_CONTEXT: &[u8] = b"secmon-envelope-v1\0";
const RECEIPT_CONTEXT: &[u8] = b"secmon-receipt-v1\0";
static NONCES: AtomicU64 = AtomicU64::new(1);

/// One host: a bundle directory, three services that have no preflight, and at most one running agent.
#[derive(Debug)]
pub struct Host {
    agent: Option<Agent>,
    /// restart-web's service.
    pub web: Service,
    /// restart-php's service.
    pub php: Service,
    /// restart-db's service.
    pub db: Service,
    /// The last field, so that it outlives the services, which clean up by what is in it.
    dir: TempDir,
}

#[derive(Debug)]
struct Agent {
    child: Child,
    port: u16,
    log: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// A host whose manifest lists every operation with the shortest interval, with its state initialised
    /// and its services and agent running.
    pub fn running() -> Self {
        let mut host = Self::installed();
        host.start();
        host
    }

    /// The same without a running agent.
    pub fn installed() -> Self {
        let host = Self::bundled();
        let init = host.cli("init");
        assert!(init.status.success(), "init: {}", text(&init.stderr));
        host
    }

    /// A host with its bundle copied and its services running, where `init` has not been run yet.
    pub fn bundled() -> Self {
        let dir = tempfile::Builder::new().prefix("secmon-host-").tempdir().expect("a temporary directory");
        let at = |name: &str| dir.path().join(name);
        for name in ["bundle", "init.d", "run", "run/postgresql", "state", "work"] {
            fs::create_dir(at(name)).expect("a new directory");
        }
        let issuer = Issuer::new(&at("work"), "ca");
        let bundle = at("bundle");
        fs::copy(issuer.certificate(), bundle.join("ca.pem")).expect("a copy");
        issuer.issue(&bundle, "agent", Purpose::server(&format!("{AGENT}.agent.secmon.internal")));
        issuer.issue(&at("work"), "control", Purpose::client(CONTROL_NAME));
        keys::ed25519(&at("work/dispatch.key"), &bundle.join("dispatch.pub"));
        keys::ed25519(&bundle.join("receipt.key"), &at("work/receipt.pub"));
        let service = |name, pid_file| Service::install(&at("init.d"), &at("run"), name, pid_file);
        let web = service("openlitespeed", "openlitespeed.pid");
        let php = service("lsphp", "lsphp.pid");
        let db = service("postgresql", "postgresql/postgresql.pid");
        let host = Self { agent: None, web, php, db, dir };
        host.configure(&host.configuration());
        host.install_manifest(&host.manifest());
        host
    }

    /// What agent.json holds; `configure` writes a changed one.
    pub fn configuration(&self) -> Value {
        json!({
            "agent_id": AGENT, "listen": "127.0.0.1:0", "service_manager": "sysv",
            "state": self.at("state/state"), "init_dir": self.at("init.d"), "run_dir": self.at("run"),
        })
    }

    /// Writes agent.json.
    pub fn configure(&self, configuration: &Value) {
        fs::write(self.bundle("agent.json"), configuration.to_string()).expect("a written file");
    }

    /// The body of the manifest, to change and hand to `install_manifest`.
    pub fn manifest(&self) -> Value {
        let operation = |action, unit| json!({"action": action, "min_interval_s": 3, "unit": unit});
        json!({
            "agent_id": AGENT, "client_id": "acme", "diagnostics": ["disk", "web"], "issued": 1_767_225_600,
            "operations": [
                operation("restart-db", "postgresql"), operation("restart-php", "lsphp"),
                operation("restart-web", "openlitespeed"),
            ],
            "seq": 1, "v": 1,
        })
    }

    /// Signs `body` with the dispatch key and the manifest secret, and writes it into the bundle.
    pub fn install_manifest(&self, body: &Value) {
        let sealed = self.seal(body, &self.at("work/dispatch.key"));
        fs::write(self.bundle("capabilities.manifest.json"), sealed.to_string()).expect("a written file");
    }

    /// `body` with both signatures, the Ed25519 one by `key`.
    pub fn seal(&self, body: &Value, key: &Path) -> Value {
        let mut sealed = body.clone();
        sealed["control_signature"] = keys::sign(key, body.to_string().as_bytes()).into();
        sealed["signature"] = keys::hmac_sha256(MANIFEST_SECRET, sealed.to_string().as_bytes()).into();
        sealed
    }

    /// A path under this host's directory.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A file of the bundle.
    pub fn bundle(&self, name: &str) -> PathBuf {
        self.at("bundle").join(name)
    }

    /// The CA that issued this host's certificates.
    pub fn issuer(&self) -> Issuer {
        Issuer::existing(&self.at("work"), "ca")
    }

    /// Runs the agent with `command` and this host's configuration, to its end.
    pub fn cli(&self, command: &str) -> Output {
        Command::new(agent_binary())
            .args([OsStr::new(command), OsStr::new("--config"), self.bundle("agent.json").as_os_str()])
            .stdin(Stdio::null())
            .output()
            .expect("the agent's binary runs")
    }

    /// The same for a command that ends soon only if all is as the test expects: `run` that must not start.
    /// After [`PATIENCE`] it is killed, and its exit code is none.
    pub fn cli_until(&self, command: &str) -> Output {
        let mut limited = Command::new("timeout");
        limited.args(["--signal=KILL", &PATIENCE.as_secs().to_string()]).arg(agent_binary());
        limited.args([OsStr::new(command), OsStr::new("--config"), self.bundle("agent.json").as_os_str()]);
        limited.stdin(Stdio::null()).output().expect("timeout runs")
    }

    /// Starts the agent and returns once it listens.
    pub fn start(&mut self) {
        self.start_as(&mut Command::new(agent_binary()));
    }

    /// The same by another command: one that runs its further arguments, or another copy of the agent.
    pub fn start_as(&mut self, command: &mut Command) {
        if let Err(log) = self.try_start(command) {
            panic!("the agent doesn't listen: {log:?}");
        }
    }

    /// The same as a service manager does it, once more if the agent ends; how often it took one more.
    pub fn start_again(&mut self) -> usize {
        let mut ended = 0;
        until("an agent that listens", || match self.try_start(&mut Command::new(agent_binary())) {
            Ok(()) => Some(()),
            Err(log) => {
                eprintln!("once more, because it said: {log:?}");
                ended += 1;
                None
            }
        });
        ended
    }

    /// An error is what the agent has printed, if it ended before it listened.
    fn try_start(&mut self, command: &mut Command) -> Result<(), Vec<String>> {
        assert!(self.agent.is_none(), "one agent per host");
        let mut child = command
            .args([OsStr::new("run"), OsStr::new("--config"), self.bundle("agent.json").as_os_str()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the agent's binary runs");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("a piped stderr"));
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                kept.lock().expect("no panic under the lock").push(line.clone());
                // The receiver is gone once the agent listens; the log above is kept all the same.
                let _gone = sender.send(line);
            }
        });
        let Some(port) = listening_port(&lines) else {
            // It has ended, or will never listen.
            let _ended_already = child.kill();
            let _ended = child.wait();
            return Err(log.lock().expect("no panic under the lock").clone());
        };
        self.agent = Some(Agent { child, port, log });
        Ok(())
    }

    /// kill -9, as a crash does, and waits until the process is gone.
    pub fn kill(&mut self) {
        let mut agent = self.agent.take().expect("a running agent");
        agent.child.kill().expect("a child that can be killed");
        agent.child.wait().expect("a child that ends");
    }

    /// Whether the agent's process still runs.
    pub fn is_running(&mut self) -> bool {
        self.agent.as_mut().is_some_and(|agent| matches!(agent.child.try_wait(), Ok(None)))
    }

    /// Where the agent listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.agent.as_ref().expect("a running agent").port
    }

    /// What the agent has printed to stderr so far.
    pub fn log(&self) -> Vec<String> {
        self.agent.as_ref().expect("a running agent").log.lock().expect("no panic under the lock").clone()
    }

    /// GET as the control plane.
    pub fn get(&self, path: &str) -> Answer {
        self.curl(&["-X", "GET"], path)
    }

    /// curl as the control plane, with more arguments; panics without an HTTP answer.
    pub fn curl(&self, arguments: &[&str], path: &str) -> Answer {
        let output = self.curl_as(Some(&self.at("work/control")), arguments, path);
        let answer = Answer::first(&output.stdout).map(|(answer, _)| answer);
        answer.unwrap_or_else(|| panic!("no answer: {} {:?}", text(&output.stderr), text(&output.stdout)))
    }

    /// curl with `identity` (.pem and .key), if any; the raw answer on stdout, head included.
    pub fn curl_as(&self, identity: Option<&Path>, arguments: &[&str], path: &str) -> Output {
        let name = format!("{AGENT}.agent.secmon.internal");
        let port = self.port();
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--show-error",
            "--include",
            "--path-as-is",
            "--max-time",
            "100",
            "--noproxy",
            "*",
        ]);
        curl.arg("--cacert").arg(self.bundle("ca.pem"));
        curl.args(["--resolve", &format!("{name}:{port}:127.0.0.1")]);
        if let Some(identity) = identity {
            curl.arg("--cert").arg(identity.with_extension("pem"));
            curl.arg("--key").arg(identity.with_extension("key"));
        }
        curl.args(arguments).arg(format!("https://{name}:{port}{path}"));
        curl.stdin(Stdio::null()).output().expect("curl runs")
    }

    /// A TLS connection as the control plane through `openssl s_client`, for bytes that curl wouldn't send.
    pub fn raw(&self) -> RawClient {
        RawClient::connect(self.port(), &self.bundle("ca.pem"), Some(&self.at("work/control")), &["-tls1_3"])
    }

    /// The hex signature of an envelope by the dispatch key.
    pub fn sign(&self, body: &str) -> String {
        self.sign_with(&self.at("work/dispatch.key"), body)
    }

    /// The same for bytes that need not be text.
    pub fn sign_bytes(&self, body: &[u8]) -> String {
        keys::sign(&self.at("work/dispatch.key"), &[ENVELOPE_CONTEXT, body].concat())
    }

    /// The hex signature of an envelope by another key.
    pub fn sign_with(&self, key: &Path, body: &str) -> String {
        keys::sign(key, &[ENVELOPE_CONTEXT, body.as_bytes()].concat())
    }

    /// Sends an envelope with its right signature.
    pub fn execute(&self, body: &str) -> Answer {
        self.execute_signed(body, &self.sign(body))
    }

    /// Sends an envelope with any signature.
    pub fn execute_signed(&self, body: &str, signature: &str) -> Answer {
        let header = format!("Secmon-Signature: {signature}");
        self.curl(&["-H", &header, "--data-binary", body], "/v1/execute")
    }

    /// The receipt in `answer`, after openssl found its signature good and its bytes canonical.
    pub fn receipt(&self, answer: &Answer) -> Value {
        assert_eq!(answer.status, 200, "{answer:?}");
        let signature = answer.header("secmon-signature").expect("a signed receipt");
        assert!(self.is_receipt_signature(&answer.body, signature), "{answer:?}");
        answer.canonical()
    }

    /// Whether `signature` is the receipt key's over this receipt.
    pub fn is_receipt_signature(&self, body: &[u8], signature: &str) -> bool {
        keys::verify(&self.at("work/receipt.pub"), &[RECEIPT_CONTEXT, body].concat(), signature)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            // Best effort: the test has its verdict already.
            let _killed = agent.child.kill();
            let _ended = agent.child.wait();
            if thread::panicking() {
                eprintln!("the agent said: {:#?}", agent.log.lock());
            }
        }
    }
}

/// A canonical envelope with a new nonce and the time of now.
pub fn envelope(action: &str) -> Value {
    json!({
        "action": action, "agent_id": AGENT, "intent": {"hash": "5e".repeat(32), "seq": 1}, "nonce": nonce(),
        "ts": now(), "v": 1,
    })
}

/// A nonce that this process hasn't used.
pub fn nonce() -> String {
    format!("{:016x}", NONCES.fetch_add(1, Ordering::Relaxed))
}

/// Seconds since the epoch.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Asks `condition` until it is some value, or fails the test after [`PATIENCE`].
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// Changes the permission bits of a file.
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of ours");
}

/// Bytes as text, for messages.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `secmon-agent: listening on 127.0.0.1:40123 as web1`, unless the agent ends before it says so.
fn listening_port(lines: &Receiver<String>) -> Option<u16> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()?;
        let Some(rest) = line.strip_prefix("secmon-agent: listening on 127.0.0.1:") else { continue };
        return rest.strip_suffix(&format!(" as {AGENT}"))?.parse().ok();
    }
}

/// The agent's program.
pub fn agent_binary() -> PathBuf {
    binary("secmon-agent")
}

/// `SECMON_BIN_DIR/<name>`, or the one in the target directory that this test was built into.
pub fn binary(name: &str) -> PathBuf {
    let beside = || {
        let program = std::env::current_exe().expect("a path of this program");
        // Tests are one directory below the programs.
        let beside = program.ancestors().skip(1).find(|path| !path.ends_with("deps"));
        beside.expect("target/debug/deps/test, or target/release/figures").to_path_buf()
    };
    let binary = std::env::var_os("SECMON_BIN_DIR").map_or_else(beside, PathBuf::from).join(name);
    assert!(binary.is_file(), "{} is missing; build it with: cargo build --workspace", binary.display());
    binary
}
