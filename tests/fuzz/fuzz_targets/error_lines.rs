//! Lines of error logs, which visitors write parts of: what is taken from a line stands in it, a time comes from what
//! it is said to come from, what a visitor asks for doesn't make another message of it, and what is shown is
//! printable, short and without secrets.
#![no_main]

use std::mem::discriminant;

use secmon_diag::errors::said::{Request, Said, apache, nginx};
use secmon_diag::errors::{acme, database, listening, php, php_message, time, units};
use secmon_diag::text::redacted;
use secmon_wire::limits::EVIDENCE_LINE_MAX;

/// What nginx says before it quotes the visitor.
const HEADS: [&str; 8] = [
    "768 worker_connections are not enough",
    "client intended to send too large body: 12582912 bytes",
    "upstream sent too big header while reading response header from upstream",
    "connect() to unix:/run/php/php8.2-fpm.sock failed (11: Resource temporarily unavailable) while connecting to upstream",
    "connect() failed (111: Connection refused) while connecting to upstream",
    "upstream timed out (110: Connection timed out) while reading response header from upstream",
    "recv() failed (104: Connection reset by peer) while reading response header from upstream",
    "directory index of \"/srv/\" is forbidden",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (choice, line) = bytes.split_first().unwrap_or((&0, b""));
    timed(line);
    shown(line);
    for path in listening::listening(line) {
        assert!(path.starts_with('/'));
    }
    let text = String::from_utf8_lossy(line);
    let texts = ["", "2026/11/22 01:34:50 ", "[22-Nov-2026 01:34:50] ", "2026-11-22  1:34:50 "];
    for before in texts {
        read(&format!("{before}{text}"));
    }
    quoted(HEADS[usize::from(*choice) % HEADS.len()], &text);
});

fn timed(line: &[u8]) {
    let Some((at, length)) = time::stamp(line) else { return };
    assert!(length <= line.len() && at < 7_300_000_000);
    assert_eq!(time::stamp(&line[..length]), Some((at, length)), "what follows a time isn't in it");
}

fn shown(line: &[u8]) {
    let shown = redacted(line);
    assert!(shown.len() <= EVIDENCE_LINE_MAX && shown.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
    if line.windows(6).any(|part| part == b"5ecret") {
        return;
    }
    // A secret of letters in the places where secrets stand.
    for (before, after) in [("/?x=", " "), ("token=", "&a=b"), (" password: ", " "), ("Bearer ", " ")] {
        let text =
            [&line[..line.len().min(64)], b" \"", before.as_bytes(), b"5ecretive", after.as_bytes()].concat();
        assert!(!redacted(&text).contains("5ecretive"), "{:?}", String::from_utf8_lossy(&text));
    }
}

/// Each part that a reader hands out is a part of the line.
fn read(line: &str) {
    let within =
        |part: &str| assert!(line.as_bytes().as_ptr_range().contains(&part.as_ptr()) || part.is_empty());
    let of = |request: &Request<'_>| {
        within(request.path);
        within(request.host);
        assert!(!request.path.contains([' ', '?', '"']) && !request.host.contains('"'));
    };
    for said in [nginx(line), apache(line)].into_iter().flatten() {
        match said {
            Said::Broken(Some(text)) | Said::KeyMismatch(Some(text)) | Said::Php(text) => within(text),
            Said::TooLarge(request)
            | Said::BigHeader(request)
            | Said::HungUp(request)
            | Said::NoAnswer(request) => {
                of(&request);
            }
            Said::Unreachable(_, to, request) => {
                within(to);
                of(&request);
            }
            _ => {}
        }
    }
    match php::fpm(line) {
        Some(php::Fpm::CutOff(script, _)) => within(script),
        Some(php::Fpm::Died | php::Fpm::Limit(_)) | None => {}
    }
    match php_message::died(line) {
        Some(
            php_message::Died::Memory(_, file)
            | php_message::Died::Time(_, file)
            | php_message::Died::Error(file),
        ) => {
            within(file);
            within(php_message::owner(file));
            assert!(file.starts_with('/'));
        }
        None => {}
    }
    within(php_message::owner(line));
    for said in
        [database::mysql(line), database::postgres(line), database::wordpress(line)].into_iter().flatten()
    {
        if let database::Said::Refused(user) = said {
            within(user);
        }
    }
    if let Some((name, _)) = units::killed(line) {
        within(name);
        assert!(!name.contains(')'));
    }
    assert!(acme::outcome(line).is_none() || line.contains("renew"));
}

/// A visitor's words in the places where nginx quotes them; it ends each with a quote, so none is in them.
fn quoted(head: &str, visitor: &str) {
    let line = |words: &str| {
        format!(
            "2026/11/22 01:34:50 [error] 766#766: *2328 {head}, client: 192.0.2.1, server: acme.example, request: \"GET /{words} HTTP/1.1\", upstream: \"fastcgi://unix:/run/php/php8.2-fpm.sock:\", host: \"{words}\""
        )
    };
    let words: String = visitor.chars().filter(|c| *c != '"' && !c.is_control()).collect();
    let (plain, with) = (line("a"), line(&words));
    let (plain, with) = (nginx(&plain), nginx(&with));
    assert_eq!(plain.map(|said| discriminant(&said)), with.map(|said| discriminant(&said)), "{words:?}");
    if let (Some(Said::Unreachable(why, to, _)), Some(Said::Unreachable(why_too, to_too, _))) = (plain, with)
    {
        assert_eq!((why, to), (why_too, to_too));
    }
}
