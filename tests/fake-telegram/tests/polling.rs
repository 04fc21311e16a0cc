//! getUpdates: confirmation, waiting, conflicts, expiry, filters.
#![expect(clippy::unwrap_used, reason = "a helper that can't go on fails its test")]

mod support;

use secmon_fake_telegram::{FakeTelegram, Form, Incoming, Options, Press, UPDATE_LIFETIME_MS, Wait};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Client, PATIENCE, start};

fn ids(updates: &Value) -> Vec<i64> {
    updates.as_array().unwrap().iter().map(|update| update["update_id"].as_i64().unwrap()).collect()
}

#[test]
fn updates_come_until_a_higher_offset_confirms_them() {
    let (server, mut client) = start();
    let first = server.text(42, "one").update_id;
    let second = server.text(42, "two").update_id;
    assert_eq!(ids(&client.ok("getUpdates", json!({}))), [first, second]);
    assert_eq!(ids(&client.ok("getUpdates", json!({"limit": 1}))), [first]);
    assert_eq!(ids(&client.ok("getUpdates", json!({"offset": second}))), [second]);
    assert_eq!((server.pending(), server.confirmed_offset()), (vec![second], second));
    assert_eq!(ids(&client.ok("getUpdates", json!({"offset": second + 1}))), Vec::<i64>::new());
    assert_eq!(server.pending(), Vec::<i64>::new());
}

#[test]
fn a_negative_offset_forgets_all_but_the_newest() {
    let (server, mut client) = start();
    let all: Vec<_> = (0..5).map(|n| server.text(42, n.to_string()).update_id).collect();
    let last = all[4];
    assert_eq!(ids(&client.ok("getUpdates", json!({"offset": -2}))), [last - 1, last]);
    assert_eq!(ids(&client.ok("getUpdates", json!({}))), [last - 1, last]);
}

#[test]
fn a_long_poll_ends_with_the_first_update() {
    let (server, mut client) = start();
    client.send_call("getUpdates", json!({"timeout": 50}));
    assert!(server.wait_idle(PATIENCE));
    let id = server.text(42, "now").update_id;
    assert_eq!(ids(&client.answer().unwrap().json()["result"]), [id]);
    assert!(!server.wait(&Wait { polling: true, ..Wait::default() }, Duration::ZERO));
}

#[test]
fn a_long_poll_without_updates_ends_empty() {
    let (_server, mut client) = start();
    let started = Instant::now();
    assert_eq!(client.ok("getUpdates", json!({"timeout": 1})), json!([]));
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn the_older_of_two_pollers_gets_409() {
    let (server, mut older) = start();
    let mut newer = Client::new(&server);
    older.send_call("getUpdates", json!({"timeout": 50}));
    assert!(server.wait_idle(PATIENCE));
    newer.send_call("getUpdates", json!({"timeout": 50}));
    let answer = older.answer().unwrap();
    assert_eq!(answer.status, 409);
    assert_eq!(
        answer.description(),
        "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
    );
    let id = server.text(42, "to the newer").update_id;
    assert_eq!(ids(&newer.answer().unwrap().json()["result"]), [id]);
}

#[test]
fn repeated_conflicts_are_answered_later() {
    let pause = Duration::from_millis(300);
    let server = FakeTelegram::start(Options { conflict_pause: pause, ..Options::default() });
    let mut clients: Vec<_> = (0..3).map(|_| Client::new(&server)).collect();
    for (index, client) in clients.iter_mut().enumerate() {
        client.send_call("getUpdates", json!({"timeout": 50}));
        assert!(server.wait(&Wait { requests: Some(index + 1), polling: true, ..Wait::default() }, PATIENCE));
    }
    assert_eq!(clients[0].answer().unwrap().status, 409);
    let started = Instant::now();
    assert_eq!(clients[1].answer().unwrap().status, 409);
    assert!(started.elapsed() > pause / 3);
}

#[test]
fn a_poller_that_leaves_is_forgotten() {
    let (server, mut client) = start();
    client.send_call("getUpdates", json!({"timeout": 50}));
    assert!(server.wait_idle(PATIENCE));
    drop(client);
    let mut other = Client::new(&server);
    let gone = |overview: &Value| overview["polling"] == false;
    let deadline = Instant::now() + PATIENCE;
    while !gone(&other.control("GET", "state", "").json()) {
        assert!(Instant::now() < deadline, "the poller is still counted");
        std::thread::yield_now();
    }
}

#[test]
fn updates_die_after_a_day_and_not_before() {
    let (server, mut client) = start();
    let id = server.text(42, "old").update_id;
    server.set_clock_offset_ms(UPDATE_LIFETIME_MS - 60_000);
    assert_eq!(ids(&client.ok("getUpdates", json!({}))), [id]);
    server.set_clock_offset_ms(UPDATE_LIFETIME_MS);
    assert_eq!(client.ok("getUpdates", json!({})), json!([]));
}

#[test]
fn kinds_that_were_not_asked_for_are_left_out() {
    let (server, mut client) = start();
    client.ok("getUpdates", json!({"allowed_updates": ["message"]}));
    assert!(!server.receive(&Incoming::new(42, "x").form(Form::Edited)).queued);
    assert!(server.text(42, "x").queued);
    client.ok("getUpdates", json!({"allowed_updates": []}));
    assert!(server.receive(&Incoming::new(42, "x").form(Form::Edited)).queued);
    assert!(server.press(&Press { from: 42, chat: None, message_id: 1, data: "d".into() }).queued);
}

#[test]
fn a_webhook_and_polling_exclude_each_other() {
    let (server, mut client) = start();
    client.send_call("getUpdates", json!({"timeout": 50}));
    assert!(server.wait_idle(PATIENCE));
    let mut other = Client::new(&server);
    other.ok("setWebhook", json!({"url": "https://bot.example/hook"}));
    assert_eq!(client.answer().unwrap().description(), "Conflict: terminated by setWebhook request");
    let refusal = client.call("getUpdates", json!({}));
    assert_eq!(refusal.status, 409);
    assert!(refusal.description().contains("can't use getUpdates method while webhook is active"));
    server.text(42, "x");
    assert_eq!(client.ok("getWebhookInfo", json!({}))["pending_update_count"], 1);
    client.ok("deleteWebhook", json!({"drop_pending_updates": true}));
    assert_eq!(client.ok("getUpdates", json!({})), json!([]));
}

#[test]
fn quick_repetition_is_slowed_down_where_that_is_switched_on() {
    let server = FakeTelegram::start(Options { quick_repeat: true, ..Options::default() });
    let mut client = Client::new(&server);
    server.text(42, "one");
    server.text(42, "two");
    assert_eq!(ids(&client.ok("getUpdates", json!({}))).len(), 2);
    assert_eq!(ids(&client.ok("getUpdates", json!({}))).len(), 1);
}
