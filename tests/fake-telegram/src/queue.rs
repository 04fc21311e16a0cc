//! The queue of updates: confirmation by offset, expiry after a day, the filter by kind. Pure.

use std::collections::VecDeque;

/// Updates that nobody fetched are dropped after this time.
pub const UPDATE_LIFETIME_MS: i64 = 24 * 60 * 60 * 1000;

/// Kinds that the server leaves out unless they are asked for by name.
const ON_REQUEST_ONLY: [&str; 3] = ["chat_member", "message_reaction", "message_reaction_count"];

/// Every kind of update that the server knows; any other kind passes the filter always.
pub(crate) const KINDS: [&str; 25] = [
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "business_connection",
    "business_message",
    "edited_business_message",
    "deleted_business_messages",
    "guest_message",
    "message_reaction",
    "message_reaction_count",
    "inline_query",
    "chosen_inline_result",
    "callback_query",
    "shipping_query",
    "pre_checkout_query",
    "purchased_paid_media",
    "poll",
    "poll_answer",
    "my_chat_member",
    "chat_member",
    "chat_join_request",
    "chat_boost",
    "removed_chat_boost",
    "managed_bot",
];

#[derive(Clone, Debug)]
struct Update {
    id: i64,
    raw: Vec<u8>,
    added_ms: i64,
}

/// The updates of one bot.
#[derive(Debug)]
pub(crate) struct UpdateQueue {
    updates: VecDeque<Update>,
    next_id: i64,
    confirmed: i64,
    allowed: Vec<String>,
}

impl UpdateQueue {
    pub(crate) fn new(first_id: i64) -> Self {
        Self { updates: VecDeque::new(), next_id: first_id, confirmed: 0, allowed: Vec::new() }
    }

    /// The id that the next update will get.
    pub(crate) fn next_id(&self) -> i64 {
        self.next_id
    }

    /// Queues raw bytes under `id`; `false` when the kind was not asked for. The queue stays sorted by
    /// id, and an id that was used before is queued again: the server under test must cope.
    #[must_use]
    pub(crate) fn push(&mut self, id: i64, kind: Option<&str>, raw: Vec<u8>, now_ms: i64) -> bool {
        self.next_id = self.next_id.max(id.saturating_add(1));
        if !kind.is_none_or(|kind| self.wants(kind)) {
            return false;
        }
        let at = self.updates.iter().rposition(|update| update.id <= id).map_or(0, |at| at + 1);
        self.updates.insert(at, Update { id, raw, added_ms: now_ms });
        true
    }

    fn wants(&self, kind: &str) -> bool {
        if !KINDS.contains(&kind) {
            return true;
        }
        if self.allowed.is_empty() {
            return !ON_REQUEST_ONLY.contains(&kind);
        }
        self.allowed.iter().any(|allowed| allowed == kind)
    }

    /// Sets which kinds later updates may have; an empty list is the default set.
    pub(crate) fn allow(&mut self, kinds: Vec<String>) {
        self.allowed = kinds;
    }

    pub(crate) fn allowed(&self) -> &[String] {
        &self.allowed
    }

    /// Drops what the offset confirms: everything below it, or all but the last `-offset`.
    pub(crate) fn confirm(&mut self, offset: i64) {
        if offset < 0 {
            let keep = usize::try_from(offset.unsigned_abs()).unwrap_or(usize::MAX);
            while self.updates.len() > keep {
                if let Some(update) = self.updates.pop_front() {
                    self.confirmed = self.confirmed.max(update.id.saturating_add(1));
                }
            }
        } else {
            self.confirmed = self.confirmed.max(offset);
            self.updates.retain(|update| update.id >= offset);
        }
    }

    /// The oldest unconfirmed updates.
    pub(crate) fn fetch(&mut self, limit: usize, now_ms: i64) -> Vec<Vec<u8>> {
        self.expire(now_ms);
        self.updates.iter().take(limit).map(|update| update.raw.clone()).collect()
    }

    /// Drops what is older than a day.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        self.updates.retain(|update| now_ms.saturating_sub(update.added_ms) < UPDATE_LIFETIME_MS);
    }

    /// Ids that wait for confirmation.
    pub(crate) fn pending(&self) -> Vec<i64> {
        self.updates.iter().map(|update| update.id).collect()
    }

    /// The highest offset that a poller asked for.
    pub(crate) fn confirmed(&self) -> i64 {
        self.confirmed
    }

    /// Drops everything, as `drop_pending_updates` asks.
    pub(crate) fn clear(&mut self) {
        self.updates.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(ids: &[i64]) -> UpdateQueue {
        let mut queue = UpdateQueue::new(1);
        for id in ids {
            assert!(queue.push(*id, Some("message"), id.to_string().into_bytes(), 0));
        }
        queue
    }

    #[test]
    fn updates_come_again_until_a_higher_offset_confirms_them() {
        let mut queue = queue(&[5, 6, 7]);
        assert_eq!(queue.fetch(2, 0), [b"5", b"6"]);
        assert_eq!(queue.fetch(2, 0), [b"5", b"6"]);
        queue.confirm(6);
        assert_eq!(queue.pending(), [6, 7]);
        queue.confirm(3);
        assert_eq!((queue.pending(), queue.confirmed()), (vec![6, 7], 6));
        assert_eq!(queue.next_id(), 8);
    }

    #[test]
    fn a_negative_offset_keeps_the_newest() {
        let mut queue = queue(&[1, 2, 3, 4]);
        queue.confirm(-1);
        assert_eq!((queue.pending(), queue.confirmed()), (vec![4], 4));
    }

    #[test]
    fn updates_die_after_a_day() {
        let mut queue = queue(&[1]);
        assert_eq!(queue.fetch(1, UPDATE_LIFETIME_MS - 1).len(), 1);
        assert_eq!(queue.fetch(1, UPDATE_LIFETIME_MS).len(), 0);
    }

    #[test]
    fn kinds_are_filtered_when_the_update_arrives() {
        let mut queue = queue(&[1]);
        assert!(!queue.push(2, Some("chat_member"), Vec::new(), 0));
        queue.allow(vec!["callback_query".into()]);
        assert!(!queue.push(3, Some("message"), Vec::new(), 0));
        assert!(queue.push(4, Some("callback_query"), Vec::new(), 0));
        assert!(queue.push(5, Some("a_kind_of_the_future"), Vec::new(), 0));
        assert!(queue.push(6, None, Vec::new(), 0));
        assert_eq!(queue.pending(), [1, 4, 5, 6]);
    }
}
