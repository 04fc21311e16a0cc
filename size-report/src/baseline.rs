//! The checked-in sizes that changes are measured against, `size-report/baseline.json`.
//!
//! Pure: text in, text out. A new baseline is a reviewed diff like any other, so it is laid out one
//! figure a line, sorted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::weigh::Weight;

/// The only format there is.
const VERSION: u32 = 1;

/// What everything weighed when the baseline was last updated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    pub(crate) v: u32,
    pub(crate) dependencies: BTreeSet<String>,
    pub(crate) targets: BTreeMap<String, Entry>,
}

/// One target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub(crate) bytes: u64,
    /// The parts, by name; they explain a change, only `bytes` is gated.
    pub(crate) parts: BTreeMap<String, u64>,
    /// What the diagnostics add, by what they look at; not gated either.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) areas: BTreeMap<String, u64>,
}

/// Why text is no baseline.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BaselineError {
    #[error("{0}")]
    Syntax(#[from] serde_json::Error),
    #[error("is of version {0}, this program knows version {VERSION}")]
    Version(u32),
}

impl Default for Baseline {
    fn default() -> Self {
        Self { v: VERSION, dependencies: BTreeSet::new(), targets: BTreeMap::new() }
    }
}

impl Baseline {
    pub(crate) fn parse(text: &str) -> Result<Self, BaselineError> {
        let baseline: Self = serde_json::from_str(text)?;
        if baseline.v == VERSION { Ok(baseline) } else { Err(BaselineError::Version(baseline.v)) }
    }

    /// The text to check in.
    pub(crate) fn render(&self) -> Result<String, BaselineError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// Takes over what was weighed now. Targets that weren't built keep their figures.
    pub(crate) fn update(&mut self, triple: &str, weight: &Weight) {
        let parts = weight.parts.iter().map(|part| (part.name.clone(), part.bytes)).collect();
        let areas = weight.areas.iter().map(|area| (area.name.into(), area.bytes)).collect();
        self.targets.insert(triple.into(), Entry { bytes: weight.bytes, parts, areas });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_baseline_reads_back_as_it_was_written() {
        let mut baseline = Baseline::default();
        baseline.dependencies.insert("ring".into());
        baseline.update("riscv64gc-unknown-linux-musl", &Weight { bytes: 7, ..Weight::default() });
        let text = baseline.render().unwrap();
        assert_eq!(Baseline::parse(&text).unwrap(), baseline);
        assert!(text.ends_with("}\n"));
    }

    #[test]
    fn an_update_leaves_other_targets_alone() {
        let mut baseline = Baseline::default();
        baseline.update("a", &Weight { bytes: 1, ..Weight::default() });
        baseline.update("b", &Weight { bytes: 2, ..Weight::default() });
        baseline.update("b", &Weight { bytes: 3, ..Weight::default() });
        let bytes: Vec<u64> = baseline.targets.values().map(|entry| entry.bytes).collect();
        assert_eq!(bytes, [1, 3]);
    }

    #[test]
    fn another_version_and_unknown_fields_are_refused() {
        assert!(Baseline::parse(r#"{"v":1,"dependencies":[],"targets":{}}"#).is_ok());
        assert!(Baseline::parse(r#"{"v":2,"dependencies":[],"targets":{}}"#).is_err());
        assert!(Baseline::parse(r#"{"v":1,"dependencies":[],"targets":{},"more":1}"#).is_err());
        assert!(Baseline::parse("").is_err());
    }
}
