//! The bot survives whatever Telegram does, loses no answer, acts on nothing twice, and says its token nowhere.

use std::fs::File;
use std::process::Stdio;

use secmon_fake_telegram::{Fault, MAX_TEXT, PlannedFault};
use secmon_tests::agent_host::{PATIENCE, set_mode, text, until};
use secmon_tests::plane::{OWNER, Plane, Site, Totp};
use serde_json::json;

/// What can go wrong with any call, whether or not the call takes effect.
fn faults() -> Vec<PlannedFault> {
    let error = |code, description: &str| Fault::Error { code, description: description.to_owned() };
    let answer = |body: &str| Fault::Answer { status: 200, body: body.to_owned() };
    [
        Fault::Status { status: 502 },
        error(500, "Internal Server Error"),
        Fault::Conflict,
        Fault::Unauthorized,
        Fault::Flood { retry_after: 1 },
        Fault::Garbage,
        answer(r#"{"ok":false}"#),
        answer("null"),
        answer(""),
        Fault::Truncated,
        Fault::Cut,
        Fault::Reset,
        Fault::CutMiddle,
        Fault::TooLong { extra: 100 },
    ]
    .map(PlannedFault::new)
    .into()
}

#[test]
fn polling_goes_on_after_every_kind_of_failure() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    for fault in faults() {
        plane.wait_idle();
        plane.telegram.plan(fault.clone().on("getUpdates"));
        // The poll that waits already brings the first one; the next poll, which fails, would bring the second.
        for command in ["/whoami", "/prepare restart-web"] {
            let answer = plane.ask(OWNER, command);
            let expected = if command == "/whoami" { "You are 1000." } else { "Use: /prepare" };
            assert!(answer.text().starts_with(expected), "{fault:?}: {}", answer.text());
        }
        assert_eq!(plane.telegram.faults_left(), [], "{fault:?}");
    }
    let log = plane.log();
    assert!(log.contains("another program polls with this bot token"), "{log}");
    assert!(log.contains("the bot token is not valid (any more); set SECMON_TELEGRAM_BOT_TOKEN"), "{log}");
    assert!(log.contains("asked to wait 1 s"), "{log}");
    plane.finish();
}

#[test]
fn an_answer_is_sent_again_until_telegram_took_it_and_answers_keep_their_order() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    let mut expected = Vec::new();
    for (number, fault) in faults().into_iter().enumerate() {
        plane.telegram.plan(fault.clone().on("sendMessage"));
        let line = plane.line("restart-web", &format!("client{number}"));
        plane.telegram.text(OWNER, line.to_string());
        let answer = format!("✗ rejected client{number} restart-web: unknown client; /clients lists them");
        let sent = plane.telegram.wait_message(PATIENCE, |message| message.text() == answer);
        assert!(sent.is_some(), "{fault:?}: {}", plane.log());
        expected.push(answer);
        until("the fault to strike", || plane.telegram.faults_left().is_empty().then_some(()));
    }
    plane.telegram.text(OWNER, "/whoami");
    assert!(plane.telegram.wait_message(PATIENCE, |message| message.text().starts_with("You are")).is_some());
    let mut sent: Vec<String> =
        plane.telegram.sent().iter().map(|message| message.text().to_owned()).collect();
    sent.pop();
    let count = |answer: &String| sent.iter().filter(|text| *text == answer).count();
    for (fault, answer) in faults().iter().zip(&expected) {
        // An answer that Telegram took, but whose receipt it didn't give, can only be sent again.
        let most = if matches!(fault.fault, Fault::CutMiddle | Fault::TooLong { .. }) { 2 } else { 1 };
        assert!((1..=most).contains(&count(answer)), "{fault:?}: {}", count(answer));
    }
    sent.dedup();
    assert_eq!(sent, expected);
    plane.finish();
}

#[test]
fn when_telegram_asks_for_patience_it_gets_it() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    plane.wait_idle();
    for method in ["sendMessage", "getUpdates"] {
        plane.telegram.fail_next(method, Fault::Flood { retry_after: 3 });
    }
    plane.assert_quiet();
    plane.assert_quiet();
    for method in ["sendMessage", "getUpdates"] {
        let requests: Vec<_> =
            plane.telegram.requests().into_iter().filter(|r| r.method.eq_ignore_ascii_case(method)).collect();
        let at =
            requests.iter().position(|request| request.fault.is_some()).expect("a request that was struck");
        let pause = requests[at + 1].at_ms - requests[at].at_ms;
        assert!((3_000..8_000).contains(&pause), "{method}: {pause} ms");
    }
    plane.finish();
}

#[test]
fn answers_outlive_an_outage_and_a_crash_in_it() {
    let (mut plane, site) = Plane::running(Totp::Off);
    plane.telegram.plan(PlannedFault::new(Fault::Status { status: 502 }).on("sendMessage").for_ever());
    let line = plane.line("restart-web", "acme");
    plane.telegram.text(OWNER, line.to_string());
    plane.wait_events("outcome", 1);
    for client in ["one", "two"] {
        let line = plane.line("restart-web", client);
        plane.telegram.text(OWNER, line.to_string());
    }
    plane.wait_events("rejected", 2);
    // Handled and answered in the database, and therefore not Telegram's to keep any more.
    plane.wait_idle();
    plane.kill();
    plane.telegram.clear_faults();
    plane.start();
    plane.expect("✓ succeeded acme restart-web");
    plane.expect("✗ rejected one restart-web");
    plane.expect("✗ rejected two restart-web");
    plane.assert_quiet();
    assert_eq!(site.service("restart-web").restarts(), 1);
    plane.finish();
}

#[test]
fn an_answer_that_telegram_refuses_holds_up_no_other() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    for (code, description) in [
        (403, "Forbidden: bot was blocked by the user"),
        (400, "Bad Request: chat not found"),
        (403, "Forbidden: user is deactivated"),
    ] {
        plane.telegram.fail_next("sendMessage", Fault::Error { code, description: description.to_owned() });
        plane.telegram.text(OWNER, "/help");
        until("the answer to be refused", || plane.telegram.faults_left().is_empty().then_some(()));
        plane.assert_quiet();
    }
    assert_eq!(plane.log().matches("was given up").count(), 3, "{}", plane.log());
    plane.finish();
}

#[test]
fn serving_starts_while_telegram_is_down_or_unreachable() {
    let mut plane = Plane::new(Totp::Off);
    plane.telegram.plan(PlannedFault::new(Fault::Status { status: 502 }).on("getMe").for_ever());
    plane.telegram.plan(PlannedFault::new(Fault::Cut).on("getUpdates").times(2));
    plane.start();
    plane.assert_quiet();
    plane.stop();
    let log = plane.at("unreachable.log");
    let mut command = plane.command();
    command.env("SECMON_TELEGRAM_API_URL", "http://127.0.0.1:9").arg("serve");
    command.stdout(Stdio::null()).stderr(File::create(&log).expect("a log file"));
    let mut serve = command.spawn().expect("secmon runs");
    until("secmon to look for Telegram twice", || {
        let said = text(&std::fs::read(&log).unwrap_or_default());
        (said.matches("no connection; trying again").count() >= 2).then_some(())
    });
    serve.kill().expect("a child of ours");
    serve.wait().expect("a child that ends");
    plane.start();
    plane.assert_quiet();
    plane.finish();
}

#[test]
fn an_update_that_cannot_be_read_costs_only_itself() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    let odd = [
        // Half of a surrogate pair, which JSON allows and Unicode doesn't.
        r#"{"message":{"message_id":1,"date":1,"chat":{"id":1000,"type":"private"},"from":{"id":1000},"text":"\ud800"}}"#,
        r#"{"poll":{"id":"1"}}"#,
        r#"{"kind_of_tomorrow":{"id":1}}"#,
        r#"{}"#,
        r#"{"message":{"message_id":1,"date":1,"text":"/whoami"}}"#,
        r#"{"message":{"message_id":1,"date":1,"chat":{"id":1000,"type":"private"},"text":"/whoami"}}"#,
        r#"{"message":{"message_id":1,"date":1,"chat":{"id":1000,"type":"private"},"from":{"id":1000}}}"#,
        r#"{"message":{"chat":"nonsense","from":[],"text":5}}"#,
        r#"{"message":null}"#,
        r#"{"message":{"message_id":1,"date":1,"chat":{"id":99999999999999999999,"type":"private"},"from":{"id":1000},"text":"/whoami"}}"#,
    ];
    for update in odd {
        plane.telegram.inject_raw_with_next_id(update);
        plane.telegram.text(OWNER, "/whoami");
        let answer = plane.reply();
        assert_eq!(answer.text(), "You are 1000.", "after {update}");
    }
    plane.wait_idle();
    plane.assert_quiet();
    assert!(plane.log().contains("was skipped"), "{}", plane.log());
    plane.finish();
}

#[test]
fn an_update_that_comes_again_is_a_replay_and_never_a_second_restart() {
    let (mut plane, site) = Plane::running(Totp::Off);
    // Acted upon and answered, but never confirmed to Telegram.
    let unconfirmed = |plane: &mut Plane, action: &str| {
        plane.wait_idle();
        plane.telegram.plan(PlannedFault::new(Fault::Cut).on("getUpdates").for_ever());
        let line = plane.line(action, "acme");
        let answer = plane.ask(OWNER, line);
        assert!(answer.text().starts_with("✓ succeeded"), "{}", answer.text());
        assert_eq!(plane.telegram.pending().len(), 1);
        plane.kill();
        plane.telegram.clear_faults();
    };
    unconfirmed(&mut plane, "restart-web");
    plane.start();
    plane.wait_idle();
    // The control plane knew how far it had got.
    plane.assert_quiet();
    assert_eq!(site.service("restart-web").restarts(), 1);
    assert_eq!(plane.events("rejected"), Vec::<serde_json::Value>::new());

    unconfirmed(&mut plane, "restart-php");
    plane.sql("DELETE FROM setting WHERE name = 'telegram-offset'");
    plane.start();
    let answer = plane.reply();
    assert_eq!(answer.text(), "✗ rejected acme restart-php: replay: this nonce was used before");
    plane.assert_quiet();
    assert_eq!(site.service("restart-php").restarts(), 1);
    assert_eq!(plane.events("rejected")[0]["reason"], "nonce-replay");
    let answer = plane.approve_when_due("restart-php", "acme");
    assert!(answer.starts_with("✓ succeeded"), "{answer}");
    plane.finish();
}

#[test]
fn what_a_host_says_is_text_and_never_markup() {
    let (mut plane, site) = Plane::running(Totp::Off);
    let said = r#"<b>fine</b> & <a href="http://evil">✓ succeeded</a> </code>"#;
    let script = site.at("init.d/lsws");
    std::fs::write(&script, format!("#!/bin/sh\necho '{said}' >&2\nexit 7\n")).expect("a written file");
    set_mode(&script, 0o755);
    let line = plane.line("restart-web", "acme");
    let answer = plane.ask(OWNER, line);
    let shown = r#"✗ failed acme restart-web: exit: 7 <b>fine</b> & <a href="http://evil">? succeeded</a> </code> (lsws on web1)"#;
    assert!(answer.text().starts_with(shown), "{}", answer.text());
    assert!(answer.first.raw.contains("&lt;b&gt;fine&lt;/b&gt; &amp; &lt;a href"), "{}", answer.first.raw);
    let kinds = format!("{:?}", answer.first.entities);
    assert!(!kinds.contains("text_link"), "{kinds}");
    plane.finish();
}

#[test]
fn a_long_answer_is_cut_to_what_telegram_takes() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    plane.stop();
    let rows: Vec<String> = (0..200).map(|n| format!("('client-{n:0>25}', 1)")).collect();
    plane.sql(&format!("INSERT INTO client VALUES {}", rows.join(",")));
    plane.start();
    let answer = plane.ask(OWNER, "/clients");
    let units = answer.text().encode_utf16().count();
    assert!(
        (3_000..=MAX_TEXT).contains(&units) && answer.text().ends_with('…'),
        "{units}: {}",
        answer.text()
    );
    plane.finish();
}

#[test]
fn a_message_as_long_as_telegram_allows_gets_its_answer() {
    let (mut plane, site): (Plane, Site) = Plane::running(Totp::Off);
    let line = plane.line("restart-web", "acme").to_string();
    let long = format!("{line} {}", "x".repeat(4095 - line.len()));
    assert_eq!(plane.ask(OWNER, long).text(), "✗ rejected: word 6: expected nothing more");
    let spaced = line.replacen(' ', &" ".repeat(4097 - line.len()), 1);
    let answer = plane.ask(OWNER, spaced);
    assert!(answer.text().starts_with("✓ succeeded"), "runs of spaces count as one: {}", answer.text());
    assert_eq!(site.service("restart-web").restarts(), 1);
    assert_eq!(plane.events("rejected")[0]["detail"], json!("word 6: expected nothing more"));
    plane.finish();
}
