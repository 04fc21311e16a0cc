//! Whether the renewal of certificates fails, by the log of the program that renews them.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity};

use super::tail::Tail;
use super::tally::Tally;
use super::web::because;
use crate::Notes;
use crate::host::{Denied, Host};

/// certbot's log; each run begins a new one.
const LOG: &str = "/var/log/letsencrypt/letsencrypt.log";
/// Renewals are tried twice a day: what failed longer ago says nothing of today.
const DAYS_S: u64 = 3 * 86_400;

/// What has been read so far.
#[derive(Debug, Default)]
pub(crate) struct Acme {
    failed: Tally,
    well: u64,
}

impl Acme {
    pub(crate) fn line(&mut self, now: u64, at: u64, text: &str, line: &[u8]) {
        if at.saturating_add(DAYS_S) < now {
            return;
        }
        match outcome(text) {
            Some(true) => self.well = self.well.max(at),
            Some(false) => self.failed.add(at, line),
            None => {}
        }
    }

    /// Failing means: tried, and no success since.
    pub(crate) fn judge(&self, notes: &mut Notes) {
        if self.failed.some() && self.failed.last > self.well {
            let facts = Facts::new().number(FactName::Count, self.failed.count);
            notes.found(because(
                Finding::new(FindingId::TlsAcmeFailing, Severity::Warning).with(facts),
                &self.failed,
            ));
        }
    }
}

/// Reads the log, where certbot is and it may be read.
pub(crate) fn read(host: &dyn Host, acme: &mut Acme, notes: &mut Notes) {
    match Tail::read(host, LOG) {
        Ok(tail) => {
            for (at, line) in tail.lines() {
                acme.line(host.clock(), at, &String::from_utf8_lossy(line), line);
            }
            notes.checked(Check::AcmeRenewal);
        }
        // The directory is root's alone; where there is no certbot, nothing is missing.
        Err(Denied::Absent) => {}
        Err(denied) => {
            if host.metadata("/etc/letsencrypt").is_ok() {
                notes.skipped(Check::AcmeRenewal, crate::discover::why(denied), LOG);
            }
        }
    }
}

/// Whether a line of certbot says that a renewal went well or failed.
pub fn outcome(text: &str) -> Option<bool> {
    let failed = [
        "Failed to renew certificate ",
        "All renewals failed",
        "All simulated renewals failed",
        " renew failure(s)",
    ];
    let well = [
        "Congratulations, all renewals succeeded",
        "Congratulations, all simulated",
        "No renewals were attempted",
    ];
    if failed.iter().any(|mark| text.contains(mark)) {
        // `0 renew failure(s), 0 parse failure(s)` ends a run that went well.
        return Some(
            text.contains(":0 renew failure(s)") || text.trim_start().starts_with("0 renew failure(s)"),
        );
    }
    well.iter().any(|mark| text.contains(mark)).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    const NOW: u64 = 1_795_311_290;
    const FAILED: &str = "2026-11-21 22:00:01,123:ERROR:certbot._internal.renewal:Failed to renew certificate a.test with error: \
                          Some challenges have failed.\n\
                          2026-11-21 22:00:01,130:ERROR:certbot._internal.renewal:All renewals failed. x\n\
                          2026-11-21 22:00:01,140:ERROR:certbot._internal.log:1 renew failure(s), 0 parse failure(s)\n";
    const WELL: &str = "2026-11-21 23:00:01,123:DEBUG:certbot._internal.display.obj:Notifying user: Congratulations, all \
                        renewals succeeded:\n";

    fn found(log: &str) -> Vec<FindingId> {
        let host = FakeHost::new(NOW).file_of(LOG, log.as_bytes(), 1_795_302_001);
        let (mut acme, mut notes) = (Acme::default(), Notes::default());
        read(&host, &mut acme, &mut notes);
        acme.judge(&mut notes);
        assert_eq!(notes.what_was_checked(), [Check::AcmeRenewal]);
        notes.findings().iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn a_failure_counts_until_a_success() {
        assert_eq!(found(FAILED), [FindingId::TlsAcmeFailing]);
        assert_eq!(found(&format!("{FAILED}{WELL}")), []);
        assert_eq!(found(WELL), []);
        assert_eq!(found("2026-11-21 22:00:01,1:DEBUG:x:0 renew failure(s), 0 parse failure(s)\n"), []);
        assert_eq!(found(&FAILED.replace("2026-11-21", "2026-11-11")), []);
    }

    #[test]
    fn a_log_that_is_roots_alone_is_said_where_certbot_is() {
        let host = FakeHost::new(NOW).refuse(LOG);
        let mut notes = Notes::default();
        read(&host, &mut Acme::default(), &mut notes);
        assert_eq!(notes.what_was_not_checked(), []);
        read(&host.file("/etc/letsencrypt/cli.ini", ""), &mut Acme::default(), &mut notes);
        assert_eq!(notes.what_was_not_checked().len(), 1);
    }
}
