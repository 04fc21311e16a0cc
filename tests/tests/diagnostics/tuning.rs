//! What a manifest says of how to look, on a host with two more sites whose logs are where no others are.

use secmon_tests::agent_host::{text, until};
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};
use serde_json::{Value, json};

/// Two sites with their logs, and a log that only looks as if it were among them.
const SITES: &str = "mkdir -p /srv/logs /srv/other && chmod 755 /srv /srv/logs /srv/other
    for site in a b; do printf '%s\\n' \
        'server { listen 80; server_name '$site'.tuned.test; access_log /srv/logs/'$site'.log;' \
        'error_log /srv/logs/error.log; location / { default_type text/html; return 200 well; } }'
    done >/etc/nginx/conf.d/tuned.conf
    cp /var/log/nginx/access.log /srv/other/c.log && ln -s /srv/other/c.log /srv/logs/c.log
    systemctl restart nginx && echo '2026/01/01 00:00:00 [notice] 7#7: a line' >>/srv/logs/error.log
    chmod 644 /srv/logs/* /srv/other/*";

/// What `secmon-agent diag` says, and how often it has asked for each site.
fn look(bed: &Testbed) -> (String, [usize; 2]) {
    bed.shell("truncate -s 0 /srv/logs/a.log /srv/logs/b.log");
    let said = text(&bed.attempt(&["secmon-agent", "diag"]).stdout);
    let asked = ["a", "b"].map(|site| {
        let count = bed.shell(&format!("grep -c secmon /srv/logs/{site}.log || true"));
        count.trim().parse().expect("a number")
    });
    (said, asked)
}

fn unread(said: &str, log: &str) -> bool {
    said.lines()
        .any(|line| line.starts_with("not checked: ") && line.ends_with(&format!(" of {log}: permission")))
}

fn tune(hosts: &[&str], disk_low: u32) -> Value {
    json!({
        "access_logs": ["/srv/logs/a.log", "/srv/logs/c.log"],
        "error_logs": ["/srv/logs/error.log"],
        "hosts": hosts,
        "thresholds": [["disk-low", disk_low]],
    })
}

#[test]
fn a_manifest_narrows_what_is_asked_and_read_and_moves_what_is_found() {
    let Some(bed) = Testbed::boot(Guest::Systemd, "tuning") else { return };
    let plane = Plane::new(Totp::On);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    bed.shell(SITES);

    // Left to itself, it finds both sites and may read none of these logs.
    let (said, asked) = look(&bed);
    assert!(asked[0] > 0 && asked[1] > 0, "{asked:?} {said}");
    for log in ["/srv/logs/a.log", "/srv/logs/b.log", "/srv/logs/error.log"] {
        assert!(unread(&said, log), "{log}: {said}");
    }
    assert!(!said.contains("[disk-full]"), "{said}");

    // With a manifest that names one site and these logs.
    bed.change_manifest(&plane, |body| {
        body["seq"] = json!(2);
        body["tuning"] = tune(&["a.tuned.test"], 99);
    });
    let (said, asked) = look(&bed);
    assert!(asked[0] > 0 && asked[1] == 0, "{asked:?} {said}");
    for log in ["/srv/logs/a.log", "/srv/logs/b.log", "/srv/logs/error.log"] {
        assert!(!said.contains(&format!(" of {log}: ")), "{log}: {said}");
    }
    // A way out of the directory leads nowhere.
    assert!(unread(&said, "/srv/logs/c.log"), "{said}");
    assert!(said.contains("warning: ") && said.contains("[disk-full]"), "{said}");
    let checked = bed.shell("secmon-agent check");
    for line in
        ["only hosts: a.tuned.test", "only error logs: /srv/logs/error.log", "threshold: disk-low 99 % free"]
    {
        assert!(checked.contains(line), "{line}: {checked}");
    }
    // The agent that serves looks the same way.
    let report = until("a report", || {
        let answer = bed.curl(&plane, &[], "/v1/diag?area=disk");
        (answer.status == 200).then(|| text(&answer.body))
    });
    assert!(report.contains("\"disk-full\""), "{report}");

    bed.change_manifest(&plane, |body| {
        body["seq"] = json!(3);
        body["tuning"] = tune(&["b.tuned.test"], 1);
    });
    let (said, asked) = look(&bed);
    assert!(asked[0] == 0 && asked[1] > 0, "{asked:?} {said}");
    assert!(!said.contains("[disk-full]"), "{said}");
}
