//! Real logs with what an expert would conclude from them. They aren't part of the project: they are read in
//! `$SECMON_SHARED`, or in `shared` beside the workspace, and where they aren't, nothing is tested.

use std::path::{Path, PathBuf};

use secmon_diag::flood::{Impact, Judged, Settings, judge_log};
use secmon_wire::ActionId::{self, CfManagedChallenge, CfTargetedBlock};
use secmon_wire::diag::{Finding, FindingId, Severity};

/// The logs; `None` where there are none.
fn log(name: &str) -> Option<Vec<u8>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let roots = [std::env::var_os("SECMON_SHARED").map(PathBuf::from), Some(workspace.join("../shared"))];
    let file = roots
        .into_iter()
        .flatten()
        .map(|root| root.join("data/access-logs").join(name))
        .find(|p| p.is_file());
    let Some(file) = file else {
        println!("skipped: no {name}");
        return None;
    };
    Some(std::fs::read(file).expect("a readable log"))
}

fn judge(bytes: &[u8]) -> Judged {
    let impact = Impact::default();
    judge_log(bytes, None, &Settings { host: "example.org", ..Settings::new(&impact) })
}

fn ids(judged: &Judged) -> Vec<FindingId> {
    let mut ids: Vec<FindingId> = judged.findings.iter().map(|finding| finding.id).collect();
    ids.sort();
    ids
}

fn of(judged: &Judged, id: FindingId) -> &Finding {
    judged.findings.iter().find(|finding| finding.id == id).unwrap_or_else(|| panic!("no {id}"))
}

fn sources(finding: &Finding) -> Vec<(String, u32)> {
    let flood = finding.flood.as_ref().unwrap_or_else(|| panic!("{} is no flood", finding.id));
    flood.sources.iter().map(|source| (source.address.to_string(), source.count)).collect()
}

/// The lines up to a time of that day, as if it were now.
fn until(bytes: &[u8], time: &str) -> Vec<u8> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before = lines.filter(|line| {
        let text = String::from_utf8_lossy(line);
        text.split_once("2026:").is_some_and(|(_, rest)| rest.get(..8).is_some_and(|of_day| of_day <= time))
    });
    before.flatten().copied().collect()
}

#[test]
fn healthy_logs_say_nothing() {
    for (name, lines) in [("elastic-apache-2015.log", 6_000), ("wordpress-nginx-2019-dbadmins.log", 671)] {
        let Some(bytes) = log(name) else { return };
        let judged = judge(&bytes);
        assert_eq!((ids(&judged), judged.lines, judged.junk), (vec![], lines, 0), "{name}");
    }
}

#[test]
fn scanners_on_a_small_server_are_named_and_its_users_are_not() {
    let Some(bytes) = log("vps-apache-2020-12-01-scan.log") else { return };
    let judged = judge(&bytes);
    assert_eq!(ids(&judged), [FindingId::Scan404, FindingId::Scan404]);
    let first = &judged.findings[0];
    assert_eq!((first.severity, first.action), (Severity::Info, None));
    assert_eq!(sources(first), [("103.106.82.194".to_owned(), 974)]);
    assert_eq!(sources(&judged.findings[1])[0].0, "109.20.203.142");
}

#[test]
fn three_seconds_of_a_flood_that_fails_are_to_be_blocked() {
    let Some(bytes) = log("nginx-flood-2023-3s.log") else { return };
    let judged = judge(&bytes);
    assert_eq!(ids(&judged), [FindingId::FloodSingleIp, FindingId::Http499Burst]);
    let flood = of(&judged, FindingId::FloodSingleIp);
    assert_eq!((flood.severity, flood.action), (Severity::Critical, Some(CfTargetedBlock)));
    let expected = [("192.236.195.162", 655), ("192.236.195.112", 102), ("192.236.194.162", 99)];
    assert_eq!(sources(flood), expected.map(|(address, count)| (address.to_owned(), count)));
}

#[test]
fn short_extracts_are_what_they_were_made_for() {
    for (name, expected) in [
        ("crowdsec-http-bf-wordpress-bf.log", vec![FindingId::FloodLogin]),
        ("crowdsec-http-dos-random-uri.log", vec![FindingId::Flood404Dyn]),
        ("crowdsec-http-dos-switching-ua.log", vec![]),
        ("crowdsec-http-wordpress-scan.log", vec![]),
        ("crowdsec-http-wordpress_user-enum.log", vec![]),
    ] {
        let Some(bytes) = log(name) else { return };
        let impact = Impact::default();
        let settings = Settings { spare_private: false, ..Settings::new(&impact) };
        assert_eq!(ids(&judge_log(&bytes, None, &settings)), expected, "{name}");
    }
}

#[test]
fn each_phase_of_the_laboratory_is_named_when_it_ends() {
    let Some(bytes) = log("lab-A-realip.log") else { return };
    for (end, id, few) in [
        ("01:08:21", FindingId::FloodXmlrpc, true),
        ("01:10:21", FindingId::FloodLogin, false),
        ("01:12:21", FindingId::FloodSearch, false),
        ("01:14:11", FindingId::FloodCachebust, false),
        ("01:15:41", FindingId::Scan404, true),
        ("01:17:31", FindingId::BenignSurge, false),
    ] {
        // A little later it is still the same.
        for judged in [judge(&until(&bytes, end)), judge(&until(&bytes, &end.replace("1 ", "9 ")))] {
            let finding = of(&judged, id);
            assert_eq!((finding.severity, finding.action), (Severity::Info, None), "{end} {id}");
            if id != FindingId::BenignSurge {
                let all = finding.flood.as_ref().expect("a flood");
                let most = sources(finding).first().map_or(0, |(_, count)| u64::from(*count));
                assert_eq!(most * 2 > all.count, few, "{end} {id}");
            }
        }
    }
}

#[test]
fn the_whole_laboratory_has_five_attacks_and_a_crowd() {
    let Some(bytes) = log("lab-A-realip.log") else { return };
    let judged = judge(&bytes);
    let expected = [
        FindingId::BenignSurge,
        FindingId::FloodCachebust,
        FindingId::FloodLogin,
        FindingId::FloodSearch,
        FindingId::FloodXmlrpc,
        FindingId::Scan404,
    ];
    assert_eq!(ids(&judged), expected);
    assert_eq!(sources(of(&judged, FindingId::FloodXmlrpc))[0].0, "198.18.0.7");
    assert_eq!(sources(of(&judged, FindingId::Scan404)), [("198.18.5.55".to_owned(), 361)]);
    for finding in &judged.findings {
        let Some(flood) = &finding.flood else { continue };
        let shown: Vec<String> = flood.sources.iter().map(|source| source.address.to_string()).collect();
        for spared in
            ["192.0.101.21", "54.187.216.72", "198.19.1.10", "203.0.113.10", "66.249.66.13", "69.162.124.226"]
        {
            assert!(!shown.iter().any(|address| address == spared), "{} accuses {spared}", finding.id);
        }
    }
}

#[test]
fn behind_edge_addresses_floods_are_seen_and_nobody_is_accused() {
    let Some(bytes) = log("lab-A-peer-first2500.log") else { return };
    let judged = judge(&bytes);
    let ids = ids(&judged);
    for must in [FindingId::WebRealipMissing, FindingId::FloodXmlrpc, FindingId::FloodLogin] {
        assert!(ids.contains(&must), "{must}");
    }
    for finding in &judged.findings {
        assert!(finding.flood.as_ref().is_none_or(|flood| flood.sources.is_empty()), "{}", finding.id);
        assert_ne!(finding.action, Some(CfTargetedBlock));
    }
}

#[test]
fn a_saturated_server_has_one_cause_and_its_action() {
    let Some(bytes) = log("lab-C-realip.log") else { return };
    let judged = judge(&bytes);
    assert_eq!(ids(&judged), [FindingId::FloodSearch, FindingId::Http502, FindingId::Http5xxRate]);
    let flood = of(&judged, FindingId::FloodSearch);
    assert_eq!((flood.severity, flood.action), (Severity::Critical, Some(CfManagedChallenge)));
    let causes: Vec<_> = secmon_wire::diag::conclude(&judged.findings)
        .iter()
        .zip(&judged.findings)
        .filter(|(conclusion, _)| conclusion.explained_by.is_none())
        .map(|(_, finding)| finding.id)
        .collect();
    assert_eq!(causes, [FindingId::FloodSearch]);
    assert!(judged.findings.iter().all(|finding| finding.action != Some(ActionId::RestartPhp)));
}
