//! What must be right before the agent starts: each defect stops it with a line that says what to do.

use std::os::unix::fs::PermissionsExt;

use rcgen::ExtendedKeyUsagePurpose;
use secmon_wire::OperationId;

use crate::host::{Host, now};

fn name() -> Vec<String> {
    vec!["web1.agent.secmon.internal".to_owned()]
}

fn replace_certificate(host: &Host, from: &Host, names: &[String], purpose: ExtendedKeyUsagePurpose) {
    let (cert, key) = from.issue(names, purpose);
    host.write("agent.pem", cert.as_bytes(), 0o644);
    host.write("agent.key", key.as_bytes(), 0o600);
}

fn set_mode(host: &Host, name: &str, mode: u32) {
    std::fs::set_permissions(host.path(name), std::fs::Permissions::from_mode(mode)).expect("a mode");
}

fn edit(host: &Host, name: &str, from: &str, to: &str) {
    let content = std::fs::read_to_string(host.path(name)).expect("a file");
    assert!(content.contains(from), "{from} is not in {name}");
    std::fs::write(host.path(name), content.replace(from, to)).expect("a file");
}

type Defect = (&'static str, &'static str, fn(&Host));

/// What is done to a sound host, which file the complaint names, and a word of it.
const DEFECTS: &[Defect] = &[
    ("agent.json", "chmod go-w", |h| set_mode(h, "agent.json", 0o666)),
    ("agent.json", "JSON object", |h| edit(h, "agent.json", "listen", "listens")),
    ("agent.key", "chmod 600", |h| set_mode(h, "agent.key", 0o644)),
    ("receipt.key", "chmod 600", |h| set_mode(h, "receipt.key", 0o640)),
    ("dispatch.pub", "written by others", |h| set_mode(h, "dispatch.pub", 0o646)),
    ("", "written by others", |h| set_mode(h, "", 0o777)),
    ("ca.pem", "No such file", |h| std::fs::remove_file(h.path("ca.pem")).expect("removed")),
    ("receipt.key", "PEM", |h| h.write("receipt.key", b"-----BEGIN NOTHING-----", 0o600)),
    ("dispatch.pub", "PEM", |h| h.write("dispatch.pub", b"", 0o644)),
    ("agent.key", "not the key of agent.pem", |h| {
        let (_, key) = h.issue(&name(), ExtendedKeyUsagePurpose::ServerAuth);
        h.write("agent.key", key.as_bytes(), 0o600);
    }),
    ("agent.pem", "does not carry the name", |h| {
        replace_certificate(
            h,
            h,
            &["web2.agent.secmon.internal".into()],
            ExtendedKeyUsagePurpose::ServerAuth,
        );
    }),
    ("agent.pem", "not from the authority", |h| {
        replace_certificate(h, &Host::new(), &name(), ExtendedKeyUsagePurpose::ServerAuth);
    }),
    ("agent.pem", "not usable as a server certificate", |h| {
        replace_certificate(h, h, &name(), ExtendedKeyUsagePurpose::ClientAuth);
    }),
    ("agent.pem", "expired", |h| {
        let (cert, key) = h.issue_until(&name(), now() - 86_400);
        h.write("agent.pem", cert.as_bytes(), 0o644);
        h.write("agent.key", key.as_bytes(), 0o600);
    }),
    ("capabilities.manifest.json", "was edited", |h| {
        edit(h, "capabilities.manifest.json", r#""min_interval_s":3,"#, r#""min_interval_s":4,"#);
    }),
    ("capabilities.manifest.json", "was edited", |h| {
        let theirs = Host::new().manifest("web1", &[(OperationId::RestartWeb, "lsws", 3)]);
        h.write("capabilities.manifest.json", &theirs, 0o644);
    }),
    ("capabilities.manifest.json", "is for the agent web2", |h| {
        h.write("capabilities.manifest.json", &h.manifest("web2", &[]), 0o644);
    }),
    ("capabilities.manifest.json", "not a manifest", |h| {
        edit(h, "capabilities.manifest.json", r#""v":1"#, r#""v": 1"#);
    }),
    ("state", "secmon-agent init", |h| std::fs::remove_file(h.path("state")).expect("removed")),
    ("state", "corrupt in both its slots", |h| h.write("state", &[0x55; 65536], 0o600)),
    ("state", "chmod 600", |h| set_mode(h, "state", 0o644)),
    ("state", "of the agent web2", |h| {
        std::fs::remove_file(h.path("state")).expect("removed");
        edit(h, "agent.json", "web1", "web2");
        assert!(h.command("init").success());
        edit(h, "agent.json", "web2", "web1");
    }),
];

#[test]
fn each_defect_stops_the_start_and_is_what_check_reports() {
    for (file, word, spoil) in DEFECTS {
        let host = Host::new();
        let sound = host.run_command("check");
        assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stdout));
        spoil(&host);
        let path = host.path(file).display().to_string();
        for command in ["run", "check"] {
            let output = host.run_command(command);
            assert_eq!(output.status.code(), Some(1), "{command}: {file} {word}");
            let text = [output.stdout, output.stderr].concat();
            let text = String::from_utf8(text).expect("text");
            let complaint = text.lines().find(|line| line.contains(word) && line.contains("; "));
            let complaint = complaint.unwrap_or_else(|| panic!("{command}: {file} {word}: {text}"));
            assert!(complaint.contains(path.trim_end_matches('/')), "{command}: {complaint}");
        }
    }
}

#[test]
fn check_says_exactly_what_would_run() {
    let host = Host::new();
    let output = host.run_command("check");
    let text = String::from_utf8(output.stdout).expect("text");
    let script = host.path("init.d/lsws").display().to_string();
    for line in [
        "agent: web1",
        "certificate: web1.agent.secmon.internal",
        "listen: 127.0.0.1:0",
        "service manager: sysv",
        "restart-web: lsws, at most every 3 s, given up after 60 s",
        "  check: none on this host",
        &format!("  restart: {script} restart"),
        "  now: not active, none",
        "result: no problems",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
    }
    std::fs::remove_file(&script).expect("removed");
    let output = host.run_command("check");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).expect("text").contains("problem: restart-web: no "));
}

#[test]
fn a_certificate_that_ends_soon_is_a_note_and_no_problem() {
    let host = Host::new();
    let (cert, key) = host.issue_until(&name(), now() + 10 * 86_400 + 3600);
    host.write("agent.pem", cert.as_bytes(), 0o644);
    host.write("agent.key", key.as_bytes(), 0o600);
    let output = host.run_command("check");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}");
    let note = format!("note: {} ends in 10 days", host.path("agent.pem").display());
    assert!(text.lines().any(|line| line == note), "{text}");
}

#[test]
fn a_newline_behind_the_manifest_is_not_part_of_it() {
    let host = Host::new();
    let served = std::fs::read(host.path("capabilities.manifest.json")).expect("a manifest");
    host.write("capabilities.manifest.json", &[served.as_slice(), b"\n"].concat(), 0o644);
    let agent = host.start();
    assert_eq!(agent.get(host.control(), "/v1/manifest").body, served);
}

#[test]
fn init_makes_a_state_once_and_never_replaces_one() {
    let host = Host::new();
    let before = std::fs::read(host.path("state")).expect("a state");
    let again = host.run_command("init");
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).expect("text").contains("is there already"));
    assert_eq!(std::fs::read(host.path("state")).expect("a state"), before);
}

#[test]
fn a_wrong_command_line_ends_with_status_2_and_help_with_0() {
    let run = |args: &[&str]| {
        let agent = std::process::Command::new(env!("CARGO_BIN_EXE_secmon-agent")).args(args).output();
        agent.expect("the agent").status.code()
    };
    assert_eq!(run(&["--help"]), Some(0));
    assert_eq!(run(&["version"]), Some(0));
    assert_eq!(run(&[]), Some(2));
    assert_eq!(run(&["serve"]), Some(2));
}
