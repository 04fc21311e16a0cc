//! Tests of the specification check, on a small specification of their own.

use super::*;
use serde_json::json;

fn spec() -> Spec {
    let field = |name: &str, types: &[&str], required: bool| json!({"name": name, "types": types, "required": required, "description": ""});
    serde_json::from_value(json!({
        "methods": {"sendThing": {"fields": [
            field("chat_id", &["Integer", "String"], true),
            field("loud", &["Boolean"], false),
            field("rows", &["Array of Array of Button"], false),
            field("scope", &["Scope"], false),
            field("file", &["InputFile", "String"], false),
            field("opaque", &["Unseen"], false),
        ]}, "ping": {}},
        "types": {
            "Button": {"fields": [field("text", &["String"], true)]},
            "Scope": {"subtypes": ["ScopeAll", "ScopeChat"]},
            "ScopeAll": {"fields": [field("type", &["String"], true)]},
            "ScopeChat": {"fields": [field("type", &["String"], true), field("chat", &["Integer"], true)]},
        },
    }))
    .unwrap()
}

fn json_request(body: Value) -> Vec<String> {
    let params = Params::read("", "application/json", body.to_string().as_bytes()).unwrap();
    spec().check_request("SENDTHING", &params)
}

#[test]
fn a_request_that_keeps_the_specification_passes() {
    let good = json!({
        "chat_id": 5, "loud": true, "rows": [[{"text": "x"}], []],
        "scope": {"type": "chat", "chat": 5}, "opaque": {"any": ["thing"]},
    });
    assert_eq!(json_request(good), Vec::<String>::new());
    assert_eq!(json_request(json!({"chat_id": "@x", "scope": {"type": "all"}})), Vec::<String>::new());
}

#[test]
fn every_breach_is_named_with_its_place() {
    for (body, breach) in [
        (json!({}), "sendThing.chat_id: required, absent"),
        (json!({"chat_id": 1, "lout": 1}), "sendThing.lout: unknown field"),
        (json!({"chat_id": 1, "loud": "true"}), "sendThing.loud: expected Boolean, found a string"),
        (json!({"chat_id": 1, "loud": null}), "sendThing.loud: expected Boolean, found null"),
        (json!({"chat_id": 1, "rows": [[{}]]}), "sendThing.rows[0][0].text: required, absent"),
        (
            json!({"chat_id": 1, "rows": [[{"text": "x", "y": 1}]]}),
            "sendThing.rows[0][0].y: unknown field of Button",
        ),
        (
            json!({"chat_id": 1, "rows": [{"text": "x"}]}),
            "sendThing.rows[0]: expected Array of Button, found an object",
        ),
        (
            json!({"chat_id": 1, "scope": {"type": "x", "chat": 5, "more": 1}}),
            "sendThing.scope: is none of ScopeAll, ScopeChat (nearest: sendThing.scope.more: unknown field of ScopeChat)",
        ),
        (json!({"chat_id": 1, "opaque": 5}), "sendThing.opaque: expected Unseen, found a number"),
        (
            json!({"chat_id": true}),
            "sendThing.chat_id: is none of Integer, String (nearest: sendThing.chat_id: expected Integer, found a boolean)",
        ),
    ] {
        assert!(json_request(body.clone()).iter().any(|found| found == breach), "{:?}", json_request(body));
    }
    let params = Params::read("", "", b"").unwrap();
    assert_eq!(spec().check_request("sendNothing", &params), ["sendNothing: the method doesn't exist"]);
}

#[test]
fn forms_carry_everything_as_text() {
    let good = Params::read("chat_id=5&loud=true&rows=[[{%22text%22:%22x%22}]]&file=abc", "", b"").unwrap();
    assert_eq!(spec().check_request("sendThing", &good), Vec::<String>::new());
    let bad = Params::read("chat_id=5&loud=maybe&rows=[[{}]]", "", b"").unwrap();
    assert_eq!(spec().check_request("sendThing", &bad).len(), 2);
}

#[test]
fn files_and_attachments_are_known() {
    let part = |name: &str, file: &str, text: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n")
    };
    let check = |body: String| {
        let params = Params::read("", "multipart/form-data; boundary=B", body.as_bytes()).unwrap();
        spec().check_request("sendThing", &params)
    };
    let upload = part("chat_id", "", "5") + &part("file", "; filename=\"x\"", "y") + "--B--";
    assert_eq!(check(upload), Vec::<String>::new());
    let attached = part("chat_id", "", "5")
        + &part("file", "", "attach://f0")
        + &part("f0", "; filename=\"x\"", "y")
        + "--B--";
    assert_eq!(check(attached), Vec::<String>::new());
    let stray = part("chat_id", "", "5") + &part("loud", "; filename=\"x\"", "y") + "--B--";
    assert_eq!(check(stray), ["sendThing.loud: is no file"]);
}
