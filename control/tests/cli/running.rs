//! Help, the doctor, serving, the audit log, and what no command may print.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::place::{Place, text};

#[test]
fn help_names_every_command() {
    let place = Place::new();
    let help = place.run(&["--help"]).succeeded().out;
    for command in [
        "init",
        "client",
        "agent",
        "auto",
        "cloudflare",
        "key",
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
        let script = place.run(&["completions", shell]).succeeded().out;
        for word in ["manifest", "auto", "status", "cloudflare", "protect", "token-file", "rotate"] {
            assert!(script.contains(word), "{word} for {shell}");
        }
    }
    assert!(place.run(&["man"]).succeeded().out.contains(".TH secmon 1"));
    place.run(&["man", "--out", "man"]).succeeded();
    for page in [
        "secmon.1",
        "secmon-agent-add.1",
        "secmon-manifest-verify.1",
        "secmon-audit-verify.1",
        "secmon-auto-off.1",
        "secmon-cloudflare-add.1",
        "secmon-cloudflare-protect.1",
        "secmon-key-rotate.1",
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
