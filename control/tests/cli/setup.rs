//! Data directories, clients, agents, bundles and settings.

use std::fs;
use std::process::Command;

use crate::place::{Place, Ran, mode, text};

#[test]
fn init_makes_everything_privately_and_a_second_time_nothing() {
    let place = Place::new();
    place.run(&["init"]).succeeded();
    let data = place.data();
    assert_eq!(mode(&data), 0o700);
    for (name, expected) in [
        ("ca.key", 0o600),
        ("control.key", 0o600),
        ("dispatch.key", 0o600),
        ("secmon.env", 0o600),
        ("secmon.db", 0o600),
        ("audit.jsonl", 0o600),
        ("ca.pem", 0o644),
        ("control.pem", 0o644),
        ("dispatch.pub", 0o644),
    ] {
        assert_eq!(mode(&data.join(name)), expected, "{name}");
    }
    assert_eq!(fs::read_dir(&data).expect("entries").count(), 9);
    let before = place.settings();
    place.run(&["init"]).refused(&["is there already and is not overwritten", "--data-dir"]);
    assert_eq!(place.settings(), before);
    assert_eq!(fs::read_dir(place.home.path()).expect("entries").count(), 1);
}

#[test]
fn init_leaves_secrets_of_the_environment_where_they_are() {
    let place = Place::new();
    let given = "an operator's own secret, long enough";
    place.run_with(&["init"], &[("SECMON_MANIFEST_SECRET", "short")]).refused(&["SECMON_MANIFEST_SECRET"]);
    assert!(!place.data().exists());
    place.run_with(&["init"], &[("SECMON_MANIFEST_SECRET", given)]).succeeded();
    assert!(!place.settings().contains(given));
    assert!(!place.settings().contains("SECMON_MANIFEST_SECRET="));
    place.run(&["manifest", "verify", "x"]).refused(&["x: No such file"]);
    fs::write(place.path("x"), "{}").expect("a file");
    place.run(&["manifest", "verify", "x"]).refused(&["SECMON_MANIFEST_SECRET is not set", "secmon init"]);
}

#[test]
fn a_data_directory_that_is_not_there_is_said_to_be_missing() {
    let place = Place::new();
    for command in [&["client", "list"][..], &["client", "add", "acme"], &["agent", "list"]] {
        place.run(command).refused(&["there is no data directory at", "secmon init"]);
    }
}

#[test]
fn a_clients_server_gets_a_whole_bundle() {
    let place = Place::ready();
    let bundle = place.add_agent();
    assert_eq!(mode(&bundle), 0o700);
    for (name, expected) in [
        ("agent.json", 0o644),
        ("ca.pem", 0o644),
        ("agent.pem", 0o644),
        ("agent.key", 0o600),
        ("dispatch.pub", 0o644),
        ("receipt.key", 0o600),
        ("capabilities.manifest.json", 0o644),
        ("secmon-agent.service", 0o644),
        ("secmon-agent.sysusers", 0o644),
    ] {
        assert_eq!(mode(&bundle.join(name)), expected, "{name}");
    }
    assert_eq!(
        fs::read_to_string(bundle.join("agent.json")).expect("settings"),
        "{\"agent_id\":\"web1\",\"listen\":\"0.0.0.0:7443\"}\n"
    );
    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let operations = r#""operations":[{"action":"restart-web","min_interval_s":60,"unit":"nginx"}],"seq":1"#;
    assert!(manifest.contains(operations), "{manifest}");

    let clients = place.run(&["client", "list"]).succeeded().out;
    assert_eq!(clients, "acme  1 agent\n");
    let agents = place.run(&["agent", "list"]).succeeded().out;
    assert_eq!(agents, "acme  web1  203.0.113.5:7443  restart-web=nginx\n");
}

#[test]
fn settings_of_the_host_go_into_its_bundle() {
    let place = Place::ready();
    let arguments = [
        "agent",
        "add",
        "acme",
        "db1",
        "--address",
        "[::1]:9000",
        "--allow",
        "restart-db=postgresql@15-main",
        "--allow",
        "restart-php=php8.2-fpm",
        "--service-manager",
        "sysv",
        "--init-dir",
        "/opt/init.d",
        "--run-dir",
        "/opt/run",
        "--state",
        "/opt/state",
        "--listen",
        "[::1]:9001",
        "--diagnostics",
        "disk,db,disk",
        "--out",
        "out",
    ];
    let said = place.run(&arguments).succeeded().out;
    for text in [
        "scp -rp out root@[::1]:/etc/secmon-agent",
        "secmon-agent init",
        "secmon-agent check",
        "useradd --system",
        "BusyBox: adduser -S",
        "secmon-agent run",
    ] {
        assert!(said.contains(text), "{text} in {said}");
    }
    assert!(!said.contains("systemctl") && !said.contains("sysusers"), "{said}");
    assert_eq!(
        fs::read_to_string(place.path("out/agent.json")).expect("settings"),
        "{\"agent_id\":\"db1\",\"init_dir\":\"/opt/init.d\",\"listen\":\"[::1]:9001\",\"run_dir\":\"/opt/run\",\
         \"service_manager\":\"sysv\",\"state\":\"/opt/state\"}\n"
    );
    let shown = place.run(&["manifest", "show", "out/capabilities.manifest.json"]).succeeded().out;
    for text in [
        "restart-db of postgresql@15-main, at most every 60 s",
        "restart-php of php8.2-fpm",
        "diagnostics  db, disk",
    ] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
}

#[test]
fn an_agent_may_look_at_everything_unless_somebody_says_otherwise() {
    let place = Place::ready();
    for (agent, more, listed) in [
        (
            "web1",
            ["--allow", "restart-web=nginx"].as_slice(),
            "diagnostics  db, disk, flood, http, net, php, system, tls, web",
        ),
        ("db1", &["--allow", "restart-db=mariadb", "--diagnostics", "none"], "diagnostics  none"),
    ] {
        let add = ["agent", "add", "acme", agent, "--address", "203.0.113.5:7443"];
        place.run(&[&add[..], &["--out", agent], more].concat()).succeeded();
        let shown =
            place.run(&["manifest", "show", &format!("{agent}/capabilities.manifest.json")]).succeeded();
        assert!(shown.out.contains(listed), "{}", shown.out);
    }
}

#[test]
fn what_an_agent_is_told_of_how_to_look_is_in_its_manifest_alone() {
    let place = Place::ready();
    let add =
        ["agent", "add", "acme", "web1", "--address", "203.0.113.5:7443", "--allow", "restart-web=nginx"];
    let tuning = [
        "--probe-host",
        "shop.example.com",
        "--probe-host",
        "example.com",
        "--probe-host",
        "example.com",
        "--access-log",
        "/srv/logs/access.log",
        "--error-log",
        "/srv/php/php.log",
        "--threshold",
        "tls-expiry=5",
        "--threshold",
        "disk-low=20",
        "--out",
        "out",
    ];
    place.run(&[&add[..], &tuning].concat()).succeeded();
    let manifest = fs::read_to_string(place.path("out/capabilities.manifest.json")).expect("a manifest");
    let member = concat!(
        r#","tuning":{"access_logs":["/srv/logs/access.log"],"error_logs":["/srv/php/php.log"],"#,
        r#""hosts":["example.com","shop.example.com"],"thresholds":[["disk-low",20],["tls-expiry",5]]},"v":1}"#
    );
    assert!(manifest.ends_with(member), "{manifest}");
    place.run(&["manifest", "verify", "out/capabilities.manifest.json"]).succeeded();
    let shown = place.run(&["manifest", "show", "out/capabilities.manifest.json"]).succeeded().out;
    let expected = "probe host   example.com, and none that isn't listed\n\
                    probe host   shop.example.com, and none that isn't listed\n\
                    access log   /srv/logs/access.log, and none that isn't listed\n\
                    error log    /srv/php/php.log, and none that isn't listed\n\
                    threshold    disk-low 20 % free, usually 10\n\
                    threshold    tls-expiry 5 days, usually 20\n";
    assert!(shown.contains(expected), "{shown}");
    // The next manifest is signed from a body in any layout.
    let body =
        manifest.replace(r#""seq":1"#, r#""seq":2"#).replace(r#"["disk-low",20],"#, r#"["disk-low", 30], "#);
    fs::write(place.path("draft.json"), body).expect("a draft");
    place.run(&["manifest", "sign", "draft.json", "--record", "--out", "next.json"]).succeeded();
    let next = place.run(&["manifest", "show", "next.json"]).succeeded().out;
    assert!(next.contains("threshold    disk-low 30 % free"), "{next}");
    let wrong =
        manifest.replace(r#""seq":1"#, r#""seq":3"#).replace(r#"["disk-low",20]"#, r#"["disk-low",0]"#);
    fs::write(place.path("wrong.json"), wrong).expect("a draft");
    place.run(&["manifest", "sign", "wrong.json"]).refused(&["the field thresholds has a bad value"]);
}

#[test]
fn what_no_manifest_could_list_is_refused_with_what_can_be() {
    let place = Place::ready();
    let add = |more: &[&str]| {
        place.run(&[&["agent", "add", "acme", "web1", "--address", "203.0.113.5:7443"][..], more].concat())
    };
    add(&["--allow", "restart-web=sshd"]).misused("restart-web may touch only nginx, apache2, httpd, caddy");
    add(&["--allow", "reboot=now"]).misused("there are restart-db, restart-php, restart-web");
    add(&["--allow", "restart-web=nginx", "--min-interval", "restart-web=1"]).misused("3 to 86400 seconds");
    add(&["--allow", "restart-web=nginx", "--diagnostics", "shell"])
        .misused("expected all, none, or some of db, disk");
    add(&["--allow", "restart-web=nginx", "--init-dir", "init.d"]).misused("an absolute path");
    let tune = |option, value| add(&["--allow", "restart-web=nginx", option, value]);
    tune("--probe-host", "shop.example.com:8080").misused("expected a name in the DNS");
    tune("--probe-host", "*.example.com").misused("expected a name in the DNS");
    tune("--access-log", "/var/../etc/shadow").misused("an absolute path");
    tune("--error-log", "/error.log").misused("in a directory of its own");
    tune("--threshold", "disk-low=100").misused("disk-low takes 1 to 99 % free");
    tune("--threshold", "disk=5").misused("there are disk-full, disk-low, flood-rate");
    add(&["--allow", "restart-web=nginx", "--threshold", "disk-low=5", "--threshold", "disk-low=6"])
        .misused("names disk-low twice");
    let logs: Vec<String> =
        (0..5).flat_map(|n| ["--access-log".to_owned(), format!("/srv/{n}.log")]).collect();
    let logs: Vec<&str> = logs.iter().map(String::as_str).collect();
    add(&[&["--allow", "restart-web=nginx"][..], &logs].concat()).misused("4 at most");
    add(&[]).misused("--allow");
    add(&["--allow", "restart-web=nginx", "--allow", "restart-web=caddy"]).misused("names restart-web twice");
    add(&["--allow", "restart-web=nginx", "--min-interval", "restart-db=60"])
        .misused("which no --allow names");
    place
        .run(&["agent", "add", "acme", "Web1", "--address", "x:1", "--allow", "restart-web=nginx"])
        .misused("hyphens");
    place
        .run(&["agent", "add", "acme", "web1", "--address", "x", "--allow", "restart-web=nginx"])
        .misused("HOST:PORT");
    assert!(!place.path("web1.bundle").exists());
    assert_eq!(place.run(&["agent", "list"]).succeeded().out, "");
}

#[test]
fn a_refused_agent_leaves_no_bundle_and_no_row() {
    let place = Place::ready();
    let add = |client, agent, out| {
        let arguments =
            ["agent", "add", client, agent, "--address", "203.0.113.5:7443", "--allow", "restart-web=nginx"];
        place.run(&[&arguments[..], &["--out", out]].concat())
    };
    add("nobody", "web1", "a").refused(&["there is no client nobody", "secmon client add nobody"]);
    add("acme", "web1", "a").succeeded();
    add("acme", "web1", "a").refused(&["a is there already and is not overwritten", "--out"]);
    add("acme", "web1", "b").refused(&["there is an agent web1 already"]);
    add("acme", "web2", "b")
        .refused(&["restart-web of the client acme is offered by the agent web1 already"]);
    assert!(!place.path("b").exists());
    assert_eq!(place.run(&["agent", "list"]).succeeded().out.lines().count(), 1);
    place.run(&["client", "add", "acme"]).refused(&["the client acme is there already"]);
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_may_be_named() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let manifest = bundle.join("capabilities.manifest.json");
    let verify = ["manifest", "verify", text(&manifest)];
    place.run(&verify).succeeded();
    let other = [("SECMON_MANIFEST_SECRET", "another secret of thirty-two bytes or more")];
    assert_eq!(place.run_with(&verify, &other).code, Some(1));
    fs::write(place.path("secret"), format!("{}\n", other[0].1)).expect("a file");
    let path = place.path("secret");
    assert_eq!(place.run_with(&verify, &[("SECMON_MANIFEST_SECRET_FILE", text(&path))]).code, Some(1));

    fs::write(place.path("other.env"), format!("SECMON_MANIFEST_SECRET='{}'\n", other[0].1)).expect("a file");
    let named = place.run(&["manifest", "verify", text(&manifest), "--env-file", "other.env"]);
    assert_eq!(named.code, Some(1), "{}", named.err);
    fs::write(place.path("other.env"), "SECMON_MANIFEST_SECRET\n").expect("a file");
    place
        .run(&["client", "list", "--env-file", "other.env"])
        .refused(&["other.env, line 1: expected NAME=VALUE"]);
    place.run(&["client", "list", "--env-file", "absent.env"]).refused(&["absent.env: No such file"]);

    let elsewhere = place.path("elsewhere");
    place.run(&["--data-dir", text(&elsewhere), "init"]).succeeded();
    assert_eq!(place.run(&["client", "list", "--data-dir", text(&elsewhere)]).succeeded().out, "");
    assert_eq!(place.run(&["client", "list"]).succeeded().out, "acme  1 agent\n");
}

#[test]
fn the_unit_in_a_bundle_is_one_that_systemd_takes() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("skipped: there is no systemd-analyze here");
        return;
    }
    let place = Place::ready();
    let bundle = place.add_agent();
    let unit = fs::read_to_string(bundle.join("secmon-agent.service")).expect("a unit");
    // The program isn't installed here; that alone would fail.
    let unit = unit.replace("/usr/local/bin/secmon-agent", "/bin/true");
    let path = place.path("secmon-agent.service");
    fs::write(&path, unit).expect("a file");
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no", text(&path)]).output();
    let verified = Ran::from(verified.expect("systemd-analyze runs")).succeeded();
    assert_eq!(format!("{}{}", verified.out, verified.err), "");
}

#[test]
fn the_steps_for_a_systemd_host_make_the_agents_users_and_a_second_time_nothing() {
    if Command::new("systemd-sysusers").arg("--version").output().is_err() {
        eprintln!("skipped: there is no systemd-sysusers here");
        return;
    }
    let place = Place::ready();
    let arguments = ["agent", "add", "acme", "web1", "--address", "203.0.113.5:7443"];
    let said = place.run(&[&arguments[..], &["--allow", "restart-web=nginx"]].concat()).succeeded().out;
    let users = "systemd-sysusers /etc/secmon-agent/secmon-agent.sysusers\n";
    for step in [users, "secmon-agent init", "secmon-agent check", "systemctl enable --now secmon-agent"] {
        assert!(said.contains(step), "{step} in {said}");
    }
    let (root, file) = (place.path("root"), place.path("web1.bundle/secmon-agent.sysusers"));
    fs::create_dir_all(root.join("etc")).expect("a directory");
    fs::write(root.join("etc/group"), "adm:x:4:\nsystemd-journal:x:101:\n").expect("groups");
    let accounts =
        || ["passwd", "group"].map(|name| fs::read_to_string(root.join("etc").join(name)).expect(name));
    let make = || {
        let root = format!("--root={}", root.display());
        let ran = Command::new("systemd-sysusers").args([&root, text(&file)]).output();
        Ran::from(ran.expect("systemd-sysusers runs")).succeeded();
        accounts()
    };
    let [passwd, group] = make();
    let (net, diag) = (entry(&passwd, "secmon-net"), entry(&passwd, "secmon-diag"));
    for user in [&net, &diag] {
        assert!(user.ends_with("/nologin") && !user.contains(":0:"), "{user}");
    }
    for (name, members) in [("adm", "secmon-diag"), ("systemd-journal", "secmon-diag"), ("secmon-net", "")] {
        assert_eq!(entry(&group, name).rsplit(':').next(), Some(members), "{group}");
    }
    assert_eq!(make(), [passwd, group]);
}

/// The line of this name in a file such as /etc/passwd.
#[track_caller]
fn entry(file: &str, name: &str) -> String {
    let line = file.lines().find(|line| line.split(':').next() == Some(name));
    line.unwrap_or_else(|| panic!("{name} in {file}")).to_owned()
}

#[test]
fn the_secret_of_the_one_time_codes_is_printed_once_and_only_on_request() {
    let place = Place::new();
    let given = [("SECMON_TELEGRAM_TOTP_SECRET", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")];
    place.run_with(&["init", "--totp"], &given).misused("leave one of them out");
    let said = place.run(&["init", "--totp"]).succeeded().out;
    let settings = place.settings();
    let secret = settings.lines().find_map(|line| line.strip_prefix("SECMON_TELEGRAM_TOTP_SECRET="));
    let secret = secret.expect("a secret");
    assert_eq!(secret.len(), 32);
    assert_eq!(said.matches(secret).count(), 1);
    assert!(said.contains(&format!("otpauth://totp/secmon?secret={secret}&issuer=secmon")));
    let doctor = place.run(&["doctor", "--offline"]);
    assert!(doctor.out.contains("one-time codes: on"), "{}", doctor.out);
    assert!(!doctor.out.contains(secret) && !doctor.err.contains(secret));
}
