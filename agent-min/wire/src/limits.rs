//! A named maximum for everything that crosses the border.

/// Characters in a client or agent id.
pub const ID_MAX: usize = 32;
/// Characters in a unit name.
pub const UNIT_MAX: usize = 64;
/// Bytes of an envelope body.
pub const ENVELOPE_MAX: usize = 512;
/// Bytes of a receipt body.
pub const RECEIPT_MAX: usize = 1536;
/// Bytes of a manifest, signatures included.
pub const MANIFEST_MAX: usize = 4096;
/// Bytes of a health answer.
pub const HEALTH_MAX: usize = 768;
/// Bytes of the names of missing walls in health.
pub const SANDBOX_MAX: usize = 256;
/// Bytes of the reason in a receipt, before JSON escaping.
pub const REASON_MAX: usize = 200;
/// Bytes of an invocation id or start time in a receipt.
pub const INSTANCE_MAX: usize = 64;
/// Capabilities in one manifest: one for each operation.
pub const CAPABILITIES_MAX: usize = 3;
/// Seconds that a manifest may ask between two runs of one operation, at most: one day.
pub const MIN_INTERVAL_MAX: u32 = 86_400;
/// Seconds that an approval's or envelope's time stamp may differ from the clock, inclusive.
pub const FRESHNESS_S: u64 = 300;
/// Receipts that an agent keeps for reconciliation.
pub const RECEIPTS_KEPT: usize = 16;
/// Nesting of objects and arrays in a message.
pub const DEPTH_MAX: usize = 4;
/// The largest integer of canonical JSON (RFC 8785 §3.2.2.3: 2^53 − 1).
pub const INTEGER_MAX: u64 = 9_007_199_254_740_991;
