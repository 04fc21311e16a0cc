//! Files of the sites and their logs: WordPress' maintenance mode, its debug log, and logs that nobody rotates.
//! Only their size and age are looked at, and the few bytes of `.maintenance`.

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity};

use super::FILE_MAX;
use super::fields::decimal;
use crate::Notes;
use crate::host::Host;
use crate::stack::{Site, Stack};

/// Sites and logs that are looked at.
const SITES_MAX: usize = 64;
const LOGS_MAX: usize = 32;
/// An update takes less than this, in seconds.
const UPDATE: u64 = 180;
/// WordPress ignores the file after this, in seconds.
const IGNORED: u64 = 600;
/// A debug log larger than this, in bytes, was forgotten.
const DEBUG_LOG_MAX: u64 = 100_000_000;
/// A log larger than this, in bytes, isn't rotated.
const LOG_MAX: u64 = 1_000_000_000;
/// A log that takes this share of what is free beside it will fill the disk, in per cent.
const LOG_SHARE: u64 = 20;

/// Looks at these files.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let mut roots: Vec<&str> = Vec::new();
    for site in stack.sites.iter().take(SITES_MAX) {
        let Some(root) = site.root.as_deref().filter(|root| !roots.contains(root)) else { continue };
        roots.push(root);
        if let Some(seconds) = maintenance(host, root) {
            let facts = Facts::new()
                .text(FactName::Host, name(site))
                .number(FactName::Seconds, seconds)
                .text(FactName::File, &format!("{root}/.maintenance"));
            notes.found(Finding::new(FindingId::HttpMaintenance, Severity::Critical).with(facts));
        }
        let path = debug_log(root);
        if let Some(size) = size(host, &path).filter(|size| *size > DEBUG_LOG_MAX) {
            let facts = Facts::new().text(FactName::File, &path).number(FactName::Size, size);
            notes.found(Finding::new(FindingId::PhpDebuglogHuge, Severity::Warning).with(facts));
        }
    }
    for (path, size) in logs(host, stack).into_iter().filter(|(_, size)| *size > LOG_MAX) {
        let free = path.rsplit_once('/').and_then(|(directory, _)| host.filesystem(directory).ok());
        let threatens =
            free.is_some_and(|room| room.free.saturating_mul(LOG_SHARE) < size.saturating_mul(100));
        let severity = if threatens { Severity::Warning } else { Severity::Info };
        let facts = Facts::new().text(FactName::File, &path).number(FactName::Size, size);
        notes.found(Finding::new(FindingId::DiskLogGrowth, severity).with(facts));
    }
}

/// The logs of all that is installed and their sizes, each once, the largest first.
pub(super) fn logs(host: &dyn Host, stack: &Stack) -> Vec<(String, u64)> {
    let mut paths: Vec<String> = Vec::new();
    let access = stack.sites.iter().filter_map(|site| Some(&site.access_log.as_ref()?.path));
    let web = stack.web.iter().flat_map(|server| &server.error_logs);
    let php = stack.pools.iter().flat_map(|pool| &pool.error_logs);
    let databases = stack.databases.iter().filter_map(|database| database.error_log.as_ref());
    paths.extend(access.chain(web).chain(php).chain(databases).chain(&stack.error_logs).cloned());
    paths.extend(stack.sites.iter().filter_map(|site| site.root.as_deref().map(debug_log)));
    paths.sort_unstable();
    paths.dedup();
    paths.truncate(LOGS_MAX);
    let mut sizes: Vec<(String, u64)> =
        paths.into_iter().filter_map(|path| size(host, &path).map(|size| (path, size))).collect();
    sizes.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    sizes
}

/// For how long visitors have seen the maintenance page; `None` if they don't, or an update may still run.
fn maintenance(host: &dyn Host, root: &str) -> Option<u64> {
    // To anything but WordPress the file says nothing.
    let _wordpress = host.metadata(&format!("{root}/wp-includes")).ok()?;
    let path = format!("{root}/.maintenance");
    let written = host.metadata(&path).ok()?.modified;
    let content = host.read(&path, FILE_MAX).unwrap_or_default();
    let for_ever = contains(&content, b"time()");
    let since = if for_ever { written } else { upgrading(&content).unwrap_or(written) };
    let seconds = host.clock().saturating_sub(since);
    let shown = for_ever || seconds < IGNORED;
    (shown && seconds > UPDATE).then_some(seconds)
}

/// The moment that WordPress wrote: `<?php $upgrading = 1700000000; ?>`.
pub fn upgrading(content: &[u8]) -> Option<u64> {
    let name = b"$upgrading";
    let at = content.windows(name.len()).position(|window| window == name)?;
    let rest = content.get(at.checked_add(name.len())?..)?;
    let rest = rest.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    decimal(rest.get(..end)?)
}

fn contains(content: &[u8], what: &[u8]) -> bool {
    content.windows(what.len()).any(|window| window == what)
}

fn debug_log(root: &str) -> String {
    format!("{root}/wp-content/debug.log")
}

fn size(host: &dyn Host, path: &str) -> Option<u64> {
    /// `S_IFMT` and `S_IFREG`: a log may also be a pipe, or `/dev/stdout`.
    const KIND: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    host.metadata(path).ok().filter(|metadata| metadata.mode & KIND == REGULAR).map(|metadata| metadata.size)
}

fn name(site: &Site) -> &str {
    site.names.first().map_or("the site", String::as_str)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::{Filesystem, Metadata};
    use crate::stack::AccessLog;
    use crate::testing::FakeHost;

    const GB: u64 = 1_000_000_000;

    fn stack() -> Stack {
        let site = Site {
            names: vec!["example.com".to_owned()],
            listens: Vec::new(),
            root: Some("/srv/www".to_owned()),
            access_log: Some(AccessLog { path: "/var/log/nginx/access.log".to_owned(), format: None }),
            certificates: Vec::new(),
            php: None,
            real_ip: false,
        };
        // A second name of the same files.
        Stack { sites: vec![site.clone(), site], ..Stack::default() }
    }

    fn file(size: u64, modified: u64) -> Metadata {
        Metadata { size, modified, mode: 0o100_644, uid: 33, gid: 33, inode: 1, device: 1 }
    }

    fn found(host: &FakeHost) -> Vec<(Severity, String)> {
        let mut notes = Notes::default();
        check(host, &stack(), &mut notes);
        notes.findings().iter().map(|finding| (finding.severity, finding.to_string())).collect()
    }

    fn wordpress() -> FakeHost {
        FakeHost::default().file("/srv/www/wp-includes/version.php", "")
    }

    #[test]
    fn without_wordpress_the_file_says_nothing() {
        let at = FakeHost::default().clock - 300;
        let file = format!("<?php $upgrading = {at}; ?>");
        assert_eq!(found(&FakeHost::default().file("/srv/www/.maintenance", file)), []);
    }

    #[test]
    fn maintenance_is_a_finding_while_wordpress_heeds_the_file_and_no_update_runs() {
        let host = FakeHost::default();
        let with = |age: u64| {
            let at = FakeHost::default().clock - age;
            found(&wordpress().file("/srv/www/.maintenance", format!("<?php $upgrading = {at}; ?>")))
        };
        assert_eq!(found(&host), []);
        assert_eq!(with(180), []);
        let sentence = |time: &str| format!("example.com has been in WordPress' maintenance mode for {time}");
        assert_eq!(with(181), [(Severity::Critical, sentence("3 min"))]);
        assert_eq!(with(599), [(Severity::Critical, sentence("9 min"))]);
        assert_eq!(with(600), []);
    }

    #[test]
    fn a_maintenance_mode_without_an_end_is_found_at_any_age() {
        let with = |content: &str, age: u64| {
            let host = wordpress();
            let metadata = file(30, host.clock - age);
            found(&host.file("/srv/www/.maintenance", content).stat("/srv/www/.maintenance", metadata)).len()
        };
        assert_eq!(with("<?php $upgrading = time();", 180), 0);
        assert_eq!(with("<?php $upgrading = time();", 90_000), 1);
        // One that can't be read is as old as it looks.
        assert_eq!(with("", 300), 1);
        assert_eq!(with("", 900), 0);
    }

    #[test]
    fn a_forgotten_debug_log_is_found() {
        let with = |size| found(&FakeHost::default().stat("/srv/www/wp-content/debug.log", file(size, 0)));
        assert_eq!(with(DEBUG_LOG_MAX), []);
        let sentence = "/srv/www/wp-content/debug.log is 100 MB".to_owned();
        assert_eq!(with(DEBUG_LOG_MAX + 1), [(Severity::Warning, sentence)]);
    }

    #[test]
    fn a_large_log_is_an_alarm_where_it_threatens_the_disk() {
        let with = |size, free| {
            let room = Filesystem { size: 500 * GB, free, inodes: 0, inodes_free: 0, readonly: false };
            let host = FakeHost::default().stat("/var/log/nginx/access.log", file(size, 0));
            found(&host.filesystem_at("/var/log/nginx", room))
        };
        assert_eq!(with(GB, GB), []);
        let sentence = || "/var/log/nginx/access.log is 2.0 GB and grows".to_owned();
        assert_eq!(with(2 * GB, 10 * GB), [(Severity::Info, sentence())]);
        assert_eq!(with(2 * GB, 10 * GB - 1), [(Severity::Warning, sentence())]);
        let pipe = Metadata { mode: 0o010_644, ..file(2 * GB, 0) };
        assert_eq!(found(&FakeHost::default().stat("/var/log/nginx/access.log", pipe)), []);
    }

    #[test]
    fn the_moment_of_an_update_is_read() {
        assert_eq!(upgrading(b"<?php $upgrading = 1700000000; ?>"), Some(1_700_000_000));
        assert_eq!(upgrading(b"<?php $upgrading=5"), Some(5));
        for none in [&b""[..], b"$upgrading", b"$upgrading = time()", b"$upgrading 5", b"upgrading = 5"] {
            assert_eq!(upgrading(none), None);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _read = upgrading(&bytes);
        }
    }
}
