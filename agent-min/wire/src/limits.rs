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
pub const HEALTH_MAX: usize = 1024;
/// Bytes of the names of missing walls in health.
pub const SANDBOX_MAX: usize = 448;
/// Bytes of the reason in a receipt, before JSON escaping.
pub const REASON_MAX: usize = 200;
/// Bytes of an invocation id or start time in a receipt.
pub const INSTANCE_MAX: usize = 64;
/// Capabilities in one manifest: one for each operation.
pub const CAPABILITIES_MAX: usize = 3;
/// Seconds that a manifest may ask between two runs of one operation, at most: one day.
pub const MIN_INTERVAL_MAX: u32 = 86_400;
/// Names of sites that a manifest may narrow the diagnostics to.
pub const TUNED_HOSTS_MAX: usize = 8;
/// Access logs that a manifest may name, and as many error logs.
pub const TUNED_LOGS_MAX: usize = 4;
/// Characters of a host's name in the DNS (RFC 1035, section 2.3.4).
pub const HOST_MAX: usize = 253;
/// Characters of a log's path in a manifest.
pub const LOG_PATH_MAX: usize = 128;
/// Bytes of all that a manifest says of how the diagnostics look.
pub const TUNING_MAX: usize = 2048;
/// Seconds that an approval's or envelope's time stamp may differ from the clock, inclusive.
pub const FRESHNESS_S: u64 = 300;
/// Receipts that an agent keeps for reconciliation.
pub const RECEIPTS_KEPT: usize = 16;
/// Nesting of objects and arrays in a message.
pub const DEPTH_MAX: usize = 4;
/// The same in a report, for the sources of a flood.
pub const REPORT_DEPTH_MAX: usize = 6;
/// Bytes of a diagnostic report.
pub const REPORT_MAX: usize = 80 * 1024;
/// Findings in one report.
pub const FINDINGS_MAX: usize = 40;
/// Findings with a flood's sources in one report.
pub const FLOODS_MAX: usize = 8;
/// Facts of one finding.
pub const FACTS_MAX: usize = 8;
/// Characters of a fact that is a text.
pub const FACT_TEXT_MAX: usize = 80;
/// Characters of the log line in a finding.
pub const EVIDENCE_LINE_MAX: usize = 160;
/// Characters that a mitigation at the edge matches.
pub const PATTERN_MAX: usize = 128;
/// Counters in one report.
pub const COUNTERS_MAX: usize = 64;
/// Characters of what a counter is of.
pub const COUNTER_KEY_MAX: usize = 40;
/// Checks that can be named as made or not made in one report.
pub const CHECKS_MAX: usize = 40;
/// Characters of what a check that wasn't made was about.
pub const SKIP_DETAIL_MAX: usize = 64;
/// The largest integer of canonical JSON (RFC 8785 §3.2.2.3: 2^53 − 1).
pub const INTEGER_MAX: u64 = 9_007_199_254_740_991;
