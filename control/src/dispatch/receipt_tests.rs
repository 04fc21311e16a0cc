use ring::signature::Ed25519KeyPair;
use secmon_wire::limits::RECEIPT_MAX;
use secmon_wire::{
    AgentId, ClientId, Hash, Intent, Nonce, OperationId, OutcomeState, Receipt, Unit, signature,
};

use super::*;
use crate::approval::{ChatId, Operator, Transport};
use crate::dispatch::IntentFields;
use crate::fleet::keys::SigningKey;

const SEQ: u64 = 17;

pub(in crate::dispatch) struct Case {
    pub(in crate::dispatch) recorded: Recorded,
    pub(in crate::dispatch) agent: AgentRow,
    pub(in crate::dispatch) host: Ed25519KeyPair,
    pub(in crate::dispatch) receipt: Receipt,
}

pub(in crate::dispatch) fn case() -> Case {
    let (host, public) = key([1; 32]);
    let (agent_id, client) = (AgentId::new("web1").expect("an id"), ClientId::new("acme").expect("an id"));
    let agent = AgentRow {
        id: agent_id.clone(),
        client: client.clone(),
        address: "127.0.0.1:1".to_owned(),
        receipt_key: public,
        not_after: 0,
        manifest: Vec::new(),
        created: 0,
    };
    let (nonce, unit) = (Nonce([7; 8]), Unit::new("nginx").expect("a unit"));
    let intent = Intent { hash: Hash([3; 32]), seq: SEQ };
    let fields = IntentFields {
        operator: Operator(1),
        action: OperationId::RestartWeb,
        client,
        agent: agent_id.clone(),
        unit: unit.clone(),
        nonce,
        ts: 1_767_225_600,
    };
    let (dispatch, _pem) = SigningKey::generate().expect("a key");
    let recorded = Recorded::restore(fields, intent, agent.clone(), Transport::Console, ChatId(1), &dispatch)
        .expect("an envelope");
    let receipt = Receipt {
        action: OperationId::RestartWeb,
        after: "b".try_into().expect("short"),
        agent_id,
        before: "a".try_into().expect("short"),
        clock: 1_767_225_601,
        duration_ms: 10,
        exit: Some(0),
        intent,
        nonce,
        prev: None,
        reason: heapless::String::new(),
        seq: 1,
        state: OutcomeState::Succeeded,
        unit: Some(unit),
    };
    Case { recorded, agent, host, receipt }
}

fn key(seed: [u8; 32]) -> (Ed25519KeyPair, [u8; 32]) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed");
    let public = ring::signature::KeyPair::public_key(&pair).as_ref().try_into().expect("32 bytes");
    (pair, public)
}

pub(in crate::dispatch) fn sign(receipt: &Receipt, key: &Ed25519KeyPair) -> ReceiptRow {
    let mut out = [0; RECEIPT_MAX];
    let body = receipt.write(&mut out).expect("room").to_vec();
    let message = signature::receipt_message(&body).expect("room");
    let signature = key.sign(&message).as_ref().try_into().expect("64 bytes");
    ReceiptRow { body, signature }
}

#[test]
fn the_agents_receipt_for_this_intent_proves_its_outcome() {
    let case = case();
    let row = sign(&case.receipt, &case.host);
    let receipted = Receipted::verify(&case.recorded, row, &case.agent).expect("proven");
    assert_eq!(receipted.receipt(), &case.receipt);
}

#[test]
fn another_key_a_changed_byte_and_a_missing_context_are_forgeries() {
    let case = case();
    let forged = sign(&case.receipt, &key([2; 32]).0);
    assert_eq!(Receipted::verify(&case.recorded, forged, &case.agent).expect_err("forged"), Unproven::Forged);

    let mut changed = sign(&Receipt { state: OutcomeState::Failed, ..case.receipt.clone() }, &case.host);
    let better = sign(&case.receipt, &case.host);
    changed.body = better.body;
    assert_eq!(
        Receipted::verify(&case.recorded, changed, &case.agent).expect_err("changed"),
        Unproven::Forged
    );

    let mut bare = sign(&case.receipt, &case.host);
    bare.signature = case.host.sign(&bare.body).as_ref().try_into().expect("64 bytes");
    assert_eq!(
        Receipted::verify(&case.recorded, bare, &case.agent).expect_err("no context"),
        Unproven::Forged
    );
}

#[test]
fn a_receipt_for_anything_else_proves_nothing_here() {
    let Case { recorded, agent, host, receipt } = case();
    let others = [
        Receipt { nonce: Nonce([8; 8]), ..receipt.clone() },
        Receipt { action: OperationId::RestartDb, ..receipt.clone() },
        Receipt { intent: Intent { seq: SEQ + 1, ..receipt.intent }, ..receipt.clone() },
        Receipt { intent: Intent { hash: Hash([4; 32]), ..receipt.intent }, ..receipt.clone() },
        Receipt { unit: Unit::new("apache2"), ..receipt.clone() },
    ];
    for other in others {
        let row = sign(&other, &host);
        let verdict = Receipted::verify(&recorded, row, &agent).expect_err("another intent");
        assert_eq!(verdict, Unproven::OtherIntent, "{other:?}");
    }
    let stranger = Receipt { agent_id: AgentId::new("web2").expect("an id"), ..receipt };
    let row = sign(&stranger, &host);
    assert_eq!(Receipted::verify(&recorded, row, &agent).expect_err("another agent"), Unproven::Forged);
}

#[test]
fn what_is_no_receipt_is_named_so() {
    let case = case();
    for body in [&b""[..], b"{}", b"[]", b"not json", b"{\"v\":1}"] {
        let row = ReceiptRow { body: body.to_vec(), signature: [0; 64] };
        let verdict = Receipted::verify(&case.recorded, row, &case.agent).expect_err("no receipt");
        assert!(matches!(verdict, Unproven::Malformed(_)), "{verdict:?}");
    }
}
