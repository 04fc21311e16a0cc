//! How requests may arrive: verbs, bodies, tokens, framing.

mod support;

use secmon_fake_telegram::Transport;
use serde_json::json;
use std::io::Write;
use support::{Client, start, start_with_chat};

#[test]
fn method_names_have_no_case_and_unknown_ones_get_404() {
    let (_server, mut client) = start();
    for method in ["getMe", "GetMe", "GETME"] {
        assert_eq!(client.ok(method, json!({}))["is_bot"], true);
    }
    let answer = client.call("getMeNot", json!({}));
    assert_eq!((answer.status, answer.description().as_str()), (404, "Not Found: method not found"));
}

#[test]
fn a_wrong_token_is_unauthorized_and_the_right_one_works() {
    let (server, mut client) = start();
    let answer = Client::to(server.addr(), "4815162342:wrong").call("getMe", json!({}));
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json(), json!({"ok": false, "error_code": 401, "description": "Unauthorized"}));
    let malformed = Client::to(server.addr(), "nocolon").call("getMe", json!({}));
    assert_eq!(malformed.description(), "Unauthorized: invalid token specified");
    assert_eq!(client.call("getMe", json!({})).status, 200);
}

#[test]
fn every_kind_of_body_is_understood() {
    let (server, mut client) = start_with_chat();
    let path = format!("/bot{}/sendMessage", server.token());
    client.send("GET", &format!("{path}?chat_id=42&text=a%20b+c"), "", b"");
    assert_eq!(client.answer().unwrap().json()["result"]["text"], "a b c");
    client.send("POST", &path, "application/x-www-form-urlencoded", b"chat_id=42&text=%F0%9F%A6%80");
    assert_eq!(client.answer().unwrap().json()["result"]["text"], "🦀");
    let multipart = b"--X\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n42\r\n\
        --X\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\nparts\r\n--X--\r\n";
    client.send("POST", &path, "multipart/form-data; boundary=X", multipart);
    assert_eq!(client.answer().unwrap().json()["result"]["text"], "parts");
    client.send("POST", &path, "application/json", br#"{"chat_id":42,"text":"json"}"#);
    assert_eq!(client.answer().unwrap().json()["result"]["text"], "json");
    let transports: Vec<_> = server.requests().iter().map(|request| request.transport).collect();
    assert_eq!(transports, [Transport::Query, Transport::Form, Transport::Multipart, Transport::Json]);
    server.assert_no_violations();
}

#[test]
fn pipelined_and_chunked_requests_are_answered_in_order() {
    let (server, mut client) = start();
    let head = format!("POST /bot{}/getMe HTTP/1.1\r\nHost: x\r\n", server.token());
    let chunked = format!(
        "{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
    );
    let plain = format!("{head}Content-Length: 0\r\n\r\n");
    client.stream.write_all((chunked + &plain).as_bytes()).unwrap();
    assert_eq!(client.answer().unwrap().status, 200);
    assert_eq!(client.answer().unwrap().status, 200);
}

#[test]
fn what_is_no_http_gets_400_and_a_body_that_is_no_json_too() {
    let (server, mut client) = start();
    client.stream.write_all(b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n").unwrap();
    assert_eq!(client.answer().unwrap().status, 400);
    let mut client = Client::new(&server);
    client.send("POST", &format!("/bot{}/getMe", server.token()), "application/json", b"{");
    assert_eq!(client.answer().unwrap().status, 400);
    assert_eq!(server.violations().len(), 1);
    assert_eq!(client.call("getMe", json!({})).status, 200, "the connection survived");
}

#[test]
fn a_dropped_server_frees_its_port() {
    let (server, mut client) = start();
    let port = server.addr().port();
    drop(server);
    assert!(client.answer().is_none(), "open connections end");
    let again = secmon_fake_telegram::FakeTelegram::start(secmon_fake_telegram::Options {
        port,
        ..secmon_fake_telegram::Options::default()
    });
    assert_eq!(Client::new(&again).call("getMe", json!({})).status, 200);
}
