//! What a client sees: HTTP answers, and a TLS connection through `openssl s_client` that carries any bytes.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::thread;
use std::time::Instant;

use serde_json::Value;

use super::{AGENT, PATIENCE, text};

/// One HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header lines, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as long as Content-Length says.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first whole answer in `bytes`, and what follows it.
    pub fn first(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = str::from_utf8(&bytes[..end]).expect("an ASCII head");
        let mut lines = head.split("\r\n");
        let status_line = lines.next()?;
        let status = status_line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("{status_line:?}"));
        let status = status.get(..3)?.parse().expect("a status code");
        let headers = lines
            .map(|line| line.split_once(':').unwrap_or_else(|| panic!("{line:?} is no header")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut answer = Self { status, headers, body: Vec::new() };
        if (100..200).contains(&status) {
            return Self::first(&bytes[end + 4..]);
        }
        let length = answer.header("content-length").expect("a Content-Length").parse().expect("a number");
        let rest = &bytes[end + 4..];
        answer.body = rest.get(..length)?.to_vec();
        Some((answer, &rest[length..]))
    }

    /// Every answer in `bytes`, which hold nothing else.
    pub fn all(mut bytes: &[u8]) -> Vec<Self> {
        let mut answers = Vec::new();
        while !bytes.is_empty() {
            let (answer, rest) = Self::first(bytes).unwrap_or_else(|| panic!("no answer: {}", text(bytes)));
            answers.push(answer);
            bytes = rest;
        }
        answers
    }

    /// The value of the only header with this name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(given, _)| given == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} twice: {self:?}");
        value
    }

    /// The body as JSON, after a check that it is canonical and declared as JSON.
    pub fn canonical(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let value: Value =
            serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!(value.to_string(), text(&self.body));
        value
    }

    /// Checks the status and the form of an error, and returns its code.
    pub fn error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?} {}", text(&self.body));
        let body = self.canonical();
        let code = body["error"].as_str().unwrap_or_else(|| panic!("no error code: {body}"));
        assert_eq!(body, serde_json::json!({"error": code, "v": 1}));
        assert!(self.header("secmon-signature").is_none(), "an error is no receipt: {self:?}");
        code.to_owned()
    }
}

/// A TLS connection that carries bytes as they are.
#[derive(Debug)]
pub struct RawClient {
    child: Child,
    stdin: Option<ChildStdin>,
    chunks: Receiver<Vec<u8>>,
    read: Vec<u8>,
}

impl RawClient {
    /// Starts `openssl s_client`; `identity` is a path whose .pem and .key exist.
    pub fn connect(port: u16, ca: &Path, identity: Option<&Path>, arguments: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect"]);
        command
            .arg(format!("127.0.0.1:{port}"))
            .args(["-servername", &format!("{AGENT}.agent.secmon.internal")]);
        command.arg("-CAfile").arg(ca);
        if let Some(identity) = identity {
            command.arg("-cert").arg(identity.with_extension("pem"));
            command.arg("-key").arg(identity.with_extension("key"));
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl runs");
        let mut stdout = child.stdout.take().expect("a piped stdout");
        let (sender, chunks) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    break;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, chunks, read: Vec::new() }
    }

    /// Sends bytes. A connection that the agent has closed is no failure here: the answer tells.
    pub fn send(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("an open connection");
        match stdin.write_all(bytes).and_then(|()| stdin.flush()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            Err(error) => panic!("openssl s_client: {error}"),
        }
    }

    /// Waits for the next answer.
    pub fn answer(&mut self) -> Answer {
        loop {
            if let Some((answer, rest)) = Answer::first(&self.read) {
                self.read = rest.to_vec();
                return answer;
            }
            assert!(self.more(), "closed without an answer: {:?}", text(&self.read));
        }
    }

    /// Whether the agent has closed the connection by now.
    pub fn is_closed(&mut self) -> bool {
        loop {
            match self.chunks.try_recv() {
                Ok(chunk) => self.read.extend_from_slice(&chunk),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => return true,
            }
        }
    }

    /// Waits until the agent has closed the connection; what it sent before.
    pub fn rest(mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.read)
    }

    fn more(&mut self) -> bool {
        let deadline = Instant::now() + PATIENCE;
        match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(chunk) => {
                self.read.extend_from_slice(&chunk);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("waited {PATIENCE:?} after {:?}", text(&self.read)),
        }
    }
}

impl Drop for RawClient {
    fn drop(&mut self) {
        // Best effort: the process may have ended by itself.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
