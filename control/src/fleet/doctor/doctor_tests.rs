use std::os::unix::fs::PermissionsExt;

use secmon_wire::signature::sha256;
use secmon_wire::{AgentId, Capability, ClientId, Hash, Health, Manifest, OperationId, Unit};

use super::*;
use crate::config::{Config, DataDir, Secret};
use crate::fleet::bundle::{Bundle, HostSettings, NewAgent, Signers};
use crate::fleet::init::{FromEnvironment, NewTotp, init};
use crate::fleet::{Address, SelfReport};
use crate::store::{AgentRow, Store};

fn now() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.expect("a time").as_secs()
}

fn secret() -> Secret {
    Secret::new("s".repeat(32))
}

fn data_dir() -> (tempfile::TempDir, DataDir) {
    let home = tempfile::tempdir().expect("a directory");
    let data = DataDir::new(home.path().join("data"));
    init(&data, FromEnvironment::default(), NewTotp::Leave, now()).expect("made");
    (home, data)
}

fn agent(home: &tempfile::TempDir, data: &DataDir) -> AgentRow {
    let signers = Signers::read(data, secret()).expect("keys");
    let unit = Unit::new("nginx").expect("a unit");
    let new = NewAgent {
        id: AgentId::new("web1").expect("an id"),
        client: ClientId::new("acme").expect("a client"),
        address: Address::new("127.0.0.1:7443").expect("an address"),
        operations: vec![Capability::new(OperationId::RestartWeb, unit, 60).expect("a capability")],
        diagnostics: Vec::new(),
        tuning: Default::default(),
        host: HostSettings::default(),
    };
    let bundle = Bundle::write(&home.path().join("bundle"), &new, &signers, now()).expect("a bundle");
    let agent = bundle.agent.clone();
    bundle.publish().expect("published");
    let store = Store::open(&data.database()).expect("a store");
    store.add_client(&agent.client, now()).expect("added");
    store.add_agent(&agent).expect("added");
    agent
}

fn problems(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|finding| finding.level != Level::Ok).map(ToString::to_string).collect()
}

/// What the fake agent says.
struct Answers {
    health: Result<SelfReport, String>,
    manifest: Result<Vec<u8>, String>,
}

impl Reach for Answers {
    async fn health(&self, _agent: &AgentRow) -> Result<SelfReport, String> {
        self.health.clone()
    }

    async fn manifest(&self, _agent: &AgentRow) -> Result<Vec<u8>, String> {
        self.manifest.clone()
    }
}

fn health(agent: &AgentRow, clock: u64) -> Health {
    Health {
        agent_id: agent.id.clone(),
        clock,
        last_intent: 0,
        manifest: sha256(&agent.manifest),
        receipts: 0,
        sandbox_missing: heapless::String::new(),
        uptime_s: 7200,
        version: "0.1.0".try_into().expect("a version"),
    }
}

#[test]
fn a_new_data_directory_is_sound() {
    let (_home, data) = data_dir();
    let (findings, store) = check_data_dir(&data, now());
    assert_eq!(problems(&findings), Vec::<String>::new());
    assert!(store.is_some());
    assert_eq!(check_clock(&data, now()).level, Level::Ok);
}

#[test]
fn loose_modes_missing_files_and_foreign_keys_are_each_named() {
    let (_home, data) = data_dir();
    let (_other_home, other) = data_dir();
    std::fs::set_permissions(data.ca_key(), PermissionsExt::from_mode(0o640)).expect("a mode");
    std::fs::set_permissions(data.as_path(), PermissionsExt::from_mode(0o755)).expect("a mode");
    std::fs::remove_file(data.audit_log()).expect("removed");
    std::fs::copy(other.control_key(), data.control_key()).expect("copied");
    std::fs::copy(other.dispatch_public(), data.dispatch_public()).expect("copied");
    std::fs::write(data.database(), "not a database").expect("damaged");
    let (findings, store) = check_data_dir(&data, now());
    assert!(store.is_none());
    let subjects: Vec<_> = findings
        .iter()
        .filter(|finding| finding.level != Level::Ok)
        .map(|finding| (finding.level, finding.subject.as_str()))
        .collect();
    assert_eq!(
        subjects,
        [
            (Level::Fail, "ca.key"),
            (Level::Fail, "audit.jsonl"),
            (Level::Warn, "data directory"),
            (Level::Fail, "TLS"),
            (Level::Fail, "dispatch key"),
            (Level::Fail, "database"),
        ]
    );
}

#[test]
fn an_absent_data_directory_is_one_finding() {
    let (findings, store) = check_data_dir(&DataDir::new("/nonexistent/secmon"), now());
    assert!(store.is_none());
    assert_eq!(findings.len(), 1);
    assert!(findings[0].text.contains("run `secmon init`"), "{findings:?}");
}

#[test]
fn certificates_are_warned_about_a_month_ahead() {
    let (_home, data) = data_dir();
    for (days, level) in [(0, Level::Ok), (790, Level::Ok), (800, Level::Warn), (826, Level::Fail)] {
        let (findings, _) = check_data_dir(&data, now() + days * DAY_S);
        let control = findings.iter().find(|finding| finding.subject == "control certificate");
        assert_eq!(control.map(|finding| finding.level), Some(level), "{days}");
    }
}

#[test]
fn a_clock_that_went_back_is_found() {
    let (_home, data) = data_dir();
    assert_eq!(check_clock(&data, now() - 3600).level, Level::Fail);
    assert_eq!(check_clock(&DataDir::new("/nonexistent"), 86_400).level, Level::Fail);
    assert_eq!(check_clock(&DataDir::new("/nonexistent"), now()).level, Level::Ok);
}

#[test]
fn misspelt_variables_and_missing_secrets_are_named() {
    let names = ["SECMON_DATA_KEY_FILE", "SECMON_TELEGRAM_TOTP", "SECMON_DATA_DIR_FILE", "PATH"];
    let config = Config::from_env(&|name| (name == "SECMON_MANIFEST_SECRET").then(|| "hunter2".repeat(9)));
    let findings = check_environment(&config, names.into_iter());
    let shown = problems(&findings).join("\n");
    for expected in [
        "FAIL  operators: SECMON_TELEGRAM_ALLOWED_USER_IDS is not set",
        "warn  bot token: SECMON_TELEGRAM_BOT_TOKEN is not set",
        "warn  one-time codes: off",
        "FAIL  data key: SECMON_DATA_KEY is not set",
        "warn  SECMON_TELEGRAM_TOTP: ",
        "warn  SECMON_DATA_DIR_FILE: ",
    ] {
        assert!(shown.contains(expected), "{expected} in\n{shown}");
    }
    assert!(!shown.contains("PATH") && !shown.contains("SECMON_DATA_KEY_FILE") && !shown.contains("hunter2"));
    assert!(findings.contains(&Finding::ok("manifest secret", "set")));
}

#[test]
fn the_registry_is_checked_agent_by_agent() {
    let (home, data) = data_dir();
    let store = Store::open(&data.database()).expect("a store");
    let (findings, _) = check_registered(&store, Some(&secret()), now());
    assert_eq!(findings[0].level, Level::Warn);
    agent(&home, &data);
    let levels = |secret: &Secret, now| {
        check_registered(&store, Some(secret), now).0.iter().map(|finding| finding.level).collect::<Vec<_>>()
    };
    assert_eq!(levels(&secret(), now()), [Level::Ok, Level::Ok]);
    assert_eq!(levels(&Secret::new("t".repeat(32)), now()), [Level::Ok, Level::Fail]);
    assert_eq!(levels(&secret(), now() + 826 * DAY_S), [Level::Fail, Level::Ok]);
}

#[tokio::test]
async fn what_an_agent_says_is_judged() {
    let (home, data) = data_dir();
    let agent = agent(&home, &data);
    let says = |health| Ok(SelfReport::new(health).expect("names"));
    let good = || Answers { health: says(health(&agent, now())), manifest: Ok(agent.manifest.clone()) };
    let another = || {
        let mut manifest = Manifest::read(&agent.manifest).expect("a manifest");
        manifest.body.seq = 9;
        crate::fleet::manifest::canonical(&manifest).expect("bytes")
    };
    let mut renamed = health(&agent, now());
    renamed.agent_id = AgentId::new("web2").expect("an id");
    let mut divided = health(&agent, now());
    divided.manifest = Hash([0; 32]);
    let mut open = health(&agent, now());
    open.sandbox_missing = "landlock-tcp".try_into().expect("short");
    let cases: [(Answers, &[Level], &str); 9] = [
        (good(), &[Level::Ok, Level::Ok], "clock off by"),
        (
            Answers { health: Err("connection refused".into()), ..good() },
            &[Level::Fail],
            "connection refused",
        ),
        (
            Answers { health: says(health(&agent, now() - 3600)), ..good() },
            &[Level::Fail, Level::Ok],
            "behind",
        ),
        (Answers { health: says(health(&agent, now() + 100)), ..good() }, &[Level::Warn, Level::Ok], "ahead"),
        (Answers { health: says(renamed), ..good() }, &[Level::Fail, Level::Ok], "answers as web2"),
        (
            Answers { health: says(open), ..good() },
            &[Level::Ok, Level::Warn, Level::Ok],
            "without landlock-tcp; a newer kernel",
        ),
        (Answers { manifest: Err("no answer".into()), ..good() }, &[Level::Ok, Level::Fail], "no answer"),
        (Answers { manifest: Ok(another()), ..good() }, &[Level::Ok, Level::Warn], "serves manifest 9"),
        (Answers { health: says(divided), ..good() }, &[Level::Ok, Level::Fail], "another manifest"),
    ];
    for (answers, levels, text) in cases {
        let findings = check_reach(&answers, std::slice::from_ref(&agent), Some(&secret())).await;
        assert_eq!(findings.iter().map(|finding| finding.level).collect::<Vec<_>>(), levels, "{text}");
        assert!(findings.iter().any(|finding| finding.text.contains(text)), "{text} in {findings:?}");
    }
}
