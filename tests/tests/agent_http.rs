//! The agent's HTTP, from outside: what is served, and what bytes can do to it. The clients are curl, openssl
//! and Python's ssl, which nobody here wrote.

use std::process::Command;
use std::thread;
use std::time::Duration;

use secmon_tests::agent_host::{
    AGENT, Answer, HEALTH, Host, agent_binary, envelope, now, sha256, text, until,
};
use serde_json::json;

fn assert_serves(host: &Host) {
    let answer = host.get("/v1/health");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn health_is_canonical_and_says_what_is_so() {
    let host = Host::running();
    let before = now();
    let answer = host.get("/v1/health");
    assert_eq!(answer.status, 200);
    let health = answer.canonical();
    let names: Vec<&String> = health.as_object().expect("an object").keys().collect();
    assert_eq!(
        names,
        [
            "agent_id",
            "clock",
            "last_intent",
            "manifest",
            "receipts",
            "sandbox_missing",
            "uptime_s",
            "v",
            "version"
        ],
        "{health}"
    );
    assert_eq!(health["agent_id"], AGENT);
    assert!((before..=now()).contains(&health["clock"].as_u64().expect("a clock")), "{health}");
    assert_eq!(
        (&health["last_intent"], &health["receipts"], &health["v"]),
        (&json!(0), &json!(0), &json!(1))
    );
    let manifest = std::fs::read(host.bundle("capabilities.manifest.json")).expect("a manifest");
    assert_eq!(health["manifest"], sha256(&manifest));
    let version = Command::new(agent_binary()).arg("version").output().expect("it runs");
    assert!(text(&version.stdout).contains(health["version"].as_str().expect("a version")), "{version:?}");
}

#[test]
fn the_manifest_is_served_as_it_was_signed_without_the_files_line_feed() {
    let mut host = Host::running();
    let file = host.bundle("capabilities.manifest.json");
    let signed = std::fs::read(&file).expect("a manifest");
    let answer = host.get("/v1/manifest");
    assert_eq!((answer.status, &answer.body), (200, &signed));
    answer.canonical();
    host.kill();
    std::fs::write(&file, [&signed[..], b"\n"].concat()).expect("a written file");
    host.start();
    assert_eq!(host.get("/v1/manifest").body, signed);
}

#[test]
fn receipts_start_as_an_empty_list() {
    let host = Host::running();
    let answer = host.get("/v1/receipts");
    assert_eq!((answer.status, text(&answer.body).as_str()), (200, r#"{"receipts":[],"v":1}"#));
    answer.canonical();
}

#[test]
fn what_does_not_exist_is_not_found() {
    let host = Host::running();
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/healthz",
        "/v1/health/",
        "/V1/health",
        "/v2/health",
        "//v1/health",
        "/v1/../v1/health",
        "/v1/%68ealth",
        "/v1/execute/x",
        "/etc/passwd",
        "/v1/diagnostics",
        "/v1/state",
        "/v1/receipt",
    ] {
        host.get(path).error(404);
    }
    for path in ["/v1/health", "/v1/manifest", "/v1/receipts"] {
        assert_eq!(host.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_wrong_method_is_told_the_right_one() {
    let host = Host::running();
    for (path, right) in [
        ("/v1/health", "GET, HEAD"),
        ("/v1/manifest", "GET, HEAD"),
        ("/v1/receipts", "GET, HEAD"),
        ("/v1/execute", "POST"),
    ] {
        for wrong in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get", "BREW"] {
            if right.split(", ").any(|method| method == wrong) {
                continue;
            }
            let answer = host.curl(&["-X", wrong, "--data-binary", "x"], path);
            answer.error(405);
            assert_eq!(answer.header("allow"), Some(right), "{wrong} {path}");
        }
    }
    assert_serves(&host);
}

#[test]
fn head_answers_as_get_does_without_the_body() {
    let host = Host::running();
    let whole = host.get("/v1/manifest");
    let output = host.curl_as(Some(&host.at("work/control")), &["--head"], "/v1/manifest");
    let head = text(&output.stdout);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert!(head.to_lowercase().contains(&format!("content-length: {}\r\n", whole.body.len())), "{head}");
}

#[test]
fn a_body_that_looks_like_a_request_is_none() {
    let host = Host::running();
    let length = HEALTH.len();
    let mut raw = host.raw();
    raw.send(
        format!("GET /v1/nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{HEALTH}").as_bytes(),
    );
    raw.answer().error(404);
    raw.send(b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let rest = Answer::all(&raw.rest());
    assert!(rest.len() <= 1 && rest.iter().all(|answer| answer.status == 200), "{rest:?}");
}

#[test]
fn a_head_over_the_limit_is_refused_and_one_below_it_is_served() {
    let host = Host::running();
    let long = |length| format!("X-Filler: {}", "x".repeat(length));
    assert_eq!(host.curl(&["-H", &long(500)], "/v1/health").status, 200);
    host.curl(&["-H", &long(60_000)], "/v1/health").error(431);
    host.get(&format!("/v1/{}", "x".repeat(60_000))).error(431);
    let many: Vec<String> = (0..2_000).flat_map(|n| ["-H".to_owned(), format!("X-{n}: 1")]).collect();
    host.curl(&many.iter().map(String::as_str).collect::<Vec<_>>(), "/v1/health").error(431);
    assert_serves(&host);
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let host = Host::running();
    let post = |length: usize| {
        host.curl(&["-H", "Secmon-Signature: 00", "--data-binary", &"x".repeat(length)], "/v1/execute")
    };
    for length in [513, 4_096, 100_000] {
        post(length).error(413);
    }
    assert_ne!(post(512).status, 413);
    // The length alone is enough: not one byte of the body is sent here.
    for length in ["513", "4294967296", "18446744073709551615"] {
        let mut raw = host.raw();
        raw.send(
            format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n").as_bytes(),
        );
        raw.answer().error(413);
    }
    assert_serves(&host);
}

#[test]
fn a_malformed_request_is_refused_and_its_connection_closed() {
    let mut host = Host::running();
    let post = |headers: &str| format!("POST /v1/execute HTTP/1.1\r\nHost: a\r\n{headers}\r\n{{}}");
    let requests = [
        "garbage\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /v1/health\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/9.9\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nNo colon here\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nBad name : x\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\nHost: a\0b\r\n\r\n".to_owned(),
        "GET /v1/health HTTP/1.1\r\n folded: x\r\n\r\n".to_owned(),
        post("Content-Length: x\r\n"),
        post("Content-Length: -2\r\n"),
        post("Content-Length: +2\r\n"),
        post("Content-Length: 2, 2\r\n"),
        post("Content-Length: 2\r\nContent-Length: 3\r\n"),
        post("Content-Length: 99999999999999999999999\r\n"),
        post("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"),
        post("Transfer-Encoding: chunked\r\n"),
    ];
    for request in requests {
        let mut raw = host.raw();
        // What follows must not be taken for a second request once the first is not understood.
        raw.send(format!("{request}{HEALTH}").as_bytes());
        let answers = Answer::all(&raw.rest());
        assert_eq!(answers.len(), 1, "{request:?} {answers:?}");
        assert!([400, 411, 413, 501, 505].contains(&answers[0].status), "{request:?} {answers:?}");
        answers[0].error(answers[0].status);
        assert!(host.is_running(), "{request:?}");
    }
    assert_serves(&host);
}

#[test]
fn a_request_that_arrives_byte_by_byte_is_served() {
    let host = Host::running();
    let body = envelope("restart-web").to_string();
    let signature = host.sign(&body);
    let length = body.len();
    let post = format!(
        "POST /v1/execute HTTP/1.1\r\nhost: a\r\nSECMON-SIGNATURE: {signature}\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let old = host.web.pid();
    let script = r#"
import socket, ssl, sys
port, ca, control, *requests = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(control + ".pem", control + ".key")
tcp = socket.create_connection(("127.0.0.1", int(port)))
tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
tls = context.wrap_socket(tcp, server_hostname="web1.agent.secmon.internal")
for byte in "".join(requests).encode():
    tls.sendall(bytes([byte]))
answer = b""
while chunk := tls.recv(4096):
    answer += chunk
sys.stdout.buffer.write(answer)
"#;
    let last = HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let output = Command::new("python3")
        .args(["-c", script, &host.port().to_string()])
        .args([host.bundle("ca.pem"), host.at("work/control")])
        .args([HEALTH, &post, &last])
        .output()
        .expect("python3 runs");
    let answers = Answer::all(&output.stdout);
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 200], "{output:?}");
    assert_eq!(host.receipt(&answers[1])["state"], "succeeded");
    assert_ne!(host.web.pid(), old);
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let host = Host::running();
    let body = envelope("restart-web").to_string();
    let (signature, length) = (host.sign(&body), body.len());
    let post = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: a\r\nSecmon-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut raw = host.raw();
    raw.send([HEALTH, "GET /v1/nowhere HTTP/1.1\r\nHost: a\r\n\r\n", &post, HEALTH].concat().as_bytes());
    assert_eq!(raw.answer().canonical()["receipts"], 0);
    raw.answer().error(404);
    assert_eq!(host.receipt(&raw.answer())["state"], "succeeded");
    assert_eq!(raw.answer().canonical()["receipts"], 1);
}

#[test]
fn a_connection_serves_many_requests_and_closes_when_asked() {
    let host = Host::running();
    let mut raw = host.raw();
    for _ in 0..100 {
        raw.send(HEALTH.as_bytes());
        assert_eq!(raw.answer().status, 200);
    }
    raw.send(b"GET /v1/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_eq!(raw.answer().status, 200);
    assert_eq!(text(&raw.rest()), "");
    let port = host.port();
    let url = format!("https://{AGENT}.agent.secmon.internal:{port}/v1/manifest");
    let identity = host.at("work/control");
    let output = host.curl_as(
        Some(&identity),
        &["--write-out", "<%{num_connects}>", "-o", "/dev/null", &url],
        "/v1/health",
    );
    assert!(text(&output.stdout).contains("<1>") && text(&output.stdout).contains("<0>"), "{output:?}");
}

#[test]
fn parallel_clients_are_all_served() {
    let host = Host::running();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..5).for_each(|_| assert_serves(&host)));
        }
    });
}

#[test]
fn a_head_that_trickles_in_is_cut_at_its_deadline_while_others_are_served() {
    let host = Host::running();
    let mut raw = host.raw();
    raw.send(HEALTH.as_bytes());
    assert_eq!(raw.answer().status, 200);
    raw.send(b"GET /v1/health HTTP/1.1\r\n");
    assert_serves(&host);
    // Each byte comes soon after the one before: only a deadline for the whole head ends this.
    until("the end of a trickling head", || {
        thread::park_timeout(Duration::from_millis(100));
        raw.send(b"X");
        raw.is_closed().then_some(())
    });
    let rest = raw.rest();
    assert!(rest.is_empty() || text(&rest).starts_with("HTTP/1.1 408"), "{}", text(&rest));
    assert_serves(&host);
}

#[test]
fn a_body_that_never_comes_is_cut_at_its_deadline_and_nothing_happens() {
    let host = Host::running();
    let body = envelope("restart-web").to_string();
    let (signature, length) = (host.sign(&body), body.len());
    let head = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: a\r\nSecmon-Signature: {signature}\r\nContent-Length: {length}\r\n\r\n"
    );
    let mut raw = host.raw();
    raw.send(head.as_bytes());
    raw.send(&body.as_bytes()[..length - 1]);
    assert_serves(&host);
    let rest = raw.rest();
    assert!(rest.is_empty() || text(&rest).starts_with("HTTP/1.1 408"), "{}", text(&rest));
    assert_eq!((host.web.restarts(), host.get("/v1/health").canonical()["receipts"].clone()), (0, json!(0)));
    assert_eq!(host.receipt(&host.execute(&body))["state"], "succeeded", "the same envelope, whole");
}
