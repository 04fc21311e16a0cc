//! Performs what the command line asks for: reads the builds, has them weighed and judged, writes results.

use std::io::Write;
use std::path::PathBuf;

use crate::args::{Artefacts, BaselineArgs, Cli, Command, Format, GateArgs, ReportArgs};
use crate::baseline::Baseline;
use crate::check;
use crate::dependencies;
use crate::gate::{self, Sizes, Verdict};
use crate::git::{self, Earlier, GitError};
use crate::numbers::grouped;
use crate::owner::Owners;
use crate::report::{Report, Weighed};
use crate::targets::Target;
use crate::weigh::{Weight, weigh};
use crate::workspace::{self, BASELINE, Workspace, WorkspaceError};
use crate::{markdown, picture, text};

/// How it ended, where it could be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum Outcome {
    Good,
    Bad,
}

/// Why it couldn't be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error("{0} is not in cross/targets.toml")]
    UnknownTarget(String),
    #[error("no {0}; run cross/build {1}")]
    NotBuilt(PathBuf, String),
    #[error("nothing is built in {0}; run cross/build")]
    NothingBuilt(PathBuf),
    #[error("output: {0}")]
    Output(#[from] std::io::Error),
    #[error("output: {0}")]
    Format(#[from] std::fmt::Error),
    #[error("output: {0}")]
    Json(#[from] serde_json::Error),
}

/// Runs one command in the checkout around the current directory, else in the one this program is of.
pub(crate) fn run(cli: Cli, out: &mut impl Write) -> Result<Outcome, RunError> {
    let workspace = Workspace::find(&std::env::current_dir()?).or_else(|error| {
        // Cargo sets it for what it runs, so a script can be called from anywhere.
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").ok_or(error)?;
        Workspace::find(manifest.as_ref())
    })?;
    perform(&workspace, cli, out)
}

fn perform(workspace: &Workspace, cli: Cli, out: &mut impl Write) -> Result<Outcome, RunError> {
    match cli.command.unwrap_or(Command::Report(cli.report)) {
        Command::Report(args) => report(workspace, &args, out),
        Command::Gate(args) => gate(workspace, &args, out),
        Command::Check(args) => check::check(workspace, &args, out),
        Command::Baseline(args) => baseline(workspace, &args, out),
    }
}

/// The targets that are meant: weighed, or missing.
struct Built {
    weighed: Vec<(Target, Weight)>,
    missing: Vec<String>,
}

fn build_weights(workspace: &Workspace, artefacts: &Artefacts) -> Result<Built, RunError> {
    let directory = artefacts.dir.clone().unwrap_or_else(|| workspace.artefacts());
    let table = workspace.targets()?;
    let known = |name: &String| table.iter().any(|target| target.triple == *name);
    if let Some(name) = artefacts.targets.iter().find(|name| !known(name)) {
        return Err(RunError::UnknownTarget(name.clone()));
    }
    let names = workspace.dependencies()?;
    let owners = Owners::new(names.iter().map(String::as_str));
    let mut built = Built { weighed: Vec::new(), missing: Vec::new() };
    for target in table {
        let named = artefacts.targets.contains(&target.triple);
        if !named && !artefacts.targets.is_empty() {
            continue;
        }
        match workspace::builds(&directory, &target.triple)? {
            Some((stripped, symbols)) => {
                let weight = weigh(&stripped, symbols.as_ref(), &owners);
                built.weighed.push((target, weight));
            }
            // Who names a target wants to know of it: leaving it out would look like passing.
            None if named => return Err(RunError::NotBuilt(directory.join(&target.triple), target.triple)),
            None => built.missing.push(target.triple),
        }
    }
    if built.weighed.is_empty() {
        return Err(RunError::NothingBuilt(directory));
    }
    Ok(built)
}

fn report(workspace: &Workspace, args: &ReportArgs, out: &mut impl Write) -> Result<Outcome, RunError> {
    let built = build_weights(workspace, &args.artefacts)?;
    let report = report_of(workspace, built, &workspace.baseline()?)?;
    let text = match args.format {
        Format::Text => text::render(&report.cut(args.top), args.brief)?,
        Format::Markdown => markdown::render(&report.cut(args.top), args.brief)?,
        Format::Json => report.cut(args.top).json()?,
        Format::Svg => picture::render(&report),
    };
    match &args.out {
        Some(path) => workspace::write(path, &text)?,
        None => out.write_all(text.as_bytes())?,
    }
    Ok(Outcome::Good)
}

fn report_of(workspace: &Workspace, built: Built, baseline: &Baseline) -> Result<Report, RunError> {
    let earlier = Some(&baseline.dependencies).filter(|names| !names.is_empty());
    let difference = dependencies::compare(&workspace.dependencies()?, earlier);
    let weighed = built.weighed.into_iter().map(|(target, weight)| Weighed::new(&target, weight, baseline));
    Ok(Report::new(weighed.collect(), built.missing, difference))
}

fn gate(workspace: &Workspace, args: &GateArgs, out: &mut impl Write) -> Result<Outcome, RunError> {
    let built = build_weights(workspace, &args.artefacts)?;
    let baseline = workspace.baseline()?;
    let earlier = git::earlier(workspace.root(), &args.base)?;
    let mut outcome = Outcome::Good;
    for (target, weight) in &built.weighed {
        let entry = |baseline: &Baseline| baseline.targets.get(&target.triple).map(|entry| entry.bytes);
        let sizes = Sizes {
            bytes: weight.bytes,
            budget: target.budget,
            baseline: entry(&baseline),
            earlier: match &earlier {
                Earlier::Unchanged => entry(&baseline),
                Earlier::Updated(before) => before.as_ref().and_then(entry),
            },
        };
        let verdict = gate::judge(sizes);
        if !verdict.passes() {
            outcome = Outcome::Bad;
        }
        let mark = if verdict.passes() { "ok" } else { "BAD" };
        let bytes = grouped(weight.bytes);
        writeln!(out, "{mark:<4}{:<36}{bytes:>11}  {}", target.triple, reason(&verdict, sizes))?;
    }
    for triple in &built.missing {
        writeln!(out, "-   {triple:<36}{:>11}  not built, not judged", "")?;
    }
    Ok(outcome)
}

/// What the verdict means for whoever made the change.
fn reason(verdict: &Verdict, sizes: Sizes) -> String {
    let update = "make it smaller, or run `cargo size-report baseline --update` and say why in the change";
    match verdict {
        Verdict::Within => format!("{} below its budget", grouped(sizes.budget.saturating_sub(sizes.bytes))),
        Verdict::Accepted { growth } => {
            format!("grew by {}, which this change writes into the baseline", grouped(*growth))
        }
        Verdict::OverBudget { excess } => {
            format!("{} over its budget of {}; make it smaller", grouped(*excess), grouped(sizes.budget))
        }
        Verdict::OverBaseline { growth } => {
            format!("{} over the baseline, which is more than 1 %; {update}", grouped(*growth))
        }
        Verdict::NoBaseline => format!("not in {BASELINE}; run `cargo size-report baseline --update`"),
    }
}

fn baseline(workspace: &Workspace, args: &BaselineArgs, out: &mut impl Write) -> Result<Outcome, RunError> {
    let mut baseline = workspace.baseline()?;
    if args.update {
        let built = build_weights(workspace, &args.artefacts)?;
        // A target that left the table leaves the baseline.
        let table = workspace.targets()?;
        baseline.targets.retain(|triple, _| table.iter().any(|target| target.triple == *triple));
        for (target, weight) in &built.weighed {
            baseline.update(&target.triple, weight);
        }
        baseline.dependencies = workspace.dependencies()?;
        workspace.write_baseline(&baseline)?;
        workspace.write_readme_table(&markdown::baseline_table(&table, &baseline)?)?;
        workspace.write_areas_table(&markdown::areas_table(&table, &baseline)?)?;
        for triple in &built.missing {
            writeln!(out, "{triple}: not built, keeps its figures")?;
        }
        if built.missing.is_empty() {
            workspace.write_picture(&picture::render(&report_of(workspace, built, &baseline)?))?;
        }
    }
    for (triple, entry) in &baseline.targets {
        writeln!(out, "{triple:<36}{:>11}", grouped(entry.bytes))?;
    }
    writeln!(out, "{} dependencies", baseline.dependencies.len())?;
    Ok(Outcome::Good)
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
