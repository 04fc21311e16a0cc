//! The gate: each check is the only one that stops what it stops, and nothing gets past all of them twice.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use proptest::prelude::*;
use secmon_wire::limits::{ENVELOPE_MAX, RECEIPTS_KEPT};
use secmon_wire::{AgentId, ClientId, Intent, Nonce, OperationId, Unit};

use super::*;
use crate::keys::SigningKey;
use crate::state::{CLAIMS_KEPT, Pending, Phase};

const NOW: u64 = 1_767_225_600;
const WEB: OperationId = OperationId::RestartWeb;

struct Bench {
    key: SigningKey,
    public: VerifyingKey,
    manifest: ManifestBody,
    state: State,
}

/// What a verdict comes to, in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    Admitted,
    Replay(u64),
    UnderWay,
    Refused(Refusal),
    Dismissed(Dismissal),
}

impl Bench {
    /// An agent `web1` that may restart nginx every 30 s.
    fn new() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
        let agent_id = AgentId::new("web1").expect("an id");
        let nginx = Capability::new(WEB, Unit::new("nginx").expect("a unit"), 30).expect("a capability");
        Self {
            key: SigningKey::from_pem(pair.serialize_pem().as_bytes()).expect("a key"),
            public: VerifyingKey::from_pem(pair.public_key_pem().as_bytes()).expect("a key"),
            manifest: ManifestBody {
                agent_id: agent_id.clone(),
                client_id: ClientId::new("acme").expect("an id"),
                diagnostics: heapless::Vec::new(),
                issued: NOW,
                operations: heapless::Vec::from_slice(&[nginx]).expect("room"),
                seq: 1,
                tuning: Default::default(),
            },
            state: State::new(agent_id),
        }
    }

    fn judge_at(&self, body: &[u8], clock: u64) -> Word {
        let signature = self.sign(body);
        word(&admit(body, &signature, &self.public, &self.manifest, &self.state, clock))
    }

    fn judge(&self, body: &[u8]) -> Word {
        self.judge_at(body, NOW)
    }

    fn sign(&self, body: &[u8]) -> Signature {
        self.key.sign(&envelope_message(body).expect("a message"))
    }

    /// What the monitor does with an envelope that gets a receipt.
    fn settle(&mut self, body: &[u8], clock: u64, refusal: bool) {
        let envelope = Envelope::read(body).expect("an envelope");
        if refusal {
            self.state.take_note(&envelope, clock);
        } else {
            self.state.take_note_of_admitted(&envelope, clock);
            self.state.set_last_run(envelope.action, clock);
        }
        self.state.receipt_seq += 1;
        let seq = self.state.receipt_seq;
        let kept =
            Kept { seq, envelope: hash_of(body), refusal, signature: [0; 64], body: heapless::Vec::new() };
        self.state.keep(kept);
    }
}

fn word(verdict: &Verdict<'_>) -> Word {
    match verdict {
        Verdict::Admitted(..) => Word::Admitted,
        Verdict::Replay(kept) => Word::Replay(kept.seq),
        Verdict::UnderWay => Word::UnderWay,
        Verdict::Refused(_, refusal) => Word::Refused(*refusal),
        Verdict::Dismissed(dismissal) => Word::Dismissed(*dismissal),
    }
}

fn envelope(action: OperationId, nonce: u64, ts: u64) -> Vec<u8> {
    envelope_for("web1", action, nonce, ts)
}

fn envelope_for(agent_id: &str, action: OperationId, nonce: u64, ts: u64) -> Vec<u8> {
    let agent_id = AgentId::new(agent_id).expect("an id");
    let intent = Intent { hash: Hash([1; 32]), seq: nonce };
    let envelope = Envelope { action, agent_id, intent, nonce: Nonce(nonce.to_be_bytes()), ts };
    envelope.write(&mut [0; ENVELOPE_MAX]).expect("an envelope").to_vec()
}

fn under_way(body: &[u8]) -> Option<Pending> {
    Some(Pending {
        body: heapless::Vec::from_slice(body).expect("an envelope"),
        began: NOW,
        unit: Unit::new("nginx").expect("a unit"),
        phase: Phase::Checking,
    })
}

#[test]
fn a_fresh_signed_listed_envelope_is_admitted_with_its_capability() {
    let bench = Bench::new();
    let body = envelope(WEB, 1, NOW);
    let signature = bench.sign(&body);
    let verdict = admit(&body, &signature, &bench.public, &bench.manifest, &bench.state, NOW);
    let Verdict::Admitted(envelope, capability) = verdict else { panic!("{verdict:?}") };
    assert_eq!((envelope.action, capability.unit.as_str()), (WEB, "nginx"));
}

#[test]
fn only_the_dispatch_key_over_these_very_bytes_is_a_signature() {
    let bench = Bench::new();
    let body = envelope(WEB, 1, NOW);
    let judged = |body: &[u8], signature: &Signature| {
        word(&admit(body, signature, &bench.public, &bench.manifest, &bench.state, NOW))
    };
    let signature = bench.sign(&body);
    assert_eq!(judged(&body, &signature), Word::Admitted);
    let unsigned = Word::Dismissed(Dismissal::Unsigned);
    assert_eq!(judged(&body, &[0; 64]), unsigned);
    assert_eq!(judged(&body, &Bench::new().sign(&body)), unsigned);
    assert_eq!(judged(&envelope(WEB, 2, NOW), &signature), unsigned);
    // The same key over the bare bytes, without the context of envelopes.
    assert_eq!(judged(&body, &bench.key.sign(&body)), unsigned);
    for bit in 0..512_usize {
        let mut other = signature;
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(judged(&body, &other), unsigned);
    }
}

#[test]
fn signed_bytes_that_are_no_envelope_are_malformed() {
    let bench = Bench::new();
    for bytes in [b"".as_slice(), b"{}", b"\0", &[envelope(WEB, 1, NOW), b" ".to_vec()].concat()] {
        assert!(matches!(bench.judge(bytes), Word::Dismissed(Dismissal::Malformed(_))));
    }
}

#[test]
fn an_envelope_for_another_agent_is_dismissed() {
    let mut bench = Bench::new();
    let theirs = envelope_for("web2", WEB, 1, NOW);
    assert_eq!(bench.judge(&theirs), Word::Dismissed(Dismissal::OtherAgent));
    // Also where only the manifest, or only the state, is the other agent's.
    bench.manifest.agent_id = AgentId::new("web2").expect("an id");
    assert_eq!(bench.judge(&theirs), Word::Dismissed(Dismissal::OtherAgent));
    assert_eq!(bench.judge(&envelope(WEB, 1, NOW)), Word::Dismissed(Dismissal::OtherAgent));
}

#[test]
fn freshness_is_three_hundred_seconds_either_way_inclusive() {
    let bench = Bench::new();
    for (ts, expected) in [
        (NOW - 300, Word::Admitted),
        (NOW - 301, Word::Refused(Refusal::Late { seconds: 301 })),
        (NOW + 300, Word::Admitted),
        (NOW + 301, Word::Refused(Refusal::Early { seconds: 301 })),
        (0, Word::Refused(Refusal::Late { seconds: NOW })),
    ] {
        assert_eq!(bench.judge(&envelope(WEB, 1, ts)), expected, "{ts}");
    }
    assert_eq!(bench.judge_at(&envelope(WEB, 1, NOW), 0), Word::Refused(Refusal::Early { seconds: NOW }));
}

/// Every kind of refusal, each from a state in which nothing else would refuse.
#[test]
fn every_refusal_is_reachable_and_its_neighbour_is_admitted() {
    let fresh = envelope(WEB, 9, NOW);
    assert_eq!(Bench::new().judge(&fresh), Word::Admitted);
    let mut seen = std::collections::BTreeSet::new();
    let mut refused = |bench: &Bench, body: &[u8], word: &str| {
        let Word::Refused(refusal) = bench.judge(body) else { panic!("{word}: {:?}", bench.judge(body)) };
        assert!(refusal.to_string().starts_with(word), "{refusal} / {word}");
        seen.insert(match refusal {
            Refusal::Late { .. } => 0,
            Refusal::Early { .. } => 1,
            Refusal::NonceUsed => 2,
            Refusal::NonceForgotten => 3,
            Refusal::Unlisted => 4,
            Refusal::Busy => 5,
            Refusal::Interval { .. } => 6,
        });
    };
    refused(&Bench::new(), &envelope(WEB, 9, NOW - 999), "stale: ");
    refused(&Bench::new(), &envelope(WEB, 9, NOW + 999), "stale: ");
    refused(&Bench::new(), &envelope(OperationId::RestartDb, 9, NOW), "unlisted: ");
    let mut bench = Bench::new();
    bench.settle(&envelope(OperationId::RestartDb, 9, NOW - 1), NOW, true);
    refused(&bench, &fresh, "nonce: ");
    let mut bench = Bench::new();
    bench.state.claims.floor = NOW;
    refused(&bench, &fresh, "nonce: ");
    assert_eq!(bench.judge(&envelope(WEB, 9, NOW + 1)), Word::Admitted);
    let mut bench = Bench::new();
    bench.state.pending = under_way(&envelope(WEB, 8, NOW));
    refused(&bench, &fresh, "busy: ");
    let mut bench = Bench::new();
    bench.state.set_last_run(WEB, NOW - 29);
    refused(&bench, &fresh, "interval: ");
    bench.state.set_last_run(WEB, NOW - 30);
    assert_eq!(bench.judge(&fresh), Word::Admitted);
    // The interval is each operation's own.
    bench.state.set_last_run(OperationId::RestartDb, NOW);
    assert_eq!(bench.judge(&fresh), Word::Admitted);
    assert_eq!(seen.len(), 7);
}

#[test]
fn the_envelope_under_way_waits_and_one_with_a_receipt_gets_that_one() {
    let mut bench = Bench::new();
    let body = envelope(WEB, 1, NOW);
    bench.state.pending = under_way(&body);
    assert_eq!(bench.judge(&body), Word::UnderWay);
    // Also when its time is long over: the answer is about what runs, not about what may.
    assert_eq!(bench.judge_at(&body, NOW + 9999), Word::UnderWay);
    bench.state.pending = None;
    bench.settle(&body, NOW, false);
    assert_eq!(bench.judge(&body), Word::Replay(1));
    assert_eq!(bench.judge_at(&body, NOW + 9999), Word::Replay(1));
}

#[test]
fn a_clock_set_back_does_not_lock_an_operation_for_longer_than_its_interval() {
    let mut bench = Bench::new();
    bench.state.set_last_run(WEB, NOW + 86_400 * 365);
    assert_eq!(bench.judge(&envelope(WEB, 1, NOW)), Word::Admitted);
    bench.state.set_last_run(WEB, NOW + 10);
    assert_eq!(bench.judge(&envelope(WEB, 1, NOW)), Word::Refused(Refusal::Interval { wait: 20 }));
}

#[test]
fn signed_envelopes_from_the_far_future_do_not_lock_the_agent() {
    let mut bench = Bench::new();
    for nonce in 0..200 {
        let early = envelope(WEB, nonce, NOW + 10_000_000 + nonce);
        assert!(matches!(bench.judge(&early), Word::Refused(Refusal::Early { .. })));
        bench.settle(&early, NOW, true);
    }
    assert_eq!(bench.judge_at(&envelope(WEB, 999, NOW + 301), NOW + 301), Word::Admitted);
}

#[test]
fn no_envelope_runs_twice_though_the_clock_was_set_back_between() {
    let mut bench = Bench::new();
    let first = envelope(WEB, 1, NOW);
    assert_eq!(bench.judge(&first), Word::Admitted);
    bench.settle(&first, NOW, false);
    // An hour back: the runs there push out the first one's receipt, and what seems to be from the future (it is
    // refused) its nonce.
    let back = NOW - 3600;
    for run in 0..RECEIPTS_KEPT as u64 {
        let at = back + 30 * run;
        let body = envelope(WEB, 100 + run, at);
        assert_eq!(bench.judge_at(&body, at), Word::Admitted);
        bench.settle(&body, at, false);
    }
    for early in 0..CLAIMS_KEPT as u64 {
        let body = envelope(WEB, 200 + early, NOW + 1);
        assert!(matches!(bench.judge_at(&body, back), Word::Refused(Refusal::Early { .. })));
        bench.settle(&body, back, true);
    }
    assert_eq!(bench.judge_at(&first, NOW + 60), Word::Refused(Refusal::NonceForgotten));
    assert_eq!(bench.judge_at(&envelope(WEB, 2, NOW + 60), NOW + 60), Word::Admitted);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However envelopes come, in whatever order, with whatever clock: each is admitted at most once.
    #[test]
    fn no_envelope_is_ever_admitted_twice(
        steps in proptest::collection::vec((0..90_u64, 0..700_u64, 0..3_u64), 1..400),
    ) {
        let mut bench = Bench::new();
        if let Some(nginx) = bench.manifest.operations.first_mut() {
            nginx.min_interval_s = 0; // so that nothing but the nonces is in the way
        }
        let mut admitted = std::collections::BTreeSet::new();
        let mut clock = NOW;
        for (nonce, at, passes) in steps {
            clock += passes;
            let body = envelope(WEB, nonce, NOW + at);
            match bench.judge_at(&body, clock) {
                Word::Admitted => {
                    prop_assert!(admitted.insert(body.clone()), "nonce {} was admitted twice", nonce);
                    bench.settle(&body, clock, false);
                }
                Word::Refused(_) => bench.settle(&body, clock, true),
                Word::Replay(_) => {}
                other => prop_assert!(false, "{:?}", other),
            }
            prop_assert!(bench.state.receipts.len() <= RECEIPTS_KEPT);
        }
    }

    /// A refusal is an end: an envelope that got one is not admitted later.
    #[test]
    fn an_envelope_that_was_refused_is_never_admitted_later(
        early in 0..900_u64, others in 0..60_u64, later in 0..1200_u64,
    ) {
        let mut bench = Bench::new();
        bench.state.set_last_run(WEB, NOW);
        let body = envelope(WEB, 7777, NOW + early);
        prop_assert!(matches!(bench.judge(&body), Word::Refused(_)));
        bench.settle(&body, NOW, true);
        for nonce in 0..others {
            bench.settle(&envelope(WEB, nonce, NOW + nonce), NOW, true);
        }
        prop_assert_ne!(bench.judge_at(&body, NOW + later), Word::Admitted);
    }

    #[test]
    fn no_bytes_panic_the_gate(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let bench = Bench::new();
        let judged = |signature: &Signature| word(&admit(&bytes, signature, &bench.public, &bench.manifest, &bench.state, NOW));
        prop_assert_eq!(judged(&[1; 64]), Word::Dismissed(Dismissal::Unsigned));
        if bytes.len() <= ENVELOPE_MAX {
            let word = judged(&bench.sign(&bytes));
            prop_assert!(matches!(word, Word::Dismissed(Dismissal::Malformed(_))));
        }
    }
}

#[test]
fn a_flood_of_refusals_leaves_what_ran_in_the_list() {
    let mut bench = Bench::new();
    for nonce in 0..20 {
        bench.settle(&envelope(WEB, nonce, NOW), NOW, false);
    }
    for nonce in 100..400 {
        bench.settle(&envelope(WEB, nonce, NOW), NOW, true);
    }
    let ran = bench.state.receipts.iter().filter(|kept| !kept.refusal).count();
    assert_eq!((ran, bench.state.receipts.len()), (12, RECEIPTS_KEPT));
    assert!(bench.state.receipts.iter().map(|kept| kept.seq).is_sorted());
    assert_eq!(bench.state.receipts.last().map(|kept| kept.seq), Some(320));
}
