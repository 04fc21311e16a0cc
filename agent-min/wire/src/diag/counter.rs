//! Counters: numbers that only say something beside the same number of an earlier report.

use heapless::{String, Vec};

use crate::WireError;
use crate::canonical::{Value, Writer};
use crate::limits::{COUNTER_KEY_MAX, COUNTERS_MAX, INTEGER_MAX};

use super::fact::{printable, read_printable};
use super::table::closed_list;

closed_list! {
    /// What is counted, in the unit of its source. Names sort as variants do.
    CounterId {
        CpuSteal = "cpu-steal",
        CpuThrottled = "cpu-throttled",
        CpuThrottlePeriods = "cpu-throttle-periods",
        CpuTotal = "cpu-total",
        DbSlowQueries = "db-slow-queries",
        DbTmpDiskTables = "db-tmp-disk-tables",
        DbTmpTables = "db-tmp-tables",
        DbUptime = "db-uptime",
        DiskErrors = "disk-errors",
        DiskFree = "disk-free",
        DiskReadonly = "disk-readonly",
        FpmMaxChildren = "fpm-max-children",
        Instance = "instance",
        ListenDrops = "listen-drops",
        ListenOverflows = "listen-overflows",
        LogSize = "log-size",
        NetErrors = "net-errors",
        NetPackets = "net-packets",
        OomKills = "oom-kills",
        PidsDenied = "pids-denied",
        RequestRate = "request-rate",
        SwapPages = "swap-pages",
        SynCookies = "syn-cookies",
        TcpMemoryPressures = "tcp-memory-pressures",
        UnitOomKills = "unit-oom-kills",
    }
}

/// One number: `["disk-free","/var",123]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// What.
    pub id: CounterId,
    /// Of what: a mount point, a device, a unit, a pool; empty where there is only one.
    pub key: String<COUNTER_KEY_MAX>,
    /// How many.
    pub value: u64,
}

/// The counters of one report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters(Vec<Counter, COUNTERS_MAX>);

impl Counters {
    /// None yet.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Takes one down. What no longer fits is not counted: false.
    pub fn add(&mut self, id: CounterId, key: &str, value: u64) -> bool {
        let key: String<COUNTER_KEY_MAX> = printable(key);
        let value = value.min(INTEGER_MAX);
        if self.get(id, &key).is_some() {
            return false;
        }
        self.0.push(Counter { id, key, value }).is_ok()
    }

    /// The number, if it was counted.
    pub fn get(&self, id: CounterId, key: &str) -> Option<u64> {
        self.iter().find(|counter| counter.id == id && counter.key == key).map(|counter| counter.value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Counter> {
        self.0.iter()
    }

    pub(super) fn read(value: Value<'_>) -> Result<Self, WireError> {
        let bad = WireError::BadValue("counters");
        let mut counters = Self::new();
        for triple in value.array("counters")? {
            let mut parts = triple.array("counters")?;
            let (Some(id), Some(key), Some(value), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                return Err(bad);
            };
            let id = CounterId::new(id.plain("counters")?).ok_or(bad)?;
            let key: String<COUNTER_KEY_MAX> = read_printable(key.text("counters")?, "counters")?;
            if !counters.add(id, &key, value.unsigned("counters")?) {
                return Err(bad);
            }
        }
        Ok(counters)
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        w.open(b'[');
        for counter in &self.0 {
            w.open(b'[');
            w.text(counter.id.as_str());
            w.text(&counter.key);
            w.unsigned(counter.value);
            w.close(b']');
        }
        w.close(b']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_variants_do() {
        assert!(CounterId::ALL.is_sorted_by_key(|id| id.as_str().replace('-', "~")));
    }

    #[test]
    fn the_same_thing_is_counted_once() {
        let mut counters = Counters::new();
        assert!(counters.add(CounterId::DiskFree, "/", 1));
        assert!(!counters.add(CounterId::DiskFree, "/", 2));
        assert!(counters.add(CounterId::DiskFree, "/var", 2));
        assert_eq!(counters.get(CounterId::DiskFree, "/"), Some(1));
        assert_eq!(counters.get(CounterId::DiskErrors, "/"), None);
    }
}
