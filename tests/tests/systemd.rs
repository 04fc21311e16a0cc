//! One approval on a real host: real systemd, real nginx, the agent as an ordinary unit.

use std::fs;
use std::process::Command;

use secmon_tests::agent_host::{binary, until};
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{GUEST, Testbed};
use serde_json::Value;

const PORT: u16 = 7443;

/// A host in the testbed with the agent running on it, as `agent add` says that one sets it up.
fn host(plane: &Plane) -> Option<Testbed> {
    let bed = match Testbed::boot() {
        Ok(bed) => bed,
        Err(why) => {
            println!("skipped: {}", why.trim());
            return None;
        }
    };
    let bundle = plane.at("bundle");
    plane.client("acme");
    let (address, out) = (format!("{GUEST}:{PORT}"), bundle.display().to_string());
    plane.secmon(&[
        "agent",
        "add",
        "acme",
        "web1",
        "--address",
        &address,
        "--allow",
        "restart-web=nginx",
        "--min-interval",
        "restart-web=3",
        "--out",
        &out,
    ]);
    bed.exec(&["mkdir", "-p", "-m", "700", "/etc/secmon-agent"]);
    bed.push(&binary("secmon-agent"), "/usr/local/bin/secmon-agent", "755");
    for entry in fs::read_dir(&bundle).expect("a bundle") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        bed.push(&path, &format!("/etc/secmon-agent/{name}"), "600");
    }
    bed.exec(&["cp", "/etc/secmon-agent/secmon-agent.service", "/etc/systemd/system/"]);
    bed.exec(&["secmon-agent", "init"]);
    bed.exec(&["secmon-agent", "check"]);
    bed.exec(&["systemctl", "enable", "--now", "secmon-agent"]);
    until("the agent to listen", || {
        let journal = bed.exec(&["journalctl", "--no-pager", "-u", "secmon-agent"]);
        journal.contains("listening on").then_some(())
    });
    Some(bed)
}

/// The receipt in the last outcome.
fn receipt(plane: &Plane) -> Value {
    let outcome = plane.events("outcome").pop().expect("an outcome");
    serde_json::from_str(outcome["receipt"].as_str().expect("a receipt")).expect("JSON")
}

fn page() -> String {
    let url = format!("http://{GUEST}/");
    let output = Command::new("curl").args(["-s", "-o", "/dev/null", "-w", "%{http_code}", &url]).output();
    let output = output.expect("curl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_real_nginx_is_restarted_from_the_chat_and_a_broken_configuration_is_refused() {
    let mut plane = Plane::new(Totp::On);
    let Some(bed) = host(&plane) else { return };
    plane.start();

    let before = bed.property("nginx", "InvocationID");
    let answer = plane.approve_when_due("restart-web", "acme");
    let after = bed.property("nginx", "InvocationID");
    assert!(answer.starts_with("✓ succeeded acme restart-web: nginx on web1"), "{answer}");
    assert_ne!(before, after, "nginx was replaced");
    assert!(
        answer.contains(&format!("old {before}")) && answer.contains(&format!("new {after}")),
        "{answer}"
    );
    let said = receipt(&plane);
    assert_eq!((said["before"].as_str(), said["after"].as_str()), (Some(&*before), Some(&*after)), "{said}");
    assert_eq!(page(), "200");

    bed.exec(&["sh", "-c", "echo 'bogus_directive on;' >/etc/nginx/conf.d/bad.conf"]);
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(answer.starts_with("✗ refused acme restart-web: preflight: "), "{answer}");
    assert!(
        answer.contains("unknown directive") && answer.contains("bad.conf"),
        "nginx's own line: {answer}"
    );
    assert_eq!(bed.property("nginx", "InvocationID"), after, "nginx wasn't touched");
    assert_eq!(page(), "200");

    bed.exec(&["rm", "/etc/nginx/conf.d/bad.conf"]);
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(answer.starts_with("✓ succeeded"), "{answer}");
    assert_ne!(bed.property("nginx", "InvocationID"), after);

    bed.exec(&["systemctl", "mask", "--now", "nginx"]);
    let answer = plane.approve_when_due("restart-web", "acme");
    assert!(!answer.starts_with('✓'), "a masked unit can't be restarted: {answer}");
    plane.finish();
}
