use secmon_wire::limits::MANIFEST_MAX;
use secmon_wire::{AgentId, Capability, ClientId, ManifestBody, Unit};

use super::*;

const SECRET: &str = "a secret of at least thirty-two bytes";

fn body(seq: u64) -> ManifestBody {
    let capability = Capability::new(OperationId::RestartWeb, Unit::new("nginx").expect("a unit"), 30);
    let mut body = ManifestBody {
        agent_id: AgentId::new("web1").expect("an id"),
        client_id: ClientId::new("acme").expect("an id"),
        diagnostics: heapless::Vec::new(),
        issued: 1_767_225_600,
        operations: heapless::Vec::new(),
        seq,
        tuning: Default::default(),
    };
    body.operations.push(capability.expect("a capability")).expect("room");
    body
}

fn served(body: ManifestBody, secret: &str) -> Vec<u8> {
    let manifest = body.seal([0; 64], secret.as_bytes()).expect("a manifest");
    let mut out = [0; MANIFEST_MAX];
    manifest.write(&mut out).expect("room").to_vec()
}

/// The agent as registered, with the manifest number 2.
fn agent() -> AgentRow {
    AgentRow {
        id: AgentId::new("web1").expect("an id"),
        client: ClientId::new("acme").expect("an id"),
        address: "127.0.0.1:1".to_owned(),
        receipt_key: [0; 32],
        not_after: 0,
        manifest: served(body(2), SECRET),
        created: 0,
    }
}

fn verdict(bytes: &[u8], operation: OperationId) -> Result<String, &'static str> {
    listed(bytes, &agent(), operation, &Secret::new(SECRET.to_owned()))
        .map(|capability| capability.unit.to_string())
        .map_err(|reason| reason.code())
}

#[test]
fn an_authentic_manifest_lists_what_it_lists() {
    for seq in [2, 3] {
        let manifest = served(body(seq), SECRET);
        assert_eq!(verdict(&manifest, OperationId::RestartWeb), Ok("nginx".to_owned()));
        assert_eq!(verdict(&manifest, OperationId::RestartDb), Err("not-listed"));
    }
}

#[test]
fn a_manifest_under_another_secret_or_edited_is_invalid() {
    let other = served(body(2), "another secret of at least 32 bytes");
    assert_eq!(verdict(&other, OperationId::RestartWeb), Err("manifest-invalid"));
    let text = String::from_utf8(served(body(2), SECRET)).expect("text");
    for (from, to) in
        [("nginx", "caddy"), ("\"seq\":2", "\"seq\":3"), ("\"min_interval_s\":30", "\"min_interval_s\":3")]
    {
        let edited = text.replace(from, to);
        assert_ne!(edited, text);
        assert_eq!(verdict(edited.as_bytes(), OperationId::RestartWeb), Err("manifest-invalid"), "{from}");
    }
}

#[test]
fn a_manifest_of_another_agent_or_client_is_invalid() {
    let (mut agent, mut client) = (body(2), body(2));
    agent.agent_id = AgentId::new("web2").expect("an id");
    client.client_id = ClientId::new("beta").expect("an id");
    for other in [agent, client] {
        assert_eq!(verdict(&served(other, SECRET), OperationId::RestartWeb), Err("manifest-invalid"));
    }
}

#[test]
fn a_manifest_from_before_the_one_issued_is_invalid() {
    assert_eq!(verdict(&served(body(1), SECRET), OperationId::RestartWeb), Err("manifest-invalid"));
}

#[test]
fn what_is_no_manifest_is_invalid() {
    for bytes in [&b""[..], b"{}", b"null", b"<html>"] {
        assert_eq!(verdict(bytes, OperationId::RestartWeb), Err("manifest-invalid"));
    }
}
