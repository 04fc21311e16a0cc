//! Thresholds of the diagnostics that a manifest may move: a closed list, each with the range that makes sense.

use core::fmt;

/// What can be moved. In the order of their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Threshold {
    /// Free room on a disk below which it is as good as full.
    DiskFull,
    /// Free room on a disk below which it is worth a warning.
    DiskLow,
    /// Requests for pages in a minute below which nothing is a flood.
    FloodRate,
    /// Free inodes below which they are worth a warning.
    InodesLow,
    /// Memory that is left below which it is worth a warning.
    MemoryLow,
    /// The share of answers that are server errors from which on they are worth a warning.
    ServerErrors,
    /// How long a home page takes when it is slow.
    SlowPage,
    /// How long before its end a certificate should have been renewed.
    TlsExpiry,
}

/// A row of the table of thresholds.
#[derive(Debug)]
pub struct ThresholdRow {
    /// Which.
    pub id: Threshold,
    /// What a manifest calls it.
    pub name: &'static str,
    /// The smallest value.
    pub least: u32,
    /// The largest value.
    pub most: u32,
    /// What holds where nothing is given. The checks of disks, memory and certificates then weigh more than this.
    pub usual: u32,
    /// What it counts.
    pub unit: &'static str,
}

const fn row(
    id: Threshold,
    name: &'static str,
    (least, most): (u32, u32),
    usual: u32,
    unit: &'static str,
) -> ThresholdRow {
    ThresholdRow { id, name, least, most, usual, unit }
}

/// Every threshold, sorted by name.
pub const THRESHOLDS: [ThresholdRow; 8] = [
    row(Threshold::DiskFull, "disk-full", (1, 99), 3, "% free"),
    row(Threshold::DiskLow, "disk-low", (1, 99), 10, "% free"),
    row(Threshold::FloodRate, "flood-rate", (20, 60_000), 120, "requests a minute"),
    row(Threshold::InodesLow, "inodes-low", (1, 99), 10, "% free"),
    row(Threshold::MemoryLow, "memory-low", (1, 50), 8, "% free"),
    row(Threshold::ServerErrors, "server-errors", (1, 50), 2, "% of answers"),
    // A run has no time to wait for a slower page, so this one can only be lowered.
    row(Threshold::SlowPage, "slow-page", (100, 2_000), 2_000, "ms"),
    row(Threshold::TlsExpiry, "tls-expiry", (1, 90), 20, "days"),
];

impl Threshold {
    /// The threshold of that name.
    pub fn new(name: &str) -> Option<Self> {
        THRESHOLDS.iter().find(|row| row.name == name).map(|row| row.id)
    }

    /// Its row in the table.
    pub const fn row(self) -> &'static ThresholdRow {
        // The table has a row for each, in this order.
        match self {
            Self::DiskFull => &THRESHOLDS[0],
            Self::DiskLow => &THRESHOLDS[1],
            Self::FloodRate => &THRESHOLDS[2],
            Self::InodesLow => &THRESHOLDS[3],
            Self::MemoryLow => &THRESHOLDS[4],
            Self::ServerErrors => &THRESHOLDS[5],
            Self::SlowPage => &THRESHOLDS[6],
            Self::TlsExpiry => &THRESHOLDS[7],
        }
    }

    /// What a manifest calls it.
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// Whether a manifest may set it to `value`.
    pub fn allows(self, value: u32) -> bool {
        let row = self.row();
        (row.least..=row.most).contains(&value)
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_and_its_id_and_allows_its_usual_value() {
        assert!(THRESHOLDS.is_sorted_by(|a, b| a.name < b.name && a.id < b.id));
        for row in &THRESHOLDS {
            assert_eq!((Threshold::new(row.name), row.id.as_str()), (Some(row.id), row.name));
            for (value, allowed) in [
                (row.least - 1, false),
                (row.least, true),
                (row.usual, true),
                (row.most, true),
                (row.most + 1, false),
            ] {
                assert_eq!(row.id.allows(value), allowed, "{} {value}", row.name);
            }
        }
        assert_eq!(Threshold::new("disk"), None);
    }
}
