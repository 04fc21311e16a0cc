//! The `secmon` command as its users see it: real processes, real files, and OpenSSL as the judge of keys
//! and certificates that no code here made.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A throw-away place with a data directory in it, and everything that was printed there.
struct Place {
    home: tempfile::TempDir,
    printed: std::cell::RefCell<String>,
}

/// What one command did.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    /// An empty place.
    fn new() -> Self {
        Self { home: tempfile::tempdir().expect("a directory"), printed: Default::default() }
    }

    /// A place where `secmon init` and `secmon client add acme` have run.
    fn ready() -> Self {
        let place = Self::new();
        place.run(&["init"]).succeeded();
        place.run(&["client", "add", "acme"]).succeeded();
        place
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_secmon"));
        command.args(arguments).current_dir(self.home.path()).env_clear();
        command.env("SECMON_DATA_DIR", self.data()).envs(variables.iter().copied());
        let ran = Ran::from(command.output().expect("secmon runs"));
        self.printed.borrow_mut().push_str(&format!("{}{}", ran.out, ran.err));
        ran
    }

    /// Adds web1, which may restart nginx.
    fn add_agent(&self) -> PathBuf {
        let arguments = ["agent", "add", "acme", "web1", "--address", "203.0.113.5:7443"];
        self.run(
            &[&arguments[..], &["--allow", "restart-web=nginx", "--min-interval", "restart-web=60"]].concat(),
        )
        .succeeded();
        self.path("web1.bundle")
    }

    fn settings(&self) -> String {
        fs::read_to_string(self.data().join("secmon.env")).expect("settings")
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    #[track_caller]
    fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        self
    }

    /// Failed with one line on stderr that contains all of `texts`.
    #[track_caller]
    fn refused(self, texts: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        assert!(self.err.starts_with("secmon: ") && self.err.trim_end().lines().count() == 1, "{}", self.err);
        for text in texts {
            assert!(self.err.contains(text), "{text} in {}", self.err);
        }
    }

    /// Refused as a command line, with `text` in the explanation.
    #[track_caller]
    fn misused(self, text: &str) {
        assert_eq!(self.code, Some(2), "{}{}", self.out, self.err);
        assert!(self.err.contains(text), "{text} in {}", self.err);
    }
}

#[track_caller]
fn openssl(arguments: &[&str]) -> String {
    let ran = Ran::from(Command::new("openssl").args(arguments).output().expect("openssl runs")).succeeded();
    format!("{}{}", ran.out, ran.err)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("metadata").permissions().mode() & 0o777
}

#[test]
fn help_names_every_command() {
    let place = Place::new();
    let help = place.run(&["--help"]).succeeded().out;
    for command in [
        "init",
        "client",
        "agent",
        "manifest",
        "serve",
        "console",
        "doctor",
        "demo",
        "audit",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {command}")), "{command} in {help}");
        let _ = place.run(&[command, "--help"]).succeeded();
    }
    place.run(&["restart"]).misused("unrecognized subcommand");
    assert_eq!(place.run(&[]).code, Some(2));
}

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
        "secmon-agent.service",
    ] {
        assert!(said.contains(text), "{text} in {said}");
    }
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
fn what_no_manifest_could_list_is_refused_with_what_can_be() {
    let place = Place::ready();
    let add = |more: &[&str]| {
        place.run(&[&["agent", "add", "acme", "web1", "--address", "203.0.113.5:7443"][..], more].concat())
    };
    add(&["--allow", "restart-web=sshd"]).misused("restart-web may touch only nginx, apache2, httpd, caddy");
    add(&["--allow", "reboot=now"]).misused("there are restart-db, restart-php, restart-web");
    add(&["--allow", "restart-web=nginx", "--min-interval", "restart-web=1"]).misused("3 to 86400 seconds");
    add(&["--allow", "restart-web=nginx", "--diagnostics", "shell"]).misused("expected one of db, disk");
    add(&["--allow", "restart-web=nginx", "--init-dir", "init.d"]).misused("an absolute path");
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
fn openssl_accepts_the_certificates_for_their_purpose_and_no_other() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let ca = place.data().join("ca.pem");
    let (control, agent) = (place.data().join("control.pem"), bundle.join("agent.pem"));
    for (certificate, good, bad, name, usage) in [
        (&control, "sslclient", "sslserver", "control.secmon.internal", "TLS Web Client Authentication"),
        (&agent, "sslserver", "sslclient", "web1.agent.secmon.internal", "TLS Web Server Authentication"),
    ] {
        let verify = |purpose: &str, host: &str| {
            let arguments = ["verify", "-x509_strict", "-CAfile", text(&ca), "-purpose", purpose];
            let more = ["-verify_hostname", host, text(certificate)];
            let output = Command::new("openssl").args(arguments).args(more).output().expect("openssl runs");
            output.status.success()
        };
        assert!(verify(good, name), "{name}");
        assert!(!verify(bad, name), "{name}");
        assert!(!verify(good, "web2.agent.secmon.internal"), "{name}");
        let shown = openssl(&["x509", "-in", text(certificate), "-noout", "-text"]);
        for expected in [
            &format!("DNS:{name}"),
            usage,
            "CA:FALSE",
            "Digital Signature",
            "prime256v1",
            "ecdsa-with-SHA256",
        ] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
    }
    let shown = openssl(&["x509", "-in", text(&ca), "-noout", "-text"]);
    for expected in ["CA:TRUE, pathlen:0", "Certificate Sign", "prime256v1"] {
        assert!(shown.contains(expected), "{expected} in {shown}");
    }
    for (certificate, key) in
        [(&control, place.data().join("control.key")), (&agent, bundle.join("agent.key"))]
    {
        let of_key = openssl(&["pkey", "-in", text(&key), "-pubout"]);
        assert_eq!(openssl(&["x509", "-in", text(certificate), "-noout", "-pubkey"]), of_key);
    }
}

#[test]
fn openssl_reads_the_ed25519_keys_and_verifies_the_manifests_signature() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let public = bundle.join("dispatch.pub");
    assert_eq!(
        openssl(&["pkey", "-in", text(&place.data().join("dispatch.key")), "-pubout"]),
        fs::read_to_string(&public).expect("a key")
    );
    assert!(
        openssl(&["pkey", "-in", text(&bundle.join("receipt.key")), "-noout", "-text"]).contains("ED25519")
    );

    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let (body, control) = without_field(&manifest, "control_signature");
    let (body, _) = without_field(&body, "signature");
    let control: Vec<u8> = control
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex"))
        .collect();
    let (message, signature) = (place.path("message"), place.path("signature"));
    fs::write(&message, &body).expect("a file");
    fs::write(&signature, control).expect("a file");
    let verify = || {
        let arguments =
            ["pkeyutl", "-verify", "-pubin", "-inkey", text(&public), "-rawin", "-in", text(&message)];
        let output = Command::new("openssl").args(arguments).args(["-sigfile", text(&signature)]).output();
        output.expect("openssl runs").status.success()
    };
    assert!(verify());
    fs::write(&message, body.replace("nginx", "caddy")).expect("a file");
    assert!(!verify());
}

/// Canonical JSON without one field of text, and that text.
fn without_field(json: &str, name: &str) -> (String, String) {
    let start = json.find(&format!("\"{name}\":\"")).expect("the field");
    let value = start + name.len() + 4;
    let end = value + json[value..].find('"').expect("the end");
    (format!("{}{}", &json[..start], &json[end + 2..]), json[value..end].to_owned())
}

#[test]
fn an_edited_manifest_is_found_out_property_by_property() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let file = place.path("m.json");
    let verify = |content: &str| {
        fs::write(&file, content).expect("a file");
        let ran = place.run(&["manifest", "verify", "m.json"]);
        let marks: Vec<String> = ran.out.lines().map(|line| line[..4].trim().to_owned()).collect();
        (ran.code, marks.join(" "), ran.out)
    };
    let (code, marks, shown) = verify(&manifest);
    assert_eq!((code, marks.as_str()), (Some(0), "ok ok ok ok"), "{shown}");
    for (from, to, marks) in [
        ("nginx", "caddy", "ok ok FAIL FAIL"),
        ("nginx", "sshd", "ok FAIL FAIL FAIL"),
        (",", ", ", "FAIL ok ok ok"),
        ("\"signature\":\"", "\"signature\":\"x", "ok FAIL FAIL ok"),
    ] {
        let (code, found, shown) = verify(&manifest.replace(from, to));
        assert_eq!((code, found.as_str()), (Some(1), marks), "{shown}");
    }
    let (code, marks, _) = verify("hunter2");
    assert_eq!((code, marks.as_str()), (Some(1), "FAIL"));
}

#[test]
fn a_document_of_another_schema_is_signed_and_verified_by_its_hmac_alone() {
    let place = Place::ready();
    let secret = "0123456789abcdef0123456789abcdef";
    let variables = [("SECMON_MANIFEST_SECRET", secret)];
    fs::write(place.path("body.json"), "{ \"client\": \"acme\",\n \"actions\": [\"restart_nginx\"] }")
        .expect("a file");
    let signed = place.run_with(&["manifest", "sign", "body.json"], &variables).succeeded();
    assert!(signed.err.contains("HMAC alone"), "{}", signed.err);
    fs::write(place.path("canonical"), r#"{"actions":["restart_nginx"],"client":"acme"}"#).expect("a file");
    let mac = openssl(&["dgst", "-sha256", "-hmac", secret, "-r", text(&place.path("canonical"))]);
    let mac = mac.split(' ').next().expect("a digest");
    assert_eq!(
        signed.out,
        format!("{{\"actions\":[\"restart_nginx\"],\"client\":\"acme\",\"signature\":\"{mac}\"}}\n")
    );
    fs::write(place.path("m.json"), signed.out.replace(',', ",\n")).expect("a file");
    let verified = place.run_with(&["manifest", "verify", "m.json"], &variables).succeeded();
    assert!(verified.out.contains("ok    HMAC: "), "{}", verified.out);
    assert_eq!(place.run(&["manifest", "verify", "m.json"]).code, Some(1));
}

#[test]
fn a_newer_manifest_is_recorded_and_an_older_one_is_not() {
    let place = Place::ready();
    let bundle = place.add_agent();
    let manifest = fs::read_to_string(bundle.join("capabilities.manifest.json")).expect("a manifest");
    let sign = |from: &str, to: &str, more: &[&str]| {
        fs::write(place.path("body.json"), manifest.replace(from, to)).expect("a file");
        place.run(&[&["manifest", "sign", "body.json"][..], more].concat())
    };
    sign("\"seq\":1", "\"seq\":2", &["--record", "--out", "m2.json"]).succeeded();
    place.run(&["manifest", "verify", "m2.json"]).succeeded();
    sign("\"seq\":1", "\"seq\":3", &["--out", "m2.json"]).refused(&["m2.json is there already"]);
    sign("\"seq\":1", "\"seq\":1", &["--record"]).refused(&["the manifest's seq is 1", "has 2"]);
    sign("nginx", "sshd", &[])
        .refused(&["not a manifest that an agent takes: the field unit has a bad value"]);
    sign("\"web1\"", "\"web9\"", &["--record"]).refused(&["there is no agent web9"]);
}

#[test]
fn the_doctor_names_each_problem_and_its_exit_code_says_whether_there_is_one() {
    let place = Place::ready();
    place.add_agent();
    let users = [("SECMON_TELEGRAM_ALLOWED_USER_IDS", "11111111")];
    let ran = place.run_with(&["doctor", "--offline"], &users);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    for text in [
        "warn  bot token: ",
        "ok    manifest secret: set",
        "ok    database: opens",
        "ok    web1 manifest: authentic",
    ] {
        assert!(ran.out.contains(text), "{text} in {}", ran.out);
    }
    assert_eq!(place.run(&["doctor", "--offline"]).code, Some(1));

    fs::set_permissions(place.data().join("ca.key"), PermissionsExt::from_mode(0o644)).expect("a mode");
    fs::write(place.data().join("audit.jsonl"), "torn").expect("a torn line");
    let ran = place.run_with(&["doctor", "--offline"], &users);
    assert_eq!(ran.code, Some(1));
    for text in ["FAIL  ca.key: ", "chmod 600", "FAIL  audit log: "] {
        assert!(ran.out.contains(text), "{text} in {}", ran.out);
    }
    let everywhere = fs::read_dir(place.data()).expect("entries").count();
    assert_eq!(everywhere, 9, "the doctor leaves nothing behind");
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
fn serving_without_operators_or_token_says_what_to_do() {
    let place = Place::ready();
    place.run(&["serve"]).refused(&["SECMON_TELEGRAM_BOT_TOKEN is not set", "@BotFather"]);
    let token = ("SECMON_TELEGRAM_BOT_TOKEN", "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw");
    let api = ("SECMON_TELEGRAM_API_URL", "http://127.0.0.1:9");
    place.run_with(&["serve"], &[token, api]).refused(&["SECMON_TELEGRAM_ALLOWED_USER_IDS is not set"]);
    place
        .run_with(&["serve"], &[token, api, ("SECMON_TELEGRAM_ALLOWED_USER_IDS", "")])
        .refused(&["SECMON_TELEGRAM_ALLOWED_USER_IDS is empty"]);
    place
        .run_with(&["serve"], &[("SECMON_TELEGRAM_BOT_TOKEN", "hunter2")])
        .refused(&["SECMON_TELEGRAM_BOT_TOKEN"]);
    place.run(&["console", "--as", "someone"]).misused("--as");
    assert!(!place.printed.borrow().contains("hunter2"));
}

#[test]
fn the_audit_log_is_verified_and_recovered() {
    let place = Place::ready();
    place.run(&["audit", "verify"]).succeeded();
    place.run(&["audit", "recover"]).succeeded();
    let log = place.data().join("audit.jsonl");
    fs::write(&log, "{\"seq\":1,\"ts\"").expect("a torn line");
    assert_eq!(place.run(&["audit", "verify"]).code, Some(1));
    let said = place.run(&["audit", "recover"]).succeeded().out;
    assert!(said.contains("Cut 13 bytes"), "{said}");
    place.run(&["audit", "verify"]).succeeded();
    assert_eq!(place.run(&["audit", "verify", "absent.jsonl"]).code, Some(2));
}

#[test]
fn completions_and_man_pages_cover_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).succeeded().out.contains("manifest"), "{shell}");
    }
    assert!(place.run(&["man"]).succeeded().out.contains(".TH secmon 1"));
    place.run(&["man", "--out", "man"]).succeeded();
    for page in [
        "secmon.1",
        "secmon-agent-add.1",
        "secmon-manifest-verify.1",
        "secmon-audit-verify.1",
        "secmon-doctor.1",
    ] {
        assert!(place.path("man").join(page).exists(), "{page}");
    }
}

#[test]
fn no_command_prints_a_secret() {
    let place = Place::new();
    let totp = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    let token = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
    let variables = [
        ("SECMON_TELEGRAM_TOTP_SECRET", totp),
        ("SECMON_TELEGRAM_BOT_TOKEN", token),
        ("SECMON_TELEGRAM_ALLOWED_USER_IDS", "1"),
    ];
    place.run_with(&["init"], &variables).succeeded();
    place.run_with(&["client", "add", "acme"], &variables).succeeded();
    let bundle = place.add_agent();
    let manifest = bundle.join("capabilities.manifest.json");
    for command in [
        &["doctor", "--offline"][..],
        &["doctor"],
        &["init"],
        &["agent", "list"],
        &["manifest", "verify", text(&manifest)],
        &["manifest", "sign", text(&manifest)],
        &["manifest", "show", text(&manifest)],
        &["audit", "verify"],
        &["serve", "--help"],
    ] {
        let _ = place.run_with(command, &variables);
    }
    let settings = place.settings();
    let mut secrets: Vec<String> = vec![totp.to_owned(), token.to_owned()];
    for name in ["SECMON_MANIFEST_SECRET=", "SECMON_DATA_KEY="] {
        secrets.push(settings.lines().find_map(|line| line.strip_prefix(name)).expect("a secret").to_owned());
    }
    for key in ["ca.key", "control.key", "dispatch.key"].map(|name| place.data().join(name)) {
        let pem = fs::read_to_string(key).expect("a key");
        secrets.push(pem.lines().nth(1).expect("a line of a key").to_owned());
    }
    for key in ["agent.key", "receipt.key"].map(|name| bundle.join(name)) {
        let pem = fs::read_to_string(key).expect("a key");
        secrets.push(pem.lines().nth(1).expect("a line of a key").to_owned());
    }
    let printed = place.printed.borrow();
    for secret in &secrets {
        assert!(secret.len() >= 32, "a secret to look for");
        assert!(!printed.contains(secret.as_str()), "{printed}");
    }
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
