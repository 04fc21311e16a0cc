//! One run's report, as it travels.
//!
//! `{"areas","boot","checked","clock","counters","duration_ms","findings","not_checked","v":1}`

use heapless::{String, Vec};

use crate::canonical::{Elements, Object, Writer};
use crate::limits::{CHECKS_MAX, FINDINGS_MAX, REPORT_DEPTH_MAX, REPORT_MAX, SKIP_DETAIL_MAX};
use crate::{Area, VERSION, WireError, to_hex};

use super::counter::Counters;
use super::fact::{printable, read_printable};
use super::finding::Finding;
use super::table::closed_list;

closed_list! {
    /// One thing that a run looks at. `checked` and `not_checked` name these.
    Check {
        AccessLog = "access-log",
        AcmeRenewal = "acme-renewal",
        Certificates = "certificates",
        Clock = "clock",
        Connections = "connections",
        Cpu = "cpu",
        DbErrorLog = "db-error-log",
        DbSocket = "db-socket",
        DbStatus = "db-status",
        Dns = "dns",
        Edge = "edge",
        Filesystems = "filesystems",
        Kernel = "kernel",
        Listeners = "listeners",
        Memory = "memory",
        Network = "network",
        Origin = "origin",
        Packages = "packages",
        PhpErrorLog = "php-error-log",
        PhpSocket = "php-socket",
        PhpStatus = "php-status",
        Processes = "processes",
        Units = "units",
        WebConfig = "web-config",
        WebErrorLog = "web-error-log",
    }
}

closed_list! {
    /// Why something was not checked.
    WhyNotChecked {
        Absent = "absent",
        Failed = "failed",
        Permission = "permission",
        Timeout = "timeout",
        Unsupported = "unsupported",
    }
}

/// `{"detail","what","why"}`: a check that couldn't be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotChecked {
    /// Which.
    pub what: Check,
    /// Why.
    pub why: WhyNotChecked,
    /// The file, socket or host that it was about; empty where there is only one.
    pub detail: String<SKIP_DETAIL_MAX>,
}

/// The list of them.
pub type Skipped = Vec<NotChecked, CHECKS_MAX>;

impl NotChecked {
    /// A check that couldn't be made. The detail is made printable and cut.
    pub fn new(what: Check, why: WhyNotChecked, detail: &str) -> Self {
        Self { what, why, detail: printable(detail) }
    }
}

/// A report that has been checked to be one. Findings are read as they are walked.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The areas that were looked at.
    pub areas: Vec<Area, 16>,
    /// The host's boot id: counters of two boots can't be compared.
    pub boot: [u8; 16],
    /// What was looked at.
    pub checked: Vec<Check, CHECKS_MAX>,
    /// The host's clock when the run began, in seconds since the epoch.
    pub clock: u64,
    /// To be compared with the next report's.
    pub counters: Counters,
    /// How long it took.
    pub duration_ms: u64,
    /// What couldn't be looked at.
    pub not_checked: Skipped,
    findings: Elements<'a>,
}

impl<'a> Report<'a> {
    /// Reads a canonical report, to its last finding.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let object = Object::parse_nested(bytes, REPORT_MAX, REPORT_DEPTH_MAX)?;
        let [areas, boot, checked, clock, counters, duration_ms, findings, not_checked, v] =
            object.exact([
                "areas",
                "boot",
                "checked",
                "clock",
                "counters",
                "duration_ms",
                "findings",
                "not_checked",
                "v",
            ])?;
        if v.unsigned("v")? != VERSION {
            return Err(WireError::Version);
        }
        let report = Self {
            areas: sorted_list(areas.array("areas")?, "areas", Area::new)?,
            boot: boot.hex("boot")?,
            checked: sorted_list(checked.array("checked")?, "checked", Check::new)?,
            clock: clock.unsigned("clock")?,
            counters: Counters::read(counters)?,
            duration_ms: duration_ms.unsigned("duration_ms")?,
            not_checked: read_skipped(not_checked.array("not_checked")?)?,
            findings: findings.array("findings")?,
        };
        let mut count = 0_usize;
        for finding in report.findings.clone() {
            let _read_again_when_it_is_walked = Finding::read(finding.object("findings")?)?;
            count = count.saturating_add(1);
        }
        if count > FINDINGS_MAX { Err(WireError::BadValue("findings")) } else { Ok(report) }
    }

    /// What was found.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.findings.clone().filter_map(|finding| Finding::read(finding.object("findings").ok()?).ok())
    }
}

/// Everything but the findings, which are written one after the other.
#[derive(Clone, Debug)]
pub struct ReportWriter<'r> {
    /// The areas that were looked at, sorted.
    pub areas: &'r [Area],
    /// The host's boot id.
    pub boot: [u8; 16],
    /// What was looked at, sorted, each once.
    pub checked: &'r [Check],
    /// When the run began.
    pub clock: u64,
    /// The counters.
    pub counters: &'r Counters,
    /// How long it took.
    pub duration_ms: u64,
    /// What was found; at most [`FINDINGS_MAX`].
    pub findings: &'r [Finding],
    /// What couldn't be looked at.
    pub not_checked: &'r [NotChecked],
}

impl ReportWriter<'_> {
    /// Writes the canonical form; `NoSpace` if it is longer than the buffer.
    pub fn write<'a>(&self, out: &'a mut [u8; REPORT_MAX]) -> Result<&'a [u8], WireError> {
        let mut w = Writer::new(out);
        w.open(b'{');
        w.key("areas");
        write_list(&mut w, self.areas.iter().map(|area| area.as_str()));
        w.key("boot");
        w.text(&to_hex::<32>(&self.boot));
        w.key("checked");
        write_list(&mut w, self.checked.iter().map(|check| check.as_str()));
        w.key("clock");
        w.unsigned(self.clock);
        w.key("counters");
        self.counters.write(&mut w);
        w.key("duration_ms");
        w.unsigned(self.duration_ms);
        w.key("findings");
        w.open(b'[');
        for finding in self.findings {
            finding.write(&mut w);
        }
        w.close(b']');
        w.key("not_checked");
        w.open(b'[');
        for skipped in self.not_checked {
            w.open(b'{');
            w.key("detail");
            w.text(&skipped.detail);
            w.key("what");
            w.text(skipped.what.as_str());
            w.key("why");
            w.text(skipped.why.as_str());
            w.close(b'}');
        }
        w.close(b']');
        w.key("v");
        w.unsigned(VERSION);
        w.close(b'}');
        w.finish()
    }
}

fn write_list<'n>(w: &mut Writer<'_>, names: impl Iterator<Item = &'n str>) {
    w.open(b'[');
    names.for_each(|name| w.text(name));
    w.close(b']');
}

fn sorted_list<T: Ord, const N: usize>(
    elements: Elements<'_>,
    name: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<Vec<T, N>, WireError> {
    let mut list = Vec::new();
    for element in elements {
        let entry = parse(element.plain(name)?).ok_or(WireError::BadValue(name))?;
        list.push(entry).map_err(|_| WireError::BadValue(name))?;
    }
    if list.windows(2).all(|pair| pair.first() < pair.last()) {
        Ok(list)
    } else {
        Err(WireError::Unsorted(name))
    }
}

fn read_skipped(elements: Elements<'_>) -> Result<Skipped, WireError> {
    let mut list = Vec::new();
    for element in elements {
        let [detail, what, why] = element.object("not_checked")?.exact(["detail", "what", "why"])?;
        let skipped = NotChecked {
            what: Check::new(what.plain("what")?).ok_or(WireError::BadValue("what"))?,
            why: WhyNotChecked::new(why.plain("why")?).ok_or(WireError::BadValue("why"))?,
            detail: read_printable(detail.text("detail")?, "detail")?,
        };
        list.push(skipped).map_err(|_| WireError::BadValue("not_checked"))?;
    }
    Ok(list)
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
