//! The table of targets, `cross/targets.toml`, as far as sizes and checks need it.
//!
//! Every field is named, so that a misspelt one is an error and not a silent default.

use std::collections::BTreeSet;

use serde::Deserialize;

/// What every target should come below, whatever its hard budget.
pub(crate) const AIM: u64 = 1_000_000;

/// What users were promised.
pub(crate) const PROMISE: u64 = 2_000_000;

/// One row of the table.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) triple: String,
    /// What `uname -m` prints on such machines.
    pub(crate) uname: Vec<String>,
    /// The least processor that runs it.
    pub(crate) cpu: String,
    /// The hard cap in bytes.
    pub(crate) budget: u64,
    pub(crate) pie: Pie,
}

/// Whether a program is loaded anywhere or at a fixed address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pie {
    Independent,
    Fixed,
}

impl Pie {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Independent => "position-independent",
            Self::Fixed => "at a fixed address",
        }
    }
}

/// Why the table is no table.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("{0}")]
    Syntax(#[from] toml::de::Error),
    #[error("{triple}: a budget of {budget} bytes is above the promise of {PROMISE}")]
    Promise { triple: String, budget: u64 },
    #[error("{0} is listed twice")]
    Twice(String),
    #[error("lists no target")]
    Empty,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "every field is named here so that a misspelt one is refused")]
struct Table {
    rust: String,
    zig: String,
    target: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "every field is named here so that a misspelt one is refused")]
struct Row {
    triple: String,
    zig: String,
    uname: Vec<String>,
    cpu: String,
    rust_cpu: String,
    zig_cpu: String,
    budget: u64,
    pie: bool,
    run: String,
}

/// Reads the table, in the order of its rows.
pub(crate) fn parse(text: &str) -> Result<Vec<Target>, TableError> {
    let table: Table = toml::from_str(text)?;
    let mut seen = BTreeSet::new();
    for row in &table.target {
        if row.budget > PROMISE {
            return Err(TableError::Promise { triple: row.triple.clone(), budget: row.budget });
        }
        if !seen.insert(row.triple.as_str()) {
            return Err(TableError::Twice(row.triple.clone()));
        }
    }
    if table.target.is_empty() {
        return Err(TableError::Empty);
    }
    Ok(table.target.into_iter().map(Target::from).collect())
}

impl From<Row> for Target {
    fn from(row: Row) -> Self {
        let pie = if row.pie { Pie::Independent } else { Pie::Fixed };
        Self { triple: row.triple, uname: row.uname, cpu: row.cpu, budget: row.budget, pie }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"
        [[target]]
        triple = "riscv64gc-unknown-linux-musl"
        zig = "riscv64-linux-musl"
        uname = ["riscv64"]
        cpu = "RV64GC"
        rust_cpu = "generic-rv64"
        zig_cpu = "baseline_rv64"
        budget = 1200000
        pie = true
        run = "qemu-riscv64-static"
    "#;

    fn table(rows: &[&str]) -> Result<Vec<Target>, TableError> {
        parse(&format!("rust = \"1.95.0\"\nzig = \"0.17.1\"\n{}", rows.join("\n")))
    }

    #[test]
    fn the_checked_in_table_is_one() {
        let targets = parse(include_str!("../../cross/targets.toml")).unwrap();
        assert!(targets.iter().any(|target| target.triple == "x86_64-unknown-linux-musl"));
        assert!(targets.iter().all(|target| target.triple.contains("-linux-musl")));
    }

    #[test]
    fn a_row_is_read_with_its_budget_and_its_kind_of_address() {
        let fixed = ROW.replace("pie = true", "pie = false").replace("riscv64gc", "other");
        let targets = table(&[ROW, &fixed]).unwrap();
        let read: Vec<_> = targets.iter().map(|target| (target.budget, target.pie)).collect();
        assert_eq!(read, [(1_200_000, Pie::Independent), (1_200_000, Pie::Fixed)]);
    }

    #[test]
    fn misspelt_missing_double_and_overlarge_rows_are_refused() {
        assert!(table(&[ROW]).is_ok());
        assert!(matches!(table(&[&ROW.replace("budget", "bugdet")]), Err(TableError::Syntax(_))));
        assert!(matches!(table(&[&format!("{ROW}\nextra = 1")]), Err(TableError::Syntax(_))));
        assert!(matches!(table(&[ROW, ROW]), Err(TableError::Twice(_))));
        assert!(matches!(table(&[&ROW.replace("1200000", "2000001")]), Err(TableError::Promise { .. })));
        assert!(matches!(parse("rust = \"1\"\nzig = \"1\"\ntarget = []"), Err(TableError::Empty)));
    }
}
