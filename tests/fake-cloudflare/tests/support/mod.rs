//! A client of a few lines, so that the server is tested by code that shares nothing with it.
#![expect(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a client that can't go on fails its test")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use secmon_fake_cloudflare::{DEFAULT_TOKEN, DEFAULT_ZONE, FakeCloudflare, NewZone, Options, Plan};
use serde_json::{Value, json};

pub(crate) const CUSTOM: &str = "http_request_firewall_custom";
pub(crate) const RATE: &str = "http_ratelimit";
pub(crate) const ZONE: &str = DEFAULT_ZONE;

/// Long enough for a busy machine, short enough for a person who waits for a failing test.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The status and the code of the first error.
    pub(crate) fn refusal(&self) -> (u16, u64) {
        let body = self.json();
        assert_eq!(body["success"], false, "{body}");
        (self.status, body["errors"][0]["code"].as_u64().unwrap())
    }
}

/// One keep-alive connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    pub(crate) token: String,
}

impl Client {
    pub(crate) fn new(server: &FakeCloudflare) -> Self {
        Self::to(server.addr(), DEFAULT_TOKEN)
    }

    pub(crate) fn to(addr: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, token: token.to_owned() }
    }

    /// A request to the API that may get no answer. Paths that begin with a dot are within the zone.
    pub(crate) fn try_call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Option<Answer> {
        let path =
            path.strip_prefix('.').map_or_else(|| path.to_owned(), |rest| format!("/zones/{ZONE}{rest}"));
        let authorization = format!("Authorization: Bearer {}\r\n", self.token);
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(method, &format!("/client/v4{path}"), &authorization, &body);
        self.answer()
    }

    pub(crate) fn call(&mut self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        self.try_call(method, path, body).unwrap()
    }

    /// The result of a call that must succeed.
    pub(crate) fn ok(&mut self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.call(method, path, body);
        assert_eq!(answer.status, 200, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()["result"].clone()
    }

    pub(crate) fn control(&mut self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, &format!("/control/{path}"), "", &body);
        self.answer().unwrap()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}{kind}Content-Length: {length}\r\n\r\n");
        self.stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    }

    /// Reads one answer; `None` when the connection ends before it is complete.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") {
            match self.stream.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(bytes).unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        self.stream.read_exact(&mut body).ok()?;
        Some(Answer { status: head[9..12].parse().unwrap(), head, body })
    }
}

pub(crate) fn start() -> (FakeCloudflare, Client) {
    start_on(Plan::Free)
}

/// A server with one zone of this plan, and a client of it.
pub(crate) fn start_on(plan: Plan) -> (FakeCloudflare, Client) {
    let zones = vec![NewZone::new(ZONE, "example.com").on(plan)];
    let server = FakeCloudflare::start(Options { zones, ..Options::default() });
    let client = Client::new(&server);
    (server, client)
}

pub(crate) fn entry(phase: &str) -> String {
    format!("./rulesets/phases/{phase}/entrypoint")
}

pub(crate) fn block(name: &str, expression: &str) -> Value {
    json!({"ref": name, "description": name, "action": "block", "expression": expression})
}

/// What rules are called, in order.
pub(crate) fn names(rules: &[Value]) -> Vec<&str> {
    rules.iter().filter_map(|rule| rule["ref"].as_str()).collect()
}
