//! An HTTP server that answers what a test wrote down, one connection for each request, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Api, ZoneApi};
use crate::cloudflare::ZoneId;
use crate::config::{ApiUrl, Secret};

pub(super) const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(super) const TOKEN: &str = "cfut_hunter2hunter2hunter2hunter2hunter20a1b2c3d";

/// What becomes of a request.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// It is answered with this status, these header lines and this body.
    Http(u16, &'static str, String),
    /// The connection ends where an answer was due.
    HangUp,
    /// The answer ends in the middle of its body.
    Half,
    /// A body without end, as far as anybody reads.
    Endless,
}

/// The server. It gives one answer after the other; what comes after the last finds nobody.
pub(super) struct Script {
    pub(super) api: Arc<Api>,
    asked: Arc<Mutex<Vec<String>>>,
}

pub(super) fn ok(result: &str) -> Answer {
    Answer::Http(200, "", format!(r#"{{"success":true,"errors":[],"messages":[],"result":{result}}}"#))
}

pub(super) fn no(status: u16, code: u64, message: &str) -> Answer {
    let body = serde_json::json!({ "success": false, "errors": [{ "code": code, "message": message }] });
    Answer::Http(status, "", body.to_string())
}

impl Script {
    pub(super) fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}/client/v4", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                let Some(request) = read(&stream) else { continue };
                heard.lock().expect("no panic under the lock").push(request);
                // Whoever stops reading has read enough.
                let _gone = write(stream, &answer);
            }
        });
        let api = Arc::new(Api::new(ApiUrl::new(&base).expect("a URL")).expect("a client"));
        Self { api, asked }
    }

    pub(super) fn zone(&self) -> ZoneApi {
        self.api.zone(ZoneId::new(ZONE).expect("a zone"), Arc::new(Secret::new(TOKEN.to_owned())))
    }

    /// Method, path and body of each request so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic under the lock").clone()
    }
}

fn read(stream: &TcpStream) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut bearer) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => bearer = value.trim() == format!("Bearer {TOKEN}"),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let target = target.strip_prefix("/client/v4")?.replace(ZONE, "Z");
    let who = if bearer { "" } else { " without a token" };
    Some(format!("{method} {target}{who} {}", String::from_utf8(body).ok()?).trim_end().to_owned())
}

fn write(mut stream: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let end = "Connection: close\r\n";
    match answer {
        Answer::HangUp => Ok(()),
        Answer::Http(status, headers, body) => {
            let length = body.len();
            write!(stream, "HTTP/1.1 {status} X\r\n{end}{headers}Content-Length: {length}\r\n\r\n{body}")
        }
        Answer::Half => {
            write!(stream, "HTTP/1.1 200 X\r\n{end}Content-Length: 500\r\n\r\n{{\"success\":true")
        }
        Answer::Endless => {
            write!(stream, "HTTP/1.1 200 X\r\n{end}\r\n")?;
            loop {
                stream.write_all(&[b' '; 1 << 16])?;
            }
        }
    }
}
