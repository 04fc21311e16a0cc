use secmon_wire::{Capability, ManifestBody, Unit};

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let directory = tempfile::tempdir().expect("a directory");
    let store = Store::open(&directory.path().join("secmon.db")).expect("a store");
    (directory, store)
}

fn client(text: &str) -> ClientId {
    ClientId::new(text).expect("a client")
}

fn manifest(owner: &str, id: &str, seq: u64, operations: &[(OperationId, &str)]) -> Manifest {
    let capability = |(action, unit): &(OperationId, &str)| {
        Capability::new(*action, Unit::new(unit).expect("a unit"), 60).expect("a capability")
    };
    let body = ManifestBody {
        agent_id: AgentId::new(id).expect("an agent"),
        client_id: client(owner),
        diagnostics: Default::default(),
        issued: 1_767_225_600,
        operations: operations.iter().map(capability).collect(),
        seq,
        tuning: Default::default(),
    };
    body.seal([7; 64], b"secret").expect("a manifest")
}

fn agent(owner: &str, id: &str, operations: &[(OperationId, &str)]) -> AgentRow {
    AgentRow {
        id: AgentId::new(id).expect("an agent"),
        client: client(owner),
        address: "203.0.113.5:7443".to_owned(),
        receipt_key: [9; 32],
        not_after: 1_838_505_600,
        manifest: canonical(&manifest(owner, id, 1, operations)).expect("bytes"),
        created: 1_767_225_600,
    }
}

const WEB: (OperationId, &str) = (OperationId::RestartWeb, "nginx");
const PHP: (OperationId, &str) = (OperationId::RestartPhp, "php8.2-fpm");
const DB: (OperationId, &str) = (OperationId::RestartDb, "mariadb");

#[test]
fn clients_are_added_once_and_listed_in_order() {
    let (_directory, store) = store();
    store.add_client(&client("zoo"), 1).expect("added");
    store.add_client(&client("acme"), 2).expect("added");
    let error = store.add_client(&client("acme"), 3).expect_err("twice");
    assert!(matches!(error, RegistryError::ClientExists(_)));
    let ids: Vec<_> =
        store.clients().expect("clients").into_iter().map(|row| (row.id, row.created)).collect();
    assert_eq!(ids, [(client("acme"), 2), (client("zoo"), 1)]);
    assert!(store.client_exists(&client("acme")).expect("a query"));
    assert!(!store.client_exists(&client("acm")).expect("a query"));
}

#[test]
fn an_agent_reads_back_as_it_was_added() {
    let (_directory, store) = store();
    store.add_client(&client("acme"), 1).expect("added");
    let web = agent("acme", "web1", &[PHP, WEB]);
    store.add_agent(&web).expect("added");
    assert_eq!(store.agent(&web.id).expect("a query"), Some(web.clone()));
    assert_eq!(store.agents().expect("a query"), [web]);
    assert_eq!(store.agent(&AgentId::new("web2").expect("an id")).expect("a query"), None);
}

#[test]
fn an_agent_needs_its_client_and_a_free_name() {
    let (_directory, store) = store();
    let web = agent("acme", "web1", &[WEB]);
    assert!(matches!(store.add_agent(&web), Err(RegistryError::NoClient(_))));
    store.add_client(&client("acme"), 1).expect("added");
    store.add_client(&client("zoo"), 1).expect("added");
    store.add_agent(&web).expect("added");
    let elsewhere = agent("zoo", "web1", &[DB]);
    assert!(matches!(store.add_agent(&elsewhere), Err(RegistryError::AgentExists(_))));
}

#[test]
fn an_operation_of_a_client_belongs_to_one_agent() {
    let (_directory, store) = store();
    store.add_client(&client("acme"), 1).expect("added");
    store.add_client(&client("zoo"), 1).expect("added");
    store.add_agent(&agent("acme", "web1", &[PHP, WEB])).expect("added");
    let error = store.add_agent(&agent("acme", "web2", &[DB, WEB])).expect_err("shared");
    let text = error.to_string();
    assert!(
        text.starts_with("restart-web of the client acme is offered by the agent web1 already"),
        "{text}"
    );
    store.add_agent(&agent("acme", "db1", &[DB])).expect("another operation");
    store.add_agent(&agent("zoo", "web2", &[WEB])).expect("another client");

    let chosen = |owner, operation| {
        store.agent_for(&client(owner), operation).expect("a query").map(|agent| agent.id.as_str().to_owned())
    };
    assert_eq!(chosen("acme", OperationId::RestartWeb).as_deref(), Some("web1"));
    assert_eq!(chosen("acme", OperationId::RestartDb).as_deref(), Some("db1"));
    assert_eq!(chosen("zoo", OperationId::RestartWeb).as_deref(), Some("web2"));
    assert_eq!(chosen("zoo", OperationId::RestartDb), None);
    assert_eq!(chosen("nobody", OperationId::RestartWeb), None);
}

#[test]
fn only_a_newer_manifest_of_the_same_client_replaces_one() {
    let (_directory, store) = store();
    store.add_client(&client("acme"), 1).expect("added");
    store.add_agent(&agent("acme", "web1", &[WEB])).expect("added");
    store.add_agent(&agent("acme", "db1", &[DB])).expect("added");
    let update = |manifest: &Manifest| store.update_manifest(manifest);

    assert!(matches!(update(&manifest("acme", "web9", 2, &[WEB])), Err(RegistryError::NoAgent(_))));
    assert!(matches!(update(&manifest("zoo", "web1", 2, &[WEB])), Err(RegistryError::OtherClient { .. })));
    assert!(matches!(update(&manifest("acme", "web1", 1, &[PHP])), Err(RegistryError::NotNewer { .. })));
    assert!(matches!(update(&manifest("acme", "web1", 2, &[DB, WEB])), Err(RegistryError::Offered { .. })));
    let newer = manifest("acme", "web1", 2, &[PHP, WEB]);
    update(&newer).expect("updated");
    let web = store.agent(&newer.body.agent_id).expect("a query").expect("an agent");
    assert_eq!(web.read_manifest().expect("a manifest"), newer);
}

#[test]
fn a_damaged_row_is_named() {
    let (_directory, store) = store();
    store.add_client(&client("acme"), 1).expect("added");
    store.add_agent(&agent("acme", "web1", &[WEB])).expect("added");
    store.connection().execute("UPDATE agent SET manifest = x'7b7d'", []).expect("damage");
    let error = store.agent_for(&client("acme"), OperationId::RestartWeb).expect_err("damaged").to_string();
    assert_eq!(error, "database: the stored manifest is damaged; restore the database from a backup");
}
