//! What the agent's diagnostics add, by what they look at.
//!
//! Pure: works on the names of functions alone. It is another cut through the same file than the division by
//! crates: a generic of the standard library that a check needs counts for the check, too. What is inlined counts
//! for where it went, and constants without a name (texts, tables) count for nobody.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::weigh::Named;

/// What one area weighs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AreaSize {
    pub(crate) name: &'static str,
    pub(crate) code: u64,
    pub(crate) data: u64,
    pub(crate) bytes: u64,
}

/// What no row claims.
const OTHER: &str = "other";

const DB: &str = "db";
const DISCOVERY: &str = "shared: discovery";
const DISK: &str = "disk";
const FLOOD: &str = "flood";
const HTTP: &str = "http";
const JOURNAL: &str = "shared: journal";
const KERNEL: &str = "shared: the kernel's files and lists";
const LOGS: &str = "shared: error logs";
const NET: &str = "net";
const NOTES: &str = "shared: notes, texts";
const PHP: &str = "php";
const PROBES: &str = "shared: conversations";
const PROCESS: &str = "shared: the process";
const REPORT: &str = "shared: the report";
const SYSTEM: &str = "system";
const TLS: &str = "tls";
const WEB: &str = "web";

/// Every module of the diagnostics, and a function that its directory's root has taken in, and whose they are. Of
/// several rows that fit the longest counts. What serves more than one area is shared.
const ROWS: &[(&str, &str)] = &[
    ("secmon_agent::areas", PROCESS),
    ("secmon_agent::diagnostics", PROCESS),
    ("secmon_agent::diagnostics::tls", TLS),
    ("secmon_agent::look", PROCESS),
    ("secmon_agent::monitor::diagnosis", PROCESS),
    ("secmon_agent::net::reports", PROCESS),
    ("secmon_diag::discover", DISCOVERY),
    ("secmon_diag::errors", LOGS),
    ("secmon_diag::errors::acme", TLS),
    ("secmon_diag::errors::database", DB),
    ("secmon_diag::errors::listening", LOGS),
    ("secmon_diag::errors::php", PHP),
    ("secmon_diag::errors::php_message", PHP),
    ("secmon_diag::errors::said", WEB),
    ("secmon_diag::errors::stale", WEB),
    ("secmon_diag::errors::tail", LOGS),
    ("secmon_diag::errors::tally", LOGS),
    ("secmon_diag::errors::time", LOGS),
    ("secmon_diag::errors::units", SYSTEM),
    ("secmon_diag::errors::upstream", PHP),
    ("secmon_diag::errors::web", WEB),
    ("secmon_diag::flood", FLOOD),
    ("secmon_diag::host", NOTES),
    ("secmon_diag::journal", JOURNAL),
    ("secmon_diag::kernel", KERNEL),
    ("secmon_diag::kernel::busy", FLOOD),
    ("secmon_diag::kernel::connections", NET),
    ("secmon_diag::kernel::cpu", SYSTEM),
    ("secmon_diag::kernel::disk", DISK),
    ("secmon_diag::kernel::fields", KERNEL),
    ("secmon_diag::kernel::memory", SYSTEM),
    ("secmon_diag::kernel::mounts", DISK),
    ("secmon_diag::kernel::net", NET),
    ("secmon_diag::kernel::overcommit", SYSTEM),
    ("secmon_diag::kernel::packages", SYSTEM),
    ("secmon_diag::kernel::php_sockets", PHP),
    ("secmon_diag::kernel::pressure", KERNEL),
    ("secmon_diag::kernel::processes", SYSTEM),
    ("secmon_diag::kernel::queues", WEB),
    ("secmon_diag::kernel::sample", KERNEL),
    ("secmon_diag::kernel::site_files", HTTP),
    ("secmon_diag::kernel::sock_diag", KERNEL),
    ("secmon_diag::kernel::sockets", KERNEL),
    ("secmon_diag::kernel::system", SYSTEM),
    ("secmon_diag::kernel::tally", NET),
    ("secmon_diag::kernel::units", SYSTEM),
    ("secmon_diag::kernel::web", WEB),
    ("secmon_diag::netlink", KERNEL),
    ("secmon_diag::networks", NOTES),
    ("secmon_diag::notes", NOTES),
    ("secmon_diag::probe", PROBES),
    ("secmon_diag::probe::bytes", PROBES),
    ("secmon_diag::probe::certificate", TLS),
    ("secmon_diag::probe::certificates", TLS),
    ("secmon_diag::probe::clock", NET),
    ("secmon_diag::probe::databases", DB),
    ("secmon_diag::probe::date", PROBES),
    ("secmon_diag::probe::der", TLS),
    ("secmon_diag::probe::dns", NET),
    ("secmon_diag::probe::edge", HTTP),
    ("secmon_diag::probe::exchange", PROBES),
    ("secmon_diag::probe::fastcgi", PHP),
    ("secmon_diag::probe::fpm", PHP),
    ("secmon_diag::probe::mariadb", DB),
    ("secmon_diag::probe::mysql", DB),
    ("secmon_diag::probe::names", NET),
    ("secmon_diag::probe::origin", HTTP),
    ("secmon_diag::probe::page", HTTP),
    ("secmon_diag::probe::pem", TLS),
    ("secmon_diag::probe::postgres", DB),
    ("secmon_diag::probe::postgres_packets", DB),
    ("secmon_diag::probe::url", HTTP),
    ("secmon_diag::stack", DISCOVERY),
    ("secmon_diag::text", NOTES),
    ("secmon_diag::tuning", DISCOVERY),
    ("secmon_wire::diag", REPORT),
];

/// The areas of these functions and constants, heaviest first.
pub(crate) fn divide(symbols: &[Named]) -> Vec<AreaSize> {
    let mut sums: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    for symbol in symbols {
        let Some(area) = area(&symbol.name, &symbol.owner) else { continue };
        let (code, data) = sums.entry(area).or_default();
        *if symbol.code { code } else { data } += symbol.bytes;
    }
    let sizes =
        sums.into_iter().map(|(name, (code, data))| AreaSize { name, code, data, bytes: code + data });
    let mut sizes: Vec<AreaSize> = sizes.collect();
    sizes.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(b.name)));
    sizes
}

/// Whose a function is by the first module of the table in its name; nothing if it isn't the diagnostics' own.
fn area(name: &str, owner: &str) -> Option<&'static str> {
    let fits = |module: &str| {
        let at = name.match_indices(module).map(|(at, _)| at).find(|at| is_whole(name, *at, module.len()));
        at.map(|at| (at, std::cmp::Reverse(module.len())))
    };
    let found = ROWS.iter().filter_map(|(module, area)| Some((fits(module)?, *area))).min();
    match found {
        Some((_, area)) => Some(area),
        None if owner == "secmon_diag" || name.contains("secmon_diag::") => Some(OTHER),
        None => None,
    }
}

/// Whether these bytes of a name are a path and not a piece of a longer word.
fn is_whole(name: &str, at: usize, length: usize) -> bool {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let before = name.get(..at).and_then(|text| text.chars().next_back());
    let after = name.get(at + length..).and_then(|text| text.chars().next());
    !before.is_some_and(is_word) && !after.is_some_and(is_word)
}

#[cfg(test)]
#[path = "area_tests.rs"]
mod tests;
