//! Whatever was found and whatever is protected, no rule touches who must be left alone.

use std::net::IpAddr;

use proptest::prelude::*;
use secmon_wire::diag::{Pattern, PatternField, Source, Window};

use super::*;
use crate::cloudflare::expression::EXPRESSION_MAX;
use crate::cloudflare::expression::strict_reader::{Read, Request, read};
use crate::cloudflare::{Guard, Network};

const ACTIONS: [ActionId; 4] = [
    ActionId::CfTargetedBlock,
    ActionId::CfPatternBlock,
    ActionId::CfRateLimit,
    ActionId::CfManagedChallenge,
];
/// In networks that anybody must leave alone.
const NEVER: [&str; 12] = [
    "10.1.2.3",
    "127.0.0.1",
    "100.64.1.1",
    "192.168.7.7",
    "169.254.1.1",
    "172.70.222.233",
    "104.16.0.1",
    "192.0.101.21",
    "64.4.250.1",
    "54.187.216.72",
    "fd00::1",
    "2606:4700::1",
];

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        // Few, so that sources, protections and visitors meet.
        (113_u8..117, any::<u8>()).prop_map(|(third, last)| IpAddr::from([203, 0, third, last & 15])),
        (0_u16..4, 0_u16..3).prop_map(|(net, host)| IpAddr::from([0x2001, 0xdb8, 1, net, 0, 0, 0, host])),
        prop::sample::select(NEVER.to_vec()).prop_map(|text| text.parse().expect("an address")),
        any::<IpAddr>().prop_map(|address| address.to_canonical()),
    ]
}

fn sources() -> impl Strategy<Value = Source> {
    (addresses(), any::<bool>(), any::<bool>(), prop_oneof![0_u32..100, any::<u32>()]).prop_map(
        |(address, wide, whole, count)| {
            let bits = match (address.is_ipv4(), wide, whole) {
                (true, true, _) => 24,
                (true, false, _) => 32,
                (false, true, _) => 48,
                (false, false, true) => 128,
                (false, false, false) => 64,
            };
            Source { address: Source { address, bits, count }.network(), bits, count }
        },
    )
}

fn patterns() -> impl Strategy<Value = Option<Pattern>> {
    let value = prop_oneof![
        Just("/".to_owned()),
        Just("/xmlrpc.php".to_owned()),
        Just("/wp-json/wp/v2/posts".to_owned()),
        Just("//pay//in".to_owned()),
        Just("/.well-known/acme-challenge/x".to_owned()),
        "/{0,2}[a-z/.]{1,40}",
        "[ !#-\\[\\]-~]{1,128}",
    ];
    let field = prop::sample::select(PatternField::ALL.to_vec());
    prop::option::weighted(0.7, (field, value)).prop_map(|found| {
        let (field, value) = found?;
        Pattern::new(field, &value)
    })
}

fn findings() -> impl Strategy<Value = Finding> {
    let ids: Vec<FindingId> =
        FindingId::ALL.iter().copied().filter(|id| recommended(*id).is_some()).collect();
    let listed = prop::collection::vec(sources(), 0..=32);
    let window = prop_oneof![Just(300_u32), Just(0), any::<u32>()];
    (prop::sample::select(ids), listed, patterns(), 0_u64..1_000_000, window, any::<bool>()).prop_map(
        |(id, listed, pattern, count, seconds, numbers)| {
            let mut finding = Finding::new(id, Severity::Critical).flood(Flood {
                count,
                error: 0,
                pattern,
                sources: listed.into_iter().collect(),
                spared: 0,
                window: Window { end: 1_795_309_200, seconds },
            });
            finding.action = numbers.then_some(ActionId::CfPatternBlock);
            finding
        },
    )
}

fn protections() -> impl Strategy<Value = Protections> {
    let networks = || prop::collection::vec((addresses(), any::<bool>()), 0..6);
    let paths = prop::collection::vec("/[a-z]{1,20}/?", 0..4);
    (networks(), networks(), paths).prop_map(|(ranges, origin, mut paths)| {
        paths.push("/pay/".to_owned());
        let network = |(address, wide): (IpAddr, bool)| {
            let bits =
                if wide { if address.is_ipv4() { 24 } else { 64 } } else { Network::host(address).bits() };
            Network::new(address, bits).expect("few bits")
        };
        let ranges: Vec<Network> = ranges.into_iter().map(network).collect();
        let origin: Vec<Network> = origin.into_iter().map(network).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        Protections::new(&ranges, &paths, &origin, &[]).expect("they fit")
    })
}

/// All rules' expressions, read; and the networks of access rules.
fn rules(mitigation: &Mitigation) -> (Vec<(Phase, &Rule, Read)>, Vec<Network>) {
    let (mut rules, mut access) = (Vec::new(), Vec::new());
    for change in &mitigation.changes {
        match change {
            Change::Rule { phase, rule } => {
                assert!(rule.expression.len() <= EXPRESSION_MAX, "{}", rule.expression);
                let read = read(&rule.expression).unwrap_or_else(|e| panic!("{e}\n{}", rule.expression));
                rules.push((*phase, rule, read));
            }
            Change::Access(listed) => access.extend(listed.iter().map(|rule| rule.network)),
            Change::UnderAttack => panic!("not asked for"),
        }
    }
    (rules, access)
}

/// The networks that an expression is for: in its first part, if it is about networks.
fn accused(read: &Read) -> Vec<Network> {
    let first = match read {
        Read::All(parts) => &parts[0],
        other => other,
    };
    let Read::InNetworks(_, networks) = first else { return Vec::new() };
    networks.iter().map(|(address, bits)| Network::new(*address, *bits).expect("a network")).collect()
}

/// A request that the pattern of a finding matches, if it has one.
fn request(finding: &Finding, source: IpAddr) -> Request {
    let mut request = Request {
        path: "/a".into(),
        query: String::new(),
        method: "POST".into(),
        user_agent: "x".into(),
        source,
        verified_bot: false,
    };
    let pattern = finding.flood.as_ref().and_then(|flood| flood.pattern.as_ref());
    match pattern.map(|pattern| (pattern.field, pattern.value.as_str())) {
        Some((PatternField::Path, path)) => request.path = path.into(),
        Some((PatternField::QueryKey, key)) => request.query = format!("{key}=1"),
        Some((PatternField::UserAgent, agent)) => request.user_agent = agent.into(),
        None => {}
    }
    request
}

fn names_addresses(plan: Plan, phase: Phase) -> bool {
    phase == Phase::Custom || matches!(plan, Plan::Business | Plan::Enterprise)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_rule_matches_who_or_what_must_be_left_alone(
        finding in findings(),
        protections in protections(),
        action in prop::sample::select(ACTIONS.to_vec()),
        plan in prop::sample::select(Plan::ALL.to_vec()),
        visitor in addresses(),
        path in "/[a-z]{0,8}",
    ) {
        let zone = Zone { name: "example.com", plan, protections: &protections };
        let Ok(made) = mitigate(action, &zone, &finding) else { return Ok(()) };
        let (rules, access) = rules(&made);
        for network in &access {
            prop_assert_eq!(protections.guard(network), None, "{}", network);
        }
        for (phase, rule, read) in &rules {
            for network in accused(read) {
                prop_assert_eq!(protections.guard(&network), None, "{}", network);
            }
            let ordinary = request(&finding, visitor);
            let verified = Request { verified_bot: true, ..ordinary.clone() };
            prop_assert!(!read.matches(&verified), "{}", rule.expression);
            for prefix in ["/.well-known/acme-challenge/", "/pay/"] {
                let exempt = Request { path: format!("{prefix}{path}"), ..ordinary.clone() };
                prop_assert!(!read.matches(&exempt), "{}", rule.expression);
            }
            if *phase == Phase::RateLimit || rule.action == RuleAction::ManagedChallenge {
                for prefix in ["/wp-json/", "/wc-api/"] {
                    let exempt = Request { path: format!("{prefix}{path}"), ..ordinary.clone() };
                    prop_assert!(!read.matches(&exempt), "{}", rule.expression);
                }
                let shop = Request { query: format!("{}&wc-ajax=x", ordinary.query), ..ordinary.clone() };
                prop_assert!(!read.matches(&shop) || plan == Plan::Free, "{}", rule.expression);
            }
            let guarded = protections.guard(&Network::host(visitor));
            let unroutable = guarded == Some(Guard::Reserved);
            if guarded.is_some() && !unroutable && names_addresses(plan, *phase) {
                prop_assert!(!read.matches(&ordinary), "{visitor}: {}", rule.expression);
            }
        }
    }

    #[test]
    fn every_network_of_a_rule_was_measured_and_every_source_is_in_it_or_was_spared(
        finding in findings(),
        protections in protections(),
        challenge in any::<bool>(),
    ) {
        let action = if challenge { ActionId::CfManagedChallenge } else { ActionId::CfTargetedBlock };
        let zone = Zone { name: "example.com", plan: Plan::Free, protections: &protections };
        let Ok(made) = mitigate(action, &zone, &finding) else { return Ok(()) };
        let (rules, mut blocked) = rules(&made);
        blocked.extend(rules.iter().flat_map(|(_, _, read)| accused(read)));
        let flood = finding.flood.as_ref().expect("a flood");
        prop_assume!(action == ActionId::CfTargetedBlock || flood.pattern.is_none());
        for network in &blocked {
            let measured = |source: &Source| {
                let (bits, most) = (source.bits, if source.address.is_ipv4() { 32 } else { 64 });
                Network::new(source.address, bits.min(most)) == Some(*network)
            };
            prop_assert!(flood.sources.iter().any(measured), "{}", network);
        }
        for source in &flood.sources {
            let bits = source.bits.min(if source.address.is_ipv4() { 32 } else { 64 });
            let network = Network::new(source.address, bits).expect("a network");
            let is_in = blocked.iter().any(|outer| outer.contains(&network));
            let text = network.to_string();
            let spared = made.spared.iter().any(|spared| {
                let name = spared.split(" (").next().and_then(Network::parse);
                name.is_some_and(|spared| spared.contains(&network))
            });
            prop_assert!(is_in || spared, "{text}: {:?}", made);
        }
    }

    #[test]
    fn a_pattern_matches_the_requests_that_it_was_found_in(
        finding in findings(),
        action in prop::sample::select(vec![ActionId::CfPatternBlock, ActionId::CfManagedChallenge, ActionId::CfRateLimit]),
        plan in prop::sample::select(Plan::ALL.to_vec()),
        other in "[a-z]{12}",
    ) {
        let has_pattern = finding.flood.as_ref().is_some_and(|flood| flood.pattern.is_some());
        prop_assume!(has_pattern && !(evidence::is_of_digits(&finding) && action == ActionId::CfPatternBlock));
        let protections = Protections::default();
        let zone = Zone { name: "example.com", plan, protections: &protections };
        let Ok(made) = mitigate(action, &zone, &finding) else { return Ok(()) };
        let (rules, _) = rules(&made);
        let [(_, rule, read)] = rules.as_slice() else { panic!("one rule: {made:?}") };
        prop_assume!(accused(read).is_empty());
        let flooding = request(&finding, "203.0.113.7".parse().expect("an address"));
        // An argument's name with these in it is none.
        prop_assume!(!flooding.query.trim_end_matches("=1").contains(['&', '=']));
        prop_assert!(read.matches(&flooding), "{flooding:?}\n{}", rule.expression);
        let innocent = Request {
            path: format!("/{other}"),
            query: format!("{other}=1"),
            user_agent: other.clone(),
            ..flooding
        };
        prop_assert!(!read.matches(&innocent), "{innocent:?}\n{}", rule.expression);
    }
}

#[test]
fn the_longest_pattern_and_the_most_protections_fit_together() {
    let longest =
        |field, start: &str| Pattern::new(field, &format!("{start}{}", "x".repeat(128 - start.len())));
    let ranges: Vec<Network> = (0..=255).filter_map(|n| Network::parse(&format!("198.51.100.{n}"))).collect();
    let most = (1..ranges.len()).rev().find_map(|n| Protections::new(&ranges[..n], &[], &[], &[]).ok());
    let protections = most.expect("one fits");
    for (id, pattern) in [
        (FindingId::FloodPost, longest(PatternField::Path, "//")),
        (FindingId::FloodCachebust, longest(PatternField::Path, "//")),
        (FindingId::FloodSearch, longest(PatternField::QueryKey, "")),
        (FindingId::FloodUa, longest(PatternField::UserAgent, "")),
    ] {
        let mut finding = Finding::new(id, Severity::Critical).flood(Flood {
            count: 1_000_000,
            error: 0,
            pattern,
            sources: [Source { address: IpAddr::from([203, 0, 113, 7]), bits: 32, count: 1_000_000 }]
                .into_iter()
                .collect(),
            spared: 0,
            window: Window { end: 1_795_309_200, seconds: 300 },
        });
        finding.action = Some(ActionId::CfPatternBlock);
        for action in ACTIONS {
            let zone = Zone { name: "example.com", plan: Plan::Business, protections: &protections };
            let made = mitigate(action, &zone, &finding);
            assert!(made.is_ok(), "{id} {action}: {made:?}");
        }
    }
}
