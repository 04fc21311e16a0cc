use proptest::prelude::*;

use super::*;
use crate::THRESHOLDS;
use crate::limits::{CAPABILITIES_MAX, MANIFEST_MAX};
use crate::{AgentId, Area, Capability, ClientId, Manifest, ManifestBody, OPERATIONS, Unit};

const NONE: [&str; 0] = [];

fn refused(tuning: Result<Tuning, WireError>) -> WireError {
    tuning.expect_err("refused")
}

fn body(tuning: Tuning) -> ManifestBody {
    ManifestBody {
        agent_id: AgentId::new("web1").expect("an id"),
        client_id: ClientId::new("acme").expect("an id"),
        diagnostics: Vec::new(),
        issued: 1_767_225_600,
        operations: Vec::new(),
        seq: 3,
        tuning,
    }
}

#[test]
fn what_is_given_is_what_is_read() {
    let tuning = Tuning::new(
        &["a.example", "shop.example"],
        &["/srv/logs/access.log"],
        &["/srv/logs/error.log", "/srv/php/php.log"],
        &[(Threshold::DiskLow, 20), (Threshold::TlsExpiry, 5)],
    )
    .expect("a tuning");
    let expected = concat!(
        r#"{"access_logs":["/srv/logs/access.log"],"error_logs":["/srv/logs/error.log","/srv/php/php.log"],"#,
        r#""hosts":["a.example","shop.example"],"thresholds":[["disk-low",20],["tls-expiry",5]]}"#
    );
    assert_eq!(str::from_utf8(tuning.as_bytes()), Ok(expected));
    assert!(tuning.hosts().eq(["a.example", "shop.example"]));
    assert!(tuning.access_logs().eq(["/srv/logs/access.log"]));
    assert!(tuning.error_logs().eq(["/srv/logs/error.log", "/srv/php/php.log"]));
    assert!(tuning.log_directories().eq(["/srv/logs", "/srv/logs", "/srv/php"]));
    assert!(tuning.thresholds().eq([(Threshold::DiskLow, 20), (Threshold::TlsExpiry, 5)]));
    assert_eq!(Tuning::read(tuning.as_bytes()), Ok(tuning));
}

#[test]
fn nothing_has_one_form() {
    let none = Tuning::new(&NONE, &NONE, &NONE, &[]).expect("nothing");
    assert!(none.is_empty() && none == Tuning::default());
    assert_eq!(none.hosts().count() + none.log_directories().count() + none.thresholds().count(), 0);
    assert_eq!(Tuning::read(b""), Ok(none));
    let empty = br#"{"access_logs":[],"error_logs":[],"hosts":[],"thresholds":[]}"#;
    assert_eq!(Tuning::read(empty), Err(WireError::BadValue("tuning")));
    assert_eq!(Tuning::read(b"{}"), Err(WireError::MissingField("access_logs")));
}

#[test]
fn a_manifest_has_the_member_only_where_it_says_something() {
    let seal = |tuning| body(tuning).seal([7; 64], b"secret").expect("a manifest");
    let mut out = [0; MANIFEST_MAX];
    let plain = seal(Tuning::default()).write(&mut out).expect("room").to_vec();
    assert!(!String::from_utf8_lossy(&plain).contains("tuning"));
    let tuning = Tuning::new(&["a.example"], &[], &[], &[]).expect("a tuning");
    let manifest = seal(tuning.clone());
    let tuned = manifest.write(&mut out).expect("room").to_vec();
    assert_eq!(Manifest::read(&tuned).as_ref(), Ok(&manifest));
    assert_eq!(manifest.body.tuning, tuning);
    assert!(manifest.mac_is_valid(b"secret"));
    // Taken away, or put in, it changes what is signed.
    for (edited, body) in [(body(Tuning::default()), &manifest), (body(tuning), &seal(Tuning::default()))] {
        let manifest = Manifest { body: edited, ..body.clone() };
        assert!(!manifest.mac_is_valid(b"secret"));
    }
    for nothing in ["null", "{}", "[]", "\"\""] {
        let text =
            String::from_utf8_lossy(&plain).replace(",\"v\":1}", &format!(",\"tuning\":{nothing},\"v\":1}}"));
        assert!(Manifest::read(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn a_full_tuning_fits_into_a_full_manifest() {
    let log = |n: usize| format!("/{n}/{}", "x".repeat(LOG_PATH_MAX - 3));
    let logs: std::vec::Vec<String> = (0..TUNED_LOGS_MAX).map(log).collect();
    let thresholds: std::vec::Vec<_> = THRESHOLDS.iter().map(|row| (row.id, row.most)).collect();
    let none = Tuning::new(&[], &logs, &logs, &thresholds).expect("a tuning").as_bytes().len();
    let each = (TUNING_MAX - none) / TUNED_HOSTS_MAX - 3;
    let host = |n: usize| format!("{n}.{}.{}", "y".repeat(60), "z".repeat(each - 63));
    let hosts: std::vec::Vec<String> = (0..TUNED_HOSTS_MAX).map(host).collect();
    let tuning = Tuning::new(&hosts, &logs, &logs, &thresholds).expect("a tuning");
    assert!(tuning.as_bytes().len() > TUNING_MAX - 16, "{}", tuning.as_bytes().len());
    let operations = OPERATIONS.iter().take(CAPABILITIES_MAX).map(|row| {
        let unit = Unit::new(row.units.first().expect("a unit").name.replace(['*', '?'], "1").as_str());
        Capability::new(row.id, unit.expect("a unit"), crate::limits::MIN_INTERVAL_MAX).expect("a capability")
    });
    let full = ManifestBody {
        agent_id: AgentId::new(&"a".repeat(32)).expect("an id"),
        client_id: ClientId::new(&"c".repeat(32)).expect("an id"),
        diagnostics: Area::ALL.iter().copied().collect(),
        issued: crate::limits::INTEGER_MAX,
        operations: operations.collect(),
        seq: crate::limits::INTEGER_MAX,
        tuning,
    };
    let manifest = full.seal([7; 64], b"secret").expect("room");
    let mut out = [0; MANIFEST_MAX];
    let bytes = manifest.write(&mut out).expect("room").to_vec();
    assert_eq!(Manifest::read(&bytes), Ok(manifest));
    let long = format!("{}.{}", "w".repeat(40), hosts.last().expect("a host"));
    let more = [&hosts[..TUNED_HOSTS_MAX - 1], &[long]].concat();
    assert_eq!(
        refused(Tuning::new(&more, &logs, &logs, &thresholds)),
        WireError::TooLong { limit: TUNING_MAX }
    );
}

#[test]
fn hosts_are_names_and_nothing_else() {
    let label = "x".repeat(63);
    let long = [label.as_str(); 4].join(".");
    for (host, fine) in [
        ("example.com", true),
        ("a-1.example.com", true),
        ("intranet", true),
        ("xn--mnchen-3ya.de", true),
        (&long[..253], true),
        (&long[..254], false),
        (&format!("{label}.de"), true),
        (&format!("x{label}.de"), false),
        ("", false),
        (".", false),
        ("example.com.", false),
        (".example.com", false),
        ("a..b", false),
        ("Example.com", false),
        ("*.example.com", false),
        ("example.com:8080", false),
        ("example.com/x", false),
        ("user@example.com", false),
        ("-a.example", false),
        ("a-.example", false),
        ("a_b.example", false),
        ("a b", false),
        ("a\r\nX: y", false),
        ("münchen.de", false),
        ("127.0.0.1", false),
        ("[::1]", false),
    ] {
        assert_eq!(is_host(host), fine, "{host}");
        assert_eq!(Tuning::new(&[host], &[], &[], &[]).is_ok(), fine, "{host}");
    }
    assert_eq!(refused(Tuning::new(&["a:1"], &[], &[], &[])), WireError::BadValue("hosts"));
}

#[test]
fn logs_are_plain_absolute_paths_in_a_directory_of_their_own() {
    let long = format!("/a/{}", "x".repeat(LOG_PATH_MAX - 3));
    for (path, fine) in [
        ("/srv/logs/access.log", true),
        ("/srv/my logs/ac+cess,1~.log", true),
        ("/a/b", true),
        (&long, true),
        (&format!("{long}x"), false),
        ("/access.log", false),
        ("/", false),
        ("", false),
        ("srv/logs/a.log", false),
        ("/srv/../etc/shadow", false),
        ("/srv/..", false),
        ("/srv/./a.log", false),
        ("/srv//a.log", false),
        ("//a.log", false),
        ("/srv/logs/", false),
        ("/srv/logs/..a", true),
        ("/srv/a\nb", false),
        ("/srv/a\"b", false),
        ("/srv/a\\b", false),
        ("/srv/\u{7f}b", false),
        ("/srv/ä.log", false),
        ("/dev/null", false),
        ("/dev/shm/a.log", false),
        ("/proc/self/environ", false),
        ("/sys/kernel/a", false),
        ("/devices/a.log", true),
    ] {
        assert_eq!(is_log_path(path), fine, "{path}");
        for (name, tuning) in [
            ("access_logs", Tuning::new(&[], &[path], &[], &[])),
            ("error_logs", Tuning::new(&[], &[], &[path], &[])),
        ] {
            assert_eq!(tuning.is_ok(), fine, "{path}");
            assert!(tuning.err().is_none_or(|error| error == WireError::BadValue(name)), "{path}");
        }
    }
}

#[test]
fn lists_are_short_sorted_and_without_repetition() {
    let hosts: std::vec::Vec<_> = (0..=TUNED_HOSTS_MAX).map(|n| format!("h{n}.example")).collect();
    let logs: std::vec::Vec<_> = (0..=TUNED_LOGS_MAX).map(|n| format!("/srv/{n}.log")).collect();
    let none: &[String] = &[];
    let thresholds: &[(Threshold, u32)] = &[];
    assert!(Tuning::new(&hosts[1..], &logs[1..], &logs[1..], thresholds).is_ok());
    for (name, tuning) in [
        ("hosts", Tuning::new(&hosts, none, none, thresholds)),
        ("access_logs", Tuning::new(none, &logs, none, thresholds)),
        ("error_logs", Tuning::new(none, none, &logs, thresholds)),
    ] {
        assert_eq!(refused(tuning), WireError::BadValue(name));
    }
    for (name, tuning) in [
        ("hosts", Tuning::new(&["b.example", "a.example"], &[], &[], thresholds)),
        ("hosts", Tuning::new(&["a.example", "a.example"], &[], &[], thresholds)),
        ("access_logs", Tuning::new(&[], &["/b/b", "/a/a"], &[], thresholds)),
        ("error_logs", Tuning::new(&[], &[], &["/b/b", "/b/b"], thresholds)),
        ("thresholds", Tuning::new(&NONE, &[], &[], &[(Threshold::SlowPage, 500), (Threshold::DiskLow, 5)])),
        ("thresholds", Tuning::new(&NONE, &[], &[], &[(Threshold::DiskLow, 5), (Threshold::DiskLow, 6)])),
    ] {
        assert_eq!(refused(tuning), WireError::Unsorted(name));
    }
}

#[test]
fn every_threshold_has_its_range() {
    for row in &THRESHOLDS {
        for (value, fine) in
            [(row.least - 1, false), (row.least, true), (row.most, true), (row.most + 1, false)]
        {
            let tuning = Tuning::new(&NONE, &[], &[], &[(row.id, value)]);
            assert_eq!(tuning.is_ok(), fine, "{} {value}", row.name);
            assert!(tuning.err().is_none_or(|error| error == WireError::BadValue("thresholds")));
        }
    }
    for pair in [
        "\"disk-low\"",
        "[]",
        "[\"disk-low\"]",
        "[\"disk-low\",9,9]",
        "[\"disk\",9]",
        "[9,\"disk-low\"]",
        "[\"disk-low\",-9]",
        "[\"disk-low\",4294967305]",
    ] {
        let text = format!(r#"{{"access_logs":[],"error_logs":[],"hosts":[],"thresholds":[{pair}]}}"#);
        assert_eq!(Tuning::read(text.as_bytes()), Err(WireError::BadValue("thresholds")), "{pair}");
    }
}

proptest! {
    #[test]
    fn whatever_is_read_is_within_all_bounds_and_reads_again(
        hosts in proptest::collection::vec("[a-c.:-]{1,6}", 0..10),
        logs in proptest::collection::vec("(/[a-b.]{1,3}){1,3}", 0..6),
        values in proptest::collection::vec((0..THRESHOLDS.len(), 0_u32..200), 0..4),
    ) {
        let (mut hosts, mut logs, mut values) = (hosts, logs, values);
        hosts.sort();
        logs.sort();
        values.sort();
        let values: std::vec::Vec<_> = values.into_iter().map(|(at, value)| (THRESHOLDS[at].id, value)).collect();
        let fine = hosts.len() <= TUNED_HOSTS_MAX && hosts.iter().all(|host| is_host(host))
            && logs.len() <= TUNED_LOGS_MAX && logs.iter().all(|log| is_log_path(log))
            && values.iter().all(|(id, value)| id.allows(*value))
            && hosts.is_sorted_by(|a, b| a < b) && logs.is_sorted_by(|a, b| a < b)
            && values.is_sorted_by(|a, b| a.0 < b.0);
        let tuning = Tuning::new(&hosts, &logs, &[], &values);
        prop_assert_eq!(tuning.is_ok(), fine);
        if let Ok(tuning) = tuning {
            prop_assert!(tuning.hosts().eq(hosts.iter()));
            prop_assert!(tuning.access_logs().eq(logs.iter()));
            prop_assert!(tuning.thresholds().eq(values));
            prop_assert_eq!(Tuning::read(tuning.as_bytes()), Ok(tuning));
        }
    }

    #[test]
    fn no_bytes_make_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _refused = Tuning::read(&bytes);
    }
}
