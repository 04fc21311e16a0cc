//! A stand-in for Cloudflare's API that knows one zone and as much as storing its token takes.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

pub(crate) const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";
pub(crate) const TOKEN: &str = "cfut_hunter2hunter2hunter2hunter2hunter20a1b2c3d";

/// How the API stands to the token and its zone.
#[derive(Clone, Debug)]
pub(crate) struct Stand {
    /// Whether the token is known at all.
    pub(crate) known: bool,
    /// Whether it may see the rules.
    pub(crate) waf: bool,
    pub(crate) status: &'static str,
    pub(crate) paused: bool,
    /// What the zone lists as allowed.
    pub(crate) listed: &'static str,
    pub(crate) expires: &'static str,
}

impl Default for Stand {
    fn default() -> Self {
        let listed = r##""#zone:read","#zone_settings:edit","#waf:edit""##;
        Self { known: true, waf: true, status: "active", paused: false, listed, expires: "" }
    }
}

/// The running stand-in. It serves until the test's process ends.
pub(crate) struct FakeApi {
    pub(crate) url: String,
    stand: Arc<Mutex<Stand>>,
}

impl FakeApi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/client/v4", listener.local_addr().expect("an address"));
        let stand = Arc::new(Mutex::new(Stand::default()));
        let shared = Arc::clone(&stand);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let stand = shared.lock().expect("no panic under the lock").clone();
                // Whoever hangs up has read enough.
                thread::spawn(move || answer(&stream, &stand));
            }
        });
        Self { url, stand }
    }

    /// From now on it stands so.
    pub(crate) fn stands(&self, stand: Stand) {
        *self.stand.lock().expect("no panic under the lock") = stand;
    }
}

fn answer(mut stream: &TcpStream, stand: &Stand) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let headers: Vec<String> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let bearer = format!("authorization: bearer {}", TOKEN.to_ascii_lowercase());
    let known = stand.known && headers.iter().any(|line| line.to_ascii_lowercase() == bearer);
    let (status, body) = if known { result(&first, stand) } else { no(401, 1000, "Invalid API Token") };
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).ok()
}

fn result(line: &str, stand: &Stand) -> (u16, String) {
    let zone = format!("/client/v4/zones/{ZONE}");
    let path = line.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next()).unwrap_or_default();
    let rulesets = format!("{zone}/rulesets/");
    match path {
        "/client/v4/user/tokens/verify" => ok(&format!(r#"{{"id":"t","status":"active"{}}}"#, stand.expires)),
        path if path == zone => ok(&format!(
            r#"{{"id":"{ZONE}","name":"example.com","status":"{}","paused":{},"type":"full",
               "plan":{{"legacy_id":"pro"}},"permissions":[{}]}}"#,
            stand.status, stand.paused, stand.listed
        )),
        path if path == format!("{zone}/settings/security_level") => ok(r#"{"value":"medium"}"#),
        path if path == format!("{zone}/firewall/access_rules/rules") => ok("[]"),
        path if path.starts_with(&rulesets) && !stand.waf => no(403, 10000, "Authentication error"),
        path if path.starts_with(&rulesets) => no(404, 10003, "could not find entrypoint ruleset"),
        _ => no(404, 7003, "Could not route to the path"),
    }
}

fn ok(result: &str) -> (u16, String) {
    (200, format!(r#"{{"success":true,"errors":[],"messages":[],"result":{result}}}"#))
}

fn no(status: u16, code: u64, message: &str) -> (u16, String) {
    (
        status,
        format!(r#"{{"success":false,"errors":[{{"code":{code},"message":"{message}"}}],"result":null}}"#),
    )
}
