//! What mitigations leave in a zone, in the audit log and in the chat, and how they are put back.

use secmon_fake_cloudflare::{NewZone, Plan};
use secmon_tests::plane::cloudflare::{CUSTOM, Cloud, xmlrpc_flood, zone_id};

#[test]
fn a_block_is_set_and_put_back() {
    let mut cloud = Cloud::new();
    cloud.client("acme");
    let zone = zone_id(1);
    cloud.zone("acme", NewZone::new(&zone, "acme.example").on(Plan::Pro));
    cloud.found("acme", &[xmlrpc_flood()], 0);
    cloud.plane.start();
    let answer = cloud.approve("cf-pattern-block", "acme");
    assert!(answer.starts_with("✓ in force acme cf-pattern-block: "), "{answer}");
    assert_eq!(cloud.ours(&zone, CUSTOM).len(), 1);
    let answer = cloud.approve("cf-restore", "acme");
    assert_eq!(answer, "✓ restored acme\nacme.example cf-pattern-block: rule removed");
    assert_eq!(cloud.ours(&zone, CUSTOM).len(), 0);
    cloud.finish();
}
