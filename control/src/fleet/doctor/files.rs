//! The data directory: modes, keys, certificates, database; and the clock, as far as files tell.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{Finding, expiry};
use crate::config::DataDir;
use crate::fleet::keys::{SigningKey, public_from_pem};
use crate::fleet::pki::{self, Authority};
use crate::store::Store;

/// No clock that is right is before this: 2026-01-01.
const EARLIEST: u64 = 1_767_225_600;
/// File times may be ahead of a good clock by this much (coarse clocks, network file systems).
const AHEAD_S: u64 = 5;

/// Checks the files of a data directory, and opens its database. The store is `None` if that failed.
pub fn check_data_dir(data: &DataDir, now: u64) -> (Vec<Finding>, Option<Store>) {
    let directory = data.as_path();
    if let Err(error) = std::fs::read_dir(directory) {
        let text =
            format!("{error}; run `secmon init`, or point SECMON_DATA_DIR or --data-dir at the right place");
        return (vec![Finding::fail(directory.display().to_string(), text)], None);
    }
    let mut findings: Vec<Finding> = data.private_files().iter().filter_map(|path| private(path)).collect();
    findings.extend(closed(directory));
    if findings.is_empty() {
        findings.push(Finding::ok("file modes", "keys, database and audit log are their owner's alone"));
    }
    findings.push(Finding::of(
        "certificate authority",
        Authority::read(&data.ca_certificate(), &data.ca_key())
            .map(|_| "certificate and key belong together"),
    ));
    let authority =
        "no certificate of an agent is accepted after that; a new authority means new bundles for all";
    findings.push(certificate("authority's certificate", &data.ca_certificate(), now, authority));
    let control = "no agent answers after that; a new data directory makes a new one";
    findings.push(certificate("control certificate", &data.control_certificate(), now, control));
    findings.push(Finding::of(
        "TLS",
        crate::fleet::control_tls(data).map(|_| "certificate and key belong together"),
    ));
    findings.push(dispatch_key(data));
    let store = database(data);
    findings.push(match &store {
        Ok(_) => Finding::ok("database", "opens"),
        Err(text) => Finding::fail("database", text.clone()),
    });
    (findings, store.ok())
}

/// Checks the clock against the newest file of the data directory: a clock that went back, or a board that
/// starts in 1970, would reject every approval as stale, or accept old ones.
pub fn check_clock(data: &DataDir, now: u64) -> Finding {
    let newest = data.private_files().iter().filter_map(|path| modified(path)).max();
    let ahead = newest.unwrap_or(0).saturating_sub(now);
    if now < EARLIEST {
        Finding::fail("clock", format!("says {}; set it, and let NTP keep it", pki::date(now)))
    } else if ahead > AHEAD_S {
        let text =
            format!("{ahead} s behind the newest file of the data directory; set it, and let NTP keep it");
        Finding::fail("clock", text)
    } else {
        Finding::ok("clock", "not behind the files of the data directory")
    }
}

fn modified(path: &Path) -> Option<u64> {
    let time = path.metadata().ok()?.modified().ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// What is wrong with a file that only its owner may read.
fn private(path: &Path) -> Option<Finding> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    match path.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && name == "secmon.env" => None,
        Err(error) => Some(Finding::fail(name, format!("{error}; restore it from a backup"))),
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => {
            let mode = metadata.permissions().mode() & 0o777;
            let text =
                format!("others than its owner may use it (mode {mode:04o}); chmod 600 {}", path.display());
            Some(Finding::fail(name, text))
        }
        Ok(_) => None,
    }
}

/// A directory that others can write to lets them replace what is in it.
fn closed(directory: &Path) -> Option<Finding> {
    let metadata = directory.metadata().ok()?;
    let mode = metadata.mode() & 0o777;
    let text =
        format!("others than its owner may enter it (mode {mode:04o}); chmod 700 {}", directory.display());
    match mode {
        _ if mode & 0o022 != 0 => Some(Finding::fail("data directory", text)),
        _ if mode & 0o055 != 0 => Some(Finding::warn("data directory", text)),
        _ => None,
    }
}

fn certificate(subject: &str, path: &Path, now: u64, consequence: &str) -> Finding {
    match std::fs::read(path) {
        Err(error) => {
            Finding::fail(subject, format!("{}: {error}; restore it from a backup", path.display()))
        }
        Ok(pem) => match pki::validity(&pem) {
            None => Finding::fail(
                subject,
                format!("{}: not a certificate; restore it from a backup", path.display()),
            ),
            Some(validity) if now < validity.not_before => Finding::fail(
                subject,
                format!("good only from {} on; is the clock right?", pki::date(validity.not_before)),
            ),
            Some(validity) => expiry(subject, validity.not_after, now, consequence),
        },
    }
}

fn dispatch_key(data: &DataDir) -> Finding {
    let key = match SigningKey::read(&data.dispatch_key()) {
        Ok(key) => key,
        Err(error) => return Finding::fail("dispatch key", error.to_string()),
    };
    match std::fs::read(data.dispatch_public()).ok().and_then(|pem| public_from_pem(&pem)) {
        Some(public) if public == key.public() => Finding::ok("dispatch key", "both halves belong together"),
        Some(_) => {
            Finding::fail("dispatch key", "dispatch.pub is of another key; restore both from one backup")
        }
        None => {
            Finding::warn("dispatch key", "dispatch.pub can't be read; `secmon manifest verify` needs it")
        }
    }
}

fn database(data: &DataDir) -> Result<Store, String> {
    // Opening creates what is absent, and a check changes nothing.
    match data.database().metadata() {
        Ok(_) => Store::open(&data.database()).map_err(|error| error.to_string()),
        Err(error) => Err(format!("{error}; restore it from a backup")),
    }
}
