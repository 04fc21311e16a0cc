//! The report for a terminal.

use std::fmt::{self, Write};

use crate::numbers::{change, grouped, percent, shortened, signed};
use crate::report::{Report, Weighed};

/// Renders the report; `brief` leaves out where the bytes are.
pub(crate) fn render(report: &Report, brief: bool) -> Result<String, fmt::Error> {
    let mut out = String::new();
    summary(&mut out, report)?;
    if !brief {
        for target in &report.targets {
            detail(&mut out, target)?;
        }
    }
    for triple in &report.missing {
        writeln!(out, "{triple}: not built (cross/build {triple})")?;
    }
    let dependencies = &report.dependencies;
    write!(out, "{} dependencies", dependencies.count)?;
    if dependencies.added.is_empty() && dependencies.removed.is_empty() {
        write!(out, ", as in the baseline")?;
    }
    for (sign, names) in [('+', &dependencies.added), ('−', &dependencies.removed)] {
        for name in names {
            write!(out, " {sign}{name}")?;
        }
    }
    writeln!(out)?;
    Ok(out)
}

fn summary(out: &mut String, report: &Report) -> fmt::Result {
    let aim = format!("to {}", grouped(report.aim));
    writeln!(
        out,
        "{:<36}{:>11}{:>13}{:>11}{:>15}  to baseline",
        "target", "bytes", "to budget", "budget", aim
    )?;
    for target in &report.targets {
        let to_baseline = target
            .baseline
            .map_or_else(|| "not in it".into(), |baseline| change(baseline.change, baseline.bytes));
        writeln!(
            out,
            "{:<36}{:>11}{:>13}{:>11}{:>15}  {to_baseline}",
            target.triple,
            grouped(target.bytes),
            signed(target.to_budget),
            grouped(target.budget),
            signed(target.to_aim),
        )?;
    }
    writeln!(out)
}

fn detail(out: &mut String, target: &Weighed) -> fmt::Result {
    writeln!(out, "{}", target.triple)?;
    if let Some(note) = &target.note {
        writeln!(out, "  no division by crates: {note}")?;
    }
    writeln!(
        out,
        "  {:<24}{:>11}{:>9}{:>11}{:>11}{:>11}",
        "part", "bytes", "share", "code", "data", "change"
    )?;
    for row in &target.parts {
        let part = &row.part;
        writeln!(
            out,
            "  {:<24}{:>11}{:>9}{:>11}{:>11}{:>11}",
            part.name,
            grouped(part.bytes),
            percent(part.bytes, target.bytes),
            grouped(part.code),
            grouped(part.data),
            row.change.map(signed).unwrap_or_default(),
        )?;
    }
    areas(out, target)?;
    if !target.symbols.is_empty() {
        writeln!(out, "  {:>11}  function or constant", "bytes")?;
    }
    for symbol in &target.symbols {
        let times =
            if symbol.instances > 1 { format!(" ({} instances)", symbol.instances) } else { "".into() };
        let name = shortened(&symbol.name, 96);
        writeln!(out, "  {:>11}  [{}] {name}{times}", grouped(symbol.bytes), symbol.owner)?;
    }
    let sections = target.sections.iter();
    let sections: Vec<String> =
        sections.map(|section| format!("{} {}", section.name, grouped(section.bytes))).collect();
    writeln!(out, "  sections: {}\n", sections.join(", "))
}

fn areas(out: &mut String, target: &Weighed) -> fmt::Result {
    if target.areas.is_empty() {
        return Ok(());
    }
    writeln!(out, "  {:<40}{:>11}{:>11}{:>11}", "of these, the diagnostics' own", "bytes", "code", "data")?;
    for area in &target.areas {
        let (bytes, code, data) = (grouped(area.bytes), grouped(area.code), grouped(area.data));
        writeln!(out, "  {:<40}{bytes:>11}{code:>11}{data:>11}", area.name)?;
    }
    let sum = target.areas.iter().map(|area| area.bytes).sum();
    writeln!(out, "  {:<40}{:>11}", "together", grouped(sum))
}
