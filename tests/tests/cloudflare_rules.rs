//! What the control plane makes of a finding is what Cloudflare's stand-in takes on that plan, and means the same
//! there: the stand-in reads and evaluates expressions with code of its own.

use secmon_control::cloudflare::{
    Change, Network, Phase, Plan, Protections, Rule, RuleAction, Zone, mitigate, recommended,
};
use secmon_fake_cloudflare::{Expression, Place, Visit};
use secmon_wire::ActionId;
use secmon_wire::diag::{Finding, FindingId, Flood, Pattern, PatternField, Severity, Source, Window};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const ACTIONS: [ActionId; 4] = [
    ActionId::CfTargetedBlock,
    ActionId::CfPatternBlock,
    ActionId::CfRateLimit,
    ActionId::CfManagedChallenge,
];

fn finding(id: FindingId, pattern: Option<(PatternField, &str)>) -> Finding {
    let sources = [("203.0.113.7", 32, 9_000), ("198.51.100.0", 24, 800), ("2001:db8:1:2::", 64, 700)];
    let sources = sources.map(|(address, bits, count)| Source {
        address: address.parse().expect("an address"),
        bits,
        count,
    });
    let mut finding = Finding::new(id, Severity::Critical).flood(Flood {
        count: 10_500,
        error: 0,
        pattern: pattern.map(|(field, value)| Pattern::new(field, value).expect("a pattern")),
        sources: sources.into_iter().collect(),
        spared: 0,
        window: Window { end: 1_795_309_200, seconds: 300 },
    });
    finding.action = Some(ActionId::CfPatternBlock);
    finding
}

/// Findings, with a request of each flood.
fn findings() -> Vec<(Finding, Visit)> {
    let visit = |target: &str| Visit { method: "POST".into(), ..Visit::of(target) }.from("203.0.113.7");
    let path = |id, path| (finding(id, Some((PatternField::Path, path))), visit(path));
    let agent = |agent| {
        (
            finding(FindingId::FloodUa, Some((PatternField::UserAgent, agent))),
            visit("/x").with_user_agent(agent),
        )
    };
    vec![
        path(FindingId::FloodXmlrpc, "/xmlrpc.php"),
        path(FindingId::FloodLogin, "/wp-login.php"),
        path(FindingId::FloodPost, "//wp-comments-post.php"),
        path(FindingId::FloodAjax, "/wp-admin/admin-ajax.php"),
        path(FindingId::FloodWpcron, "/wp-cron.php"),
        path(FindingId::Flood404Dyn, "/a'b;c=(d) and e"),
        (finding(FindingId::FloodCachebust, Some((PatternField::Path, "/"))), visit("/?8890121518")),
        (finding(FindingId::FloodCachebust, Some((PatternField::QueryKey, "zz"))), visit("/x?a=1&zz=2")),
        (finding(FindingId::FloodSearch, Some((PatternField::QueryKey, "s"))), visit("/?s=term")),
        agent("python-requests/2.31"),
        agent(BROWSER),
        (finding(FindingId::FloodSubnet, None), visit("/x").from("198.51.100.77")),
        (finding(FindingId::FloodSingleIp, None), visit("/x").from("2001:db8:1:2::9")),
    ]
}

fn protections(ranges: &[&str]) -> Protections {
    let ranges: Vec<Network> = ranges.iter().filter_map(|text| Network::parse(text)).collect();
    let origin = [Network::parse("203.0.113.80").expect("an address")];
    Protections::new(&ranges, &["/pay/"], &origin, &[]).expect("they fit")
}

fn standing_in(plan: Plan) -> secmon_fake_cloudflare::Plan {
    match plan {
        Plan::Free => secmon_fake_cloudflare::Plan::Free,
        Plan::Pro => secmon_fake_cloudflare::Plan::Pro,
        Plan::Business => secmon_fake_cloudflare::Plan::Business,
        Plan::Enterprise => secmon_fake_cloudflare::Plan::Enterprise,
    }
}

fn rules(plan: Plan, protections: &Protections, mut check: impl FnMut(Phase, &Rule, &Expression, &Visit)) {
    let zone = Zone { name: "example.com", plan, protections };
    for (finding, visit) in findings() {
        assert!(recommended(finding.id).is_some());
        for action in ACTIONS {
            let Ok(made) = mitigate(action, &zone, &finding) else { continue };
            for change in &made.changes {
                let Change::Rule { phase, rule } = change else { panic!("{change:?}") };
                let read = Expression::parse(&rule.expression);
                let read = read.unwrap_or_else(|error| panic!("{error}\n{}", rule.expression));
                check(*phase, rule, &read, &visit);
            }
        }
    }
}

#[test]
fn every_rule_is_one_that_its_plan_has_and_matches_the_flood() {
    for plan in Plan::ALL {
        let mut made = 0;
        rules(*plan, &protections(&[]), |phase, rule, read, visit| {
            let place = if phase == Phase::Custom { Place::Custom } else { Place::Rate };
            let allowed = read.allowed(standing_in(*plan), place);
            assert_eq!(allowed, Ok(()), "{plan}: {}", rule.expression);
            // A rule sees a path without doubled slashes.
            let visit = Visit { path: visit.path.replace("//", "/"), ..visit.clone() };
            assert!(read.matches(&visit), "{plan}: {visit:?}\n{}", rule.expression);
            made += 1;
        });
        assert!(made >= 30, "{plan}: only {made} rules");
    }
}

#[test]
fn no_rule_matches_who_or_what_is_protected_and_each_matches_a_neighbour() {
    // Each in turn is protected, and the flood's own address is a neighbour of it.
    let protections = protections(&["192.0.2.0/28"]);
    for plan in Plan::ALL {
        rules(*plan, &protections, |phase, rule, read, visit| {
            let touches =
                |visit: Visit| assert!(!read.matches(&visit), "{plan}: {visit:?}\n{}", rule.expression);
            touches(Visit { verified_bot: true, ..visit.clone() });
            touches(Visit { path: "/.well-known/acme-challenge/x".into(), ..visit.clone() });
            touches(Visit { path: "/pay/in".into(), ..visit.clone() });
            if phase == Phase::RateLimit || rule.action == RuleAction::ManagedChallenge {
                touches(Visit { path: "/wp-json/wp/v2/posts".into(), ..visit.clone() });
                touches(Visit { path: "/wc-api/stripe".into(), ..visit.clone() });
            }
            if rule.action == RuleAction::ManagedChallenge {
                touches(Visit { query: format!("{}&wc-ajax=x", visit.query), ..visit.clone() });
            }
            for address in
                ["192.0.2.15", "203.0.113.80", "192.0.101.21", "54.187.216.72", "172.70.1.1", "2606:4700::1"]
            {
                touches(visit.clone().from(address));
            }
        });
    }
}
