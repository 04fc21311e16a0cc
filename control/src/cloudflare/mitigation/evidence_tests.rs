use secmon_wire::diag::{Finding, FindingId, Flood, Pattern, PatternField, Severity, Source, Window};

use super::evidence::{Accused, blocked, challenged};
use super::unfit::Why;
use crate::cloudflare::{Network, Plan, Protections};

fn accused(id: FindingId, seconds: u32, sources: &[(&str, u8, u32)]) -> Accused {
    let sources = sources.iter().map(|(address, bits, count)| Source {
        address: address.parse().expect("an address"),
        bits: *bits,
        count: *count,
    });
    let flood = Flood {
        count: 10_000,
        error: 0,
        pattern: None,
        sources: sources.collect(),
        spared: 0,
        window: Window { end: 1_795_309_200, seconds },
    };
    Accused::of(id, &flood, &Protections::default())
}

fn networks(accused: &Accused) -> Vec<String> {
    accused.networks.iter().map(|(network, count)| format!("{network}:{count}")).collect()
}

#[test]
fn a_source_is_accused_from_as_many_requests_on_as_no_person_makes() {
    for (id, seconds, least) in [
        (FindingId::FloodXmlrpc, 300, 6),
        (FindingId::FloodLogin, 300, 10),
        (FindingId::FloodWpcron, 300, 10),
        (FindingId::Scan404, 300, 20),
        (FindingId::FakeBot, 300, 20),
        (FindingId::FloodSearch, 300, 30),
        (FindingId::FloodPost, 300, 60),
        (FindingId::FloodPost, 60, 12),
        (FindingId::FloodPost, 0, 6),
        (FindingId::FloodPost, 3_600, 720),
    ] {
        let of = |count| accused(id, seconds, &[("203.0.113.7", 32, count)]);
        assert_eq!(networks(&of(least)), [format!("203.0.113.7:{least}")], "{id}");
        let below = of(least - 1);
        assert!(below.networks.is_empty(), "{id}");
        assert_eq!(below.spared, [format!("203.0.113.7 (only {} requests)", least - 1)], "{id}");
    }
}

#[test]
fn a_customers_addresses_are_one_source_and_the_largest_comes_first() {
    let all = accused(
        FindingId::FloodPost,
        300,
        &[
            ("2001:db8:1:2::1", 128, 40),
            ("2001:db8:1:2::2", 128, 50),
            ("2001:db8:9::", 48, 70),
            ("203.0.113.0", 24, 80),
            ("203.0.113.9", 32, 80),
            ("::ffff:198.51.100.9", 128, 100),
        ],
    );
    assert_eq!(
        networks(&all),
        ["203.0.113.0/24:160", "198.51.100.9:100", "2001:db8:1:2::/64:90", "2001:db8:9::/48:70"]
    );
    assert!(all.spared.is_empty());
}

#[test]
fn who_is_protected_is_spared_with_the_reason_and_so_is_what_is_too_wide() {
    let all = accused(
        FindingId::FloodPost,
        300,
        &[
            ("192.0.101.21", 32, 900),
            ("172.70.222.233", 32, 900),
            ("127.0.0.1", 32, 900),
            ("::ffff:10.0.0.1", 128, 900),
            ("203.0.0.0", 16, 900),
            ("2001:db8::", 32, 900),
            ("203.0.113.7", 32, 900),
        ],
    );
    assert_eq!(networks(&all), ["203.0.113.7:900"]);
    assert_eq!(
        all.spared,
        [
            "203.0.0.0/16 (too wide)",
            "2001:db8::/32 (too wide)",
            "192.0.101.21 (Jetpack)",
            "172.70.222.233 (Cloudflare)",
            "127.0.0.1 (reserved)",
            "10.0.0.1 (reserved)",
        ]
    );
}

fn pattern(field: PatternField, value: &str) -> Pattern {
    Pattern::new(field, value).expect(value)
}

#[test]
fn what_ordinary_visitors_send_is_never_blocked_and_its_neighbour_is() {
    use PatternField::{Path, QueryKey, UserAgent};
    let finding = Finding::new(FindingId::FloodUa, Severity::Critical);
    let protections = Protections::default();
    let of = |field, value: &str| {
        blocked(&finding, &pattern(field, value), Plan::Business.limits(), &protections)
            .map(|matched| matched.said)
    };
    for (field, value) in [
        (Path, "/"),
        (Path, "//"),
        (Path, "/index.php"),
        (Path, "//index.php"),
        (QueryKey, "s"),
        (QueryKey, "p"),
        (QueryKey, "utm_source"),
        (QueryKey, "fbclid"),
    ] {
        assert!(matches!(of(field, value), Err(Why::Everybody(_))), "{value}: {:?}", of(field, value));
    }
    for (field, value) in [(Path, "/a"), (Path, "/index.php5"), (QueryKey, "zz"), (QueryKey, "utm")] {
        assert!(of(field, value).is_ok(), "{value}: {:?}", of(field, value));
    }
    for browser in [
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1)",
        "Mozilla/5.0 (Windows NT 10.0; compatible; Trident/7.0; rv:11.0) like Gecko",
        "Opera/9.80 (Android; Opera Mini/7.5)",
        "Mozilla/5.0",
    ] {
        assert_eq!(of(UserAgent, browser), Err(Why::Browser), "{browser}");
    }
    for tool in [
        "python-requests/2.31",
        "curl/8.5.0",
        "Mozilla/5.0 (compatible; Nosuchbot/1.0)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) bot/1.2; +https://bot.example",
    ] {
        assert!(of(UserAgent, tool).is_ok(), "{tool}");
    }
    for odd in ["*", "http://example.com/", "x/y"] {
        assert_eq!(of(Path, odd), Err(Why::NoPattern), "{odd}");
    }
}

#[test]
fn a_pattern_that_is_protected_is_refused_and_only_where_the_protection_holds() {
    let finding = Finding::new(FindingId::FloodPost, Severity::Critical);
    let protections = Protections::new(&[] as &[Network], &["/pay/"], &[], &[]).expect("it fits");
    for (path, block, challenge) in [
        ("/pay/in", false, false),
        ("//pay//in", false, false),
        ("/.well-known/acme-challenge/x", false, false),
        ("/wp-json/wp/v2/posts", true, false),
        ("/wc-api/x", true, false),
        ("/payment", true, true),
    ] {
        let pattern = pattern(PatternField::Path, path);
        assert_eq!(blocked(&finding, &pattern, Plan::Free.limits(), &protections).is_ok(), block, "{path}");
        assert_eq!(challenged(&pattern, &protections).is_ok(), challenge, "{path}");
    }
}
