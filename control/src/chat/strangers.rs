//! Messages of unknown senders, counted: at most one record per sender per minute, in bounded memory. Pure.

use std::collections::HashMap;

use crate::approval::{Operator, Stranger, StrangerReason};

/// Between two records of one sender, in seconds.
const PERIOD_S: u64 = 60;
/// Senders that are told apart; what comes from more of them at once is counted together.
const SENDERS_MAX: usize = 1024;
/// Stands for all the others.
const OTHERS: Operator = Operator(0);

/// The counters.
#[derive(Debug, Default)]
pub struct Strangers {
    counters: HashMap<(Operator, StrangerKind), Counter>,
}

/// A record that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Who; 0 for all beyond those told apart.
    pub sender: Operator,
    /// Why they aren't heard.
    pub reason: StrangerReason,
    /// Messages since the last record.
    pub count: u64,
}

type StrangerKind = &'static str;

#[derive(Debug)]
struct Counter {
    reason: StrangerReason,
    recorded_at: u64,
    unrecorded: u64,
}

impl Strangers {
    /// Counts a message. The first of a sender is recorded at once.
    pub fn count(&mut self, stranger: &Stranger, now: u64) -> Option<Due> {
        let known = self.counters.contains_key(&(stranger.sender, stranger.reason.as_str()));
        let sender = if known || self.counters.len() < SENDERS_MAX { stranger.sender } else { OTHERS };
        let first = Counter { reason: stranger.reason, recorded_at: 0, unrecorded: 0 };
        let counter = self.counters.entry((sender, stranger.reason.as_str())).or_insert(first);
        counter.unrecorded = counter.unrecorded.saturating_add(1);
        counter.due(sender, now)
    }

    /// What became due since; senders that fell silent are forgotten.
    pub fn sweep(&mut self, now: u64) -> Vec<Due> {
        let due =
            self.counters.iter_mut().filter_map(|((sender, _), counter)| counter.due(*sender, now)).collect();
        self.counters.retain(|_, counter| now < counter.recorded_at.saturating_add(PERIOD_S));
        due
    }
}

impl Counter {
    fn due(&mut self, sender: Operator, now: u64) -> Option<Due> {
        if self.unrecorded == 0 || now < self.recorded_at.saturating_add(PERIOD_S) {
            return None;
        }
        let count = std::mem::take(&mut self.unrecorded);
        self.recorded_at = now;
        Some(Due { sender, reason: self.reason, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::ChatId;

    fn stranger(sender: i64) -> Stranger {
        Stranger { sender: Operator(sender), chat: ChatId(sender), reason: StrangerReason::Sender }
    }

    #[test]
    fn a_flood_of_one_sender_is_one_record_a_minute_with_its_count() {
        let mut strangers = Strangers::default();
        assert_eq!(strangers.count(&stranger(7), 1000).map(|due| due.count), Some(1));
        for second in 0..59 {
            assert_eq!(strangers.count(&stranger(7), 1000 + second), None);
        }
        assert_eq!(strangers.sweep(1059), []);
        assert_eq!(strangers.sweep(1060).first().map(|due| due.count), Some(59));
        assert_eq!(strangers.sweep(1119), []);
        assert_eq!(strangers.count(&stranger(7), 1120).map(|due| due.count), Some(1));
    }

    #[test]
    fn senders_are_told_apart_until_there_are_too_many() {
        let mut strangers = Strangers::default();
        let senders = i64::try_from(SENDERS_MAX).expect("a small number");
        for sender in 1..=senders {
            assert_eq!(strangers.count(&stranger(sender), 1000).map(|due| due.sender.0), Some(sender));
        }
        assert_eq!(strangers.count(&stranger(senders + 1), 1000).map(|due| due.sender), Some(OTHERS));
        assert_eq!(strangers.count(&stranger(senders + 2), 1000), None);
        assert_eq!(
            strangers.sweep(2000).iter().map(|due| (due.sender, due.count)).collect::<Vec<_>>(),
            [(OTHERS, 1)]
        );
        assert_eq!(strangers.sweep(2060), []);
        assert!(strangers.counters.is_empty(), "who fell silent is forgotten");
    }
}
