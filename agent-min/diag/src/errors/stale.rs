//! Whether the access log is still written to: without it, nobody sees a flood.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::time::Duration;

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use crate::Notes;
use crate::discover::Details;
use crate::host::{Fetch, Host};
use crate::stack::{Site, Stack, WebKind};

/// A log may be quiet for so long.
const QUIET_S: u64 = 900;
/// Logs that are looked at.
const LOGS_MAX: usize = 16;
/// How long a page may take, and how long its line then takes to be there.
const PAGE: Duration = Duration::from_millis(1_000);
const LINE: Duration = Duration::from_millis(200);

/// Looks at each site's log. One that is quiet is tried: a request that was answered must change it.
pub(crate) fn check(host: &dyn Host, stack: &Stack, details: &dyn Fn(WebKind) -> Details, notes: &mut Notes) {
    let mut seen: Vec<&str> = Vec::new();
    for site in &stack.sites {
        let Some(log) = &site.access_log else { continue };
        if seen.contains(&log.path.as_str()) || seen.len() >= LOGS_MAX {
            continue;
        }
        seen.push(&log.path);
        let Ok(before) = host.metadata(&log.path) else { continue };
        let quiet = host.clock().saturating_sub(before.modified);
        let moved = host.metadata(&format!("{}.1", log.path)).is_ok_and(|old| is_written(host, old.modified))
            && before.modified.saturating_add(60) < host.clock();
        if !moved && (quiet < QUIET_S || details(WebKind::Nginx).buffered.contains(&log.path)) {
            continue;
        }
        if !stack.may_ask(site) || !is_answered(host, site) {
            continue;
        }
        host.pause(LINE);
        let unchanged = host
            .metadata(&log.path)
            .is_ok_and(|after| (after.modified, after.size) == (before.modified, before.size));
        if unchanged {
            let facts = Facts::new().number(FactName::Seconds, quiet).text(FactName::File, &log.path);
            let finding = Finding::new(FindingId::WebLogStale, Severity::Warning).with(facts);
            notes.found(finding.since(before.modified));
            return;
        }
    }
}

/// Whether something changed within the last minute: the server still writes to the file that was renamed.
fn is_written(host: &dyn Host, modified: u64) -> bool {
    modified.saturating_add(60) >= host.clock()
}

fn is_answered(host: &dyn Host, site: &Site) -> bool {
    // Where there is TLS, what is plain often only redirects, and has another log.
    let Some(listen) = site.listens.iter().find(|listen| listen.tls).or_else(|| site.listens.first()) else {
        return false;
    };
    let name = site.names.first().map_or("localhost", String::as_str);
    let page = Fetch { to: listen.reachable(), tls: listen.tls, host: name, path: "/" };
    host.left() > PAGE.saturating_add(LINE) && host.fetch(&page, PAGE).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;
    use crate::stack::{AccessLog, Listen};

    const NOW: u64 = 1_795_311_290;

    fn found(host: &FakeHost, buffered: bool) -> usize {
        let site = Site {
            names: Vec::new(),
            listens: vec![Listen { address: "0.0.0.0".parse().expect("an address"), port: 80, tls: false }],
            root: None,
            access_log: Some(AccessLog { path: "/a.log".into(), format: None }),
            certificates: Vec::new(),
            php: None,
            real_ip: false,
        };
        let stack = Stack { sites: vec![site], ..Stack::default() };
        let details = |_| Details {
            buffered: if buffered { vec!["/a.log".to_owned()] } else { Vec::new() },
            ..Details::default()
        };
        let mut notes = Notes::default();
        check(host, &stack, &details, &mut notes);
        notes.findings().len()
    }

    #[test]
    fn a_log_that_an_answered_request_does_not_change_is_stale() {
        let host = |age| {
            let mut host = FakeHost::new(NOW).file_of("/a.log", b"x", NOW - age);
            host.status = Some(200);
            host
        };
        assert_eq!(found(&host(901), false), 1);
        assert_eq!(found(&host(899), false), 0);
        // Lines that are collected come late.
        assert_eq!(found(&host(901), true), 0);
        // A server that doesn't answer writes nothing.
        let mut down = host(901);
        down.status = None;
        assert_eq!(found(&down, false), 0);
    }

    #[test]
    fn a_server_that_still_writes_to_the_renamed_log_is_found_at_once() {
        let mut host =
            FakeHost::new(NOW).file_of("/a.log", b"", NOW - 120).file_of("/a.log.1", b"x", NOW - 5);
        host.status = Some(200);
        assert_eq!(found(&host, false), 1);
        let mut rotated =
            FakeHost::new(NOW).file_of("/a.log", b"", NOW - 30).file_of("/a.log.1", b"x", NOW - 31);
        rotated.status = Some(200);
        assert_eq!(found(&rotated, false), 0);
    }
}
