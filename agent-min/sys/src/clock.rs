//! The host's wall clock, as whole seconds. Durations are measured with [`std::time::Instant`] instead.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch. A clock before 1970 reads as 0, which is stale for every envelope.
pub fn wall_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
