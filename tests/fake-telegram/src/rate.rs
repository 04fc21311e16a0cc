//! The built-in send limits: about 30 messages a second overall, one a second per chat with a burst,
//! twenty a minute per group. Pure; the true limits are officially unspecified.

use std::collections::BTreeMap;

const OVERALL: Rule = Rule { burst: 30.0, per_second: 30.0 };
const CHAT: Rule = Rule { burst: 5.0, per_second: 1.0 };
const GROUP: Rule = Rule { burst: 20.0, per_second: 20.0 / 60.0 };

#[derive(Clone, Copy, Debug)]
struct Rule {
    burst: f64,
    per_second: f64,
}

/// A token bucket.
#[derive(Clone, Debug)]
struct Bucket {
    rule: Rule,
    tokens: f64,
    at_ms: i64,
}

impl Bucket {
    fn new(rule: Rule, now_ms: i64) -> Self {
        Self { rule, tokens: rule.burst, at_ms: now_ms }
    }

    /// Seconds until the next message may go, or zero.
    fn wait(&mut self, now_ms: i64) -> f64 {
        let passed = now_ms.saturating_sub(self.at_ms).max(0) as f64 / 1000.0;
        self.tokens = (self.tokens + passed * self.rule.per_second).min(self.rule.burst);
        self.at_ms = now_ms;
        ((1.0 - self.tokens) / self.rule.per_second).max(0.0)
    }
}

/// All limits of one bot.
#[derive(Clone, Debug)]
pub(crate) struct RateLimits {
    overall: Bucket,
    chats: BTreeMap<i64, Bucket>,
}

impl RateLimits {
    pub(crate) fn new(now_ms: i64) -> Self {
        Self { overall: Bucket::new(OVERALL, now_ms), chats: BTreeMap::new() }
    }

    /// Counts a message to `chat`, or says how many seconds too early it is.
    pub(crate) fn admit(&mut self, chat: i64, now_ms: i64) -> Result<(), u64> {
        let rule = if chat < 0 { GROUP } else { CHAT };
        let bucket = self.chats.entry(chat).or_insert_with(|| Bucket::new(rule, now_ms));
        let wait = bucket.wait(now_ms).max(self.overall.wait(now_ms));
        if wait > 0.0 {
            return Err((wait.ceil() as u64).max(1));
        }
        bucket.tokens -= 1.0;
        self.overall.tokens -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chat_takes_a_burst_and_then_one_a_second() {
        let mut limits = RateLimits::new(0);
        for _ in 0..5 {
            assert_eq!(limits.admit(1, 0), Ok(()));
        }
        assert_eq!(limits.admit(1, 0), Err(1));
        assert_eq!(limits.admit(2, 0), Ok(()), "another chat has its own limit");
        assert_eq!(limits.admit(1, 1000), Ok(()));
        assert_eq!(limits.admit(1, 1000), Err(1));
    }

    #[test]
    fn all_chats_together_take_thirty_a_second() {
        let mut limits = RateLimits::new(0);
        for chat in 1..=30 {
            assert_eq!(limits.admit(chat, 0), Ok(()));
        }
        assert_eq!(limits.admit(31, 0), Err(1));
    }

    #[test]
    fn a_group_takes_twenty_a_minute() {
        let mut limits = RateLimits::new(0);
        for at in 0..20 {
            assert_eq!(limits.admit(-5, at), Ok(()));
        }
        assert_eq!(limits.admit(-5, 20), Err(3));
    }
}
