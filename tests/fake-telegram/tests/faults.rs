//! Every planned failure, as a client sees it, and that the next request works.

mod support;

use secmon_fake_telegram::{Fault, PlannedFault, Wait};
use serde_json::json;
use std::io::Read;
use std::time::{Duration, Instant};
use support::{Client, PATIENCE, start, start_with_chat};

fn hello() -> serde_json::Value {
    json!({"chat_id": 42, "text": "hello"})
}

#[test]
fn a_gateway_error_is_a_page_and_does_nothing() {
    let (server, mut client) = start_with_chat();
    for status in [500, 502, 504] {
        server.fail_next("sendMessage", Fault::Status { status });
        let answer = client.call("sendMessage", hello());
        assert_eq!(answer.status, status);
        assert!(answer.head.contains("text/html") && answer.body.starts_with(b"<html>"));
    }
    assert_eq!(server.sent().len(), 0);
    client.ok("sendMessage", hello());
    assert_eq!(server.sent().len(), 1);
}

#[test]
fn errors_of_the_api_are_made_up_on_request() {
    let (server, mut client) = start();
    server.plan(PlannedFault::new(Fault::Flood { retry_after: 9 }));
    server.plan(PlannedFault::new(Fault::Conflict));
    server.plan(PlannedFault::new(Fault::Unauthorized));
    server.plan(PlannedFault::new(Fault::Error {
        code: 403,
        description: "Forbidden: bot was blocked".into(),
    }));
    let flood = client.call("getMe", json!({}));
    assert_eq!((flood.status, flood.json()["parameters"]["retry_after"].as_i64()), (429, Some(9)));
    assert!(flood.head.contains("Retry-After: 9\r\n"));
    let codes: Vec<_> = (0..4).map(|_| client.call("getMe", json!({})).status).collect();
    assert_eq!(codes, [409, 401, 403, 200]);
}

#[test]
fn bodies_can_be_anything() {
    let (server, mut client) = start();
    server.fail_next("getMe", Fault::Answer { status: 200, body: r#"{"ok":false}"#.into() });
    assert_eq!(client.call("getMe", json!({})).json(), json!({"ok": false}));
    for fault in [Fault::Garbage, Fault::Truncated] {
        server.fail_next("getMe", fault);
        let answer = client.call("getMe", json!({}));
        assert_eq!(answer.status, 200);
        assert!(serde_json::from_slice::<serde_json::Value>(&answer.body).is_err());
    }
    client.ok("getMe", json!({}));
}

#[test]
fn a_connection_is_cut_before_or_in_the_middle_of_an_answer() {
    let (server, mut client) = start_with_chat();
    for fault in [Fault::Cut, Fault::Reset] {
        server.fail_next("sendMessage", fault);
        client.send_call("sendMessage", hello());
        assert!(client.answer().is_none());
        client = Client::new(&server);
    }
    assert_eq!(server.sent().len(), 0, "a request that is cut before it is carried out has no effect");
    server.fail_next("sendMessage", Fault::CutMiddle);
    client.send_call("sendMessage", hello());
    let mut bytes = Vec::new();
    client.stream.read_to_end(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK") && !bytes.ends_with(b"}}"));
    assert_eq!(server.sent().len(), 1);
}

#[test]
fn an_answer_can_be_lost_after_its_request_took_effect() {
    let (server, mut client) = start_with_chat();
    server.plan(PlannedFault::new(Fault::Cut).on("sendMessage").after_effect());
    client.send_call("sendMessage", hello());
    assert!(client.answer().is_none());
    assert_eq!(server.sent().len(), 1);
    let update = server.text(42, "x").update_id;
    let mut client = Client::new(&server);
    server.plan(PlannedFault::new(Fault::Status { status: 502 }).on("getUpdates").after_effect());
    assert_eq!(client.call("getUpdates", json!({"offset": update + 1})).status, 502);
    assert_eq!(server.pending(), Vec::<i64>::new());
}

#[test]
fn a_hanging_request_hangs_until_the_client_leaves() {
    let (server, mut client) = start();
    server.fail_next("getMe", Fault::Hang);
    client.send_call("getMe", json!({}));
    client.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(client.answer().is_none());
    assert_eq!(server.requests()[0].status, None);
    Client::new(&server).ok("getMe", json!({}));
}

#[test]
fn an_answer_can_be_late_slow_or_too_long() {
    let (server, mut client) = start();
    let started = Instant::now();
    server.fail_next("getMe", Fault::Delay { ms: 150 });
    client.ok("getMe", json!({}));
    assert!(started.elapsed() >= Duration::from_millis(150));
    server.fail_next("getMe", Fault::Drip { chunk: 100, ms: 5 });
    client.ok("getMe", json!({}));
    server.fail_next("getMe", Fault::TooLong { extra: 5 });
    client.ok("getMe", json!({}));
    let mut surplus = [0; 5];
    client.stream.read_exact(&mut surplus).unwrap();
    assert_eq!(&surplus, b"#####");
}

#[test]
fn faults_strike_as_often_as_planned_and_are_recorded() {
    let (server, mut client) = start();
    server.plan(PlannedFault::new(Fault::Status { status: 500 }).on("GETME").skip(1).times(2));
    let codes: Vec<_> = (0..4).map(|_| client.call("getMe", json!({})).status).collect();
    assert_eq!(codes, [200, 500, 500, 200]);
    assert!(server.faults_left().is_empty());
    let all = Wait { requests: Some(4), method: Some("getme".into()), ..Wait::default() };
    assert!(server.wait(&all, PATIENCE));
    assert_eq!(server.requests()[1].fault.as_deref(), Some("status"));
    server.plan(PlannedFault::new(Fault::Conflict).for_ever());
    assert_eq!(client.call("getMe", json!({})).status, 409);
    server.clear_faults();
    assert_eq!(client.call("getMe", json!({})).status, 200);
}
