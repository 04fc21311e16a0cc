//! What strangers and odd clients can send: each gets the answer that HTTP and TLS have for it.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::ExtendedKeyUsagePurpose;
use rustls::ClientConfig;
use secmon_wire::{CONTROL_NAME, Health, Manifest, OperationId};

use crate::host::{Agent, Host, PATIENCE, Talk, Tls, now, post, wait_until};

fn answers(agent: &Agent, config: Arc<ClientConfig>) -> bool {
    let mut tls = agent.connect(config);
    tls.write_all(b"GET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n").is_ok() && tls.try_receive().is_ok()
}

#[test]
fn only_a_client_certificate_of_our_authority_that_names_the_control_plane_is_let_in() {
    let host = Host::new();
    let stranger = Host::new();
    let agent = host.start();
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    assert!(answers(&agent, host.control()));
    // Another agent's certificate, as it is and as a client's.
    let other_agent = "web2.agent.secmon.internal";
    assert!(!answers(&agent, host.client_config(other_agent, ExtendedKeyUsagePurpose::ServerAuth)));
    assert!(!answers(&agent, host.client_config(other_agent, client.clone())));
    // The right name for the wrong purpose, and under a longer name.
    assert!(!answers(&agent, host.client_config(CONTROL_NAME, ExtendedKeyUsagePurpose::ServerAuth)));
    assert!(!answers(&agent, host.client_config(&format!("x.{CONTROL_NAME}"), client.clone())));
    // No certificate.
    assert!(!answers(&agent, Arc::new(host.client_builder().with_no_client_auth())));
    // The right name from another authority, with a client that trusts ours.
    let (cert, key) = stranger.issue(&[CONTROL_NAME.to_owned()], client);
    let config = host.client_builder().with_client_auth_cert(
        vec![rustls::pki_types::pem::PemObject::from_pem_slice(cert.as_bytes()).expect("a certificate")],
        rustls::pki_types::pem::PemObject::from_pem_slice(key.as_bytes()).expect("a key"),
    );
    assert!(!answers(&agent, Arc::new(config.expect("a configuration"))));
    assert!(answers(&agent, host.control()));
}

#[test]
fn manifest_and_health_are_canonical_and_say_what_is_in_force() {
    let host = Host::new();
    let agent = host.start();
    let manifest = agent.get(host.control(), "/v1/manifest");
    assert_eq!(manifest.body, std::fs::read(host.path("capabilities.manifest.json")).expect("a manifest"));
    assert!(Manifest::read(&manifest.body).expect("a manifest").mac_is_valid(crate::host::SECRET));
    assert_eq!(manifest.header("Content-Type"), Some("application/json"));
    let health = Health::read(&agent.get(host.control(), "/v1/health").body).expect("health");
    assert_eq!(health.manifest, secmon_wire::signature::sha256(&manifest.body));
    assert!(health.clock.abs_diff(now()) < 60);
    assert_eq!((health.receipts, health.last_intent), (0, 0));
}

/// Whether the agent ends the connection, in order or not, while we are patient.
fn is_closed(connection: &mut impl Read) -> bool {
    match connection.read(&mut [0]) {
        Ok(length) => length == 0,
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// Sends `request` on a connection of its own; the status, and whether the connection stayed open.
fn status(host: &Host, agent: &Agent, request: &[u8]) -> (u16, bool) {
    let mut tls = agent.connect(host.control());
    tls.send(request);
    let response = tls.receive();
    let kept = response.header("Connection") == Some("keep-alive");
    if kept {
        tls.send(b"GET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n");
        assert_eq!(tls.receive().status, 200, "the connection was to be kept");
    } else {
        assert!(is_closed(&mut tls), "the connection was to be closed");
    }
    (response.status, kept)
}

#[test]
fn odd_requests_get_their_status_and_the_connection_stays_open_only_if_it_is_safe() {
    let host = Host::new();
    let agent = host.start();
    let long_head = format!("GET /v1/health HTTP/1.1\r\nHost: web1\r\nX: {}\r\n\r\n", "x".repeat(5000));
    let many_fields = format!("GET /v1/health HTTP/1.1\r\nHost: web1\r\n{}\r\n", "X: y\r\n".repeat(40));
    let big =
        format!("POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: 513\r\n\r\n{}", "x".repeat(513));
    let huge = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: 300000\r\n\r\n{}",
        "x".repeat(100_000)
    );
    for (request, expected) in [
        ("GET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n", (200, true)),
        ("GET https://web1:7443/v1/health HTTP/1.1\r\nHost: web1\r\n\r\n", (200, true)),
        ("GET /v1/health HTTP/1.1\r\nHost: web1\r\nContent-Length: 2\r\n\r\n{}", (200, true)),
        ("GET /v1/health HTTP/1.1\r\nHost: web1\r\nConnection: close\r\n\r\n", (200, false)),
        ("GET /v1/health HTTP/1.0\r\n\r\n", (200, false)),
        ("GET /v1/health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", (200, true)),
        ("GET / HTTP/1.1\r\nHost: web1\r\n\r\n", (404, true)),
        ("GET /v1/health?x HTTP/1.1\r\nHost: web1\r\n\r\n", (404, true)),
        ("GET /v1/execute HTTP/1.1\r\nHost: web1\r\n\r\n", (405, true)),
        ("DELETE /v1/manifest HTTP/1.1\r\nHost: web1\r\n\r\n", (405, true)),
        ("GET /v1/health HTTP/1.1\r\n\r\n", (400, false)),
        ("GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", (400, false)),
        ("\x16\x03\x01 nonsense\r\n\r\n", (400, false)),
        ("GET /v1/health HTTP/2.0\r\nHost: web1\r\n\r\n", (505, false)),
        (&long_head, (431, false)),
        (&many_fields, (431, false)),
        (&big, (413, false)),
        (&huge, (413, false)),
        ("POST /v1/execute HTTP/1.1\r\nHost: web1\r\n\r\n", (411, false)),
        (
            "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            (411, false),
        ),
        ("POST /v1/execute HTTP/1.1\r\nHost: web1\r\nTransfer-Encoding: gzip\r\n\r\n", (501, false)),
        (
            "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
            (400, false),
        ),
        (
            "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
            (400, false),
        ),
        ("POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: +2\r\n\r\n{}", (400, false)),
        (
            "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: 2\r\nExpect: tea\r\n\r\n{}",
            (417, false),
        ),
        ("POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: 2\r\n\r\n{}", (400, true)),
    ] {
        assert_eq!(status(&host, &agent, request.as_bytes()), expected, "{}", request.escape_debug());
    }
}

#[test]
fn a_wrong_method_is_told_the_right_ones_and_head_has_no_body() {
    let host = Host::new();
    let agent = host.start();
    let mut tls = agent.connect(host.control());
    tls.send(b"PUT /v1/execute HTTP/1.1\r\nHost: web1\r\n\r\n");
    let response = tls.receive();
    assert_eq!((response.status, response.header("Allow")), (405, Some("POST")));
    assert_eq!(response.text(), r#"{"error":"method-not-allowed","v":1}"#);
    tls.send(
        b"HEAD /v1/manifest HTTP/1.1\r\nHost: web1\r\n\r\nGET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n",
    );
    let mut text = Vec::new();
    while !text.windows(9).any(|w| w == b"uptime_s\"") {
        let mut piece = [0; 512];
        let length = tls.read(&mut piece).expect("more");
        assert_ne!(length, 0);
        text.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8(text).expect("text");
    let (head, rest) = text.split_once("\r\n\r\n").expect("a head");
    let manifest = std::fs::read(host.path("capabilities.manifest.json")).expect("a manifest");
    assert!(head.contains(&format!("Content-Length: {}\r\n", manifest.len())), "{head}");
    assert!(rest.starts_with("HTTP/1.1 200 OK"), "{rest}");
}

#[test]
fn split_and_pipelined_requests_are_answered_in_order() {
    let host = Host::new();
    let agent = host.start();
    let envelope = host.envelope(OperationId::RestartDb, 1, now());
    let post = post(&envelope, &host.sign(&envelope));
    let get = b"GET /v1/nowhere HTTP/1.1\r\nHost: web1\r\n\r\n";
    let all = [get.as_slice(), &post, get, &post, b"GET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n"].concat();
    let expected = [404, 200, 404, 200, 200];
    let statuses = |tls: &mut Tls| expected.map(|_| tls.receive().status);
    let mut tls = agent.connect(host.control());
    tls.send(&all);
    assert_eq!(statuses(&mut tls), expected);
    let mut tls = agent.connect(host.control());
    for byte in &all {
        tls.send(&[*byte]);
    }
    assert_eq!(statuses(&mut tls), expected);
}

#[test]
fn a_client_that_waits_for_our_go_gets_it() {
    let host = Host::new();
    let agent = host.start();
    let envelope = host.envelope(OperationId::RestartDb, 1, now());
    let head = format!(
        "POST /v1/execute HTTP/1.1\r\nHost: web1\r\nContent-Length: {}\r\nExpect: 100-continue\r\nSecmon-Signature: {}\r\n\r\n",
        envelope.len(),
        host.sign(&envelope)
    );
    let mut tls = agent.connect(host.control());
    tls.send(head.as_bytes());
    assert_eq!(tls.receive().status, 100);
    tls.send(&envelope);
    assert_eq!(tls.receive().status, 200);
}

#[test]
fn a_slow_head_is_ended_and_others_are_served_meanwhile() {
    let host = Host::new();
    let agent = host.start();
    let mut slow = agent.connect(host.control());
    slow.send(b"GET /v1/health HTTP/1.1\r\n");
    let silent = TcpStream::connect(agent.address).expect("a connection");
    silent.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    assert!(answers(&agent, host.control()));
    assert_eq!(slow.receive().status, 408);
    // No handshake: closed without a word.
    assert!(is_closed(&mut &silent));
}

#[test]
fn connections_over_the_cap_are_closed_and_the_ones_before_go_on() {
    let host = Host::new();
    let agent = host.start();
    let mut kept: Vec<Tls> = (0..16).map(|_| agent.connect(host.control())).collect();
    for tls in &mut kept {
        tls.send(b"GET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n");
        assert_eq!(tls.receive().status, 200);
    }
    assert!(!answers(&agent, host.control()));
    for tls in &mut kept {
        tls.send(b"GET /v1/health HTTP/1.1\r\nHost: web1\r\n\r\n");
        assert_eq!(tls.receive().status, 200);
    }
    drop(kept);
    wait_until("there is room again", || answers(&agent, host.control()));
}
