//! What is reported: one value that every format is made from, and the JSON of it.
//!
//! Pure. The fields are the JSON's fields; `README.md` beside says what each means.

use serde::Serialize;

use crate::area::AreaSize;
use crate::baseline::Baseline;
use crate::dependencies::Difference;
use crate::numbers::distance;
use crate::targets::{AIM, PROMISE, Target};
use crate::weigh::{Named, Part, SectionSize, Weight};

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) v: u32,
    pub(crate) aim: u64,
    pub(crate) promise: u64,
    pub(crate) targets: Vec<Weighed>,
    /// Targets of the table that haven't been built.
    pub(crate) missing: Vec<String>,
    pub(crate) dependencies: Difference,
}

/// One built target.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Weighed {
    pub(crate) triple: String,
    pub(crate) uname: Vec<String>,
    pub(crate) cpu: String,
    pub(crate) bytes: u64,
    pub(crate) budget: u64,
    /// Bytes above (or, negative, below) the budget, the aim and the promise.
    pub(crate) to_budget: i64,
    pub(crate) to_aim: i64,
    pub(crate) to_promise: i64,
    /// Absent when the baseline doesn't know the target.
    pub(crate) baseline: Option<Change>,
    pub(crate) sections: Vec<SectionSize>,
    pub(crate) parts: Vec<ChangedPart>,
    pub(crate) areas: Vec<AreaSize>,
    pub(crate) symbols: Vec<Named>,
    pub(crate) note: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Change {
    pub(crate) bytes: u64,
    pub(crate) change: i64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChangedPart {
    #[serde(flatten)]
    pub(crate) part: Part,
    /// Absent when the baseline doesn't divide this target.
    pub(crate) change: Option<i64>,
}

impl Report {
    pub(crate) fn new(targets: Vec<Weighed>, missing: Vec<String>, dependencies: Difference) -> Self {
        Self { v: 1, aim: AIM, promise: PROMISE, targets, missing, dependencies }
    }

    /// The report with the heaviest `top` symbols of each target.
    pub(crate) fn cut(&self, top: usize) -> Self {
        let mut report = self.clone();
        for target in &mut report.targets {
            target.symbols.truncate(top);
        }
        report
    }

    pub(crate) fn json(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

impl Weighed {
    pub(crate) fn new(target: &Target, weight: Weight, baseline: &Baseline) -> Self {
        let entry = baseline.targets.get(&target.triple);
        // A target that was entered without symbols has other parts: nothing to compare.
        let comparable = entry.filter(|entry| {
            let symbols = entry.parts.contains_key("std/core/alloc");
            symbols == weight.note.is_none()
        });
        let parts = weight.parts.into_iter().map(|part| {
            let before = comparable.map(|entry| entry.parts.get(&part.name).copied().unwrap_or(0));
            let change = before.map(|before| distance(part.bytes, before));
            ChangedPart { part, change }
        });
        Self {
            triple: target.triple.clone(),
            uname: target.uname.clone(),
            cpu: target.cpu.clone(),
            bytes: weight.bytes,
            budget: target.budget,
            to_budget: distance(weight.bytes, target.budget),
            to_aim: distance(weight.bytes, AIM),
            to_promise: distance(weight.bytes, PROMISE),
            baseline: entry
                .map(|entry| Change { bytes: entry.bytes, change: distance(weight.bytes, entry.bytes) }),
            sections: weight.sections,
            parts: parts.collect(),
            areas: weight.areas,
            symbols: weight.symbols,
            note: weight.note,
        }
    }
}
