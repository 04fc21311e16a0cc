use secmon_wire::{ActionId, ClientId, Nonce};

use super::*;
use crate::approval::{ChatId, Transport};

const NOW: u64 = 1_767_225_600;

fn store(directory: &tempfile::TempDir) -> Store {
    Store::open(&directory.path().join("secmon.db")).expect("a store")
}

fn claim(store: &Store, operator: i64, nonce: u8, code: Option<CodeVerdict>, now: u64) -> ClaimVerdict {
    let client = ClientId::new("acme").expect("an id");
    let claim = Claim {
        operator: Operator(operator),
        nonce: Nonce([nonce; 8]),
        code,
        now,
        action: ActionId::RestartWeb,
        client: &client,
        transport: Transport::Telegram,
        chat: ChatId(operator),
    };
    store.claim(&claim).expect("a verdict")
}

const fn right(step: u64) -> Option<CodeVerdict> {
    Some(CodeVerdict::Right { step })
}

#[test]
fn a_nonce_is_claimed_once_by_anybody_also_after_a_restart() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = store(&directory);
    assert_eq!(claim(&first, 1, 1, None, NOW), ClaimVerdict::Claimed);
    assert_eq!(claim(&first, 2, 1, None, NOW), ClaimVerdict::NonceUsed);
    drop(first);
    let second = store(&directory);
    assert_eq!(claim(&second, 1, 1, None, NOW + 1_000_000_000), ClaimVerdict::NonceUsed);
    assert_eq!(claim(&second, 1, 2, None, NOW), ClaimVerdict::Claimed);
}

#[test]
fn a_step_is_used_once_per_operator_and_only_together_with_a_nonce() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory);
    assert_eq!(claim(&store, 1, 1, right(10), NOW), ClaimVerdict::Claimed);
    assert_eq!(claim(&store, 1, 2, right(10), NOW), ClaimVerdict::StepUsed);
    assert_eq!(claim(&store, 2, 2, right(10), NOW), ClaimVerdict::Claimed);
    // A used nonce leaves the step free, and a used step leaves the nonce free.
    assert_eq!(claim(&store, 1, 1, right(11), NOW), ClaimVerdict::NonceUsed);
    assert_eq!(claim(&store, 1, 3, right(11), NOW), ClaimVerdict::Claimed);
}

#[test]
fn five_wrong_codes_in_fifteen_minutes_lock_out_for_fifteen_minutes() {
    let directory = tempfile::tempdir().expect("a directory");
    let first = store(&directory);
    for second in 0..5 {
        assert_eq!(claim(&first, 1, 1, Some(CodeVerdict::Wrong), NOW + second), ClaimVerdict::WrongCode);
    }
    let until = NOW + 4 + 900;
    assert_eq!(claim(&first, 1, 1, right(1), NOW + 5), ClaimVerdict::LockedOut { until });
    assert_eq!(claim(&first, 2, 9, right(1), NOW + 5), ClaimVerdict::Claimed, "others are not locked out");
    drop(first);
    let second = store(&directory);
    assert_eq!(claim(&second, 1, 1, right(1), until - 1), ClaimVerdict::LockedOut { until });
    assert_eq!(claim(&second, 1, 1, right(1), until), ClaimVerdict::Claimed);
}

#[test]
fn four_wrong_codes_or_five_over_a_longer_time_lock_nobody_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory);
    for minute in [0, 4, 8, 12, 15, 19] {
        assert_eq!(claim(&store, 1, 1, Some(CodeVerdict::Wrong), NOW + minute * 60), ClaimVerdict::WrongCode);
        if minute == 12 {
            assert_eq!(claim(&store, 1, 1, right(1), NOW + minute * 60), ClaimVerdict::Claimed);
        }
    }
    assert_eq!(claim(&store, 1, 2, right(2), NOW + 20 * 60), ClaimVerdict::Claimed);
}

#[test]
fn a_claim_is_pending_until_it_is_closed() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = store(&directory);
    assert_eq!(claim(&store, 1, 1, None, NOW), ClaimVerdict::Claimed);
    let pending = store.pending().expect("rows");
    assert_eq!(pending.iter().map(|row| row.nonce).collect::<Vec<_>>(), [Nonce([1; 8])]);
    store.close(Nonce([1; 8])).expect("closed");
    assert_eq!(store.pending().expect("rows"), []);
    assert_eq!(claim(&store, 1, 1, None, NOW), ClaimVerdict::NonceUsed, "closing forgets no nonce");
}
