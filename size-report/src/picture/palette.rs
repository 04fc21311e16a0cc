//! Which part has which colour: the same in every bar and in the map.

use std::collections::BTreeMap;

use crate::report::Weighed;
use crate::weigh::Kind;

/// Dark enough for white text, far enough apart in hue, lightest last.
const COLOURS: [&str; 10] = [
    "#2f6690", "#a4502f", "#4b7a3a", "#76549a", "#8f6a1e", "#277c7c", "#9c4272", "#5d6b22", "#4d5fa8",
    "#8a3b3b",
];
/// Owners beyond the colours.
const OTHER: &str = "#6b5f57";
const UNKNOWN: &str = "#5c636b";
const FORMAT: [&str; 3] = ["#6a737d", "#7b848d", "#858d95"];

/// The name that smaller owners go under.
pub(super) const REST: &str = "other crates";

/// The parts that are worth a colour, in drawing order.
#[derive(Debug)]
pub(super) struct Palette {
    entries: Vec<(String, &'static str)>,
}

impl Palette {
    pub(super) fn new(targets: &[Weighed]) -> Self {
        let mut owners: BTreeMap<&str, u64> = BTreeMap::new();
        let mut format: BTreeMap<&str, u64> = BTreeMap::new();
        for row in targets.iter().flat_map(|target| &target.parts) {
            let sums = if row.part.kind == Kind::Format { &mut format } else { &mut owners };
            *sums.entry(row.part.name.as_str()).or_default() += row.part.bytes;
        }
        let unknown = owners.remove("unknown").is_some();
        let owners = heaviest(owners);
        let mut entries: Vec<(String, &'static str)> =
            owners.iter().zip(COLOURS).map(|(name, colour)| (String::from(*name), colour)).collect();
        if owners.len() > COLOURS.len() {
            entries.push((REST.into(), OTHER));
        }
        if unknown {
            entries.push(("unknown".into(), UNKNOWN));
        }
        entries
            .extend(heaviest(format).iter().zip(FORMAT).map(|(name, colour)| (String::from(*name), colour)));
        Self { entries }
    }

    /// Names and colours in drawing order.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.entries.iter().map(|(name, colour)| (name.as_str(), *colour))
    }

    /// The name that a part is drawn under.
    pub(super) fn group<'a>(&'a self, part: &'a str) -> &'a str {
        if self.entries.iter().any(|(name, _)| name == part) { part } else { REST }
    }

    pub(super) fn colour(&self, part: &str) -> &'static str {
        let group = self.group(part);
        self.entries.iter().find(|(name, _)| name == group).map_or(OTHER, |(_, colour)| colour)
    }
}

fn heaviest(sums: BTreeMap<&str, u64>) -> Vec<&str> {
    let mut sums: Vec<(&str, u64)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    sums.into_iter().map(|(name, _)| name).collect()
}
