//! Recorded days. The logs aren't part of the project; what is a flood in them was written down by whoever recorded
//! them or found it by hand.

use std::path::{Path, PathBuf};

use secmon_fake_cloudflare::Visit;

use super::{Day, recorded};

/// Who belongs to the flood of a log.
type Accused = fn(&Visit) -> bool;

/// A file, what it is, and which of its requests are a flood's.
const LOGS: [(&str, &str, Accused); 6] = [
    ("elastic-apache-2015.log", "a blog, 50 hours", |_| false),
    ("wordpress-nginx-2019-dbadmins.log", "WordPress, 20 hours of usual noise", |_| false),
    ("vps-apache-2020-12-01-scan.log", "a small server with scanners", |_| false),
    ("lab-A-realip.log", "four floods and a scan that do no harm, and a crowd", is_of_laboratory),
    ("lab-C-realip.log", "a search flood of a minute that fells the server", |visit| {
        visit.query.starts_with("s=casino")
    }),
    ("nginx-flood-2023-3s.log", "three seconds of a flood from a few addresses", |visit| {
        visit.ip.to_string().starts_with("192.236.19")
    }),
];

/// The days whose logs are in a directory.
pub fn recorded_days(directory: &Path) -> Vec<Day> {
    let days = LOGS.iter().filter_map(|(file, what, is_flood)| {
        let log = std::fs::read(directory.join(file)).ok()?;
        Some(Day { name: (*what).to_owned(), requests: recorded(&log, is_flood), capacity: None })
    });
    days.collect()
}

/// Where recorded logs may be: in `$SECMON_SHARED`, or beside the workspace.
pub fn directory() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let roots = [std::env::var_os("SECMON_SHARED").map(PathBuf::from), Some(beside)];
    roots.into_iter().flatten().map(|root| root.join("data/access-logs")).find(|path| path.is_dir())
}

fn is_of_laboratory(visit: &Visit) -> bool {
    let Visit { path, query, .. } = visit;
    let address = visit.ip.to_string();
    let posts = |file: &str| visit.method == "POST" && path == file;
    let digits = query.len() >= 10 && query.bytes().all(|byte| byte.is_ascii_digit());
    (posts("/xmlrpc.php") && address == "198.18.0.7")
        || (posts("/wp-login.php") && address.starts_with("198.1"))
        || (query.starts_with("s=") && address.starts_with("198.1"))
        || digits
        || address == "198.18.5.55"
}
