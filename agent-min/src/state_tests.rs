//! What is remembered, and what goes when there is no more room.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use proptest::prelude::*;
use secmon_wire::Intent;

use super::*;

const NOW: u64 = 1_767_225_600;

fn envelope(nonce: u64, ts: u64) -> Envelope {
    Envelope {
        action: OperationId::RestartWeb,
        agent_id: AgentId::new("web1").expect("an id"),
        intent: Intent { hash: Hash([0; 32]), seq: nonce },
        nonce: Nonce(nonce.to_be_bytes()),
        ts,
    }
}

fn fresh() -> State {
    State::new(AgentId::new("web1").expect("an id"))
}

fn kept(seq: u64, refusal: bool) -> Kept {
    Kept { seq, envelope: Hash([0; 32]), refusal, signature: [0; 64], body: Vec::new() }
}

#[test]
fn the_highest_intent_is_remembered_whatever_the_order() {
    let mut state = fresh();
    for seq in [3, 9, 5] {
        state.take_note(&envelope(seq, NOW), NOW);
    }
    assert_eq!(state.last_intent, 9);
}

#[test]
fn each_operation_has_its_own_last_run() {
    let mut state = fresh();
    for (at, id) in OperationId::ALL.iter().enumerate() {
        state.set_last_run(*id, at as u64 + 1);
    }
    for (at, id) in OperationId::ALL.iter().enumerate() {
        assert_eq!(state.last_run(*id), at as u64 + 1);
    }
}

#[test]
fn runs_push_out_refusals_down_to_their_places_and_refusals_push_out_each_other() {
    let mut state = fresh();
    for seq in 1..=16 {
        state.keep(kept(seq, true));
    }
    for seq in 17..=40 {
        state.keep(kept(seq, false));
    }
    let refusals: std::vec::Vec<u64> = state.receipts.iter().filter(|k| k.refusal).map(|k| k.seq).collect();
    assert_eq!(refusals, [13, 14, 15, 16]);
    for seq in 41..=60 {
        state.keep(kept(seq, true));
    }
    let seqs: std::vec::Vec<u64> = state.receipts.iter().map(|k| k.seq).collect();
    assert_eq!(seqs, (29..=40).chain(57..=60).collect::<std::vec::Vec<u64>>());
}

proptest! {
    /// The promise of the module: known, or at or below the floor.
    #[test]
    fn a_claimed_nonce_is_known_or_below_the_floor(stamps in proptest::collection::vec(0..600_u64, 0..300)) {
        let mut state = fresh();
        for (nonce, at) in stamps.iter().enumerate() {
            state.take_note(&envelope(nonce as u64, NOW - 300 + at), NOW);
        }
        for (nonce, at) in stamps.iter().enumerate() {
            let nonce = Nonce((nonce as u64).to_be_bytes());
            let known = state.claims.contains(nonce);
            prop_assert!(known || state.claims.may_have_forgotten(NOW - 300 + at));
        }
        prop_assert!(state.claims.kept.len() <= CLAIMS_KEPT);
        prop_assert!(state.claims.floor <= NOW + FRESHNESS_S);
    }
}
