//! What must not change a verdict: how a log is written, cut, or soiled.

use proptest::prelude::*;
use secmon_wire::diag::FindingId;

use super::fake::{CUSTOM, Hit, common, custom, hit, json, post, quiet, visitor};
use super::*;

/// A day's worth of everything, in twenty minutes: five floods, a scan, an error, a crowd of visitors.
fn mixed() -> Vec<Hit> {
    let mut hits = quiet(0..21);
    hits.extend((0..300).map(|n| post(300 + n / 5, "198.51.100.9", "/xmlrpc.php")));
    hits.extend((0..200).map(|n| post(480 + n / 4, visitor(n % 60), "/wp-login.php")));
    hits.extend((0..200).map(|n| hit(660 + n / 4, visitor(n % 70), format!("/?s=casino+{n}"))));
    hits.extend(
        (0..300).map(|n| hit(840 + n / 6, visitor(n % 80), format!("/?{}", 8_890_121_518 + n * 7919))),
    );
    hits.extend((0..120).map(|n| Hit {
        status: 404,
        size: 153,
        ..hit(960 + n / 4, "2001:db8:7::9", format!("/x{n}/"))
    }));
    hits.extend((0..30).map(|n| Hit { status: 502, ..hit(1_100 + n, visitor(n), format!("/post-{n}/")) }));
    hits.sort_by_key(|hit| hit.at);
    hits
}

fn write(hits: &[Hit], format: fn(&Hit) -> String) -> Vec<u8> {
    hits.iter().map(format).collect::<String>().into_bytes()
}

/// What is said, without what an estimate may change in the last digit.
fn verdicts(
    pieces: &[&[u8]],
    format: Option<&str>,
) -> Vec<(FindingId, String, Option<secmon_wire::ActionId>)> {
    let impact = Impact::default();
    let settings = Settings { host: "example.org", ..Settings::new(&impact) };
    let findings = judge_pieces(pieces, format, &settings).findings;
    let mut all: Vec<_> = findings.iter().map(|f| (f.id, f.severity.to_string(), f.action)).collect();
    all.sort_by_key(|(id, ..)| *id);
    all
}

fn expected() -> Vec<(FindingId, String, Option<secmon_wire::ActionId>)> {
    let expected = verdicts(&[&write(&mixed(), common)], None);
    let ids: Vec<FindingId> = expected.iter().map(|(id, ..)| *id).collect();
    assert_eq!(
        ids,
        [
            FindingId::FloodCachebust,
            FindingId::FloodLogin,
            FindingId::FloodSearch,
            FindingId::FloodXmlrpc,
            FindingId::Http502,
            FindingId::Http5xxRate,
            FindingId::Scan404,
        ]
    );
    expected
}

#[test]
fn one_log_in_three_formats_says_the_same() {
    let hits = mixed();
    let expected = expected();
    assert_eq!(verdicts(&[&write(&hits, json)], None), expected);
    assert_eq!(verdicts(&[&write(&hits, custom)], Some(CUSTOM)), expected);
    let vhosts = |hit: &Hit| format!("example.org:443 {}", common(hit));
    assert_eq!(verdicts(&[&write(&hits, vhosts)], None), expected);
    let tails = |hit: &Hit| format!("{}rt=0.2 uct=\"-\"\n", common(hit).trim_end());
    assert_eq!(verdicts(&[&write(&hits, tails)], None), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_order_of_lines_within_a_second_changes_nothing(seed in any::<u64>()) {
        let mut hits = mixed();
        hits.sort_by_key(|hit| (hit.at, bytes::hash(seed, common(hit).as_bytes())));
        prop_assert_eq!(verdicts(&[&write(&hits, common)], None), expected());
    }

    #[test]
    fn a_log_in_two_files_is_one_log(part in 0.0_f64..1.0) {
        let bytes = write(&mixed(), common);
        let at = (bytes.len() as f64 * part) as usize;
        let cut = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        prop_assert_eq!(verdicts(&[&bytes[..cut], &bytes[cut..]], None), expected());
    }

    #[test]
    fn junk_changes_nothing_however_much_there_is(every in 2_usize..40, kind in 0_usize..4) {
        let junk = ["", "\x16\x03\x01", "[22/Nov/2026:01:03:44 +0000] \"", "192.0.2.1 - - [25/Feb/2017:21:06:15 +0100] \"GET / HTTP/1.1\" 500 1 \"-\" \"-\""];
        let mut text = String::new();
        for (at, hit) in mixed().iter().enumerate() {
            text.push_str(&common(hit));
            if at % every == 0 {
                text.push_str(junk[kind]);
                text.push('\n');
            }
        }
        prop_assert_eq!(verdicts(&[text.as_bytes()], None), expected());
    }

    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let _whatever = verdicts(&[&bytes], None);
    }

    #[test]
    fn a_log_with_any_bytes_changed_is_judged(changes in prop::collection::vec((any::<u32>(), any::<u8>()), 0..200)) {
        let mut bytes = write(&mixed(), common);
        for (at, byte) in changes {
            let at = at as usize % bytes.len();
            bytes[at] = byte;
        }
        let _whatever = verdicts(&[&bytes], None);
    }
}

#[test]
fn memory_is_the_same_for_any_log() {
    let impact = Impact::default();
    let of = |log: &[u8]| judge_log(log, None, &Settings::new(&impact)).memory;
    let small = of(b"");
    assert_eq!(of(&write(&mixed(), common)), small);
    assert!(small <= 160 * 1024, "{small}");
}
