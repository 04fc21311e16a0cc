//! Requests against the specification, and the server's own answers too. Without the specification file
//! there is nothing to check against, and the tests say so.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod support;

use secmon_fake_telegram::{Form, Incoming, Press, Spec, find_spec};
use serde_json::{Value, json};
use support::{Client, start_with_chat};

fn spec() -> Option<Spec> {
    let Some(path) = find_spec() else {
        eprintln!("skipped: there is no specs/telegram-bot-api.json");
        return None;
    };
    Some(Spec::load(&path).unwrap())
}

#[test]
fn requests_that_break_the_specification_are_recorded_though_answered() {
    if spec().is_none() {
        return;
    }
    let (server, mut client) = start_with_chat();
    client.ok(
        "sendMessage",
        json!({"chat_id": 42, "text": "x", "link_preview_options": {"is_disabled": true}}),
    );
    server.assert_no_violations();
    client.ok("sendMessage", json!({"chat_id": 42, "text": "x", "disable_web_page_preview": true}));
    client.ok("getUpdates", json!({"timeout": "0"}));
    assert_eq!(
        server.violations(),
        [
            "sendMessage.disable_web_page_preview: unknown field",
            "getUpdates.timeout: expected Integer, found a string"
        ]
    );
    assert_eq!(client.control("GET", "violations", "").json().as_array().unwrap().len(), 2);
}

#[test]
fn every_injected_update_is_a_valid_update() {
    let Some(spec) = spec() else { return };
    let (server, mut client) = start_with_chat();
    let sent = client.ok("sendMessage", json!({"chat_id": 42, "text": "x"}));
    let forms = [
        Form::Plain,
        Form::Edited,
        Form::Forwarded,
        Form::Channel,
        Form::ViaBot,
        Form::Caption,
        Form::Anonymous,
    ];
    for form in forms {
        server.receive(&Incoming::new(42, "/x y").in_chat(-1_000_000_000_005).form(form));
    }
    let id = sent["message_id"].as_i64().unwrap();
    server.receive(&Incoming::new(42, "x").reply_to(id));
    server.press(&Press { from: 42, chat: None, message_id: id, data: "d".into() });
    server.press(&Press { from: 42, chat: None, message_id: 999, data: "d".into() });
    let updates = client.ok("getUpdates", json!({}));
    assert_eq!(updates.as_array().unwrap().len(), forms.len() + 3);
    for update in updates.as_array().unwrap() {
        assert_eq!(spec.check_type(update, "Update"), Vec::<String>::new(), "{update}");
    }
}

#[test]
fn the_servers_own_answers_keep_the_specification() {
    let Some(spec) = spec() else { return };
    let (server, mut client) = start_with_chat();
    let check = |client: &mut Client, method: &str, params: Value, kind: &str| {
        let result = client.ok(method, params);
        assert_eq!(spec.check_type(&result, kind), Vec::<String>::new(), "{method}: {result}");
        result
    };
    check(&mut client, "getMe", json!({}), "User");
    check(&mut client, "getChat", json!({"chat_id": 42}), "ChatFullInfo");
    check(&mut client, "getChatMember", json!({"chat_id": 42, "user_id": 42}), "ChatMember");
    check(&mut client, "getWebhookInfo", json!({}), "WebhookInfo");
    let asked = server.text(42, "q").message_id;
    let params = json!({
        "chat_id": 42, "text": "<pre>x</pre> <a href=\"https://a.example\">y</a>", "parse_mode": "HTML",
        "reply_parameters": {"message_id": asked},
        "reply_markup": {"inline_keyboard": [[{"text": "z", "copy_text": {"text": "w"}}]]},
    });
    let sent = check(&mut client, "sendMessage", params, "Message");
    let edit = json!({"chat_id": 42, "message_id": sent["message_id"], "text": "new"});
    check(&mut client, "editMessageText", edit, "Message");
    check(&mut client, "sendChatAction", json!({"chat_id": 42, "action": "typing"}), "Boolean");
    server.assert_no_violations();
}
