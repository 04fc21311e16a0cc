//! The kill switch on a running control plane: what an operator approves works all the same, and the record says so.

use secmon_fake_cloudflare::NewZone;
use secmon_tests::plane::cloudflare::{Cloud, login_flood, zone_id};
use serde_json::{Value, json};

/// Every action at Cloudflare, in an order in which each can be done; whether it overrides the switch.
const ACTIONS: &[(&str, &str, bool)] = &[
    ("cf-under-attack", "✓ in force", true),
    ("cf-managed-challenge", "✓ in force", true),
    ("cf-targeted-block", "✓ in force", true),
    ("cf-pattern-block", "✓ in force", true),
    ("cf-rate-limit", "✓ in force", true),
    ("cf-restore", "✓ restored", true),
    ("enable-cf-auto", "✓ armed", true),
    ("disable-cf-auto", "✓ disarmed", false),
];

#[test]
fn approvals_work_while_the_switch_is_off_and_their_intents_say_that_they_override_it() {
    let mut cloud = Cloud::new();
    cloud.client("acme");
    cloud.zone("acme", NewZone::new(&zone_id(1), "example.com"));
    cloud.plane.start();
    let approve_all = |cloud: &mut Cloud, by: Option<&str>| {
        cloud.found("acme", &[login_flood()], 0);
        for (action, answer, overrides) in ACTIONS {
            let told = cloud.approve(action, "acme");
            assert!(told.starts_with(answer), "{action}: {told}");
            let intent = cloud.plane.events("intent").pop().expect("an intent");
            assert_eq!(intent["action"], *action);
            let expected = if by.is_some() && *overrides { json!("approve") } else { Value::Null };
            assert_eq!(intent["auto_dispatch_overridden_by"], expected, "{action} {by:?}");
            if let (Some(by), "enable-cf-auto") = (by, *action) {
                assert!(told.contains(by), "nothing says that arming does nothing: {told}");
            }
        }
    };
    approve_all(&mut cloud, None);
    assert!(cloud.plane.secmon(&["auto", "off"]).starts_with("off: "));
    approve_all(&mut cloud, Some("`secmon auto off`"));
    assert!(cloud.plane.secmon(&["auto", "on"]).starts_with("on"));
    approve_all(&mut cloud, None);
    cloud.plane.stop();
    cloud.plane.set("SECMON_AUTO_CF_DISABLED", "1");
    cloud.plane.start();
    approve_all(&mut cloud, Some("SECMON_AUTO_CF_DISABLED=1"));
    cloud.finish();
}
