use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::cloudflare::{
    AccessRule, Change, Held, Network, Phase, Plan, Previous, Rate, Rule, RuleAction, Way,
};
use crate::fleet::RegistryError;
use crate::store::{SeenZone, ZoneRow};

const ZONE: &str = "023e105f4ecef8ad9ca31a8372d0c353";

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&directory.path().join("secmon.db")).expect("a store");
    store.add_client(&client(), 1).expect("added");
    (directory, store)
}

fn client() -> ClientId {
    ClientId::new("acme").expect("a client")
}

fn zone() -> ZoneId {
    ZoneId::new(ZONE).expect("a zone")
}

/// A lease of under-attack mode in the zone.
fn lease(id: u8, state: State) -> Lease {
    Lease {
        id: LeaseId([id; 8]),
        client: client(),
        zone: zone(),
        zone_name: "example.com".to_owned(),
        action: ActionId::CfUnderAttack,
        origin: Origin::Automatic,
        said: "check every visitor".to_owned(),
        reason: "flood-login".to_owned(),
        created: 100,
        expires: 200,
        state,
        held: vec![Held {
            change: Change::UnderAttack,
            previous: Previous::Level("high".to_owned()),
            ended: None,
        }],
        ending: None,
    }
}

fn network() -> impl Strategy<Value = Network> {
    prop_oneof![
        (any::<[u8; 4]>(), 8_u8..=32).prop_map(|(a, bits)| (std::net::IpAddr::from(a), bits)),
        (any::<[u8; 16]>(), 16_u8..=64).prop_map(|(a, bits)| (std::net::IpAddr::from(a), bits)),
    ]
    .prop_filter_map("a network", |(address, bits)| {
        Network::parse(&format!("{address}/{bits}")).or_else(|| Network::parse(&address.to_string()))
    })
}

fn change() -> impl Strategy<Value = Change> {
    let action = || prop_oneof![Just(RuleAction::Block), Just(RuleAction::ManagedChallenge)];
    let rate = (proptest::collection::vec(".*", 0..3), any::<u32>(), any::<u32>(), any::<u32>()).prop_map(
        |(characteristics, period, requests, mitigation_timeout)| Rate {
            characteristics,
            period,
            requests,
            mitigation_timeout,
        },
    );
    let phase = prop_oneof![Just(Phase::Custom), Just(Phase::RateLimit)];
    let rule =
        (phase, ".*", action(), proptest::option::of(rate)).prop_map(|(phase, expression, action, rate)| {
            Change::Rule { phase, rule: Rule { expression, action, rate } }
        });
    let access = (network(), action()).prop_map(|(network, action)| AccessRule { network, action });
    prop_oneof![
        Just(Change::UnderAttack),
        rule,
        proptest::collection::vec(access, 0..8).prop_map(Change::Access)
    ]
}

fn held() -> impl Strategy<Value = Held> {
    let previous = prop_oneof![
        ".*".prop_map(Previous::Level),
        Just(Previous::NoRuleset),
        (".*", ".*").prop_map(|(id, version)| Previous::Ruleset { id, version }),
        Just(Previous::Access),
    ];
    let ended = proptest::option::of(prop_oneof![Just(Way::PutBack), Just(Way::LeftAlone)]);
    (change(), previous, ended).prop_map(|(change, previous, ended)| Held { change, previous, ended })
}

proptest! {
    #[test]
    fn what_a_lease_holds_reads_back_exactly(held in proptest::collection::vec(held(), 0..4)) {
        let text = serde_json::to_string(&held).expect("text");
        prop_assert_eq!(serde_json::from_str::<Vec<Held>>(&text).expect("the same"), held);
    }
}

#[test]
fn a_lease_reads_back_from_the_database_with_whatever_strangers_called_their_things() {
    let (_directory, store) = store();
    let mut first = lease(1, State::Planned);
    first.origin = Origin::Approved {
        operator: Operator(7),
        nonce: Nonce([9; 8]),
        transport: Transport::Telegram,
        chat: ChatId(-5),
    };
    first.said = "quote \" ' \\ \u{0} \u{202e} é 😀 '); DROP TABLE lease;--".to_owned();
    first.held.push(Held {
        change: Change::Access(vec![AccessRule {
            network: Network::parse("2001:db8::/64").expect("a network"),
            action: RuleAction::Block,
        }]),
        previous: Previous::Access,
        ended: Some(Way::LeftAlone),
    });
    store.add_leases(std::slice::from_ref(&first)).expect("added");
    assert_eq!(store.lease(first.id).expect("a query"), Some(first.clone()));
    assert_eq!(store.leases_by(Nonce([9; 8])).expect("a query"), [first.clone()]);
    first.state = State::Ended;
    first.ending = Some("it stays".to_owned());
    store.update_lease(&first).expect("written");
    assert_eq!(store.lease(first.id).expect("a query"), Some(first));
    assert_eq!(store.open_leases().expect("a query"), []);
}

#[test]
fn what_an_older_version_wrote_is_read_and_what_nobody_wrote_is_not() {
    let text = r#"[{"change":"under-attack","previous":{"level":"essentially_off"}},
        {"change":{"rule":{"phase":"rate-limit","rule":{"expression":"true","action":"managed_challenge"}}},
         "previous":{"ruleset":{"id":"a","version":"3"}},"ended":"put-back"},
        {"change":{"access":[{"network":"192.0.2.0/24","action":"block"}]},"previous":"access"}]"#;
    let held: Vec<Held> = serde_json::from_str(text).expect("read");
    assert_eq!(held.len(), 3);
    assert_eq!(held[0].previous, Previous::Level("essentially_off".to_owned()));
    assert_eq!(held[1].ended, Some(Way::PutBack));
    for wrong in [
        r#"[{"change":"pause","previous":"access"}]"#,
        r#"[{"change":{"access":[{"network":"office","action":"block"}]},"previous":"access"}]"#,
        r#"[{"change":{"access":[{"network":"192.0.2.1","action":"whitelist"}]},"previous":"access"}]"#,
        r#"[{"change":"under-attack"}]"#,
    ] {
        assert!(serde_json::from_str::<Vec<Held>>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_zone_stays_while_a_lease_of_it_is_open_and_goes_when_all_have_ended() {
    let (_directory, store) = store();
    let seen = SeenZone {
        name: "example.com".to_owned(),
        plan: Plan::Free,
        status: "active".to_owned(),
        paused: false,
        checked: 1,
    };
    let row = ZoneRow { zone: zone(), client: client(), credential: "x".to_owned(), added: 1, seen };
    store.put_zone(&row, |_| Ok::<_, RegistryError>(())).map(|_put| ()).expect("added");
    let other = Lease { zone: ZoneId::new(&"0".repeat(32)).expect("a zone"), ..lease(9, State::Active) };
    store.add_leases(&[other]).expect("added");
    let open = [State::Planned, State::Active, State::Ending];
    let mut leases: Vec<_> = (1_u8..).zip(open).map(|(id, state)| lease(id, state)).collect();
    store.add_leases(&leases).expect("added");
    for lease in &mut leases {
        let refused = store.remove_zone(&row).expect_err("a lease is open").to_string();
        assert!(refused.contains("cf-restore acme"), "{refused}");
        assert!(store.zone(&row.zone).expect("a query").is_some());
        lease.state = State::Ended;
        store.update_lease(lease).expect("written");
    }
    store.remove_zone(&row).expect("removed");
    assert_eq!(store.zone(&row.zone).expect("a query"), None);
}
