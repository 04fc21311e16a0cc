//! Every state comes back as it was, and no bytes come back as a state that nobody wrote.

use proptest::prelude::*;

use super::*;

fn encoded(state: &State) -> std::vec::Vec<u8> {
    encode(state, &mut [0; ENCODED_MAX]).expect("it fits").to_vec()
}

fn text<const N: usize>(text: &str) -> String<N> {
    String::try_from(text).expect("it fits")
}

prop_compose! {
    fn any_pending()(
        body in proptest::collection::vec(any::<u8>(), 0..=ENVELOPE_MAX), began: u64, unit in "[a-z]{1,64}",
        before in proptest::option::of("[a-z0-9 ]{0,64}"), pid: u32, start: u64,
    ) -> Pending {
        let program = ProcessMark { pid, start };
        Pending {
            body: Vec::from_slice(&body).expect("it fits"),
            began,
            unit: Unit::new(&unit).expect("a unit"),
            phase: before.map_or(Phase::Checking, |before| Phase::Restarting { before: text(&before), program }),
        }
    }
}

prop_compose! {
    fn any_kept()(
        seq: u64, envelope: [u8; 32], refusal: bool, key: u8, body in proptest::collection::vec(any::<u8>(), 0..=RECEIPT_MAX),
    ) -> Kept {
        let body = Vec::from_slice(&body).expect("it fits");
        Kept { seq, envelope: Hash(envelope), refusal, signature: [key; 64], body }
    }
}

prop_compose! {
    fn any_state()(
        agent_id in "[a-z0-9][a-z0-9-]{0,31}", numbers: [u64; 7], last in proptest::option::of(any::<[u8; 32]>()),
        claims in proptest::collection::vec((any::<[u8; 8]>(), any::<u64>()), 0..=CLAIMS_KEPT),
        pending in proptest::option::of(any_pending()),
        receipts in proptest::collection::vec(any_kept(), 0..=RECEIPTS_KEPT),
    ) -> State {
        let [receipt_seq, last_intent, floor, admitted, a, b, c] = numbers;
        State {
            agent_id: AgentId::new(&agent_id).expect("an id"),
            receipt_seq,
            last_receipt: last.map(Hash),
            last_intent,
            last_runs: [a, b, c],
            claims: Claims { floor, admitted, kept: claims.into_iter().map(|(n, ts)| Claim { nonce: Nonce(n), ts }).collect() },
            pending,
            receipts: receipts.into_iter().collect(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_state_comes_back_as_it_was(state in any_state()) {
        prop_assert_eq!(decode(&encoded(&state)), Some(state));
    }

    #[test]
    fn what_is_cut_or_followed_by_more_is_no_state(state in any_state(), cut in any::<prop::sample::Index>()) {
        let bytes = encoded(&state);
        prop_assert_eq!(decode(&bytes[..cut.index(bytes.len())]), None);
        prop_assert_eq!(decode(&[bytes.as_slice(), &[0]].concat()), None);
    }

    #[test]
    fn no_bytes_panic_the_decoder_and_what_it_takes_it_writes_the_same(
        state in any_state(), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut bytes = encoded(&state);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Some(state) = decode(&bytes) {
            prop_assert_eq!(encoded(&state), bytes);
        }
    }
}

#[test]
fn the_largest_state_fits_exactly() {
    let mut state = State::new(AgentId::new(&"a".repeat(ID_MAX)).expect("an id"));
    state.last_receipt = Some(Hash([1; 32]));
    while state.claims.kept.push(Claim { nonce: Nonce([1; 8]), ts: u64::MAX }).is_ok() {}
    state.pending = Some(Pending {
        body: Vec::from_slice(&[1; ENVELOPE_MAX]).expect("it fits"),
        began: u64::MAX,
        unit: Unit::new(&"u".repeat(UNIT_MAX)).expect("a unit"),
        phase: Phase::Restarting {
            before: text(&"b".repeat(INSTANCE_MAX)),
            program: ProcessMark { pid: u32::MAX, start: u64::MAX },
        },
    });
    let body = Vec::from_slice(&[1; RECEIPT_MAX]).expect("it fits");
    let kept = Kept { seq: 1, envelope: Hash([1; 32]), refusal: true, signature: [1; 64], body };
    while state.receipts.push(kept.clone()).is_ok() {}
    assert_eq!(encoded(&state).len(), ENCODED_MAX);
    assert_eq!(decode(&encoded(&state)), Some(state));
}
