//! A client of a few lines, so that the server is tested by code that shares nothing with it.
#![expect(dead_code, reason = "each test file uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a client that can't go on fails its test")]

use secmon_fake_telegram::{FakeTelegram, Options};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

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

    pub(crate) fn description(&self) -> String {
        self.json()["description"].as_str().unwrap_or_default().to_owned()
    }
}

/// One keep-alive connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    token: String,
}

impl Client {
    pub(crate) fn new(server: &FakeTelegram) -> Self {
        Self::to(server.addr(), server.token())
    }

    pub(crate) fn to(addr: SocketAddr, token: &str) -> Self {
        let stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream, token: token.to_owned() }
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Answer {
        self.send_call(method, params);
        self.answer().unwrap()
    }

    /// The result of a call that must succeed.
    pub(crate) fn ok(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params);
        assert_eq!(answer.status, 200, "{method}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()["result"].clone()
    }

    /// The description of a call that must fail with 400.
    pub(crate) fn refused(&mut self, method: &str, params: Value) -> String {
        let answer = self.call(method, params);
        assert_eq!(answer.status, 400, "{method}: {}", String::from_utf8_lossy(&answer.body));
        answer.description()
    }

    pub(crate) fn send_call(&mut self, method: &str, params: Value) {
        let path = format!("/bot{}/{method}", self.token);
        self.send("POST", &path, "application/json", params.to_string().as_bytes());
    }

    pub(crate) fn control(&mut self, verb: &str, path: &str, body: &str) -> Answer {
        self.send(verb, &format!("/control/{path}"), "application/json", body.as_bytes());
        self.answer().unwrap()
    }

    pub(crate) fn send(&mut self, verb: &str, path: &str, content_type: &str, body: &[u8]) {
        let head = format!(
            "{verb} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
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
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        self.stream.read_exact(&mut body).ok()?;
        Some(Answer { status: head[9..12].parse().unwrap(), head, body })
    }
}

/// A server without waiting between conflicts, and a client of it.
pub(crate) fn start() -> (FakeTelegram, Client) {
    let server = FakeTelegram::start(Options { conflict_pause: Duration::ZERO, ..Options::default() });
    let client = Client::new(&server);
    (server, client)
}

/// A server that knows the private chat 42, and a client of it.
pub(crate) fn start_with_chat() -> (FakeTelegram, Client) {
    let (server, client) = start();
    server.add_chat(&json!({"id": 42, "type": "private", "first_name": "A"}));
    (server, client)
}
