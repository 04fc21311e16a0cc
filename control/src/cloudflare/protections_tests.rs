use super::*;
use crate::cloudflare::Plan;
use crate::cloudflare::expression::all;

fn network(text: &str) -> Network {
    Network::parse(text).expect(text)
}

#[test]
fn every_known_network_is_one() {
    for list in [known::RESERVED, known::CLOUDFLARE, known::JETPACK, known::PAYPAL, known::STRIPE] {
        assert_eq!(parsed(list).count(), list.len());
    }
}

#[test]
fn who_must_never_be_blocked_is_guarded_and_a_neighbour_is_not() {
    let protections = Protections::new(
        &[network("198.51.100.0/28"), network("2001:db8:5::/48")],
        &[],
        &[network("203.0.113.80"), network("2001:db8:7:1::1")],
        &[network("203.0.113.128/28")],
    )
    .expect("they fit");
    for (text, guard) in [
        ("127.0.0.1", Some(Guard::Reserved)),
        ("10.9.8.7", Some(Guard::Reserved)),
        ("100.64.0.1", Some(Guard::Reserved)),
        ("224.0.0.1", Some(Guard::Reserved)),
        ("::1", Some(Guard::Reserved)),
        ("fd00::/64", Some(Guard::Reserved)),
        ("fe80::/64", Some(Guard::Reserved)),
        ("172.70.1.1", Some(Guard::Cloudflare)),
        ("2606:4700::/64", Some(Guard::Cloudflare)),
        ("203.0.113.130", Some(Guard::Cloudflare)),
        ("203.0.113.127", None),
        ("203.0.113.80", Some(Guard::Origin)),
        ("203.0.113.0/24", Some(Guard::Origin)),
        ("203.0.113.81", None),
        ("2001:db8:7:1::/64", Some(Guard::Origin)),
        ("198.51.100.15", Some(Guard::Named)),
        ("198.51.100.0/24", Some(Guard::Named)),
        ("198.51.100.16", None),
        ("2001:db8:5:9::/64", Some(Guard::Named)),
        ("2001:db8:6:9::/64", None),
        ("192.0.101.21", Some(Guard::Service("Jetpack"))),
        ("173.0.84.1", Some(Guard::Service("PayPal"))),
        ("54.187.216.72", Some(Guard::Service("Stripe"))),
        ("54.187.216.73", None),
    ] {
        assert_eq!(protections.guard(&network(text)), guard, "{text}");
    }
}

#[test]
fn a_path_that_would_exempt_everything_or_nothing_is_refused() {
    for good in ["/webhooks/", "/a", "/x y"] {
        assert!(Protections::new(&[], &[good], &[], &[]).is_ok(), "{good}");
    }
    for wrong in ["", "/", "webhooks", "/a?b", "/a#b", "//a", "/é", "/a\n", &format!("/{}", "x".repeat(256))]
    {
        let error = Protections::new(&[], &[wrong], &[], &[]).expect_err(wrong);
        assert_eq!(error, ProtectionsError::Path(wrong.to_owned()));
    }
}

#[test]
fn protections_that_leave_no_room_for_a_rule_are_refused_when_they_are_made() {
    let ranges: Vec<Network> = (0..=u8::MAX).map(|n| network(&format!("198.51.100.{n}"))).collect();
    let made = |count: usize| Protections::new(&ranges[..count], &[], &[], &[]);
    let most = (0..ranges.len()).take_while(|count| made(*count).is_ok()).count() - 1;
    assert!(most > 100, "only {most} ranges fit");
    assert!(matches!(made(most + 1), Err(ProtectionsError::TooMany(length)) if length > PROTECTED_MAX));
    let longest = all(&made(most).expect("it fits").parts(true)).expect("it fits");
    assert!(longest.len() <= PROTECTED_MAX);
}

#[test]
fn a_range_inside_another_is_named_once() {
    let protections = Protections::new(
        &[network("198.51.100.7"), network("198.51.100.0/24"), network("173.0.84.0/24")],
        &[],
        &[network("198.51.100.9")],
        &[network("104.16.0.0/13"), network("104.16.0.0/16")],
    )
    .expect("they fit");
    let text = all(&protections.parts(false)).expect("it fits");
    assert!(text.contains("ip.src in {198.51.100.0/24 "), "{text}");
    for inner in ["198.51.100.7", "198.51.100.9", "173.0.84.0/24", "104.16.0.0/16"] {
        assert!(!text.contains(inner), "{inner}: {text}");
    }
    assert_eq!(text.matches("104.16.0.0/13").count(), 1);
}

#[test]
fn machines_are_left_alone_by_challenges_and_only_there() {
    let default = Protections::default();
    assert!(default.exempts("/.well-known/acme-challenge/x", false));
    assert!(!default.exempts("/.well-known/x", true));
    for path in ["/wp-json/wp/v2/posts", "/wc-api/stripe"] {
        assert!(default.exempts(path, true) && !default.exempts(path, false), "{path}");
    }
    let named = Protections::new(&[], &["/pay/"], &[], &[]).expect("it fits");
    assert!(named.exempts("/pay/in", false) && !named.exempts("/payment", true));
}

#[test]
fn where_a_plan_cant_name_addresses_there_is_no_limit_for_those_who_must_be_left_alone() {
    let named = Protections::new(&[network("198.51.100.0/24")], &[], &[], &[]).expect("it fits");
    let default = Protections::default();
    for (plan, names_addresses) in
        [(Plan::Free, false), (Plan::Pro, false), (Plan::Business, true), (Plan::Enterprise, true)]
    {
        let limits = plan.limits();
        assert!(default.rate_parts(limits, &["/x"]).is_ok(), "{plan}");
        assert_eq!(named.rate_parts(limits, &["/x"]).is_ok(), names_addresses, "{plan}");
        assert_eq!(default.rate_parts(limits, &["/xmlrpc.php"]).is_ok(), names_addresses, "{plan}");
        assert_eq!(default.rate_parts(limits, &["/wp-cron.php"]).is_ok(), names_addresses, "{plan}");
        assert!(default.rate_parts(limits, &[]).is_ok(), "{plan}");
        for part in default.rate_parts(limits, &["/x"]).expect("allowed") {
            assert!(limits.counts_by(part.field()), "{plan}: {part}");
        }
    }
}
