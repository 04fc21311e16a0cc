use serde_json::json;

use super::*;

const BOT: i64 = 42;

fn batch(updates: &[&str]) -> Batch {
    let raw: Vec<Box<RawValue>> =
        updates.iter().map(|text| RawValue::from_string((*text).to_owned()).expect("JSON")).collect();
    Batch::read(&raw.iter().map(AsRef::as_ref).collect::<Vec<_>>())
}

fn read(field: &str, message: serde_json::Value) -> Option<Inbound> {
    let update = json!({"update_id": 7, field: message}).to_string();
    let mut batch = batch(&[&update]);
    match batch.updates.pop() {
        Some((7, Content::Message(message))) => message.inbound(BOT),
        other => panic!("{other:?}"),
    }
}

fn message(extra: serde_json::Value) -> serde_json::Value {
    let mut message = json!({
        "message_id": 1, "date": 1, "from": {"id": 5, "is_bot": false, "first_name": "A"},
        "chat": {"id": 5, "type": "private"}, "text": "hello",
    });
    for (key, value) in extra.as_object().expect("an object") {
        message[key] = value.clone();
    }
    message
}

#[test]
fn a_plain_private_message_is_plain() {
    let inbound = read("message", message(json!({}))).expect("a message");
    assert_eq!((inbound.sender.0, inbound.chat.0, inbound.private), (5, 5, true));
    assert_eq!((inbound.form, inbound.text.as_str()), (Form::Plain, "hello"));
}

#[test]
fn whatever_its_sender_did_not_type_just_now_is_not_plain() {
    for (extra, form) in [
        (json!({"edit_date": 2}), Form::Edited),
        (json!({"forward_origin": {"type": "user"}}), Form::Forwarded),
        (json!({"forward_date": 2}), Form::Forwarded),
        (json!({"is_automatic_forward": true}), Form::Forwarded),
        (json!({"sender_chat": {"id": -1, "type": "channel"}}), Form::Channel),
        (json!({"via_bot": {"id": 9, "is_bot": true, "first_name": "B"}}), Form::ViaBot),
        (json!({"business_connection_id": "x"}), Form::Business),
        (json!({"text": null, "caption": "hello"}), Form::Caption),
    ] {
        assert_eq!(read("message", message(extra.clone())).expect("a message").form, form, "{extra}");
    }
    for (field, form) in [
        ("edited_message", Form::Edited),
        ("channel_post", Form::Channel),
        ("edited_channel_post", Form::Channel),
        ("business_message", Form::Business),
    ] {
        assert_eq!(read(field, message(json!({}))).expect("a message").form, form, "{field}");
    }
}

#[test]
fn a_chat_is_private_only_with_its_own_sender() {
    for chat in [
        json!({"id": 6, "type": "private"}),
        json!({"id": -5, "type": "group"}),
        json!({"id": 5, "type": "group"}),
    ] {
        assert!(!read("message", message(json!({"chat": chat}))).expect("a message").private, "{chat}");
    }
}

#[test]
fn only_an_answer_to_the_bots_own_message_carries_its_text() {
    let answer = |from: i64, extra: serde_json::Value| {
        let mut answered = message(json!({"from": {"id": from}, "text": "prepared"}));
        for (key, value) in extra.as_object().expect("an object") {
            answered[key] = value.clone();
        }
        read("message", message(json!({"reply_to_message": answered}))).expect("a message").answers
    };
    assert_eq!(answer(BOT, json!({})).as_deref(), Some("prepared"));
    assert_eq!(answer(5, json!({})), None);
    assert_eq!(answer(BOT, json!({"forward_origin": {"type": "user"}})), None);
}

#[test]
fn a_pressed_button_is_a_command_of_whoever_pressed_it_and_no_plain_text() {
    let press = |extra: serde_json::Value| {
        let mut press = json!({
            "id": "77", "from": {"id": 5}, "chat_instance": "1", "data": "/diag acme",
            "message": {"message_id": 1, "date": 0, "chat": {"id": 5, "type": "private"}},
        });
        for (key, value) in extra.as_object().expect("an object") {
            press[key] = value.clone();
        }
        let mut batch = batch(&[&json!({"update_id": 7, "callback_query": press}).to_string()]);
        match batch.updates.pop() {
            Some((7, Content::Press(press))) => (press.id.clone(), press.inbound()),
            other => panic!("{other:?}"),
        }
    };
    let (id, inbound) = press(json!({}));
    let inbound = inbound.expect("a command");
    assert_eq!((id.as_str(), inbound.text.as_str(), inbound.form), ("77", "/diag acme", Form::Button));
    assert_eq!((inbound.sender.0, inbound.chat.0, inbound.private), (5, 5, true));
    assert_eq!(inbound.answers, None);
    let (_, group) = press(json!({"message": {"chat": {"id": -5, "type": "group"}}, "from": {"id": 6}}));
    let group = group.expect("a command");
    assert_eq!((group.sender.0, group.chat.0, group.private), (6, -5, false));
    assert!(press(json!({"message": null})).1.is_none(), "of an inline message");
    assert!(press(json!({"data": null})).1.is_none(), "of a game");
}

#[test]
fn one_unreadable_update_costs_only_itself() {
    let surrogate = r#"{"update_id":8,"message":{"chat":{"id":5,"type":"private"},"text":"\ud800"}}"#;
    let good = json!({"update_id": 9, "message": message(json!({}))}).to_string();
    let batch = batch(&[
        surrogate,
        r#"{"update_id":7,"message":{"chat":"nonsense"}}"#,
        r#"{"update_id":6,"poll":{"id":"1"}}"#,
        r#"{"no":"number"}"#,
        r#"{"update_id":9223372036854775807,"poll":{"id":"1"}}"#,
        r#"{"update_id":-5,"poll":{"id":"1"}}"#,
        "null",
        &good,
    ]);
    assert_eq!(batch.unnumbered, 4);
    let kinds: Vec<_> = batch
        .updates
        .iter()
        .map(|(id, content)| match content {
            Content::Message(_) => (*id, "message"),
            Content::Press(_) => (*id, "press"),
            Content::Other => (*id, "other"),
            Content::Unreadable(_) => (*id, "unreadable"),
        })
        .collect();
    assert_eq!(kinds, [(6, "other"), (7, "unreadable"), (8, "unreadable"), (9, "message")]);
}
