//! Who gets through the agent's TLS, and what happens to the listener when someone doesn't. The clients are curl
//! and openssl, which nobody here wrote.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::PathBuf;

use secmon_tests::agent_host::{
    CONTROL_NAME, HEALTH, Host, Issuer, PATIENCE, Purpose, RawClient, text, until,
};

fn assert_serves(host: &Host) {
    let answer = host.get("/v1/health");
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn only_a_certificate_of_our_ca_that_names_the_control_plane_gets_an_answer() {
    let host = Host::running();
    let (ours, dir) = (host.issuer(), host.at("work"));
    let stranger = Issuer::new(&dir, "stranger");
    let other = "web2.agent.secmon.internal";
    let both = || vec![other.to_owned(), CONTROL_NAME.to_owned()];
    let refused: [(&str, Option<PathBuf>); 9] = [
        ("no certificate", None),
        (
            "the control plane's name by another CA",
            Some(stranger.issue(&dir, "a", Purpose::client(CONTROL_NAME))),
        ),
        ("another agent's certificate", Some(ours.issue(&dir, "b", Purpose::server(other)))),
        ("this agent's own certificate", Some(host.bundle("agent"))),
        ("another agent's name for clients", Some(ours.issue(&dir, "c", Purpose::client(other)))),
        ("the control plane's name for servers", Some(ours.issue(&dir, "d", Purpose::server(CONTROL_NAME)))),
        (
            "the control plane's name as common name only",
            Some(ours.issue(&dir, "e", Purpose { names: vec![], ..Purpose::client(CONTROL_NAME) })),
        ),
        (
            "the control plane's name as common name of another agent",
            Some(ours.issue(
                &dir,
                "f",
                Purpose { names: vec![other.to_owned()], ..Purpose::client(CONTROL_NAME) },
            )),
        ),
        (
            "an expired one",
            Some(ours.issue(&dir, "g", Purpose { days: -1, ..Purpose::client(CONTROL_NAME) })),
        ),
    ];
    for (who, identity) in refused {
        let output = host.curl_as(identity.as_deref(), &[], "/v1/health");
        assert!(!output.status.success(), "{who}: {}", text(&output.stdout));
        assert_eq!(text(&output.stdout), "", "{who}");
        let mut raw =
            RawClient::connect(host.port(), &host.bundle("ca.pem"), identity.as_deref(), &["-tls1_3"]);
        raw.send(HEALTH.as_bytes());
        assert_eq!(text(&raw.rest()), "", "{who}");
        assert_serves(&host);
    }
    let accepted = [
        ours.issue(&dir, "h", Purpose::client(CONTROL_NAME)),
        ours.issue(
            &dir,
            "i",
            Purpose { common_name: "anything".to_owned(), ..Purpose::client(CONTROL_NAME) },
        ),
        ours.issue(
            &dir,
            "j",
            Purpose { usage: "clientAuth,serverAuth", names: both(), ..Purpose::client("x") },
        ),
    ];
    for identity in accepted {
        let output = host.curl_as(Some(&identity), &[], "/v1/health");
        assert!(text(&output.stdout).starts_with("HTTP/1.1 200"), "{} {output:?}", identity.display());
    }
}

#[test]
fn an_agents_certificate_is_no_authority() {
    let host = Host::running();
    let (ours, dir) = (host.issuer(), host.at("work"));
    // Whoever is root on another agent's host can sign with its key, and send its certificate along.
    let other = ours.issue(&dir, "web2", Purpose::server("web2.agent.secmon.internal"));
    let forged = Issuer::existing(&dir, "web2").issue(&dir, "forged", Purpose::client(CONTROL_NAME));
    let leaf = std::fs::read_to_string(forged.with_extension("pem")).expect("a certificate");
    for chain in [other.with_extension("pem"), ours.certificate()] {
        let chain = std::fs::read_to_string(chain).expect("a certificate");
        std::fs::write(forged.with_extension("pem"), format!("{leaf}{chain}")).expect("a written file");
        let output = host.curl_as(Some(&forged), &[], "/v1/health");
        assert_eq!((output.status.success(), text(&output.stdout).as_str()), (false, ""));
    }
    let genuine = ours.issue(&dir, "genuine", Purpose::client(CONTROL_NAME));
    assert!(host.curl_as(Some(&genuine), &[], "/v1/health").status.success());
}

#[test]
fn tls_1_3_is_spoken_and_nothing_older() {
    let host = Host::running();
    let connect = |version| {
        let identity = host.at("work/control");
        let mut raw = RawClient::connect(host.port(), &host.bundle("ca.pem"), Some(&identity), &[version]);
        raw.send(HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes());
        text(&raw.rest())
    };
    for version in ["-tls1", "-tls1_1", "-tls1_2"] {
        assert_eq!(connect(version), "", "{version}");
    }
    assert!(connect("-tls1_3").starts_with("HTTP/1.1 200"));
    let identity = host.at("work/control");
    assert!(!host.curl_as(Some(&identity), &["--tls-max", "1.2"], "/v1/health").status.success());
    assert!(host.curl_as(Some(&identity), &["--tlsv1.3"], "/v1/health").status.success());
}

#[test]
fn two_suites_and_two_key_exchanges_are_spoken_and_no_other() {
    let host = Host::running();
    let connect = |option, value| {
        let identity = host.at("work/control");
        let options = ["-tls1_3", option, value];
        let mut raw = RawClient::connect(host.port(), &host.bundle("ca.pem"), Some(&identity), &options);
        raw.send(HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes());
        text(&raw.rest())
    };
    for (option, spoken) in [
        ("-ciphersuites", ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384"]),
        ("-groups", ["X25519", "P-256"]),
    ] {
        for value in spoken {
            assert!(connect(option, value).starts_with("HTTP/1.1 200"), "{value}");
        }
    }
    for (option, value) in [
        ("-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"),
        ("-ciphersuites", "TLS_AES_128_CCM_SHA256"),
        ("-groups", "P-384"),
        ("-groups", "X448"),
    ] {
        assert_eq!(connect(option, value), "", "{value}");
    }
    assert_serves(&host);
}

#[test]
fn bytes_that_are_no_tls_get_no_http_answer_and_harm_nobody() {
    let mut host = Host::running();
    for garbage in [
        HEALTH.as_bytes(),
        b"\x16\x03\x01\xff\xff",
        &[0; 70_000],
        &[0xff; 70_000],
        b"\x16\x03\x01\x00\x05hello",
        b"",
    ] {
        let mut tcp = TcpStream::connect(("127.0.0.1", host.port())).expect("a listener");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a socket");
        // The agent may have closed already; what counts is what comes back.
        let _written = tcp.write_all(garbage);
        let _closed = tcp.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _read = tcp.read_to_end(&mut answer);
        assert!(!text(&answer).contains("HTTP/1.1 2"), "{}", text(&answer));
        assert_serves(&host);
    }
    assert!(host.is_running());
}

#[test]
fn half_open_connections_shed_the_newest_and_lose_their_places_at_the_deadline() {
    let mut host = Host::running();
    let connect = || TcpStream::connect(("127.0.0.1", host.port())).expect("the listener accepts");
    let idle: Vec<TcpStream> = (0..300).map(|_| connect()).collect();
    idle.iter().for_each(|tcp| tcp.set_nonblocking(true).expect("a socket"));
    // Nothing was sent on any of them: what reads as ended was closed by the agent.
    let ended = |mut tcp: &TcpStream| !matches!(tcp.read(&mut [0; 64]), Err(error) if error.kind() == ErrorKind::WouldBlock);
    until("the newest to be shed", || ended(idle.last()?).then_some(()));
    assert!(!ended(&idle[0]), "the oldest keeps its place until its deadline");
    until("the listener to serve again", || {
        let output = host.curl_as(Some(&host.at("work/control")), &["--max-time", "5"], "/v1/health");
        output.status.success().then_some(())
    });
    until("the oldest to lose its place", || ended(&idle[0]).then_some(()));
    assert!(host.is_running());
}

#[test]
fn clients_that_vanish_in_the_middle_leave_no_trace() {
    let mut host = Host::running();
    for cut in [1, 10, HEALTH.len() - 1, HEALTH.len()] {
        for _ in 0..30 {
            let mut tcp = TcpStream::connect(("127.0.0.1", host.port())).expect("the listener accepts");
            let _written = tcp.write_all(&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..cut.min(11)]);
        }
        let mut raw = host.raw();
        raw.send(&HEALTH.as_bytes()[..cut]);
    }
    until("service after all of them", || {
        let output = host.curl_as(Some(&host.at("work/control")), &["--max-time", "5"], "/v1/health");
        output.status.success().then_some(())
    });
    assert!(host.is_running());
}
