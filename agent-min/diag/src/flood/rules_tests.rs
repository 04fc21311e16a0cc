use secmon_wire::ActionId;
use secmon_wire::diag::{Fact, FactName, FindingId, PatternField, Severity};

use super::fake::{Hit, T, hit, log, post, quiet, visitor};
use super::*;

fn judged(hits: Vec<Hit>, impact: &Impact) -> Vec<Finding> {
    judge_log(&log(hits), None, &Settings::new(impact)).findings
}

fn ids(hits: Vec<Hit>) -> Vec<FindingId> {
    judged(hits, &Impact::default()).iter().map(|finding| finding.id).collect()
}

/// Ten quiet minutes, then these. The last quiet second is 599.
fn after_quiet(hits: impl IntoIterator<Item = Hit>) -> Vec<Hit> {
    quiet(0..10).into_iter().chain(hits).collect()
}

/// `n` requests in the last of eleven minutes, evenly.
fn in_a_minute(n: u64, make: impl Fn(u64, u64) -> Hit) -> Vec<Hit> {
    after_quiet((0..n).map(|i| make(600 + i * 59 / n.max(1), i)))
}

fn failing(mut hits: Vec<Hit>) -> Vec<Hit> {
    hits.extend((0..40).map(|n| Hit { status: 502, ..hit(655, visitor(9_000 + n), format!("/post-{n}/")) }));
    hits
}

/// A flood's number of requests that is one, one fewer, and how to make them.
type Case = (FindingId, u64, fn(u64, u64) -> Hit);

const FLOODS: &[Case] = &[
    (FindingId::FloodXmlrpc, 20, |at, n| post(at, visitor(n), "//xmlrpc.php")),
    (FindingId::FloodXmlrpc, 6, |at, _| post(at, "198.51.100.9", "/xmlrpc.php")),
    (FindingId::FloodLogin, 30, |at, n| post(at, visitor(n), "/wp-login.php")),
    (FindingId::FloodLogin, 10, |at, _| post(at, "198.51.100.9", "/wp-login.php")),
    (FindingId::FloodLogin, 6, |_, _| post(630, "198.51.100.9", "/wp-login.php")),
    (FindingId::FloodSearch, 30, |at, n| hit(at, visitor(n), format!("/?s=casino+{n}"))),
    (FindingId::FloodCachebust, 60, |at, n| hit(at, visitor(n), format!("/?{}", 8_890_121_518 + n * 7919))),
    (FindingId::FloodFacet, 60, |at, n| {
        hit(at, visitor(n), format!("/shop/?filter_color={n}&orderby=price&min_price={}", n * 3))
    }),
    (FindingId::FloodPost, 60, |at, n| post(at, visitor(n), "/contact/")),
    (FindingId::FloodAjax, 60, |at, _| post(at, "198.51.100.9", "/wp-admin/admin-ajax.php")),
    (FindingId::FloodAjax, 300, |at, n| post(at, visitor(n), "/wp-admin/admin-ajax.php")),
    (FindingId::FloodWpcron, 10, |at, n| hit(at, visitor(n), "/wp-cron.php")),
    (FindingId::FloodSingleIp, 60, |at, n| hit(at, "198.51.100.9", format!("/post-{}/", n % 9))),
    (FindingId::FloodSubnet, 120, |at, n| hit(at, format!("198.51.100.{}", n % 6), "/post-1/")),
    (FindingId::FloodUa, 30, |at, n| Hit {
        agent: "python-requests/2.31".into(),
        ..hit(at, visitor(n), "/")
    }),
    (FindingId::Flood404Dyn, 60, |at, n| Hit {
        status: 404,
        ..hit(at, visitor(n), format!("/no-{}/", n % 50))
    }),
    (FindingId::Scan404, 20, |at, n| Hit {
        status: 404,
        size: 153,
        ..hit(at, "198.51.100.9", format!("/backup-{}.zip", n * n))
    }),
    (FindingId::CrawlAi, 30, |at, n| {
        let agent = "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)".into();
        Hit { agent, ..hit(at, visitor(n % 4), format!("/post-{n}/")) }
    }),
];

#[test]
fn each_flood_is_found_from_its_threshold_on_and_alone() {
    for (id, enough, make) in FLOODS {
        assert_eq!(ids(in_a_minute(*enough, make)), [*id], "{id} at {enough}");
        assert_eq!(ids(in_a_minute(*enough - 1, make)), [], "{id} at {}", enough - 1);
    }
}

#[test]
fn on_a_busy_site_one_visitor_needs_twice_as_many() {
    for (n, expected) in [(120, vec![FindingId::FloodSingleIp]), (119, vec![])] {
        let busy = (0..11).flat_map(|minute| {
            (0..300).flat_map(move |n| {
                let (at, from) = (minute * 60 + n / 5, visitor(minute * 300 + n));
                [hit(at, from.clone(), format!("/post-{}/", n % 40)), hit(at, from, "/a.css")]
            })
        });
        let one = (0..n).map(|i| hit(600 + i * 59 / n, "198.51.100.9", format!("/post-{}/", i % 9)));
        assert_eq!(ids(busy.chain(one).collect()), expected, "{n}");
    }
}

#[test]
fn without_harm_a_flood_is_information_and_with_it_there_is_an_action() {
    for (id, enough, make) in FLOODS {
        let quiet = judged(in_a_minute(*enough * 2, make), &Impact::default());
        let finding = quiet.iter().find(|finding| finding.id == *id).unwrap_or_else(|| panic!("{id}"));
        assert_eq!((finding.severity, finding.action), (Severity::Info, None), "{id}");
        let harmed = judged(failing(in_a_minute(*enough * 2, make)), &Impact::default());
        let finding = harmed.iter().find(|finding| finding.id == *id).unwrap_or_else(|| panic!("{id}"));
        assert_eq!(finding.severity, Severity::Critical, "{id}");
        assert!(finding.action.is_some_and(|action| action.operation().is_none()), "{id}");
        let waiting = Impact { php_queue: 3, ..Impact::default() };
        let waiting = judged(in_a_minute(*enough * 2, make), &waiting);
        let finding = waiting.iter().find(|finding| finding.id == *id).unwrap_or_else(|| panic!("{id}"));
        assert_eq!((finding.severity, finding.action.is_some()), (Severity::Warning, true), "{id}");
    }
}

#[test]
fn four_of_five_busy_workers_are_harm_and_fewer_are_none() {
    for (busy, severity) in [(80, Severity::Warning), (79, Severity::Info)] {
        let impact = Impact { busy_percent: Some(busy), ..Impact::default() };
        let findings = judged(in_a_minute(60, FLOODS[0].2), &impact);
        assert_eq!((findings[0].id, findings[0].severity), (FindingId::FloodXmlrpc, severity), "{busy}");
        assert_eq!(findings[0].action.is_some(), severity > Severity::Info, "{busy}");
    }
}

#[test]
fn the_action_is_the_narrowest_that_helps() {
    let cases: &[(ActionId, Vec<Hit>)] = &[
        (ActionId::CfTargetedBlock, in_a_minute(60, |at, n| post(at, visitor(n % 3), "/xmlrpc.php"))),
        (ActionId::CfPatternBlock, in_a_minute(60, |at, n| post(at, visitor(n % 30), "/xmlrpc.php"))),
        (ActionId::CfManagedChallenge, in_a_minute(60, |at, n| post(at, visitor(n), "/wp-login.php"))),
        (ActionId::CfPatternBlock, in_a_minute(90, FLOODS[6].2)),
        (
            ActionId::CfManagedChallenge,
            in_a_minute(90, |at, n| hit(at, visitor(n), format!("/?ref=x{n}&session=y{n}"))),
        ),
    ];
    for (action, hits) in cases {
        let findings = judged(failing(hits.clone()), &Impact::default());
        assert_eq!(findings[0].action, Some(*action), "{}", findings[0].id);
    }
}

#[test]
fn a_flood_carries_what_a_mitigation_needs() {
    let mut hits = in_a_minute(90, |at, n| post(at, visitor(n % 3), "/xmlrpc.php"));
    hits.extend((0..9).map(|n| post(640, "192.0.101.21", format!("/xmlrpc.php?for=jetpack&nonce={n}"))));
    let findings = judged(hits, &Impact::default());
    let flood = findings[0].flood.as_ref().expect("a flood");
    assert_eq!((flood.count, flood.error, flood.spared), (90, 0, 9));
    let pattern = flood.pattern.as_ref().expect("a pattern");
    assert_eq!((pattern.field, pattern.value.as_str()), (PatternField::Path, "/xmlrpc.php"));
    let sources: Vec<_> =
        flood.sources.iter().map(|source| (source.address.to_string(), source.count)).collect();
    assert_eq!(sources, [(visitor(0), 30), (visitor(1), 30), (visitor(2), 30)]);
    assert!(flood.window.end >= T + 640 && flood.window.seconds == 300);
}

#[test]
fn what_is_always_there_is_no_flood() {
    let machine = |minutes: std::ops::Range<u64>| {
        minutes.flat_map(|minute| {
            (0..130).map(move |n| hit(minute * 60 + n * 59 / 130, "198.51.100.9", "/api/state"))
        })
    };
    let always: Vec<Hit> = quiet(0..30).into_iter().chain(machine(0..30)).collect();
    assert_eq!(ids(always), []);
    let suddenly: Vec<Hit> = quiet(0..30).into_iter().chain(machine(27..30)).collect();
    assert_eq!(ids(suddenly), [FindingId::FloodSingleIp]);
    let tracker = |minutes: std::ops::Range<u64>| {
        minutes.flat_map(|minute| {
            (0..90).map(move |n| {
                let agent = "Tracker/2.1".to_owned();
                Hit { agent, ..hit(minute * 60 + n / 2, visitor(n), format!("/?imei={n}&at={minute}{n}")) }
            })
        })
    };
    assert_eq!(ids(quiet(0..30).into_iter().chain(tracker(5..30)).collect()), []);
}

#[test]
fn an_attack_that_is_older_than_the_log_is_still_one() {
    let attack = (0..3_600).map(|n| post(n, visitor(n), "/xmlrpc.php"));
    assert_eq!(ids(quiet(0..60).into_iter().chain(attack).collect()), [FindingId::FloodXmlrpc]);
}

#[test]
fn people_who_look_at_pictures_are_no_flood() {
    let office = (0..130).flat_map(|n| {
        let from = "198.51.100.9";
        [hit(600 + n / 3, from, format!("/post-{n}/")), hit(600 + n / 3, from, format!("/img/{n}.jpg"))]
    });
    assert_eq!(ids(after_quiet(office)), []);
    let crowd = (0..120).flat_map(|n| {
        let page = hit(600 + n / 2, visitor(n), "/news/");
        let files = (0..4).map(move |file| hit(600 + n / 2, visitor(n), format!("/img/{file}.jpg")));
        std::iter::once(page).chain(files)
    });
    assert_eq!(ids(after_quiet(crowd)), [FindingId::BenignSurge]);
}

#[test]
fn many_who_fetch_pages_only_are_a_distributed_flood() {
    let agents = ["A", "B", "C", "D", "E"].map(|name| format!("Mozilla/5.0 ({name}) Gecko"));
    let flood = (0..400)
        .map(|n| Hit { agent: agents[n as usize % 5].clone(), ..hit(600 + n / 8, visitor(n * 7), "/") });
    let findings = judged(after_quiet(flood), &Impact::default());
    assert_eq!(findings.iter().map(|f| f.id).collect::<Vec<_>>(), [FindingId::FloodDistributed]);
    let one_agent =
        (0..400).map(|n| Hit { agent: agents[0].clone(), ..hit(600 + n / 8, visitor(n * 7), "/") });
    assert_eq!(ids(after_quiet(one_agent)), [FindingId::FloodUa]);
}

#[test]
fn a_flood_that_ended_just_before_a_window_is_not_seen_again_as_another() {
    // The log ends at second 946, so a window begins at 646: the flood ends four seconds earlier.
    let flood = (0..600).map(|n| hit(592 + n / 12, visitor(n), format!("/?s=casino+{n}")));
    assert_eq!(ids(quiet(0..16).into_iter().chain(flood).collect()), [FindingId::FloodSearch]);
}

#[test]
fn staff_shoppers_and_searches_for_the_same_are_no_floods() {
    let staff = |at, _| Hit {
        referer: "https://example.org/wp-admin/post.php",
        ..post(at, "198.51.100.9", "/wp-admin/admin-ajax.php")
    };
    assert_eq!(ids(in_a_minute(200, staff)), []);
    assert_eq!(ids(in_a_minute(60, |at, n| hit(at, visitor(n), format!("/?s=term{}", n % 20)))), []);
    let jetpack = |at, _| post(at, "192.0.101.21", "/xmlrpc.php");
    assert_eq!(ids(in_a_minute(90, jetpack)), []);
    let own_404s = |at, n| Hit { status: 404, size: 153, ..hit(at, visitor(n), format!("/no-{n}/")) };
    assert_eq!(ids(in_a_minute(90, own_404s)), []);
}

#[test]
fn a_theme_that_names_what_is_not_there_makes_nobody_a_scanner() {
    let broken = (0..8).flat_map(|n| {
        (0..25).map(move |file| Hit {
            status: 404,
            size: 153,
            ..hit(600 + n * 5, visitor(n), format!("/f{file}/"))
        })
    });
    assert_eq!(ids(after_quiet(broken)), []);
}

#[test]
fn a_login_after_ten_failures_is_told_and_one_after_nine_is_not() {
    for (failures, found) in [(10, true), (9, false)] {
        let mut hits: Vec<Hit> =
            (0..failures).map(|n| post(600 + n * 12, "198.51.100.9", "/wp-login.php")).collect();
        hits.push(Hit { status: 302, ..post(600 + failures * 12, "198.51.100.9", "/wp-login.php") });
        let ids = ids(after_quiet(hits));
        assert_eq!(ids.contains(&FindingId::FloodLoginSuccess), found, "{failures}");
    }
}

#[test]
fn a_slow_attack_shows_over_an_hour() {
    for (sources, found) in [(56, true), (40, false)] {
        let tries = (0..sources).map(|n| post(n * 60, visitor(n), "/wp-login.php"));
        let ids = ids(quiet(0..59).into_iter().chain(tries).collect());
        assert_eq!(ids == [FindingId::FloodLoginSlow], found, "{sources}: {ids:?}");
    }
}

#[test]
fn behind_a_proxy_nobody_is_accused_and_floods_are_seen_all_the_same() {
    let edge = |n: u64| format!("172.70.{}.{}", n % 4, n % 9);
    let mut hits: Vec<Hit> = quiet(0..10).into_iter().map(|hit| Hit { from: edge(hit.at), ..hit }).collect();
    hits.extend((0..200).map(|n| post(600 + n / 5, edge(n), "/xmlrpc.php")));
    hits.extend((0..200).map(|n| hit(600 + n / 5, edge(0), "/")));
    let findings = judged(failing(hits), &Impact::default());
    let ids: Vec<_> = findings.iter().map(|finding| finding.id).collect();
    assert!(ids.contains(&FindingId::WebRealipMissing) && ids.contains(&FindingId::FloodXmlrpc), "{ids:?}");
    for finding in findings.iter().filter(|finding| finding.flood.is_some()) {
        assert_eq!(finding.flood.as_ref().map(|flood| flood.sources.len()), Some(0), "{}", finding.id);
        assert_ne!(finding.action, Some(ActionId::CfTargetedBlock));
        assert_eq!(finding.facts.get(FactName::Address), None);
    }
}

#[test]
fn errors_are_told_when_they_reach_several_visitors() {
    let errors = |status, n: u64, from: fn(u64) -> String| {
        after_quiet((0..n).map(move |n| Hit { status, ..hit(600 + n * 11, from(n), "/checkout/") }))
    };
    let of_one = |_| visitor(1);
    for (hits, expected) in [
        (errors(500, 5, visitor), vec![FindingId::Http5xxRate]),
        (errors(500, 4, visitor), vec![]),
        (errors(500, 9, of_one), vec![]),
        (errors(504, 3, visitor), vec![FindingId::Http504]),
        (errors(504, 2, visitor), vec![]),
        (errors(502, 3, visitor), vec![FindingId::Http502]),
        (errors(502, 2, visitor), vec![]),
        (errors(499, 20, visitor), vec![FindingId::Http499Burst]),
        (errors(499, 9, visitor), vec![]),
    ] {
        assert_eq!(ids(hits), expected);
    }
    let impact = Impact::default();
    let settings = Settings { apache: true, ..Settings::new(&impact) };
    let findings = judge_log(&log(errors(503, 4, visitor)), None, &settings).findings;
    assert_eq!(findings[0].id, FindingId::Http502);
    assert_eq!(findings[0].facts.get(FactName::Code), Some(&Fact::Number(503)));
}

#[test]
fn on_a_busy_site_errors_count_by_their_share() {
    let busy = |errors: u64| {
        let mut hits = quiet(0..10);
        hits.extend((0..500).flat_map(|n| {
            let ok = hit(600 + n / 10, visitor(n), format!("/post-{}/", n % 20));
            [ok, hit(600 + n / 10, visitor(n), "/a.css")]
        }));
        hits.extend((0..errors).map(|n| Hit { status: 500, ..hit(620 + n / 10, visitor(n), "/cart-x/") }));
        judged(hits, &Impact::default()).iter().find(|f| f.id == FindingId::Http5xxRate).map(|f| f.severity)
    };
    assert_eq!((busy(10), busy(40), busy(90)), (None, Some(Severity::Warning), Some(Severity::Critical)));
}

#[test]
fn what_comes_past_cloudflare_cannot_be_stopped_there() {
    let direct = |connections| Impact {
        direct: vec![Peer { address: "198.51.100.9".parse().expect("an address"), connections }],
        ..Impact::default()
    };
    let flood = || in_a_minute(200, |at, n| hit(at, "198.51.100.9", format!("/post-{}/", n % 9)));
    for (connections, id) in [(30, FindingId::FloodDirect), (29, FindingId::FloodSingleIp)] {
        assert_eq!(judged(flood(), &direct(connections))[0].id, id);
    }
    let direct = judged(failing(flood()), &direct(30));
    assert_eq!((direct[0].id, direct[0].action), (FindingId::FloodDirect, None));
}

#[test]
fn scheduled_tasks_that_stopped_an_hour_ago_are_told() {
    let with_cron = |until: u64| {
        let cron = (0..until).map(|minute| post(minute * 60, visitor(1), "/wp-cron.php"));
        ids(quiet(0..100).into_iter().chain(cron).collect())
    };
    assert_eq!(with_cron(30), [FindingId::WpCronStalled]);
    assert_eq!(with_cron(50), []);
    assert_eq!(with_cron(2), [], "a site that doesn't use it");
}

#[test]
fn a_cache_that_never_helps_is_told() {
    let lines = |hits: u64| -> Vec<u8> {
        let line = |n: u64| {
            let cache = if n < hits { "HIT" } else { "MISS" };
            let hit = hit(n, visitor(n), "/");
            format!("{} {cache}\n", super::fake::common(&hit).trim_end())
        };
        (0..280).map(line).collect::<String>().into_bytes()
    };
    let format = r#"$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" $upstream_cache_status"#;
    let impact = Impact::default();
    let ids = |hits| judge_log(&lines(hits), Some(format), &Settings::new(&impact)).findings;
    assert!(ids(10).iter().any(|finding| finding.id == FindingId::HttpCfBypassCache));
    assert!(!ids(60).iter().any(|finding| finding.id == FindingId::HttpCfBypassCache));
}

#[test]
fn one_second_of_missing_pages_is_a_flood_and_no_search() {
    let burst = |n: u64| {
        after_quiet((0..n).map(|n| Hit {
            status: 404,
            size: 125,
            ..hit(640, "198.51.100.9", format!("/{n}X"))
        }))
    };
    assert_eq!(ids(burst(66)), [FindingId::Flood404Dyn]);
    assert_eq!(ids(burst(29)), [FindingId::Scan404]);
}

#[test]
fn quiet_hours_say_nothing() {
    assert_eq!(ids(quiet(0..180)), []);
    assert_eq!(ids(Vec::new()), []);
}
