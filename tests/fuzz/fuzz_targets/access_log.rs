//! Access logs: the same whether they are read in one piece or two, in bounded memory, with findings that are
//! printable lines and never accuse a network that must be spared. The first byte says whether what follows is a log
//! or the visits that one is made of.
#![no_main]

use std::fmt::Write as _;
use std::net::IpAddr;

use secmon_diag::flood::{Impact, Settings, judge_log, judge_pieces};
use secmon_diag::networks::{is_private, spared};

/// What a pass may keep, however long the log is.
const MEMORY: usize = 512 * 1024;
/// Kinds and networks together don't make more findings than this.
const FINDINGS: usize = 64;
const FORMATS: [Option<&str>; 4] = [
    None,
    Some(
        "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" \"$http_user_agent\"",
    ),
    Some(
        "[$time_iso8601] $host $status $body_bytes_sent \"$request_uri\" $request_method $remote_addr \"$http_user_agent\"",
    ),
    Some("%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""),
];
const TARGETS: [&str; 8] = [
    "/",
    "/wp-login.php",
    "/xmlrpc.php",
    "/?s=abc",
    "/shop/?filter_color=red&orderby=price",
    "/wp-json/wp/v2/posts",
    "/wp-cron.php?doing_wp_cron=1",
    "/a.jpg",
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "curl/8.5",
    "-",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let [kind, cut, rest @ ..] = bytes else { return };
    match kind % 8 {
        0..4 => judge(rest, FORMATS[usize::from(kind % 4)], *cut),
        4 => {
            let (format, log) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
            judge(log, std::str::from_utf8(format).ok(), *cut);
        }
        _ => judge(made_of(rest).as_bytes(), None, *cut),
    }
});

/// Four bytes each: seconds since the last one and how often, from whom, for what.
fn made_of(visits: &[u8]) -> String {
    let (mut log, mut at) = (String::new(), 0_u32);
    for [time, times, from, what] in visits.as_chunks::<4>().0 {
        at = (at + u32::from(time % 64)).min(86_399);
        for n in 0..1 + u32::from(times % 32) {
            let (hour, minute, second) = (at / 3_600, at / 60 % 60, at % 60);
            let address = match from % 4 {
                0 => format!("198.18.{}.{}", from, n % 8),
                1 => format!("192.0.2.{from}"),
                2 => format!("10.0.0.{from}"),
                _ => format!("2001:db8:{from:x}::{n:x}"),
            };
            let (target, agent) = (TARGETS[usize::from(what % 8)], AGENTS[usize::from(what / 8 % 4)]);
            let method = if what & 64 == 0 { "GET" } else { "POST" };
            let status = [200, 404, 503, 499][usize::from(from / 64)];
            let line = format_args!(
                "{address} - - [22/Nov/2026:{hour:02}:{minute:02}:{second:02} +0000] \"{method} {target} HTTP/1.1\" {status} 3000 \"-\" \"{agent}\"\n"
            );
            log.write_fmt(line).expect("room");
        }
    }
    log
}

fn judge(log: &[u8], format: Option<&str>, cut: u8) {
    // A host that suffers, so that whoever can be accused is.
    let impact = Impact { php_queue: 9, busy_percent: Some(100), ..Impact::default() };
    let exempt = [(IpAddr::from([198, 18, 64, 0]), 24)];
    let settings = Settings { host: "acme.example", exempt: &exempt, ..Settings::new(&impact) };
    let judged = judge_log(log, format, &settings);
    let lines = log.split(|byte| *byte == b'\n').count() as u64;
    assert!(judged.lines + judged.junk <= lines && judged.memory <= MEMORY, "{} bytes", judged.memory);
    assert!(judged.findings.len() <= FINDINGS, "{} findings", judged.findings.len());
    for finding in &judged.findings {
        let line = finding.to_string();
        assert!(line.len() < 1_000 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line}");
        for source in finding.flood.iter().flat_map(|flood| &flood.sources) {
            let address = source.network();
            assert!(!is_private(address) && spared(address).is_none(), "{address}");
            assert!(
                !matches!(address, IpAddr::V4(address) if address.octets()[..3] == [198, 18, 64]),
                "{address}"
            );
        }
    }
    let from = log.len() * usize::from(cut) / 256;
    let Some(end) = log[from..].iter().position(|byte| *byte == b'\n') else { return };
    let (one, two) = log.split_at(from + end + 1);
    let again = judge_pieces(&[one, two], format, &settings);
    assert_eq!((again.lines, again.findings), (judged.lines, judged.findings), "cut at {}", from + end);
}
