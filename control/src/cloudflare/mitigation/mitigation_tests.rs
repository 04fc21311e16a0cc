use secmon_wire::diag::{Pattern, PatternField, Source, Window};

use super::*;
use crate::cloudflare::{Network, Rate};

const ALL: [ActionId; 5] = [
    ActionId::CfTargetedBlock,
    ActionId::CfPatternBlock,
    ActionId::CfRateLimit,
    ActionId::CfManagedChallenge,
    ActionId::CfUnderAttack,
];

/// What every custom rule ends with where nobody named anything.
const PROTECTED: &str = concat!(
    r#" and not cf.client.bot and not starts_with(http.request.uri.path, "/.well-known/acme-challenge/")"#,
    " and not ip.src in {54.217.201.243 54.232.116.4 122.248.245.244 192.0.80.0/20 192.0.96.0/20 192.0.112.0/20 ",
    "195.234.108.0/22 64.4.240.0/21 64.4.248.0/22 66.211.168.0/22 91.243.72.0/23 173.0.80.0/20 185.177.52.0/22 ",
    "192.160.215.0/24 198.54.216.0/23 3.18.12.63 3.69.109.8 3.120.168.93 3.130.192.231 13.235.14.237 ",
    "13.235.122.149 18.211.135.69 35.154.171.200 35.157.207.129 52.15.183.38 54.88.130.119 54.88.130.237 ",
    "54.187.174.169 54.187.205.235 54.187.216.72 103.21.244.0/22 103.22.200.0/22 103.31.4.0/22 104.16.0.0/13 ",
    "104.24.0.0/14 108.162.192.0/18 131.0.72.0/22 141.101.64.0/18 162.158.0.0/15 172.64.0.0/13 173.245.48.0/20 ",
    "188.114.96.0/20 190.93.240.0/20 197.234.240.0/22 198.41.128.0/17 2400:cb00::/32 2405:8100::/32 ",
    "2405:b500::/32 2606:4700::/32 2803:f800::/32 2a06:98c0::/29 2c0f:f248::/32}",
);
/// What stands before the networks where machines are left alone.
const MACHINES: &str = concat!(
    r#" and not starts_with(http.request.uri.path, "/wp-json/")"#,
    r#" and not starts_with(http.request.uri.path, "/wc-api/")"#,
);
const SHOP: &str = concat!(
    r#" and not (starts_with(http.request.uri.query, "wc-ajax=") "#,
    r#"or http.request.uri.query contains "&wc-ajax=")"#,
);

/// [`PROTECTED`] with something before the networks.
fn protected(between: &str) -> String {
    PROTECTED.replacen(" and not ip.src", &format!("{between} and not ip.src"), 1)
}

fn source(network: &str, count: u32) -> Source {
    let (address, bits) = network.split_once('/').expect("bits");
    Source { address: address.parse().expect("an address"), bits: bits.parse().expect("bits"), count }
}

fn flood(pattern: Option<(PatternField, &str)>, sources: &[(&str, u32)], count: u64) -> Flood {
    Flood {
        count,
        error: 0,
        pattern: pattern.map(|(field, value)| Pattern::new(field, value).expect(value)),
        sources: sources.iter().map(|(network, count)| source(network, *count)).collect(),
        spared: 0,
        window: Window { end: 1_795_309_200, seconds: 300 },
    }
}

fn found(id: FindingId, flood: Flood) -> Finding {
    Finding::new(id, Severity::Critical).flood(flood)
}

fn in_zone<T>(plan: Plan, what: impl FnOnce(&Zone<'_>) -> T) -> T {
    what(&Zone { name: "example.com", plan, protections: &Protections::default() })
}

fn rule_of(mitigation: &Mitigation) -> (Phase, &Rule) {
    match mitigation.changes.as_slice() {
        [Change::Rule { phase, rule }] => (*phase, rule),
        other => panic!("{other:?}"),
    }
}

const FEW_SOURCES: &[(&str, u32)] =
    &[("203.0.113.7/32", 900), ("2001:db8:1:2::/64", 600), ("198.51.100.9/32", 3)];
const MANY: &[(&str, u32)] = &[("203.0.113.7/32", 20), ("203.0.113.8/32", 19)];
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const CRAWLER: &str = "Mozilla/5.0 (compatible; Bytespider; https://zhanzhang.example)";

/// Findings of each kind: few sources and many, each kind of pattern.
fn findings() -> Vec<(&'static str, Finding)> {
    use PatternField::{Path, QueryKey, UserAgent};
    let xmlrpc = Some((Path, "//xmlrpc.php"));
    let mut digits = found(FindingId::FloodCachebust, flood(Some((Path, "/")), MANY, 4_000));
    digits.action = Some(ActionId::CfPatternBlock);
    vec![
        ("xmlrpc, few", found(FindingId::FloodXmlrpc, flood(xmlrpc, FEW_SOURCES, 1_503))),
        ("xmlrpc, many", found(FindingId::FloodXmlrpc, flood(Some((Path, "/xmlrpc.php")), &[], 4_000))),
        ("login, many", found(FindingId::FloodLogin, flood(Some((Path, "/wp-login.php")), MANY, 4_000))),
        ("search, many", found(FindingId::FloodSearch, flood(Some((QueryKey, "s")), MANY, 4_000))),
        ("search, fast", found(FindingId::FloodSearch, flood(Some((QueryKey, "s")), FEW_SOURCES, 1_503))),
        ("numbers", digits),
        ("keys", found(FindingId::FloodCachebust, flood(Some((QueryKey, "zz")), MANY, 4_000))),
        ("agent", found(FindingId::FloodUa, flood(Some((UserAgent, "python-requests/2.31")), MANY, 4_000))),
        ("browser", found(FindingId::FloodUa, flood(Some((UserAgent, BROWSER)), MANY, 4_000))),
        ("crawler", found(FindingId::CrawlAi, flood(Some((UserAgent, CRAWLER)), FEW_SOURCES, 1_503))),
        (
            "ajax",
            found(FindingId::FloodAjax, flood(Some((Path, "/wp-admin/admin-ajax.php")), FEW_SOURCES, 1_503)),
        ),
        ("network", found(FindingId::FloodSubnet, flood(None, &[("203.0.113.0/24", 900)], 900))),
        ("spread", found(FindingId::FloodDistributed, flood(None, MANY, 4_000))),
        ("scan", found(FindingId::Scan404, flood(None, &[("203.0.113.7/32", 25)], 25))),
    ]
}

/// What each action does against each finding on each plan: the expression without its protections, `custom`,
/// `machines` or `rate` for which protections those are, or what stands instead.
fn outcome(action: ActionId, plan: Plan, finding: &Finding) -> String {
    let made = match in_zone(plan, |zone| mitigate(action, zone, finding)) {
        Ok(made) => made,
        Err(unfit) => {
            let instead = unfit.instead().map_or("-", ActionId::as_str);
            return format!("{} -> {instead}", format!("{:?}", unfit.why).split('(').next().unwrap_or(""));
        }
    };
    if made.changes == [Change::UnderAttack] {
        return "under attack".to_owned();
    }
    let (phase, rule) = rule_of(&made);
    let text = rule.expression.as_str();
    let acme =
        " and not cf.client.bot and not starts_with(http.request.uri.path, \"/.well-known/acme-challenge/\")";
    let machines = protected(&format!("{MACHINES}{SHOP}"));
    let pro = format!("{acme}{MACHINES}{SHOP}");
    let free = format!("{acme}{MACHINES}");
    let endings = match (phase, rule.action, plan) {
        (Phase::Custom, RuleAction::Block, _) => [("block", PROTECTED)],
        (Phase::Custom, RuleAction::ManagedChallenge, _) => [("challenge", machines.as_str())],
        (Phase::RateLimit, _, Plan::Free) => [("limit", free.as_str())],
        (Phase::RateLimit, _, Plan::Pro) => [("limit", pro.as_str())],
        (Phase::RateLimit, ..) => [("limit", machines.as_str())],
    };
    let [(verb, ending)] = endings;
    let rate = rule
        .rate
        .as_ref()
        .map(|rate| format!(" {}/{}s {}s", rate.requests, rate.period, rate.mitigation_timeout));
    let own = text.strip_suffix(ending).unwrap_or_else(|| panic!("{text}\nshould end with\n{ending}"));
    format!("{verb}{}: {own}", rate.unwrap_or_default())
}

#[test]
fn each_action_on_each_plan_does_exactly_this_against_each_finding() {
    let mut table = String::new();
    for (name, finding) in findings() {
        for action in ALL {
            let outcomes: Vec<String> =
                Plan::ALL.iter().map(|plan| outcome(action, *plan, &finding)).collect();
            let mut last = "";
            for (plan, outcome) in Plan::ALL.iter().zip(&outcomes) {
                if outcome != last {
                    table.push_str(&format!("{name} | {action} | {plan}+ | {outcome}\n"));
                }
                last = outcome;
            }
        }
    }
    let expected = include_str!("outcomes.txt");
    for (at, (line, expected)) in table.lines().zip(expected.lines()).enumerate() {
        assert_eq!(line, expected, "line {}", at + 1);
    }
    assert_eq!(table, expected);
}

#[test]
fn a_dispatch_takes_the_narrowest_that_the_evidence_carries() {
    for (name, free, business) in [
        ("xmlrpc, few", "cf-targeted-block", "cf-targeted-block"),
        ("xmlrpc, many", "cf-pattern-block", "cf-pattern-block"),
        ("login, many", "cf-managed-challenge", "cf-managed-challenge"),
        ("search, many", "cf-managed-challenge", "cf-managed-challenge"),
        ("search, fast", "cf-targeted-block", "cf-targeted-block"),
        ("numbers", "cf-managed-challenge", "cf-pattern-block"),
        ("keys", "cf-managed-challenge", "cf-managed-challenge"),
        ("agent", "cf-pattern-block", "cf-pattern-block"),
        ("browser", "cf-managed-challenge", "cf-managed-challenge"),
        ("crawler", "cf-managed-challenge", "cf-rate-limit"),
        ("ajax", "cf-targeted-block", "cf-targeted-block"),
        ("network", "cf-targeted-block", "cf-targeted-block"),
        ("spread", "cf-under-attack", "cf-under-attack"),
        ("scan", "cf-targeted-block", "cf-targeted-block"),
    ] {
        let (_, mut finding) = findings().into_iter().find(|(found, _)| *found == name).expect(name);
        for (plan, expected) in [(Plan::Free, free), (Plan::Business, business)] {
            let action = in_zone(plan, |zone| narrowest(zone, &finding));
            assert_eq!(action.map(ActionId::as_str), Some(expected), "{name}, {plan}");
        }
        finding.severity = Severity::Info;
        assert_eq!(in_zone(Plan::Business, |zone| narrowest(zone, &finding)), None, "{name}: no harm");
        assert_eq!(escalation(&finding), None, "{name}: no harm");
    }
}

#[test]
fn many_fast_addresses_are_limited_and_not_blocked_one_by_one() {
    let sources: Vec<(String, u32)> = (1..=12).map(|n| (format!("203.0.113.{n}/32"), 400)).collect();
    let sources: Vec<(&str, u32)> =
        sources.iter().map(|(network, count)| (network.as_str(), *count)).collect();
    let path = Some((PatternField::Path, "/wp-comments-post.php"));
    let of = |count| found(FindingId::FloodPost, flood(path, &sources, count));
    let fast = of(6_000);
    for plan in Plan::ALL {
        assert_eq!(in_zone(*plan, |zone| narrowest(zone, &fast)), Some(ActionId::CfRateLimit), "{plan}");
    }
    // Most of it comes from others, of whom nobody is fast.
    let slow = of(10_000);
    assert_eq!(in_zone(Plan::Pro, |zone| narrowest(zone, &slow)), Some(ActionId::CfManagedChallenge));
}

#[test]
fn what_cloudflare_cant_help_with_has_no_action_at_all() {
    for id in FindingId::ALL {
        let finding = found(*id, flood(Some((PatternField::Path, "/x")), FEW_SOURCES, 1_503));
        for action in ALL {
            let made = in_zone(Plan::Business, |zone| mitigate(action, zone, &finding));
            if recommended(*id).is_some() {
                assert!(made.is_ok(), "{id} {action}: {made:?}");
                continue;
            }
            let unfit = made.expect_err(id.as_str());
            assert_eq!(unfit.instead(), None, "{id} {action}");
            let past = matches!(id, FindingId::FloodDirect | FindingId::FloodSlowloris);
            assert_eq!(unfit.why == Why::PastCloudflare, past, "{id}");
        }
        let narrowest = in_zone(Plan::Business, |zone| narrowest(zone, &finding));
        assert_eq!(narrowest.is_some(), recommended(*id).is_some(), "{id}");
        assert_eq!(escalation(&finding).is_some(), is_flood(*id), "{id}");
    }
}

#[test]
fn what_is_proposed_instead_fits() {
    let mut proposed = 0;
    for (name, finding) in findings() {
        for (action, plan) in ALL.iter().flat_map(|action| Plan::ALL.iter().map(move |plan| (*action, *plan)))
        {
            in_zone(plan, |zone| {
                let Err(unfit) = mitigate(action, zone, &finding) else { return };
                let Some(instead) = unfit.instead() else { return };
                proposed += 1;
                assert_ne!(instead, action);
                assert!(mitigate(instead, zone, &finding).is_ok(), "{name}: {unfit}");
                assert!(unfit.to_string().ends_with(&format!("; {instead} would fit")), "{unfit}");
            });
        }
    }
    assert!(proposed > 20, "{proposed}");
}

#[test]
fn actions_that_mitigate_nothing_are_refused() {
    let finding = found(FindingId::FloodXmlrpc, flood(None, FEW_SOURCES, 1_503));
    for action in ActionId::ALL.iter().filter(|action| !ALL.contains(action)) {
        let unfit =
            in_zone(Plan::Business, |zone| mitigate(*action, zone, &finding)).expect_err("no mitigation");
        assert_eq!((unfit.why.clone(), unfit.instead()), (Why::NoMitigation(*action), None));
    }
    let bare = Finding::new(FindingId::FloodXmlrpc, Severity::Critical);
    for action in ALL {
        let unfit = in_zone(Plan::Business, |zone| mitigate(action, zone, &bare)).expect_err("no flood");
        assert_eq!(unfit.why, Why::NoEvidence);
    }
}

#[test]
fn one_line_says_what_is_done_with_its_numbers() {
    let of = |name: &str| findings().into_iter().find(|(found, _)| *found == name).expect("there").1;
    let said =
        |action, name| in_zone(Plan::Pro, |zone| mitigate(action, zone, &of(name)).expect("it fits").said);
    for (action, name, line) in [
        (
            ActionId::CfTargetedBlock,
            "xmlrpc, few",
            "block 2 addresses and networks (203.0.113.7, 2001:db8:1:2::/64) on example.com: 99 % of 1503 requests",
        ),
        (
            ActionId::CfTargetedBlock,
            "network",
            "block 1 network (203.0.113.0/24) on example.com: 100 % of 900 requests",
        ),
        (
            ActionId::CfPatternBlock,
            "xmlrpc, many",
            "block POST requests for /xmlrpc.php on example.com; verified crawlers pass",
        ),
        (
            ActionId::CfManagedChallenge,
            "search, many",
            "challenge requests with s= in the query on example.com; verified crawlers pass",
        ),
        (
            ActionId::CfRateLimit,
            "ajax",
            "block an address on example.com for 600 s when it makes more than 90 requests for \
             /wp-admin/admin-ajax.php in 60 s; verified crawlers pass; on this plan the server and payment services \
             are counted too",
        ),
        (ActionId::CfUnderAttack, "spread", "check every visitor of example.com (under-attack mode)"),
    ] {
        assert_eq!(said(action, name), line);
    }
    let of_few = in_zone(Plan::Pro, |zone| mitigate(ActionId::CfTargetedBlock, zone, &of("xmlrpc, few")));
    assert_eq!(of_few.expect("it fits").spared, ["198.51.100.9 (only 3 requests)"]);
}

#[test]
fn sources_without_room_in_the_rule_get_access_rules() {
    let ranges: Vec<Network> = (0..176).filter_map(|n| Network::parse(&format!("198.51.100.{n}"))).collect();
    let protections = Protections::new(&ranges, &[], &[], &[]).expect("they fit");
    let zone = Zone { name: "example.com", plan: Plan::Free, protections: &protections };
    let sources: Vec<(String, u32)> =
        (0..32).map(|n| (format!("2001:db8:1111:{:x}::/64", 0x2222 + n), 500 - n)).collect();
    let sources: Vec<(&str, u32)> =
        sources.iter().map(|(network, count)| (network.as_str(), *count)).collect();
    let finding = found(FindingId::FloodSingleIp, flood(None, &sources, 16_000));
    for (action, set) in [
        (ActionId::CfTargetedBlock, RuleAction::Block),
        (ActionId::CfManagedChallenge, RuleAction::ManagedChallenge),
    ] {
        let made = mitigate(action, &zone, &finding).expect("it fits");
        let [Change::Rule { rule, .. }, Change::Access(access)] = made.changes.as_slice() else {
            panic!("{made:?}")
        };
        assert!(access.len() > 1 && access.len() < 32, "{}", access.len());
        for (network, _) in &sources {
            let in_rule = rule.expression.contains(network);
            let network = Network::parse(network).expect("a network");
            assert_ne!(in_rule, access.contains(&AccessRule { network, action: set }), "{network}");
        }
    }
}

#[test]
fn a_limit_is_above_what_people_do_and_below_who_was_measured() {
    for (plan, count, expected) in [
        // 20 in a minute and 10 in ten seconds: a person.
        (Plan::Pro, 100, None),
        (Plan::Free, 300, None),
        (Plan::Free, 360, Some((11, 10, 10))),
        (Plan::Pro, 105, Some((20, 60, 600))),
        (Plan::Pro, 300, Some((30, 60, 600))),
        (Plan::Business, 1_000_000, Some((100, 60, 600))),
    ] {
        let path = Some((PatternField::Path, "/feed/"));
        let finding = found(FindingId::FloodCachebust, flood(path, &[("203.0.113.7/32", count)], 1_000_000));
        let made = in_zone(plan, |zone| mitigate(ActionId::CfRateLimit, zone, &finding));
        let Some((requests, period, mitigation_timeout)) = expected else {
            assert_eq!(made.expect_err("a person").why, Why::Spread, "{plan} {count}");
            continue;
        };
        let characteristics = vec!["cf.colo.id".to_owned(), "ip.src".to_owned()];
        let rate = Rate { characteristics, period, requests, mitigation_timeout };
        let made = made.expect("a machine");
        assert_eq!(rule_of(&made).1.rate, Some(rate), "{plan} {count}");
    }
}
