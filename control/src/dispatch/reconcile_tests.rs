use super::*;
use crate::dispatch::receipt::tests::{case, sign};

const LATE: u64 = 10_000;

fn look(known: u64, first: u64, count: u64, include: bool, clock_after: u64) -> &'static str {
    let case = case();
    let mut receipts = Vec::new();
    for seq in first..first + count {
        let mut receipt = Receipt { seq, nonce: secmon_wire::Nonce([100; 8]), ..case.receipt.clone() };
        if include && seq == first + count - 1 {
            receipt.nonce = case.receipt.nonce;
        }
        let row = sign(&receipt, &case.host);
        receipts.push((receipt, row));
    }
    let clock = case.recorded.envelope().ts + clock_after;
    match judge(&case.recorded, &case.agent, receipts, Clocks { agent: clock, ours: clock }, known) {
        Look::Proven(_) => "proven",
        Look::NeverRan => "never ran",
        Look::Lost(_) => "lost",
        Look::Later(_) => "later",
    }
}

#[test]
fn a_receipt_of_this_intent_ends_the_search_at_any_time() {
    assert_eq!(look(0, 1, 3, true, 0), "proven");
    assert_eq!(look(0, 1, 3, true, LATE), "proven");
}

#[test]
fn nothing_is_concluded_while_the_envelope_could_still_run() {
    assert_eq!(look(0, 1, 3, false, 0), "later");
    assert_eq!(look(0, 1, 0, false, 0), "later");
    assert_eq!(look(0, 1, 3, false, 300 + 60 + 60), "later");
}

#[test]
fn it_never_ran_if_the_hosts_receipts_of_the_whole_window_lack_it() {
    assert_eq!(look(0, 1, 0, false, LATE), "never ran");
    assert_eq!(look(0, 1, 3, false, LATE), "never ran");
    assert_eq!(look(5, 6, 16, false, LATE), "never ran");
    assert_eq!(look(5, 3, 16, false, LATE), "never ran");
}

#[test]
fn it_stays_unknown_if_the_receipts_of_that_time_are_gone() {
    assert_eq!(look(5, 7, 16, false, LATE), "lost");
}

#[test]
fn a_gap_anywhere_after_what_we_knew_is_a_receipt_that_we_have_not_seen() {
    for (known, numbers, complete) in [
        (5, vec![6, 7, 8], true),
        (5, vec![2, 5, 6, 7], true),
        (5, vec![], true),
        (5, vec![6, 8], false),
        (5, vec![3, 7], false),
        (0, vec![2], false),
    ] {
        assert_eq!(holds_all_after(known, numbers.iter().copied()), complete, "{known} {numbers:?}");
    }
}
