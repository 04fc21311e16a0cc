//! Sending, editing, deleting, buttons, commands.

mod support;

use secmon_fake_telegram::{FakeTelegram, Incoming, Options, Press};
use serde_json::json;
use support::{Client, start, start_with_chat};

#[test]
fn a_message_goes_only_to_a_known_chat() {
    let (server, mut client) = start();
    let to_42 = json!({"chat_id": 42, "text": "x"});
    assert_eq!(client.refused("sendMessage", to_42.clone()), "Bad Request: chat not found");
    server.text(42, "hello");
    let sent = client.ok("sendMessage", to_42);
    assert_eq!((sent["message_id"].as_i64(), sent["chat"]["id"].as_i64()), (Some(2), Some(42)));
    assert_eq!(client.refused("sendMessage", json!({"text": "x"})), "Bad Request: chat_id is empty");
}

#[test]
fn a_chat_is_found_by_its_username() {
    let (server, mut client) = start();
    server.add_chat(
        &json!({"id": -1_001_234_567_890_i64, "type": "supergroup", "title": "T", "username": "Ops"}),
    );
    assert_eq!(client.ok("sendMessage", json!({"chat_id": "@ops", "text": "x"}))["chat"]["title"], "T");
}

#[test]
fn ids_beyond_32_bits_survive() {
    let (server, mut client) = start();
    let id = 4_503_599_627_370_495_i64;
    server.text(id, "x");
    assert_eq!(client.ok("sendMessage", json!({"chat_id": id, "text": "x"}))["chat"]["id"], id);
}

#[test]
fn text_is_4096_utf16_units_after_parsing_at_most() {
    let (_server, mut client) = start_with_chat();
    let longest = format!("<b>{}</b>&lt;", "🦀".repeat(2047) + "x");
    client.ok("sendMessage", json!({"chat_id": 42, "text": longest, "parse_mode": "HTML"}));
    let longer = format!("<b>{}</b>&lt;", "🦀".repeat(2048));
    assert_eq!(
        client.refused("sendMessage", json!({"chat_id": 42, "text": longer, "parse_mode": "HTML"})),
        "Bad Request: message is too long"
    );
}

#[test]
fn an_empty_text_is_refused() {
    let (_server, mut client) = start_with_chat();
    assert_eq!(
        client.refused("sendMessage", json!({"chat_id": 42, "text": ""})),
        "Bad Request: message text is empty"
    );
    assert_eq!(
        client.refused("sendMessage", json!({"chat_id": 42, "text": "<b> </b>", "parse_mode": "HTML"})),
        "Bad Request: text must be non-empty"
    );
}

#[test]
fn html_is_parsed_or_refused_and_plain_text_is_neither() {
    let (server, mut client) = start_with_chat();
    let text = "<b>a</b> &lt;c&gt;";
    let sent = client.ok("sendMessage", json!({"chat_id": 42, "text": text, "parse_mode": "HTML"}));
    assert_eq!((sent["text"].as_str(), sent["entities"][0]["type"].as_str()), (Some("a <c>"), Some("bold")));
    client.ok("sendMessage", json!({"chat_id": 42, "text": text}));
    let seen = server.sent();
    assert_eq!((seen[0].first.raw.as_str(), seen[0].text()), (text, "a <c>"));
    assert_eq!(seen[1].text(), text);
    assert_eq!(
        client.refused("sendMessage", json!({"chat_id": 42, "text": "x <y> z", "parse_mode": "HTML"})),
        "Bad Request: can't parse entities: Unsupported start tag \"y\" at byte offset 2"
    );
}

#[test]
fn a_keyboard_is_checked_and_kept() {
    let (server, mut client) = start_with_chat();
    let markup =
        |button| json!({"chat_id": 42, "text": "x", "reply_markup": {"inline_keyboard": [[button]]}});
    let copy = json!({"text": "Copy", "copy_text": {"text": "APPROVE: …"}});
    assert_eq!(client.ok("sendMessage", markup(copy.clone()))["reply_markup"]["inline_keyboard"][0][0], copy);
    assert_eq!(server.sent()[0].buttons(), [copy]);
    let refusal =
        client.refused("sendMessage", markup(json!({"text": "x", "callback_data": "y".repeat(65)})));
    assert_eq!(refusal, "Bad Request: BUTTON_DATA_INVALID");
    assert_eq!(server.sent().len(), 1);
}

#[test]
fn replies_name_a_message_that_exists() {
    let (server, mut client) = start();
    let asked = server.text(42, "question").message_id.unwrap();
    let reply = |id: i64| json!({"chat_id": 42, "text": "x", "reply_parameters": {"message_id": id}});
    assert_eq!(client.ok("sendMessage", reply(asked))["reply_to_message"]["text"], "question");
    assert_eq!(server.sent()[0].reply_to, Some(asked));
    assert_eq!(client.refused("sendMessage", reply(99)), "Bad Request: message to be replied not found");
    let lenient = json!({"message_id": 99, "allow_sending_without_reply": true});
    client.ok("sendMessage", json!({"chat_id": 42, "text": "x", "reply_parameters": lenient}));
}

#[test]
fn a_user_can_answer_a_message_of_the_bot() {
    let (server, mut client) = start_with_chat();
    let prompt = client.ok("sendMessage", json!({"chat_id": 42, "text": "code?"}));
    let prompt_id = prompt["message_id"].as_i64().unwrap();
    server.receive(&Incoming::new(42, "123456").reply_to(prompt_id));
    let updates = client.ok("getUpdates", json!({}));
    let replied = &updates[0]["message"]["reply_to_message"];
    assert_eq!((replied["text"].as_str(), replied["from"]["is_bot"].as_bool()), (Some("code?"), Some(true)));
}

#[test]
fn edits_are_kept_and_an_edit_changes_something() {
    let (server, mut client) = start();
    let theirs = server.text(42, "mine").message_id;
    let id = client.ok("sendMessage", json!({"chat_id": 42, "text": "one"}))["message_id"].clone();
    let edit = |text: &str| json!({"chat_id": 42, "message_id": id, "text": text});
    assert_eq!(client.ok("editMessageText", edit("two"))["text"], "two");
    let refusal = client.refused("editMessageText", edit("two"));
    assert!(refusal.starts_with("Bad Request: message is not modified: "), "{refusal}");
    let sent = &server.sent()[0];
    assert_eq!((sent.first.text.as_str(), sent.text(), sent.edits.len()), ("one", "two", 1));
    for (message, refusal) in [
        (json!(99), "Bad Request: message to edit not found"),
        (json!(theirs), "Bad Request: message can't be edited"),
    ] {
        let params = json!({"chat_id": 42, "message_id": message, "text": "x"});
        assert_eq!(client.refused("editMessageText", params), refusal);
    }
    let keyboard = json!({"inline_keyboard": [[{"text": "x", "callback_data": "y"}]]});
    let params = json!({"chat_id": 42, "message_id": id, "reply_markup": keyboard});
    assert_eq!(client.ok("editMessageReplyMarkup", params)["text"], "two");
}

#[test]
fn a_deleted_message_is_gone() {
    let (server, mut client) = start_with_chat();
    let id = client.ok("sendMessage", json!({"chat_id": 42, "text": "x"}))["message_id"].clone();
    let message = json!({"chat_id": 42, "message_id": id});
    assert_eq!(client.ok("deleteMessage", message.clone()), true);
    assert!(server.sent()[0].deleted);
    assert_eq!(client.refused("deleteMessage", message), "Bad Request: message to delete not found");
}

#[test]
fn a_callback_query_is_answered_once_and_in_time() {
    let (server, mut client) = start_with_chat();
    let message_id =
        client.ok("sendMessage", json!({"chat_id": 42, "text": "x"}))["message_id"].as_i64().unwrap();
    let press = || server.press(&Press { from: 42, chat: None, message_id, data: "d".into() });
    let id = press().callback_query_id.unwrap();
    let answer = |id: &str| json!({"callback_query_id": id, "text": "done"});
    assert_eq!(client.ok("answerCallbackQuery", answer(&id)), true);
    let late = press().callback_query_id.unwrap();
    server.set_clock_offset_ms(3_600_000);
    for id in [id.as_str(), late.as_str(), "1"] {
        assert_eq!(
            client.refused("answerCallbackQuery", answer(id)),
            "Bad Request: query is too old and response timeout expired or query ID is invalid"
        );
    }
    assert_eq!(server.callback_answers().len(), 1);
}

#[test]
fn commands_are_checked_and_given_back() {
    let (server, mut client) = start();
    let list = |name: &str| json!({"commands": [{"command": name, "description": "Shows help"}]});
    client.ok("setMyCommands", list("help"));
    assert_eq!(client.ok("getMyCommands", json!({}))[0]["command"], "help");
    assert_eq!(server.commands().len(), 1);
    assert_eq!(client.refused("setMyCommands", list("Help!")), "Bad Request: BOT_COMMAND_INVALID");
}

#[test]
fn too_many_messages_get_429_with_the_seconds() {
    let server = FakeTelegram::start(Options { rate_limit: true, ..Options::default() });
    server.text(42, "x");
    let mut client = Client::new(&server);
    let answers: Vec<_> =
        (0..8).map(|n| client.call("sendMessage", json!({"chat_id": 42, "text": n.to_string()}))).collect();
    assert_eq!(answers[0].status, 200);
    let flood = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(flood.json()["parameters"]["retry_after"], 1);
    assert!(flood.head.contains("Retry-After: 1\r\n"));
    assert_eq!(server.sent().len(), answers.iter().filter(|answer| answer.status == 200).count());
}
