//! Attacks as they come, each on a site that has a usual day: what is said of it, and whom it accuses.

mod scene;

use scene::*;
use secmon_diag::flood::{Impact, Judged, Settings, judge_log};
use secmon_wire::diag::{FactName, FindingId, Flood, PatternField};

/// An attack lasts for the last ten minutes of an hour and ten.
const START: u64 = 3_600;

fn judge(log: &[u8], format: Option<&str>) -> Judged {
    let impact = Impact::default();
    judge_log(log, format, &Settings { host: "example.org", ..Settings::new(&impact) })
}

fn ids(judged: &Judged) -> Vec<FindingId> {
    let mut ids: Vec<_> = judged.findings.iter().map(|finding| finding.id).collect();
    ids.sort();
    ids
}

/// The usual day, with an attack of so many requests a minute at its end.
fn attacked(each_minute: u64, make: impl Fn(u64, u64) -> Request) -> Vec<Request> {
    let attack = (0..each_minute * 10).map(|n| make(START + n * 60 / each_minute, n));
    sorted(visitors(0..70, 8, 6).into_iter().chain(attack).collect())
}

/// What the only finding, of this id, carries.
fn alone(judged: &Judged, id: FindingId) -> Option<Flood> {
    assert_eq!(ids(judged), [id]);
    judged.findings[0].flood.clone()
}

fn sources(flood: Option<Flood>) -> Vec<String> {
    let flood = flood.expect("a flood");
    flood.sources.iter().map(|source| format!("{}/{}", source.address, source.bits)).collect()
}

fn found(id: FindingId, each_minute: u64, make: impl Fn(u64, u64) -> Request) -> Option<Flood> {
    alone(&judge(&combined(&attacked(each_minute, make)), None), id)
}

#[test]
fn passwords_that_are_tried() {
    let one = found(FindingId::FloodLogin, 20, |at, _| post(at, "85.9.9.9", "/wp-login.php"));
    assert_eq!(sources(one), ["85.9.9.9/32"]);
    let many = found(FindingId::FloodLogin, 120, |at, n| post(at, somebody(n % 400), "/blog/wp-login.php"));
    assert_eq!(many.and_then(|flood| flood.pattern).map(|pattern| pattern.field), Some(PatternField::Path));
    found(FindingId::FloodXmlrpc, 30, |at, _| post(at, "85.9.9.9", "//xmlrpc.php"));
    found(FindingId::FloodXmlrpc, 300, |at, n| Request {
        agent: String::new(),
        ..post(at, somebody(n), "/xmlrpc.php")
    });
}

#[test]
fn an_attacker_who_gets_in_at_last() {
    let mut requests = attacked(20, |at, _| post(at, "85.9.9.9", "/wp-login.php"));
    requests.push(Request { status: 302, ..post(START + 601, "85.9.9.9", "/wp-login.php") });
    assert_eq!(
        ids(&judge(&combined(&requests), None)),
        [FindingId::FloodLogin, FindingId::FloodLoginSuccess]
    );
}

#[test]
fn searches_that_nobody_makes() {
    let search =
        |at, n: u64| get(at, somebody(n % 500), format!("/?s=%E4%B8%AD{}&post_type=product", n * 7_919));
    let finding = found(FindingId::FloodSearch, 90, search);
    assert_eq!(
        finding.and_then(|flood| flood.pattern).map(|pattern| pattern.value.to_string()).as_deref(),
        Some("s")
    );
    found(FindingId::FloodSearch, 90, |at, n| get(at, somebody(n % 500), format!("/en/search/term-{n}/")));
    found(FindingId::FloodSearch, 90, |at, n| get(at, somebody(n % 500), format!("/de/?lang=de&s=x{n}")));
}

#[test]
fn queries_that_no_cache_has() {
    for make in [
        |n: u64| format!("/?{}", 1_000_000_000 + n * 7_919),
        |n: u64| format!("/?cb={:x}", n * 104_729),
        |n: u64| format!("/index.php?ref={n}&session={}", n * 31),
        |n: u64| format!("/?%00{n}=1"),
    ] {
        let random = |at, n| Request { agent: browser(n), ..get(at, somebody(n % 900), make(n)) };
        found(FindingId::FloodCachebust, 150, random);
    }
}

#[test]
fn ten_thousand_who_come_twice() {
    let each = |at, n: u64| Request { agent: browser(n * 13 / 7), ..get(at, somebody(n % 10_000), "/") };
    let attack = (0..20_000).map(|n| each(START + n * 36 / 100, n));
    let log = combined(&sorted(visitors(0..180, 8, 6).into_iter().chain(attack).collect()));
    let judged = judge(&log, None);
    alone(&judged, FindingId::FloodDistributed);
    assert!(judged.findings[0].facts.get_number(FactName::Sources).is_some_and(|n| n > 100));
}

#[test]
fn one_program_on_many_machines() {
    let agent = "Mozilla/5.0 (compatible; sitesucker 3)";
    let finding = found(FindingId::FloodUa, 300, |at, n| Request {
        agent: agent.into(),
        ..get(at, somebody(n), format!("/2026/11/post-{}/", n % 60))
    });
    let pattern = finding.and_then(|flood| flood.pattern).expect("a pattern");
    assert_eq!((pattern.field, pattern.value.as_str()), (PatternField::UserAgent, agent));
    found(FindingId::FloodUa, 60, |at, n| Request {
        agent: "python-requests/2.31".into(),
        ..get(at, somebody(n % 90), "/")
    });
    found(FindingId::FloodUa, 60, |at, n| Request { agent: String::new(), ..get(at, somebody(n % 90), "/") });
}

#[test]
fn one_who_asks_for_everything() {
    let one = |at, n: u64| Request {
        agent: browser(n),
        ..get(at, "85.9.9.9", format!("/2026/11/post-{}/", n % 60))
    };
    assert_eq!(sources(found(FindingId::FloodSingleIp, 300, one)), ["85.9.9.9/32"]);
}

#[test]
fn ipv6_networks() {
    let host =
        |n: u64| format!("2a02:db8:7:9:{:x}:{:x}:{:x}:1", n * 31 % 65_536, n * 17 % 65_536, n % 65_536);
    let one = found(FindingId::FloodXmlrpc, 200, |at, n| post(at, host(n), "/xmlrpc.php"));
    assert_eq!(sources(one), ["2a02:db8:7:9::/64"]);
    let pages = found(FindingId::FloodSingleIp, 200, |at, n| get(at, host(n), "/"));
    assert_eq!(sources(pages), ["2a02:db8:7:9::/64"]);
    let many =
        found(FindingId::FloodSubnet, 300, |at, n| get(at, format!("2a02:db8:7:{:x}::{n:x}", n % 60), "/"));
    assert_eq!(sources(many), ["2a02:db8:7::/48"]);
    let four = found(FindingId::FloodSubnet, 300, |at, n| get(at, format!("85.9.9.{}", n % 200), "/"));
    assert_eq!(sources(four), ["85.9.9.0/24"]);
}

#[test]
fn an_attack_in_a_log_that_shows_the_edge() {
    let edge = |request: Request, n: u64| Request { from: format!("172.70.{}.{}", n % 5, n % 60), ..request };
    let requests = attacked(300, |at, n| post(at, somebody(n), "/wp-login.php"));
    let requests: Vec<Request> = requests.into_iter().zip(0..).map(|(request, n)| edge(request, n)).collect();
    let judged = judge(&combined(&requests), None);
    assert_eq!(ids(&judged), [FindingId::FloodLogin, FindingId::WebRealipMissing]);
    assert!(
        judged
            .findings
            .iter()
            .all(|finding| finding.flood.as_ref().is_none_or(|flood| flood.sources.is_empty()))
    );
}

#[test]
fn an_attack_in_every_format() {
    let requests = attacked(120, |at, n| post(at, somebody(n % 300), "/wp-login.php"));
    let quoted = |text: &str| text.replace('"', "\\\"");
    let line_of = |write: &dyn Fn(&Request) -> String| requests.iter().map(write).collect::<String>();
    let of_nginx = r#"$host|$remote_addr|$msec|$request_time|$upstream_cache_status|$request|$status|$bytes_sent|$http_referer|$http_user_agent"#;
    let of_apache =
        r#"%{X-Forwarded-For}i %h [%{%d/%b/%Y:%H:%M:%S %z}t] %m "%U%q" %>s %D %B "%{User-Agent}i""#;
    let nginx = line_of(&|r| {
        format!(
            "example.org|{}|{}.123|0.004|-|{} {} HTTP/2.0|{}|{}|{}|{}\n",
            r.from,
            BEGIN + r.at,
            r.method,
            r.target,
            r.status,
            r.size,
            or_dash(&r.referer),
            r.agent
        )
    });
    let apache = line_of(&|r| {
        format!(
            "{} 127.0.0.1 [{}] {} \"{}\" {} 4123 {} \"{}\"\n",
            r.from,
            stamp(BEGIN + r.at, 2),
            r.method,
            r.target,
            r.status,
            r.size,
            r.agent
        )
    });
    let caddy = line_of(&|r| {
        format!(
            "{{\"level\":\"info\",\"ts\":{}.5,\"logger\":\"http.log.access\",\"request\":{{\"remote_ip\":\"{}\",\"remote_port\":\"5\",\"proto\":\"HTTP/2.0\",\"method\":\"{}\",\"host\":\"example.org\",\"uri\":\"{}\",\"headers\":{{\"User-Agent\":[\"{}\"],\"Referer\":[\"{}\"]}}}},\"bytes_read\":0,\"duration\":0.01,\"size\":{},\"status\":{}}}\n",
            BEGIN + r.at,
            r.from,
            r.method,
            r.target,
            quoted(&r.agent),
            r.referer,
            r.size,
            r.status
        )
    });
    let escaped = line_of(&|r| {
        format!(
            "{{\"time_local\":\"{}\",\"remote_addr\":\"{}\",\"request\":\"{} {} HTTP/1.1\",\"status\":\"{}\",\"body_bytes_sent\":\"{}\",\"http_referer\":\"{}\",\"http_user_agent\":\"{}\"}}\n",
            stamp(BEGIN + r.at, 0),
            r.from,
            r.method,
            r.target.replace('/', "\\/"),
            r.status,
            r.size,
            r.referer,
            quoted(&r.agent)
        )
    });
    for (log, format) in [(nginx, Some(of_nginx)), (apache, Some(of_apache)), (caddy, None), (escaped, None)]
    {
        let first = log.lines().next().unwrap_or_default().to_owned();
        let judged = judge(log.as_bytes(), format);
        assert_eq!((ids(&judged), judged.junk), (vec![FindingId::FloodLogin], 0), "{first}");
    }
}

#[test]
fn an_attack_among_lines_that_are_none() {
    let requests = attacked(120, |at, n| post(at, somebody(n % 300), "/xmlrpc.php"));
    let mut log = Vec::new();
    let mut dice = Dice::new(7);
    for (request, n) in requests.iter().zip(0_u64..) {
        let line = combined_in(request, 0).into_bytes();
        match n % 50 {
            7 => log.extend((0..200).map(|_| dice.roll(256) as u8)),
            13 => log.extend(&line[..line.len() / 3]),
            19 => log.extend([0_u8; 300]),
            23 if n % 1_000 == 23 => {
                log.extend(
                    combined_in(&get(request.at, "85.9.9.9", "/".to_owned() + &"a".repeat(200_000)), 0)
                        .bytes(),
                );
            }
            29 => log.extend(
                combined_in(&Request { target: "/\\x22\\\"/%0a".into(), ..request.clone() }, 0).bytes(),
            ),
            31 => {
                log.extend(b"85.9.9.9 - - [22/Nov/2026:99:99:99 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"-\"")
            }
            37 => log.extend(
                b"85.9.9.9 - - [22/Nov/2026:08:00:00 +0000] \"\\x16\\x03\\x01\\x02\" 400 157 \"-\" \"-\"",
            ),
            41 => log.extend("\u{feff}\u{202e}".repeat(40).bytes()),
            _ => {}
        }
        log.push(b'\n');
        log.extend(line);
    }
    let judged = judge(&log, None);
    alone(&judged, FindingId::FloodXmlrpc);
    for finding in &judged.findings {
        assert!(finding.to_string().chars().all(|c| !c.is_control()), "{finding}");
    }
}

#[test]
fn an_attack_whose_lines_come_late_and_in_another_zone() {
    let mut requests =
        attacked(200, |at, n| get(at, somebody(n % 500), format!("/?{}", 1_000_000_000 + n * 7_919)));
    requests.sort_by_key(|request| {
        request.at + Dice::new(request.at * 31 + request.target.len() as u64).roll(120)
    });
    let log: String = requests
        .iter()
        .map(|request| combined_in(request, if request.at < 3_900 { -3 } else { -4 }))
        .collect();
    alone(&judge(log.as_bytes(), None), FindingId::FloodCachebust);
}

#[test]
fn an_attack_does_not_hide_behind_names_of_crawlers() {
    let agent = "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)";
    found(FindingId::CrawlAi, 120, |at, n| Request {
        agent: agent.into(),
        ..get(at, somebody(n % 30), format!("/tag/{n}/"))
    });
}
