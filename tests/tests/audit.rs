//! No record, no act: what happens to approvals when the audit log can't be written or trusted, and what the
//! offline verifier finds.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use secmon_tests::agent_host::{binary, text};
use secmon_tests::plane::{
    OPERATIONS, OWNER, Plane, Site, SmallDisk, Totp, assert_sound_chain, verify_audit,
};
use serde_json::{Value, json};

/// Changes the audit log of a control plane that doesn't run.
fn edit(plane: &Plane, change: impl FnOnce(&mut Vec<String>)) {
    let path = plane.data("audit.jsonl");
    let log = fs::read_to_string(&path).expect("an audit log");
    let mut lines: Vec<String> = log.lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>())
        .expect("a written file");
}

fn append(plane: &Plane, bytes: &[u8]) {
    let mut log = OpenOptions::new().append(true).open(plane.data("audit.jsonl")).expect("an audit log");
    log.write_all(bytes).expect("room for some bytes");
}

/// What the verifier says: its exit code, and each broken line with its reason.
fn breaks(plane: &Plane) -> (Option<i32>, Vec<(u64, String)>) {
    let (output, report) = verify_audit(&plane.data("audit.jsonl"));
    let found = report["breaks"].as_array().expect("a list").iter().map(|found| {
        let line = found["line"].as_u64().expect("a line");
        (line, found["reason"].as_str().expect("a reason").to_owned())
    });
    (output.status.code(), found.collect())
}

/// An approval of restart-web on acme that must succeed.
fn restart(plane: &mut Plane) {
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(answer.starts_with("✓ succeeded acme restart-web: "), "{answer}");
}

/// An approval that must be rejected because it can't be recorded, and touches nothing.
fn assert_not_executed(plane: &mut Plane, site: &Site, told: &str) {
    let before = site.services();
    let line = plane.line("restart-web", "acme");
    let answer = plane.ask(OWNER, line).text().to_owned();
    assert!(answer.starts_with("✗ rejected acme restart-web: ") && answer.contains(told), "{answer}");
    assert!(answer.contains("nothing was sent"), "{answer}");
    assert_eq!(site.services(), before);
}

#[test]
fn when_the_audit_logs_disk_is_full_nothing_is_executed_and_the_operator_is_told() {
    let mut plane = Plane::new(Totp::Off);
    let Some(disk) = SmallDisk::mount(plane.at("small"), "256k") else { return };
    let log = plane.data("audit.jsonl");
    fs::copy(&log, disk.path().join("audit.jsonl")).expect("a copy");
    fs::remove_file(&log).expect("a removed file");
    symlink(disk.path().join("audit.jsonl"), &log).expect("a new link");
    let mut site = plane.site("acme", "web1", OPERATIONS);
    site.start();
    plane.start();
    restart(&mut plane);
    disk.fill();
    // The log's last page still has room for some short records.
    let unrecorded = "The audit log can't be written; this rejection is not in it.";
    while !plane.ask(OWNER, "APPROVE: nothing").text().contains(unrecorded) {}
    let recorded = plane.audit();
    for _ in 0..3 {
        assert_not_executed(&mut plane, &site, "the audit log's disk is full");
    }
    assert_eq!(plane.audit(), recorded, "what couldn't be recorded left nothing behind");
    disk.free();
    restart(&mut plane);
    assert_eq!(site.service("restart-web").restarts(), 2);
    plane.finish();
}

#[test]
fn when_the_whole_disk_is_full_nothing_is_executed_and_the_operator_is_told() {
    let mut plane = Plane::new(Totp::Off);
    let Some(disk) = SmallDisk::mount(plane.at("small"), "4m") else { return };
    let moved = disk.path().join("data");
    let copied = Command::new("cp").arg("-a").arg(plane.at("data")).arg(&moved).status().expect("cp runs");
    assert!(copied.success());
    fs::remove_dir_all(plane.at("data")).expect("a removed directory");
    symlink(&moved, plane.at("data")).expect("a new link");
    let mut site = plane.site("acme", "web1", OPERATIONS);
    site.start();
    plane.start();
    restart(&mut plane);
    disk.fill();
    let before = site.services();
    // Whichever of database and audit log fails first, the answer says that nothing was sent.
    for _ in 0..40 {
        let line = plane.line("restart-php", "acme");
        let answer = plane.ask(OWNER, line).text().to_owned();
        if answer.starts_with("✗ rejected acme restart-php: the ") {
            assert!(answer.contains("can't be written") && answer.contains("nothing was sent"), "{answer}");
        } else {
            // As long as there is room for its record, an approval is as good as ever.
            assert!(answer.starts_with("✓ succeeded") || answer.contains("interval: "), "{answer}");
        }
    }
    let full = site.services();
    for _ in 0..5 {
        assert_not_executed(&mut plane, &site, "can't be written");
    }
    assert_eq!(site.services(), full);
    assert_eq!(site.services()[2], before[2], "restart-web");
    let runs: usize = site.services().iter().map(|(_, _, restarts)| restarts).sum();
    assert!(runs <= plane.events("intent").len(), "no record, no act");
    disk.free();
    restart(&mut plane);
    // What was rejected stays rejected when there is room again.
    plane.assert_quiet();
    assert_eq!(site.services()[..2], full[..2]);
    plane.finish();
}

#[test]
fn a_torn_last_line_stops_everything_until_it_is_recovered_by_hand() {
    let (mut plane, site) = Plane::running(Totp::Off);
    restart(&mut plane);
    plane.kill();
    let sound = fs::read(plane.data("audit.jsonl")).expect("an audit log");
    append(&plane, br#"{"action":"restart-web","event":"inte"#);
    let refusal = plane.refusal_to_start();
    assert!(refusal.contains("the last line of the audit log can't be continued"), "{refusal}");
    assert!(refusal.contains("secmon audit recover"), "{refusal}");
    assert_eq!(breaks(&plane).0, Some(1));
    let recovered = plane.secmon(&["audit", "recover"]);
    assert!(recovered.starts_with("Cut 37 bytes off the end of the audit log"), "{recovered}");
    let log = fs::read(plane.data("audit.jsonl")).expect("an audit log");
    assert!(log.starts_with(&sound), "nothing else was touched");
    let record = plane.audit().pop().expect("a record");
    assert_eq!((&record["event"], &record["cut_bytes"]), (&json!("audit-recovered"), &json!(37)));
    assert_sound_chain(&plane.data("audit.jsonl"));
    assert!(plane.secmon(&["audit", "recover"]).contains("nothing was changed"));
    plane.start();
    restart(&mut plane);
    assert_eq!(site.service("restart-web").restarts(), 2);
    plane.finish();
}

#[test]
fn a_lost_log_is_never_replaced_by_a_new_one() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    restart(&mut plane);
    plane.stop();
    let (log, away) = (plane.data("audit.jsonl"), plane.at("away.jsonl"));
    fs::rename(&log, &away).expect("a moved file");
    let refusal = plane.refusal_to_start();
    assert!(refusal.contains("there is no audit log"), "{refusal}");
    assert!(!log.exists());
    fs::rename(&away, &log).expect("a moved file");
    plane.start();
    restart(&mut plane);
    plane.finish();
}

#[test]
fn a_log_that_somebody_else_writes_stops_every_approval_until_a_restart_has_checked_it() {
    let (mut plane, site) = Plane::running(Totp::Off);
    restart(&mut plane);
    append(&plane, b"{}\n");
    for _ in 0..2 {
        assert_not_executed(&mut plane, &site, "the audit log has stopped");
    }
    plane.stop();
    let refusal = plane.refusal_to_start();
    assert!(refusal.contains("the last line of the audit log can't be continued"), "{refusal}");
    edit(&plane, |lines| drop(lines.pop()));
    plane.start();
    restart(&mut plane);
    plane.finish();
}

#[test]
fn a_second_control_plane_on_the_same_data_refuses_and_leaves_the_first_alone() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    let second = plane.attempt(&["serve"]);
    let said = text(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("another process holds the audit log; stop the other secmon first"), "{said}");
    restart(&mut plane);
    plane.finish();
}

#[test]
fn the_verifier_names_every_line_that_was_tampered_with() {
    let (mut plane, _site) = Plane::running(Totp::Off);
    restart(&mut plane);
    let line = plane.line("restart-web", "nobody");
    plane.ask(OWNER, line);
    restart(&mut plane);
    plane.stop();
    assert_eq!(breaks(&plane), (Some(0), vec![]));
    let events: Vec<Value> = plane.audit().iter().map(|record| record["event"].clone()).collect();
    let intent = events.iter().position(|event| event == "intent").expect("an intent");
    let original = fs::read(plane.data("audit.jsonl")).expect("an audit log");
    let tampered = |plane: &Plane, change: &dyn Fn(&mut Vec<String>)| {
        edit(plane, change);
        let (code, found) = breaks(plane);
        assert_eq!(code, Some(1), "{found:?}");
        fs::write(plane.data("audit.jsonl"), &original).expect("a written file");
        found
    };
    let line_of = |at: usize| u64::try_from(at).expect("a small number") + 1;
    let operator =
        tampered(&plane, &|lines| lines[intent] = lines[intent].replace("\"operator\":", "\"operator\":1"));
    assert_eq!(operator.first().map(|found| found.0), Some(line_of(intent)), "{operator:?}");
    let removed = tampered(&plane, &|lines| drop(lines.remove(intent)));
    assert_eq!(removed.first().map(|found| found.0), Some(line_of(intent)), "{removed:?}");
    let swapped = tampered(&plane, &|lines| lines.swap(intent, intent + 1));
    assert_eq!(swapped.first().map(|found| found.0), Some(line_of(intent)), "{swapped:?}");
    let twice = tampered(&plane, &|lines| lines.insert(intent, lines[intent].clone()));
    assert_eq!(twice.first().map(|found| found.0), Some(line_of(intent + 1)), "{twice:?}");
    // Tampering is not what a crash leaves, so it can't be recovered from.
    edit(&plane, |lines| lines[intent] = lines[intent].replace("\"operator\":", "\"operator\":1"));
    let recover = plane.attempt(&["audit", "recover"]);
    assert_eq!(recover.status.code(), Some(1));
    assert!(text(&recover.stderr).contains(&format!("audit.jsonl:{}: ", line_of(intent))), "{recover:?}");
    fs::write(plane.data("audit.jsonl"), &original).expect("a written file");
    plane.start();
    restart(&mut plane);
    plane.finish();
}

#[test]
fn a_cut_tail_is_found_with_a_hosts_receipt() {
    let (mut plane, site) = Plane::running(Totp::Off);
    restart(&mut plane);
    plane.stop();
    let outcome = plane.events("outcome").pop().expect("an outcome");
    let witness = site.receipt(&outcome)["intent"]["hash"].as_str().expect("a hash").to_owned();
    let with_witness = |path: &Path| {
        let mut verifier = Command::new(binary("secmon-audit-verify"));
        verifier
            .args(["--json", "--head", &witness])
            .arg(path)
            .output()
            .expect("the verifier runs")
            .status
            .code()
    };
    let log = plane.data("audit.jsonl");
    let original = fs::read(&log).expect("an audit log");
    assert_eq!(with_witness(&log), Some(0));
    let intent = plane.audit().iter().position(|record| record["event"] == "intent").expect("an intent");
    edit(&plane, |lines| lines.truncate(intent));
    assert_eq!(breaks(&plane), (Some(0), vec![]), "a shorter chain is sound in itself");
    assert_eq!(with_witness(&log), Some(1));
    fs::write(log, original).expect("a written file");
    plane.finish();
}
