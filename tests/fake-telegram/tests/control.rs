//! The control endpoints and the program, as a test in another process uses them.

mod support;

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use support::{Client, start, start_with_chat};

#[test]
fn raw_updates_arrive_byte_for_byte() {
    let (_server, mut client) = start();
    let lone = r#"{"update_id":900000000,"message":{"message_id":1,"date":1,"chat":{"id":42,"type":"private"},"text":"\ud800"}}"#;
    let unknown = r#"{ "update_id" : 900000001, "novelty" : [1.50] }"#;
    for raw in [lone, unknown] {
        assert_eq!(client.control("POST", "updates", raw).json()["queued"], true);
    }
    client.control("POST", "updates?update_id=900000002", "not even json");
    client.send_call("getUpdates", json!({}));
    let body = String::from_utf8(client.answer().unwrap().body).unwrap();
    assert_eq!(body, format!("{{\"ok\":true,\"result\":[{lone},{unknown},not even json]}}"));
    assert_eq!(
        client.control("GET", "state", "").json()["pending"],
        json!([900_000_000, 900_000_001, 900_000_002])
    );
    assert_eq!(
        client.call("sendMessage", json!({"chat_id": 42, "text": "x"})).status,
        200,
        "the chat is known"
    );
}

#[test]
fn an_id_is_assigned_only_on_request() {
    let (_server, mut client) = start();
    let id = client.control("POST", "updates?assign=1", r#"{"poll":{}}"#).json()["update_id"].clone();
    client.control("POST", "updates", r#"{"poll":{}}"#);
    assert_eq!(client.ok("getUpdates", json!({})), json!([{"update_id": id, "poll": {}}, {"poll": {}}]));
}

#[test]
fn texts_and_presses_are_made_from_a_few_fields() {
    let (_server, mut client) = start();
    let made = client.control("POST", "message", r#"{"from":42,"text":"hi","form":"edited"}"#).json();
    assert_eq!(made["message_id"], 1);
    client.control("POST", "callback", r#"{"from":42,"message_id":1,"data":"d"}"#);
    let updates = client.ok("getUpdates", json!({}));
    assert_eq!(updates[0]["edited_message"]["text"], "hi");
    assert_eq!(updates[1]["callback_query"]["data"], "d");
}

#[test]
fn what_the_bot_sent_can_be_read_and_waited_for() {
    let (_server, mut client) = start_with_chat();
    assert_eq!(client.control("GET", "wait?sent=1&timeout_ms=10", "").status, 408);
    client.ok("sendMessage", json!({"chat_id": 42, "text": "<i>x</i>", "parse_mode": "HTML"}));
    assert_eq!(client.control("GET", "wait?sent=1", "").status, 200);
    let sent = client.control("GET", "sent", "").json();
    assert_eq!((sent[0]["raw"].as_str(), sent[0]["text"].as_str()), (Some("<i>x</i>"), Some("x")));
    let requests = client.control("GET", "requests?method=sendmessage", "").json();
    assert_eq!(
        (requests[0]["params"]["chat_id"].as_i64(), requests[0]["status"].as_i64()),
        (Some(42), Some(200))
    );
}

#[test]
fn a_waiting_test_is_woken_by_the_message() {
    let (server, mut client) = start_with_chat();
    let mut waiter = Client::new(&server);
    waiter.send("GET", "/control/wait?sent=2&timeout_ms=20000", "", b"");
    for text in ["one", "two"] {
        client.ok("sendMessage", json!({"chat_id": 42, "text": text}));
    }
    let answer = waiter.answer().unwrap();
    assert_eq!((answer.status, answer.json()["sent"].as_i64()), (200, Some(2)));
}

#[test]
fn clock_faults_limits_and_chats_are_set_from_outside() {
    let (server, mut client) = start();
    client.control("POST", "clock", r#"{"offset_ms":1000,"advance_ms":500}"#);
    assert_eq!(client.control("POST", "clock", r#"{"advance_ms":500}"#).json()["offset_ms"], 2000);
    client.control(
        "POST",
        "faults",
        r#"{"fault":{"kind":"status","status":502},"method":"getMe","times":2}"#,
    );
    assert_eq!(client.call("getMe", json!({})).status, 502);
    assert_eq!(client.control("GET", "faults", "").json()[0]["times"], 1);
    client.control("DELETE", "faults", "");
    assert_eq!(client.call("getMe", json!({})).status, 200);
    client.control("POST", "chats", r#"{"id":-5,"type":"group","title":"G"}"#);
    client.control("POST", "rate_limit", r#"{"on":true}"#);
    let codes =
        (0..21).map(|n| client.call("sendMessage", json!({"chat_id": -5, "text": n.to_string()})).status);
    assert_eq!(codes.filter(|code| *code == 429).count(), 1);
    assert_eq!(server.sent_to(-5).len(), 20);
}

#[test]
fn mistakes_in_control_requests_are_named() {
    let (_server, mut client) = start();
    for (verb, path, body, status) in [
        ("GET", "nothing", "", 404),
        ("PUT", "faults", "", 405),
        ("POST", "faults", r#"{"fault":{"kind":"boom"}}"#, 400),
        ("POST", "message", r#"{"from":1}"#, 400),
        ("POST", "clock", r#"{"ofset_ms":1}"#, 400),
        ("POST", "chats", "{}", 400),
    ] {
        let answer = client.control(verb, path, body);
        assert_eq!(answer.status, status, "{verb} {path}");
        assert_eq!(answer.json()["ok"], false);
    }
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fake-telegram"));
    command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_program_prints_its_address_and_serves_its_token() {
    let mut running = Running(program(&["--token", "7:seven"]).spawn().unwrap());
    let mut line = String::new();
    BufReader::new(running.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on http://").unwrap().parse().unwrap();
    let me: Value = Client::to(addr, "7:seven").ok("getMe", json!({}));
    assert_eq!(me["id"], 7);
    assert_eq!(Client::to(addr, "8:eight").call("getMe", json!({})).status, 401);
}

#[test]
fn the_program_refuses_words_that_it_does_not_know() {
    for (words, code) in
        [(&["--help"][..], 0), (&["--prot", "1"], 2), (&["--port"], 2), (&["--spec", "/none"], 1)]
    {
        assert_eq!(program(words).output().unwrap().status.code(), Some(code), "{words:?}");
    }
}
