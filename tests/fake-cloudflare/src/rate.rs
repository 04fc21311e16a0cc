//! The limit of requests per token: so many in a window, then none at all for as long. Pure: time comes in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reply::{Refusal, Reply};

/// How many requests a token may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimit {
    /// So many.
    pub requests: u32,
    /// In so many seconds; one more, and the token is blocked for as long.
    pub window_s: u32,
}

impl RateLimit {
    /// What the service publishes.
    pub const PUBLISHED: Self = Self { requests: 1200, window_s: 300 };
}

#[derive(Debug, Default)]
struct Window {
    began_ms: i64,
    count: u32,
    blocked_until_ms: i64,
}

/// The windows of all tokens.
#[derive(Debug, Default)]
pub(crate) struct Windows {
    pub(crate) limit: Option<RateLimit>,
    by_token: BTreeMap<String, Window>,
}

/// What the limit says to one request.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Allowance {
    /// There is no limit.
    Unlimited,
    /// It may; so many are left until the window ends.
    Left(RateLimit, u32, i64),
    /// It may not for so many seconds.
    None(RateLimit, i64),
}

impl Windows {
    /// Counts a request.
    pub(crate) fn count(&mut self, token: &str, now_ms: i64) -> Allowance {
        let Some(limit) = self.limit else { return Allowance::Unlimited };
        let length = i64::from(limit.window_s) * 1000;
        let begins = Window { began_ms: now_ms, ..Window::default() };
        let window = self.by_token.entry(token.to_owned()).or_insert(begins);
        if now_ms < window.blocked_until_ms {
            return Allowance::None(limit, seconds(window.blocked_until_ms - now_ms));
        }
        if now_ms >= window.began_ms + length {
            *window = Window { began_ms: now_ms, ..Window::default() };
        }
        if window.count >= limit.requests {
            window.blocked_until_ms = now_ms + length;
            return Allowance::None(limit, seconds(length));
        }
        window.count += 1;
        Allowance::Left(limit, limit.requests - window.count, seconds(window.began_ms + length - now_ms))
    }
}

fn seconds(ms: i64) -> i64 {
    (ms + 999) / 1000
}

/// The answer to a client that asked too often.
pub(crate) fn too_many(limit: RateLimit, retry_after: i64) -> Reply {
    let refusal = Refusal::new(429, 971, "Please wait and consider throttling your request speed");
    let reply = Reply::from(refusal).with_header("retry-after", retry_after.to_string());
    with_headers(reply, limit, 0, retry_after)
}

/// An answer that says what is left.
pub(crate) fn with_headers(reply: Reply, limit: RateLimit, left: u32, reset: i64) -> Reply {
    reply
        .with_header("Ratelimit", format!("\"default\";r={left};t={reset}"))
        .with_header("Ratelimit-Policy", format!("\"default\";q={};w={}", limit.requests, limit.window_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_too_many_blocks_its_token_alone_for_a_window() {
        let limit = RateLimit { requests: 2, window_s: 10 };
        let mut windows = Windows { limit: Some(limit), ..Windows::default() };
        assert_eq!(windows.count("a", 1_000), Allowance::Left(limit, 1, 10));
        assert_eq!(windows.count("a", 6_500), Allowance::Left(limit, 0, 5));
        assert_eq!(windows.count("a", 10_000), Allowance::None(limit, 10));
        assert_eq!(windows.count("b", 10_000), Allowance::Left(limit, 1, 10));
        assert_eq!(windows.count("a", 19_999), Allowance::None(limit, 1));
        assert_eq!(windows.count("a", 20_000), Allowance::Left(limit, 1, 10));
    }

    #[test]
    fn a_window_that_ended_begins_anew() {
        let limit = RateLimit { requests: 1, window_s: 10 };
        let mut windows = Windows { limit: Some(limit), ..Windows::default() };
        assert_eq!(windows.count("a", 1_000), Allowance::Left(limit, 0, 10));
        assert_eq!(windows.count("a", 11_000), Allowance::Left(limit, 0, 10));
    }
}
