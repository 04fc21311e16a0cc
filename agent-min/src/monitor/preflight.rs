//! Checks a service's configuration before a restart, with the service's own checker.
//!
//! A broken configuration refuses the restart: the service keeps running with the old one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secmon_sys::files::check_program;
use secmon_sys::spawn::{Command, Orphan};
use secmon_sys::wait::Side;
use secmon_wire::{Operation, Unit};

use super::reason::first_error_line;

/// How long a check may take.
const PREFLIGHT_TIME: Duration = Duration::from_secs(30);

/// The check for `unit`: the first of its row whose program is there. `None` if there is none.
pub(crate) fn command(operation: &Operation, unit: &Unit) -> Option<Command> {
    let pattern = operation.pattern(unit)?;
    let version = pattern.version(unit)?;
    let fill = |text: &str| text.replace(['*', '?'], version);
    pattern.preflight.iter().map(|check| (PathBuf::from(fill(check.program)), check.args)).find_map(
        |(program, args)| {
            program.exists().then(|| Command::new(&program, args.iter().map(|arg| fill(arg)))).flatten()
        },
    )
}

/// Runs the check. Its exit status if there was one; an error says what is wrong.
pub(crate) fn run(command: &Command, side: &mut dyn Side) -> (Option<i32>, Result<(), String>) {
    if let Err(problem) = check_program(command.program()) {
        return (None, Err(problem.to_string()));
    }
    let child = match command.spawn(Orphan::Ends) {
        Ok(child) => child,
        Err(e) => return (None, Err(format!("{}: {e}", command.program().display()))),
    };
    let ended = child.wait(Instant::now() + PREFLIGHT_TIME, side);
    let result = match ended.exit {
        _ if ended.timed_out => Err(format!("no answer within {} s", PREFLIGHT_TIME.as_secs())),
        Some(0) => Ok(()),
        exit => Err(match first_error_line(&ended.output).as_str() {
            "" => format!("{} ended with {}", name(command.program()), exit.unwrap_or(-1)),
            line => line.to_owned(),
        }),
    };
    (ended.exit, result)
}

fn name(program: &Path) -> String {
    program.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
