//! What keeps the agent from starting, and what `check` says of it: every line names the file and what to do.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use secmon_tests::agent_host::{
    AGENT, Host, Issuer, Purpose, agent_binary, ed25519, envelope, set_mode, text, until,
};
use serde_json::{Value, json};

const BUNDLE: [&str; 7] = [
    "agent.json",
    "ca.pem",
    "agent.pem",
    "agent.key",
    "dispatch.pub",
    "receipt.key",
    "capabilities.manifest.json",
];

/// `run` ends with 1 and one line `secmon-agent: <file>: <what> ; <what to do>`, which it returns.
fn refusal(host: &Host, file: &str) -> String {
    let output = host.cli_until("run");
    assert_eq!(output.status.code(), Some(1), "{file}: {output:?}");
    let line = text(&output.stderr);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("secmon-agent: ") && line.contains(file), "{file}: {line}");
    assert!(line.contains("; "), "it says what to do: {line}");
    assert!(!line.contains("panicked"), "{line}");
    line
}

/// `check` says the same: it ends with 1 and names the file.
fn check_names(host: &Host, file: &str) {
    let output = host.cli("check");
    assert_eq!(output.status.code(), Some(1), "{file}: {output:?}");
    let said = said(&output);
    assert!(said.contains(file), "{file}: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

fn said(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

fn assert_starts(host: &mut Host) {
    host.start();
    assert_eq!(host.get("/v1/health").status, 200);
    host.kill();
}

/// The DER bytes of a PEM file with one byte changed, as PEM again.
fn flip_der(path: &Path, offset_from_end: usize) {
    let script = "import base64, sys\n\
        lines = open(sys.argv[1]).read().split('\\n')\n\
        der = bytearray(base64.b64decode(''.join(lines[1:-2])))\n\
        der[-int(sys.argv[2])] ^= 1\n\
        text = base64.encodebytes(bytes(der)).decode()\n\
        open(sys.argv[1], 'w').write(lines[0] + '\\n' + text + lines[-2] + '\\n')\n";
    let status = std::process::Command::new("python3")
        .args(["-c", script, path.to_str().expect("a plain path"), &offset_from_end.to_string()])
        .status();
    assert!(status.expect("python3 runs").success());
}

#[test]
fn check_prints_what_would_run_and_that_all_is_well() {
    let host = Host::installed();
    let output = host.cli("check");
    let said = said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(AGENT) && said.contains("127.0.0.1:0"), "{said}");
    for unit in ["openlitespeed", "lsphp", "postgresql"] {
        let argv = format!("{} restart", host.at("init.d").join(unit).display());
        assert!(said.contains(&argv), "{argv} is not in {said}");
    }
    for action in ["restart-web", "restart-php", "restart-db"] {
        assert!(said.contains(action), "{said}");
    }
    for secret in ["agent.key", "receipt.key"] {
        let key = fs::read_to_string(host.bundle(secret)).expect("a key");
        let line = key.lines().nth(1).expect("a line of the key");
        assert!(!said.contains(line), "{secret} must not be shown");
    }
    assert_eq!(host.web.restarts(), 0);
}

#[test]
fn check_works_beside_a_running_agent_and_leaves_it_alone() {
    let host = Host::running();
    let output = host.cli("check");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(host.receipt(&host.execute(&envelope("restart-web").to_string()))["state"], "succeeded");
}

#[test]
fn the_command_line_has_its_exit_codes() {
    let host = Host::installed();
    let agent = |arguments: &[&str]| {
        std::process::Command::new(secmon_tests::agent_host::agent_binary())
            .args(arguments)
            .output()
            .expect("it runs")
    };
    for good in [["version"], ["--help"]] {
        let output = agent(&good);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(!output.stdout.is_empty(), "{good:?}");
    }
    for bad in [&[][..], &["walk"], &["run", "--config"], &["run", "--port", "1"], &["version", "more"]] {
        let output = agent(bad);
        assert_eq!(output.status.code(), Some(2), "{bad:?} {output:?}");
        assert!(!output.stderr.is_empty(), "{bad:?}");
    }
    let missing = agent(&["check", "--config", "/nowhere/agent.json"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(said(&missing).contains("/nowhere/agent.json"), "{missing:?}");
    assert_eq!(host.cli("check").status.code(), Some(0));
}

#[test]
fn a_key_that_others_can_read_stops_the_start() {
    let mut host = Host::installed();
    for key in ["agent.key", "receipt.key"] {
        for mode in [0o640, 0o604, 0o660, 0o644] {
            set_mode(&host.bundle(key), mode);
            check_names(&host, key);
            refusal(&host, key);
        }
        set_mode(&host.bundle(key), 0o600);
        assert_eq!(host.cli("check").status.code(), Some(0), "{key}");
    }
    set_mode(&host.bundle("agent.key"), 0o400);
    assert_starts(&mut host);
}

#[test]
fn a_bundle_file_that_others_can_write_stops_the_start() {
    let mut host = Host::installed();
    for file in BUNDLE {
        let good = fs::metadata(host.bundle(file)).expect("a file").permissions();
        for mode in [0o666, 0o662] {
            set_mode(&host.bundle(file), mode);
            check_names(&host, file);
        }
        fs::set_permissions(host.bundle(file), good).expect("a file of ours");
    }
    assert_starts(&mut host);
}

#[test]
fn a_bundle_file_that_is_missing_empty_or_cut_stops_the_start() {
    let mut host = Host::installed();
    for file in BUNDLE {
        let path = host.bundle(file);
        let good = fs::read(&path).expect("a file");
        let away = path.with_extension("away");
        fs::rename(&path, &away).expect("a moved file");
        refusal(&host, file);
        check_names(&host, file);
        fs::rename(&away, &path).expect("a moved file");
        for bad in [Vec::new(), good[..good.len() / 2].to_vec(), vec![0xff; 300], vec![b'x'; 1 << 20]] {
            fs::write(&path, &bad).expect("a written file");
            refusal(&host, file);
            check_names(&host, file);
        }
        fs::write(&path, &good).expect("a written file");
        assert_eq!(host.cli("check").status.code(), Some(0), "{file}");
    }
    assert_starts(&mut host);
}

#[test]
fn one_changed_byte_in_the_bundle_stops_the_start() {
    let mut host = Host::installed();
    // The end of a certificate is its signature; that of a public key is the key.
    for (file, named) in
        [("agent.pem", "agent."), ("dispatch.pub", "capabilities.manifest.json"), ("agent.key", "agent.")]
    {
        let good = fs::read(host.bundle(file)).expect("a file");
        flip_der(&host.bundle(file), if file == "agent.pem" { 3 } else { 10 });
        refusal(&host, named);
        check_names(&host, named);
        fs::write(host.bundle(file), good).expect("a written file");
    }
    assert_starts(&mut host);
}

#[test]
fn keys_and_certificates_that_do_not_belong_together_stop_the_start() {
    let mut host = Host::installed();
    let (dir, ours) = (host.at("work"), host.issuer());
    let stranger = Issuer::new(&dir, "stranger");
    let name = format!("{AGENT}.agent.secmon.internal");
    let wrong = [
        ("another agent's name", ours.issue(&dir, "a", Purpose::server("web2.agent.secmon.internal"))),
        ("another CA", stranger.issue(&dir, "b", Purpose::server(&name))),
        ("for clients", ours.issue(&dir, "c", Purpose::client(&name))),
        ("expired", ours.issue(&dir, "d", Purpose { days: -1, ..Purpose::server(&name) })),
        ("only a common name", ours.issue(&dir, "e", Purpose { names: vec![], ..Purpose::server(&name) })),
    ];
    let install = |identity: &Path| {
        for extension in ["pem", "key"] {
            fs::copy(identity.with_extension(extension), host.bundle("agent").with_extension(extension))
                .expect("a copy");
        }
    };
    for (what, identity) in &wrong {
        install(identity);
        let line = refusal(&host, "agent.pem");
        assert!(!line.is_empty(), "{what}");
        check_names(&host, "agent.pem");
    }
    let good = ours.issue(&dir, "good", Purpose::server(&name));
    install(&good);
    fs::copy(wrong[0].1.with_extension("key"), host.bundle("agent.key")).expect("a copy");
    refusal(&host, "agent.");
    install(&good);
    assert_starts(&mut host);
}

#[test]
fn a_log_that_is_a_file_has_the_lines_of_every_process_like_any_other() {
    let host = Host::installed();
    let (dir, ours, log) = (host.at("work"), host.issuer(), host.at("agent.log"));
    let name = format!("{AGENT}.agent.secmon.internal");
    // Certificates are the network process's affair.
    let soon = ours.issue(&dir, "soon", Purpose { days: 9, ..Purpose::server(&name) });
    let stranger = Issuer::new(&dir, "stranger").issue(&dir, "b", Purpose::server(&name));
    for (identity, words) in [(&soon, "agent.pem ends in "), (&stranger, "agent.pem")] {
        for extension in ["pem", "key"] {
            fs::copy(identity.with_extension(extension), host.bundle("agent").with_extension(extension))
                .expect("a copy");
        }
        let file = fs::File::create(&log).expect("a log file");
        let mut agent = std::process::Command::new(agent_binary());
        agent.args(["run", "--config"]).arg(host.bundle("agent.json")).stderr(file);
        let mut agent = agent.spawn().expect("the agent's binary runs");
        let is_up = |said: &str| said.contains("listening on ");
        let said = until("an agent that listens or has ended", || {
            let ended = agent.try_wait().expect("a child of ours").is_some();
            let said = fs::read_to_string(&log).expect("a log file");
            (ended || is_up(&said)).then_some(said)
        });
        let _ended_already = agent.kill();
        agent.wait().expect("a child that ends");
        assert!(said.contains(words), "{words:?} is not in {said:?}");
        assert_eq!(is_up(&said), identity == &soon, "{said}");
    }
}

#[test]
fn a_manifest_that_the_control_plane_did_not_sign_so_stops_the_start() {
    let mut host = Host::installed();
    let path = host.bundle("capabilities.manifest.json");
    let good = fs::read_to_string(&path).expect("a manifest");
    let (stranger, public) = (host.at("work/stranger.key"), host.at("work/stranger.pub"));
    ed25519(&stranger, &public);
    let body = host.manifest();
    let mut other_agent = body.clone();
    other_agent["agent_id"] = json!("web2");
    let mut sealed: Value = serde_json::from_str(&good).expect("JSON");
    sealed["operations"][2]["unit"] = json!("nginx");
    let ours = host.at("work/dispatch.key");
    let mut outside = body.clone();
    outside["operations"][2]["unit"] = json!("ssh");
    for (what, bad) in [
        ("an edited interval", good.replacen("\"min_interval_s\":3,", "\"min_interval_s\":4,", 1)),
        ("an edited unit", sealed.to_string()),
        ("a stranger's signature", host.seal(&body, &stranger).to_string()),
        ("another agent's manifest", host.seal(&other_agent, &ours).to_string()),
        ("a unit outside the table", host.seal(&outside, &ours).to_string()),
        ("white space", good.replacen(':', ": ", 1)),
        ("two line feeds", format!("{good}\n\n")),
        ("one more field", good.replacen('{', "{\"a\":1,", 1)),
    ] {
        assert_ne!(bad, good, "{what}");
        fs::write(&path, bad).expect("a written file");
        let line = refusal(&host, "capabilities.manifest.json");
        check_names(&host, "capabilities.manifest.json");
        assert!(!line.contains("min_interval_s\":4"), "{line}");
    }
    fs::write(&path, good).expect("a written file");
    assert_starts(&mut host);
}

#[test]
fn a_configuration_with_a_fault_stops_the_start_and_names_it() {
    let mut host = Host::installed();
    let good = host.configuration();
    for (field, value) in [
        ("shell", json!("/bin/sh")),
        ("agent_id", json!("Web 1")),
        ("agent_id", json!("web2")),
        ("listen", json!("everywhere")),
        ("listen", json!(7443)),
        ("listen", json!("127.0.0.1:70000")),
        ("service_manager", json!("launchd")),
        ("state", json!("relative/path")),
        ("init_dir", json!("init.d")),
        ("run_dir", json!(1)),
        ("agent_id", Value::Null),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        host.configure(&bad);
        let output = host.cli_until("run");
        assert_eq!(output.status.code(), Some(1), "{bad}: {output:?}");
        assert!(text(&output.stderr).starts_with("secmon-agent: "), "{output:?}");
        assert_eq!(host.cli("check").status.code(), Some(1), "{bad}");
    }
    for missing in ["agent_id", "listen"] {
        let mut bad = good.clone();
        bad.as_object_mut().expect("an object").remove(missing);
        host.configure(&bad);
        let line = refusal(&host, "agent.json");
        assert!(line.contains(missing), "{line}");
    }
    host.configure(&good);
    assert_starts(&mut host);
}

#[test]
fn a_port_that_is_taken_stops_the_start() {
    let mut host = Host::installed();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let mut configuration = host.configuration();
    configuration["listen"] = json!(taken.local_addr().expect("an address").to_string());
    host.configure(&configuration);
    let output = host.cli_until("run");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        text(&output.stderr).contains(&taken.local_addr().expect("an address").port().to_string()),
        "{output:?}"
    );
    configuration["listen"] = json!("127.0.0.1:0");
    host.configure(&configuration);
    assert_starts(&mut host);
}

#[test]
fn without_its_state_the_agent_does_not_start_and_says_what_to_do() {
    let mut host = Host::bundled();
    let line = refusal(&host, "state");
    assert!(line.contains("secmon-agent init"), "{line}");
    check_names(&host, "state");
    assert!(host.cli("init").status.success());
    assert_starts(&mut host);
    fs::remove_file(host.at("state/state")).expect("a removed file");
    assert!(refusal(&host, "state").contains("secmon-agent init"));
    assert!(!host.at("state/state").exists(), "never a silent fresh start");
}

#[test]
fn init_overwrites_no_state() {
    let mut host = Host::running();
    let receipt = host.receipt(&host.execute(&envelope("restart-web").to_string()));
    assert_eq!(receipt["state"], "succeeded");
    host.kill();
    let before = fs::read(host.at("state/state")).expect("a state file");
    let again = host.cli("init");
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(text(&again.stderr).contains("state"), "{again:?}");
    assert_eq!(fs::read(host.at("state/state")).expect("a state file"), before);
    host.start();
    assert_eq!(host.get("/v1/health").canonical()["receipts"], 1);
}

#[test]
fn a_damaged_state_stops_the_start_and_stays_as_it_is() {
    let mut host = Host::running();
    let receipt = host.receipt(&host.execute(&envelope("restart-web").to_string()));
    assert_eq!(receipt["state"], "succeeded");
    host.kill();
    let state = host.at("state/state");
    let good = fs::read(&state).expect("a state file");
    let inverted: Vec<u8> = good.iter().map(|byte| !byte).collect();
    let longer = [&good[..], b"x"].concat();
    for bad in [
        Vec::new(),
        good[..1].to_vec(),
        good[..good.len() / 2].to_vec(),
        good[..good.len() - 1].to_vec(),
        longer,
        vec![0; good.len()],
        vec![0xff; good.len()],
        inverted,
    ] {
        fs::write(&state, &bad).expect("a written file");
        refusal(&host, "state");
        check_names(&host, "state");
        assert_eq!(fs::read(&state).expect("a state file"), bad, "never repaired in silence");
    }
    fs::write(&state, &good).expect("a written file");
    assert_starts(&mut host);
}

#[test]
fn the_state_is_a_regular_file_or_nothing() {
    let mut host = Host::installed();
    let state = host.at("state/state");
    let real: PathBuf = host.at("state/real");
    fs::rename(&state, &real).expect("a moved file");
    for target in
        [Path::new("/dev/full"), Path::new("/dev/null"), Path::new("/dev/zero"), host.at("state").as_path()]
    {
        let mut configuration = host.configuration();
        configuration["state"] = json!(target);
        host.configure(&configuration);
        let output = host.cli_until("run");
        assert_eq!(output.status.code(), Some(1), "{} {output:?}", target.display());
        let init = host.cli("init");
        assert_eq!(init.status.code(), Some(1), "{} {init:?}", target.display());
    }
    host.configure(&host.configuration());
    fs::rename(&real, &state).expect("a moved file");
    assert_starts(&mut host);
}

#[test]
fn two_agents_never_share_one_state() {
    let mut host = Host::running();
    let second = host.cli_until("run");
    assert_eq!(second.status.code(), Some(1), "{second:?}");
    assert!(text(&second.stderr).contains("state"), "{second:?}");
    assert_eq!(host.get("/v1/health").status, 200);
    host.kill();
    assert_starts(&mut host);
}
