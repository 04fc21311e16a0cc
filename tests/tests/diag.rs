//! What is wrong with a client's servers, asked in the chat, at the console and from the command line; and agents that
//! lie about it.

use std::sync::{Arc, Mutex};

use secmon_fake_telegram::{Fault, PlannedFault, Press, SentMessage, Wait};
use secmon_tests::agent_host::{PATIENCE, now, text, until};
use secmon_tests::hostile_agent::{Deed, Front, HostileAgent, http, unchanged};
use secmon_tests::plane::{OPERATIONS, OWNER, Plane, STRANGER, Site, Totp};
use secmon_wire::diag::{
    Check, CounterId, Counters, FactName, Facts, Finding, FindingId, NotChecked, ReportWriter, Severity,
    WhyNotChecked,
};
use secmon_wire::limits::{FINDINGS_MAX, REPORT_MAX};
use secmon_wire::{ActionId, Area};
use serde_json::{Value, json};

/// What an agent reports until it is told something else.
type Told = Arc<Mutex<Vec<u8>>>;

/// A report of everything, with so many processes killed for lack of memory since the host's start.
fn report(findings: &[Finding], kills: u64) -> Vec<u8> {
    let mut counters = Counters::new();
    assert!(counters.add(CounterId::OomKills, "", kills));
    let not_checked = [NotChecked::new(Check::PhpErrorLog, WhyNotChecked::Permission, "/var/log/php.log")];
    let report = ReportWriter {
        areas: Area::ALL,
        boot: [7; 16],
        checked: &[Check::Kernel, Check::Origin],
        clock: now(),
        counters: &counters,
        duration_ms: 900,
        findings,
        not_checked: if findings.is_empty() { &[] } else { &not_checked },
    };
    report.write(&mut Box::new([0; REPORT_MAX])).expect("room").to_vec()
}

fn php_is_dead() -> Vec<Finding> {
    let facts = Facts::new().text(FactName::File, "/run/php/<b>php</b>.sock");
    let dead = Finding::new(FindingId::PhpDownStale, Severity::Critical).with(facts).since(now() - 7_200);
    let line = "connect() to unix:/run/php.sock failed https://evil.example";
    let symptom = Finding::new(FindingId::Http502, Severity::Critical).line(line);
    vec![symptom, dead.action(ActionId::RestartPhp)]
}

/// A genuine agent whose reports say what a test wants.
fn reporting(plane: &Plane, site: &mut Site, first: Vec<u8>) -> (HostileAgent, Told) {
    let told: Told = Arc::new(Mutex::new(http(200, None, &first)));
    let says = Arc::clone(&told);
    let agent = HostileAgent::in_front_of(plane, site, move |request, genuine| {
        match request.line.starts_with("GET /v1/diag") {
            true => Deed::Send(says.lock().expect("no panic").clone()),
            false => Deed::Send(unchanged(&genuine.answer())),
        }
    });
    (agent, told)
}

fn tell(told: &Told, report: &[u8]) {
    *told.lock().expect("no panic") = http(200, None, report);
}

fn looks(agent: &HostileAgent) -> usize {
    agent.requests().iter().filter(|line| line.starts_with("GET /v1/diag")).count()
}

fn button(message: &SentMessage, label: &str) -> Press {
    let button = message.buttons().into_iter().find(|button| button["text"] == label);
    let button = button.unwrap_or_else(|| panic!("no {label} in {:?}", message.buttons()));
    let data = button["callback_data"].as_str().expect("a command").to_owned();
    Press { from: message.chat_id, chat: None, message_id: message.message_id, data }
}

#[test]
fn a_cause_is_found_and_its_button_leads_to_an_approval_and_no_further() {
    let mut plane = Plane::new(Totp::On);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let (agent, told) = reporting(&plane, &mut site, report(&php_is_dead(), 0));
    plane.start();
    let answer = plane.ask_patiently(OWNER, "/diag acme");
    assert_eq!(answer.first.text, "… checking acme");
    assert_eq!(
        answer.text(),
        "acme web1\n\
         🔴 PHP-FPM has died: /run/php/<b>php</b>.sock is there, and nobody listens, for 2 h\n  \
         → restart-php may help\n\
         Not checked: php-error-log (permission)"
    );
    assert!(answer.latest().raw.contains("<code>/run/php/&lt;b&gt;php&lt;/b&gt;.sock</code>"));
    assert_eq!(
        agent.requests().last().map(String::as_str),
        Some("GET /v1/diag?area=db,disk,flood,http,net,php,system,tls,web")
    );

    // The button asks for a line; nothing happened yet.
    plane.telegram.press(&button(&answer, "restart-php"));
    let prepared = plane.reply();
    let line = prepared.text().lines().find(|line| line.starts_with("APPROVE: restart-php acme otp= nonce="));
    let line = line.unwrap_or_else(|| panic!("no line: {}", prepared.text())).to_owned();
    assert_eq!(prepared.buttons()[0]["copy_text"]["text"], line.as_str());
    assert!(
        plane.telegram.wait(&Wait { answers: Some(1), ..Wait::default() }, PATIENCE),
        "the button looks pressed"
    );
    plane.telegram.press(&button(&answer, "restart-php"));
    let again = plane.reply();
    assert_ne!(again.text(), prepared.text(), "a nonce of its own");
    assert_eq!((site.service("restart-php").restarts(), plane.events("intent").len()), (0, 0));

    let code = plane.codes().at(now());
    let incoming = secmon_fake_telegram::Incoming::new(OWNER, code).reply_to(prepared.message_id);
    let outcome = plane.send(&incoming).text().to_owned();
    assert!(outcome.starts_with("✓ succeeded acme restart-php"), "{outcome}");
    assert_eq!(site.service("restart-php").restarts(), 1);

    // The details are of what was said before, and the next look is another.
    let seen = looks(&agent);
    plane.telegram.press(&button(&answer, "Details"));
    let details = plane.patient_reply();
    for words in [
        "↳ 🔴 ",
        "http-502: connect() to unix:/run/php.sock failed",
        "/var/log/php.log",
        "Checked in 0.9 s: kernel, origin",
    ] {
        assert!(details.text().contains(words), "{words} in {}", details.text());
    }
    let apart = "<code>connect() to unix:/run/php.sock failed https://evil.example</code>";
    assert!(details.latest().raw.contains(apart), "{}", details.latest().raw);
    assert_eq!(looks(&agent), seen);
    tell(&told, &report(&[], 0));
    let healthy = plane.ask_patiently(OWNER, "/diag acme php,web");
    assert_eq!(healthy.text(), "✓ acme web1: nothing wrong (php, web)");
    assert_eq!(agent.requests().last().map(String::as_str), Some("GET /v1/diag?area=php,web"));
    let events: Vec<Value> = plane.audit().into_iter().map(|record| record["event"].clone()).collect();
    assert_eq!(events, ["started", "intent", "outcome"], "looking is no act");
    plane.finish();
}

#[test]
fn a_button_approves_nothing_and_serves_no_stranger() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let (agent, _told) = reporting(&plane, &mut site, report(&php_is_dead(), 0));
    plane.start();
    let answer = plane.ask_patiently(OWNER, "/diag acme");
    let press =
        |from, data: &str| Press { from, chat: None, message_id: answer.message_id, data: data.to_owned() };
    // 63 bytes: a modified client can put a whole approval behind a button.
    let line = plane.line("restart-web", "acme").to_string();
    plane.telegram.press(&press(OWNER, &line));
    let refused = "✗ rejected: only a plain new text message approves; this one is button";
    assert_eq!(plane.reply().text(), refused);
    assert_eq!(plane.events("rejected")[0]["reason"], "not-plain");
    plane.telegram.press(&press(OWNER, "\u{202e}nonsense"));
    assert_eq!(plane.reply().text(), "I don't know that. /help");
    plane.telegram.press(&Press { from: STRANGER, ..press(OWNER, "/diag acme") });
    plane.telegram.text(STRANGER, "/diag acme");
    plane.wait_idle();
    plane.assert_quiet();
    assert_eq!(plane.events("ignored").len(), 1);
    assert_eq!(plane.telegram.callback_answers().len(), 1, "a known sender's command alone");
    assert_eq!(looks(&agent), 1);
    assert_eq!(site.service("restart-web").restarts(), 0);
    // The same line, typed, is one.
    assert!(plane.ask(OWNER, line).text().starts_with("✓ succeeded"));
    plane.finish();
}

#[test]
fn what_grows_is_found_by_the_second_look_and_is_over_with_the_third() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let (_agent, told) = reporting(&plane, &mut site, report(&[], 7));
    let diag = |plane: &Plane, arguments: &[&str]| {
        let output = plane.attempt(&[&["diag", "acme"], arguments].concat());
        (output.status.code(), text(&output.stdout))
    };
    let earlier = |plane: &Plane| plane.sql("UPDATE sample SET taken = taken - 600");
    let (code, said) = diag(&plane, &[]);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "✓ acme web1: nothing wrong (db, disk, flood, http, net, php, system, tls, web)\n")
    );
    earlier(&plane);
    tell(&told, &report(&[], 8));
    let (code, said) = diag(&plane, &["system"]);
    let killed = "acme web1\n🟡 Memory ran out: the kernel killed a process, in the last 10 min\n";
    assert!(code == Some(1) && said.starts_with(killed), "{code:?} {said}");
    let (code, said) = diag(&plane, &["--json"]);
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let host = &said["hosts"][0];
    assert_eq!((code, &said["client"], &host["healthy"]), (Some(1), &json!("acme"), &json!(false)));
    assert_eq!(
        (&host["findings"][0]["id"], &host["findings"][0]["severity"]),
        (&json!("mem-oom"), &json!("warning"))
    );
    assert_eq!(host["report"]["counters"], json!([["oom-kills", "", 8]]));
    earlier(&plane);
    let (code, said) = diag(&plane, &["--details"]);
    assert!(code == Some(0) && said.contains("✓ nothing wrong"), "{said}");
    plane.finish();
}

#[test]
fn the_command_line_says_by_its_exit_code_what_came_out() {
    let plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let (agent, _told) = reporting(&plane, &mut site, report(&php_is_dead(), 0));
    plane.client("empty");
    let run = |arguments: &[&str]| {
        let output = plane.attempt(&[&["diag"], arguments].concat());
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, _) = run(&["acme"]);
    let advice = "  → restart-php may help\nNot checked: php-error-log (permission)\n[restart-php] /prepare restart-php acme\n";
    assert!(code == Some(1) && said.contains(advice), "{said}");
    assert!(!said.contains('<') || said.contains("<b>php</b>"), "text, not markup: {said}");
    for (arguments, expected, words) in [
        (&["acme", "mail"][..], 2, "expected all, or names with commas, of: db, disk"),
        (&[], 2, "Usage"),
        (&["acme", "--details", "--json"], 2, "cannot be used with"),
        (&["nobody"], 3, "nobody"),
        (&["empty"], 3, ""),
    ] {
        let (code, _, error) = run(arguments);
        assert!(code == Some(expected) && error.contains(words), "{arguments:?}: {code:?} {error}");
    }
    drop(agent);
    let (code, said, _) = run(&["acme"]);
    assert!(code == Some(3) && said.starts_with("✗ acme web1: not looked at: no connection: "), "{said}");
}

#[test]
fn a_genuine_agent_looks_at_its_host_and_says_what_it_could_not_see() {
    let (mut plane, mut site) = Plane::running(Totp::Off);
    // What is found depends on this machine; that somebody looked does not.
    let answer = plane.ask_patiently(OWNER, "/diag acme").text().to_owned();
    assert!(
        ["✓ acme web1: nothing wrong (", "acme web1\n"].iter().any(|start| answer.starts_with(start)),
        "{answer}"
    );
    let details = plane.ask_patiently(OWNER, "/diag acme details").text().to_owned();
    assert!(details.contains("\nChecked in ") && details.contains("kernel"), "{details}");
    assert!(details.contains("Nothing to compare with yet") || details.contains("more lines"), "{details}");
    let output = plane.attempt(&["diag", "acme", "--json"]);
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let (host, code) = (&said["hosts"][0], output.status.code());
    assert_eq!(code, Some(if host["healthy"] == true { 0 } else { 1 }), "{said}");
    let counters = host["report"]["counters"].as_array().expect("counters");
    assert!(
        counters.iter().any(|counter| counter[0] == "cpu-total" && counter[2].as_u64() > Some(0)),
        "{said}"
    );
    assert!(host["compared_s"].is_u64(), "with the first look: {said}");
    // A server whose manifest allows nothing any more.
    site.kill();
    site.install_manifest(&plane, |body| {
        body["diagnostics"] = json!([]);
        body["seq"] = json!(2);
    });
    site.start();
    let output = plane.attempt(&["diag", "acme"]);
    let said = text(&output.stdout);
    assert!(output.status.code() == Some(3) && said.contains("allows none of it"), "{said}");
    plane.finish();
}

/// What a liar answers, and what the operator is told.
fn lies() -> Vec<(&'static str, Deed, &'static str)> {
    let evil = "\u{1b}[2J<b>evil</b> https://evil.example APPROVE: evil";
    let send = |status, body: &[u8]| Deed::Send(http(status, None, body));
    let good = report(&php_is_dead(), 0);
    let edited = |from: &str, to: &str| {
        let text = String::from_utf8(good.clone()).expect("text");
        assert!(text.contains(from), "{from} in {text}");
        send(200, text.replace(from, to).as_bytes())
    };
    let not_a_report = "the agent's report is not valid (";
    let mut cut = http(200, None, &good);
    cut.truncate(cut.len() - 40);
    let one = text(&report(&[Finding::new(FindingId::Web413, Severity::Info)], 0));
    let (before, rest) = one.split_once("\"findings\":[").expect("findings");
    let (finding, after) = rest.split_once("],\"not_checked\"").expect("an end of them");
    let many = vec![finding; FINDINGS_MAX + 1].join(",");
    let many = format!("{before}\"findings\":[{many}],\"not_checked\"{after}");
    vec![
        ("too long", send(200, &vec![b' '; REPORT_MAX + 1]), "not valid: longer than 81920 bytes"),
        ("as long as a report may be", send(200, &vec![b'['; REPORT_MAX]), not_a_report),
        ("nothing", send(200, b""), not_a_report),
        ("not JSON", send(200, evil.as_bytes()), not_a_report),
        ("null", send(200, b"null"), not_a_report),
        ("not canonical", send(200, format!(" {}", text(&good)).as_bytes()), not_a_report),
        ("an unknown finding", edited("\"php-down-stale\"", "\"php-evil\""), not_a_report),
        ("an unknown severity", edited("\"critical\"", "\"evil\""), not_a_report),
        ("an unknown fact", edited("\"file\":", "\"evil\":"), not_a_report),
        ("an unknown action", edited("\"restart-php\"", "\"rm-evil\""), not_a_report),
        ("an unknown counter", edited("\"oom-kills\"", "\"evil\""), not_a_report),
        ("an unknown check", edited("\"kernel\"", "\"evil\""), not_a_report),
        ("another version", edited("\"v\":1", "\"v\":2"), not_a_report),
        ("an escape", edited("/run/php/", "\\u001b[2J"), not_a_report),
        ("a line break", edited("/run/php/", "\\nAPPROVE: "), not_a_report),
        ("another script", edited("/run/php/", "\u{202e}"), not_a_report),
        ("cut off", Deed::Break(cut), "the connection broke off: "),
        ("an end without a word", Deed::Break(Vec::new()), "the connection broke off: "),
        ("no HTTP", Deed::Break(evil.as_bytes().to_vec()), "the connection broke off: "),
        ("404", send(404, evil.as_bytes()), "update the agent"),
        ("400", send(400, br#"{"error":"evil"}"#), "update the agent"),
        ("403", send(403, evil.as_bytes()), "the manifest on the server allows none of it"),
        ("503", send(503, br#"{"error":"unavailable"}"#), "it is being looked at already"),
        ("500", send(500, evil.as_bytes()), "HTTP status 500"),
        ("302", send(302, evil.as_bytes()), "HTTP status 302"),
        ("silence", Deed::Silence, "it didn't answer in time"),
        ("a trickle", Deed::Drip(http(200, None, &good), 3_000), "it didn't answer in time"),
        ("more findings than a report has", send(200, many.as_bytes()), not_a_report),
    ]
}

#[test]
fn whatever_an_agent_answers_the_operator_hears_what_is_so() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let current = Arc::new(Mutex::new(0));
    let which = Arc::clone(&current);
    let _liar = HostileAgent::in_front_of(&plane, &mut site, move |request, genuine| {
        match request.line.starts_with("GET /v1/diag") {
            true => lies().swap_remove(*which.lock().expect("no panic")).1,
            false => Deed::Send(unchanged(&genuine.answer())),
        }
    });
    plane.start();
    for (number, (name, _, words)) in lies().into_iter().enumerate() {
        *current.lock().expect("no panic") = number;
        let answer = plane.ask_patiently(OWNER, "/diag acme");
        let told = answer.text();
        assert!(told.starts_with("✗ acme web1: not looked at: ") && told.contains(words), "{name}: {told}");
        assert!(!told.contains("evil") && told.lines().count() == 1, "{name}: {told}");
        assert!(told.chars().all(|c| c == '✗' || matches!(c, ' '..='~')), "{name}: {told:?}");
    }
    assert!(!plane.log().contains("evil"), "{}", plane.log());
    assert_eq!(plane.audit().len(), 1);
    plane.finish();
}

#[test]
fn an_agent_that_is_busy_is_asked_again_in_a_moment() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let answers = [http(200, None, &report(&[], 0)), http(503, None, b"{}"), http(503, None, b"{}")];
    let answers = Mutex::new(answers.to_vec());
    let agent = HostileAgent::in_front_of(&plane, &mut site, move |_, _| {
        Deed::Send(answers.lock().expect("no panic").pop().expect("an answer for each question"))
    });
    let output = plane.attempt(&["diag", "acme"]);
    assert!(text(&output.stdout).starts_with("✓ acme web1: "), "{}", text(&output.stdout));
    assert_eq!(looks(&agent), 3);
    plane.finish();
}

#[test]
fn who_takes_an_agents_place_is_called_what_it_is() {
    let mut plane = Plane::new(Totp::Off);
    let other = plane.site("other", "web2", OPERATIONS);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let fronts = [
        (Front::Certificate(other.bundle("agent")), "what answers at its address is not this agent: "),
        (Front::Plain, "no connection: connection timed out"),
    ];
    plane.start();
    for (front, words) in fronts {
        let liar =
            HostileAgent::presenting(&front, &plane, &mut site, |_, _| Deed::Send(http(200, None, b"")));
        let answer = plane.ask_patiently(OWNER, "/diag acme").text().to_owned();
        assert!(
            answer.starts_with("✗ acme web1: not looked at: ") && answer.contains(words),
            "{front:?}: {answer}"
        );
        assert_eq!(liar.requests(), Vec::<String>::new());
        liar.give_way(&mut site);
        site.kill();
    }
    plane.finish();
}

#[test]
fn those_who_ask_at_once_get_one_look_at_each_server() {
    let mut plane = Plane::new(Totp::Off);
    let mut web = plane.site("acme", "web1", &["restart-web", "restart-php"]);
    let mut db = plane.another_site("acme", "db1", &["restart-db"]);
    let (web_agent, _told) = reporting(&plane, &mut web, report(&php_is_dead(), 0));
    let (db_agent, _told) = reporting(&plane, &mut db, report(&[], 0));
    plane.start();
    let operators: Vec<i64> = (0..5).map(|_| plane.new_operator()).collect();
    for operator in &operators {
        plane.telegram.text(*operator, "/diag acme");
    }
    let expected = "✓ acme db1: nothing wrong (db, disk, flood, http, net, php, system, tls, web)\n\
                    acme web1\n🔴 PHP-FPM has died: ";
    for operator in &operators {
        let answer = plane.telegram.wait_message(PATIENCE, |message| {
            message.chat_id == *operator && message.text().starts_with(expected)
        });
        assert!(answer.is_some(), "{:?}", plane.telegram.sent_to(*operator));
    }
    assert_eq!((looks(&web_agent), looks(&db_agent)), (1, 1));
    plane.finish();
}

#[test]
fn an_answer_whose_place_is_gone_is_a_message_of_its_own() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let (_agent, _told) = reporting(&plane, &mut site, report(&[], 0));
    plane.start();
    let answers = |plane: &Plane| {
        let sent = plane.telegram.sent();
        sent.iter().filter(|message| message.text().starts_with("✓ acme web1: ")).count()
    };
    // A refusal for good, and troubles that pass.
    let gone = |description: &str| Fault::Error { code: 400, description: description.to_owned() };
    let faults = [
        gone("Bad Request: message to edit not found"),
        gone("Bad Request: message can't be edited"),
        Fault::Status { status: 502 },
        Fault::Flood { retry_after: 1 },
        Fault::Reset,
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        plane.telegram.plan(PlannedFault::new(fault).on("editMessageText"));
        plane.telegram.text(OWNER, "/diag acme");
        until("an answer", || (answers(&plane) == number + 1).then_some(()));
        until("the fault to strike", || plane.telegram.faults_left().is_empty().then_some(()));
    }
    let unedited = plane.telegram.sent().iter().filter(|message| message.edits.is_empty()).count();
    assert_eq!(unedited, 4, "two signs of life that nothing could replace, and two answers");
    plane.finish();
}

#[test]
fn the_console_has_the_same_answers_and_shows_what_to_type() {
    let mut plane = Plane::new(Totp::Off);
    let mut site = plane.site("acme", "web1", OPERATIONS);
    let (_agent, _told) = reporting(&plane, &mut site, report(&php_is_dead(), 0));
    plane.start();
    let said = plane.console(OWNER, &["/diag acme".to_owned()]);
    assert!(
        said.starts_with(
            "… checking acme\nacme web1\n🔴 PHP-FPM has died: /run/php/<b>php</b>.sock is there"
        ),
        "{said}"
    );
    assert!(
        said.ends_with("\n[restart-php] /prepare restart-php acme\n[Details] /diag acme details\n"),
        "{said}"
    );
    for (line, words) in [
        ("/diag", "Use: /diag <client> [area] [details]"),
        ("/diag nobody", "Unknown client; /clients lists them."),
        ("/diag acme mail", "Areas: db, disk, flood, http, net, php, system, tls, web"),
        ("/diag acme web details more", "Use: /diag"),
        ("/help", "/diag <client> says what is wrong there"),
    ] {
        let said = plane.console(OWNER, &[line.to_owned()]);
        assert!(said.contains(words), "{line}: {said}");
    }
    let said = plane.console(OWNER, &["/diag acme web details".to_owned()]);
    assert!(said.contains("… checking acme\nacme web1\n✓ nothing wrong\n"), "{said}");
    plane.finish();
}
