//! A host of a client: a bundle made by `secmon agent add`, real services, and a real agent.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use serde_json::Value;

use super::Plane;
use crate::agent_host::{Service, binary, text, until, verify};

/// Every operation; each has a unit without a preflight.
pub const OPERATIONS: &[&str] = &["restart-db", "restart-php", "restart-web"];

/// The units that stand for the operations, and their pid files.
const UNITS: &[(&str, &str, &str)] = &[
    ("restart-db", "postgresql", "postgresql/postgresql.pid"),
    ("restart-php", "lsphp", "lsphp.pid"),
    ("restart-web", "lsws", "lshttpd.pid"),
];
const RECEIPT_CONTEXT: &[u8] = b"secmon-receipt-v1\0";
/// Every host has a loopback address of its own, so ports never collide.
const PORT: u16 = 7443;
static NEXT_ADDRESS: AtomicU32 = AtomicU32::new(0);

/// One host.
#[derive(Debug)]
pub struct Site {
    /// The agent's id.
    pub id: String,
    /// Its client's id.
    pub client: String,
    /// Where the control plane reaches it.
    pub address: String,
    dir: PathBuf,
    services: Vec<(&'static str, Service)>,
    agent: Option<Child>,
}

impl Site {
    pub(super) fn new(plane: &Plane, client: &str, id: &str, operations: &[&'static str]) -> Self {
        let dir = plane.at(&format!("host-{id}"));
        let at = |name: &str| dir.join(name);
        for name in ["", "init.d", "run", "run/postgresql"] {
            fs::create_dir(at(name)).expect("a new directory");
        }
        let address = new_address();
        let mut services = Vec::new();
        let mut command = plane.command();
        command.args(["agent", "add", client, id, "--service-manager", "sysv", "--address", &address]);
        for (operation, unit, pid_file) in UNITS.iter().filter(|(name, ..)| operations.contains(name)) {
            services.push((*operation, Service::install(&at("init.d"), &at("run"), unit, pid_file)));
            command.args(["--allow", &format!("{operation}={unit}")]);
            command.args(["--min-interval", &format!("{operation}=3")]);
        }
        for (flag, name) in
            [("--init-dir", "init.d"), ("--run-dir", "run"), ("--state", "state"), ("--out", "bundle")]
        {
            command.arg(flag).arg(at(name));
        }
        let output = command.output().expect("secmon runs");
        assert!(output.status.success(), "agent add: {}", text(&output.stderr));
        let site = Self { id: id.to_owned(), client: client.to_owned(), address, dir, services, agent: None };
        site.cli("init");
        let key = site.bundle("receipt.key");
        let public =
            Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(key).output().expect("openssl runs");
        fs::write(site.at("receipt.pub"), public.stdout).expect("a written file");
        site
    }

    /// A path on this host.
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A file of the bundle.
    pub fn bundle(&self, name: &str) -> PathBuf {
        self.at("bundle").join(name)
    }

    /// The service behind an operation.
    pub fn service(&self, operation: &str) -> &Service {
        let found = self.services.iter().find(|(name, _)| *name == operation);
        &found.unwrap_or_else(|| panic!("{} has no {operation}", self.id)).1
    }

    /// The process of every service and how often anyone asked for its restart.
    pub fn services(&self) -> Vec<(&'static str, Option<u32>, usize)> {
        self.services.iter().map(|(name, service)| (*name, service.pid(), service.restarts())).collect()
    }

    /// Starts the agent and returns once it listens.
    pub fn start(&mut self) {
        assert!(self.agent.is_none(), "one agent per host");
        let from = self.log().len();
        let log = File::options().create(true).append(true).open(self.at("agent.log")).expect("a log file");
        let mut command = Command::new(binary("secmon-agent"));
        command.args(["run", "--config"]).arg(self.bundle("agent.json"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().expect("the agent's program runs");
        let listening = format!("listening on {} as {}", self.listen(), self.id);
        until("the agent to listen", || {
            let log = self.log();
            assert!(matches!(child.try_wait(), Ok(None)), "the agent ended: {log}");
            log.get(from..)?.contains(&listening).then_some(())
        });
        self.agent = Some(child);
    }

    /// kill -9, as a crash does, and waits until the process is gone.
    pub fn kill(&mut self) {
        let mut agent = self.agent.take().expect("a running agent");
        agent.kill().expect("a child that can be killed");
        agent.wait().expect("a child that ends");
    }

    /// Makes the agent listen elsewhere from its next start on.
    pub fn listen_on(&self, address: &str) {
        let mut settings = self.settings();
        settings["listen"] = address.into();
        fs::write(self.bundle("agent.json"), settings.to_string()).expect("a written file");
    }

    /// Makes `body` the agent's manifest, signed by `secmon manifest sign`, from its next start on. The
    /// registry of the control plane keeps the one that it issued.
    pub fn install_manifest(&self, plane: &Plane, change: impl FnOnce(&mut Value)) {
        let installed = self.bundle("capabilities.manifest.json");
        let mut body: Value = serde_json::from_slice(&self.manifest()).expect("JSON");
        change(&mut body);
        let draft = self.at("draft.json");
        fs::write(&draft, body.to_string()).expect("a written file");
        let signed = plane.secmon(&["manifest", "sign", draft.to_str().expect("a plain path")]);
        fs::write(installed, signed).expect("a written file");
    }

    /// The manifest of the bundle.
    pub fn manifest(&self) -> Vec<u8> {
        let mut bytes = fs::read(self.bundle("capabilities.manifest.json")).expect("a manifest");
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
        }
        bytes
    }

    /// Checks the receipt in an outcome's audit record with the host's own key; its body.
    pub fn receipt(&self, outcome: &Value) -> Value {
        let body = outcome["receipt"].as_str().unwrap_or_else(|| panic!("no receipt: {outcome}"));
        let signature = outcome["receipt_signature"].as_str().expect("a signature");
        let message = [RECEIPT_CONTEXT, body.as_bytes()].concat();
        assert!(verify(&self.at("receipt.pub"), &message, signature), "not this host's signature: {outcome}");
        let receipt: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(receipt["intent"], outcome["intent"], "a receipt binds its intent");
        receipt
    }

    /// What the agent has printed.
    pub fn log(&self) -> String {
        text(&fs::read(self.at("agent.log")).unwrap_or_default())
    }

    fn listen(&self) -> String {
        self.settings()["listen"].as_str().expect("an address").to_owned()
    }

    fn settings(&self) -> Value {
        serde_json::from_slice(&fs::read(self.bundle("agent.json")).expect("settings")).expect("JSON")
    }

    fn cli(&self, command: &str) {
        let output = Command::new(binary("secmon-agent"))
            .arg(command)
            .arg("--config")
            .arg(self.bundle("agent.json"))
            .output();
        let output = output.expect("the agent's program runs");
        assert!(output.status.success(), "{command}: {}", text(&output.stderr));
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            // Best effort: the test has its verdict already.
            let _killed = agent.kill();
            let _ended = agent.wait();
        }
        if thread::panicking() {
            eprintln!("{} said: {}", self.id, self.log());
        }
    }
}

/// An address that nothing else on this machine listens on. All of 127.0.0.0/8 is this machine's on Linux.
pub fn new_address() -> String {
    let count = NEXT_ADDRESS.fetch_add(1, Ordering::Relaxed);
    let process = std::process::id();
    format!("127.{}.{}.{}:{PORT}", 1 + count % 250, process / 250 % 250, 1 + process % 250)
}
