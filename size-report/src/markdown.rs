//! The report as Markdown: the comment under a pull request, and the README's table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};

use crate::baseline::Baseline;
use crate::numbers::{change, grouped, percent, shortened, signed};
use crate::report::{Report, Weighed};
use crate::targets::Target;

/// The lines around the README's table.
const TABLE_BEGINS: &str = "<!-- made by `cargo size-report baseline --update` -->\n";
const TABLE_ENDS: &str = "<!-- to here -->\n";

/// Renders the report; `brief` is the table alone.
pub(crate) fn render(report: &Report, brief: bool) -> Result<String, fmt::Error> {
    let mut out = String::new();
    if brief {
        table(&mut out, report)?;
        return Ok(out);
    }
    writeln!(out, "### What the agent weighs\n")?;
    changes(&mut out, report)?;
    dependencies(&mut out, report)?;
    for target in &report.targets {
        detail(&mut out, target)?;
    }
    Ok(out)
}

/// The README's table: what a user who looks for a machine wants to know.
fn table(out: &mut String, report: &Report) -> fmt::Result {
    let rows = report.targets.iter();
    rows_of(out, rows.map(|t| (t.triple.as_str(), t.uname.as_slice(), t.cpu.as_str(), t.bytes, t.budget)))
}

/// The same table of the checked-in sizes, which is the one that is checked in as well.
pub(crate) fn baseline_table(targets: &[Target], baseline: &Baseline) -> Result<String, fmt::Error> {
    let mut out = String::new();
    let rows = targets.iter().filter_map(|target| {
        let bytes = baseline.targets.get(&target.triple)?.bytes;
        Some((target.triple.as_str(), target.uname.as_slice(), target.cpu.as_str(), bytes, target.budget))
    });
    rows_of(&mut out, rows)?;
    Ok(out)
}

/// What the diagnostics add on each target, by what they look at, of the checked-in sizes.
pub(crate) fn areas_table(targets: &[Target], baseline: &Baseline) -> Result<String, fmt::Error> {
    let mut out = String::new();
    let divided: Vec<_> = targets
        .iter()
        .filter_map(|target| Some((target, &baseline.targets.get(&target.triple)?.areas)))
        .filter(|(_, areas)| !areas.is_empty())
        .collect();
    let names: BTreeSet<&String> = divided.iter().flat_map(|(_, areas)| areas.keys()).collect();
    let mut row = |name: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: Vec<String> = cells.collect();
        writeln!(out, "| {} | {} |", cell(name), cells.join(" | "))
    };
    row("area", &mut divided.iter().map(|(target, _)| machine(&target.triple)))?;
    row("---", &mut divided.iter().map(|_| "---:".into()))?;
    let bytes = |areas: &BTreeMap<String, u64>, name: &str| areas.get(name).copied().unwrap_or(0);
    for name in names {
        row(name, &mut divided.iter().map(|(_, areas)| grouped(bytes(areas, name))))?;
    }
    row("together", &mut divided.iter().map(|(_, areas)| grouped(areas.values().sum())))?;
    Ok(out)
}

/// What tells a target from the others of the table.
fn machine(triple: &str) -> String {
    cell(triple.split('-').next().unwrap_or(triple))
}

fn rows_of<'a>(
    out: &mut String,
    rows: impl Iterator<Item = (&'a str, &'a [String], &'a str, u64, u64)>,
) -> fmt::Result {
    writeln!(out, "| target | `uname -m` | at least | bytes | budget |")?;
    writeln!(out, "| --- | --- | --- | ---: | ---: |")?;
    for (triple, uname, cpu, bytes, budget) in rows {
        let uname: Vec<String> = uname.iter().map(|name| format!("`{}`", cell(name))).collect();
        let (triple, uname, cpu) = (cell(triple), uname.join(", "), cell(cpu));
        writeln!(out, "| `{triple}` | {uname} | {cpu} | {} | {} |", grouped(bytes), grouped(budget))?;
    }
    Ok(())
}

/// `text` with `table` between the two lines that mark its place; `None` without them.
pub(crate) fn replace_table(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(TABLE_BEGINS)?;
    let (_, after) = rest.split_once(TABLE_ENDS)?;
    Some([before, TABLE_BEGINS, table, TABLE_ENDS, after].concat())
}

fn changes(out: &mut String, report: &Report) -> fmt::Result {
    writeln!(out, "| target | bytes | to the baseline | below its budget | to {} |", grouped(report.aim))?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: |")?;
    for target in &report.targets {
        let left = if target.to_budget > 0 {
            format!("**over by {}**", grouped(target.to_budget.unsigned_abs()))
        } else {
            let left = target.to_budget.unsigned_abs();
            format!("{} of {}", grouped(left), grouped(target.budget))
        };
        let to_baseline = target
            .baseline
            .map_or_else(|| "not in it".into(), |baseline| change(baseline.change, baseline.bytes));
        writeln!(
            out,
            "| `{}` | {} | {to_baseline} | {left} | {} |",
            cell(&target.triple),
            grouped(target.bytes),
            signed(target.to_aim),
        )?;
    }
    for triple in &report.missing {
        writeln!(out, "| `{}` | not built | | | |", cell(triple))?;
    }
    writeln!(out)
}

fn dependencies(out: &mut String, report: &Report) -> fmt::Result {
    let difference = &report.dependencies;
    let list = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{}`", cell(name))).collect();
        names.join(", ")
    };
    write!(out, "{} dependencies", difference.count)?;
    match (difference.added.as_slice(), difference.removed.as_slice()) {
        ([], []) => write!(out, ", as in the baseline")?,
        (added, []) => write!(out, "; new: {}", list(added))?,
        ([], removed) => write!(out, "; gone: {}", list(removed))?,
        (added, removed) => write!(out, "; new: {}; gone: {}", list(added), list(removed))?,
    }
    writeln!(out, ".\n")
}

fn detail(out: &mut String, target: &Weighed) -> fmt::Result {
    writeln!(
        out,
        "<details><summary><code>{}</code>: where the bytes are</summary>\n",
        cell(&target.triple)
    )?;
    if let Some(note) = &target.note {
        writeln!(out, "No division by crates: {}.\n", cell(note))?;
    }
    writeln!(out, "| part | bytes | share | code | data | change |")?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
    for row in &target.parts {
        let part = &row.part;
        writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} |",
            cell(&part.name),
            grouped(part.bytes),
            percent(part.bytes, target.bytes),
            grouped(part.code),
            grouped(part.data),
            row.change.map(signed).unwrap_or_default(),
        )?;
    }
    areas(out, target)?;
    if !target.symbols.is_empty() {
        writeln!(out, "\n| function or constant | of | bytes |\n| --- | --- | ---: |")?;
    }
    for symbol in &target.symbols {
        let name = cell(&shortened(&symbol.name, 96));
        writeln!(out, "| `{name}` | {} | {} |", cell(&symbol.owner), grouped(symbol.bytes))?;
    }
    let sections = target.sections.iter();
    let sections: Vec<String> =
        sections.map(|section| format!("`{}` {}", cell(&section.name), grouped(section.bytes))).collect();
    writeln!(out, "\nSections: {}\n\n</details>\n", sections.join(", "))
}

fn areas(out: &mut String, target: &Weighed) -> fmt::Result {
    if target.areas.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| of these, the diagnostics' own | bytes | code | data |")?;
    writeln!(out, "| --- | ---: | ---: | ---: |")?;
    for area in &target.areas {
        let (bytes, code, data) = (grouped(area.bytes), grouped(area.code), grouped(area.data));
        writeln!(out, "| {} | {bytes} | {code} | {data} |", cell(area.name))?;
    }
    let sum = target.areas.iter().map(|area| area.bytes).sum();
    writeln!(out, "| together | {} | | |", grouped(sum))
}

/// Text that can't end a cell or a code span early.
fn cell(text: &str) -> String {
    text.replace('`', "'").replace('|', "\\|").replace(['\n', '\r'], " ")
}
