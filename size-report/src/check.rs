//! `check`: reads binaries, has them judged, and says each property on a line.

use std::io::Write;
use std::path::Path;

use crate::args::CheckArgs;
use crate::host_paths;
use crate::image::Image;
use crate::properties::{self, Verdict};
use crate::run::{Outcome, RunError};
use crate::targets::{Pie, Target};
use crate::workspace::{self, Workspace, WorkspaceError};

/// Checks every file; one that fails doesn't keep the others from being checked.
pub(crate) fn check(
    workspace: &Workspace,
    args: &CheckArgs,
    out: &mut impl Write,
) -> Result<Outcome, RunError> {
    let targets = workspace.targets()?;
    let values = host_paths::VARIABLES.iter().filter_map(|name| std::env::var(name).ok());
    let forbidden = host_paths::forbidden(workspace.root(), values);
    let mut outcome = Outcome::Good;
    for file in &args.files {
        let bytes = workspace::read(file)?;
        let image =
            Image::parse(&bytes).map_err(|source| WorkspaceError::Image { path: file.clone(), source })?;
        let pie = expected(&targets, args.target.as_deref(), file)?;
        writeln!(out, "{}", file.display())?;
        for property in properties::judge(&image, pie, &host_paths::find(&bytes, &forbidden)) {
            if property.verdict.is_broken() {
                outcome = Outcome::Bad;
            }
            let (mark, found) = match &property.verdict {
                Verdict::Holds(found) => ("ok", found),
                Verdict::Broken(found) => ("BAD", found),
            };
            writeln!(out, "  {mark:<4}{:<11}{found}", property.name)?;
        }
    }
    Ok(outcome)
}

/// What the table says of a file: of the target that was named, else of the one in its path. A file of
/// no known target has to be position-independent.
fn expected(targets: &[Target], named: Option<&str>, file: &Path) -> Result<Pie, RunError> {
    if let Some(named) = named {
        let target = targets.iter().find(|target| target.triple == named);
        return target.map(|target| target.pie).ok_or_else(|| RunError::UnknownTarget(named.into()));
    }
    let in_path = |target: &&Target| file.iter().any(|part| part == target.triple.as_str());
    Ok(targets.iter().find(in_path).map_or(Pie::Independent, |target| target.pie))
}
