//! Checks a service's configuration before a restart, with the service's own checker.
//!
//! A broken configuration refuses the restart: the service keeps running with the old one.

use std::path::Path;
use std::time::{Duration, Instant};

use secmon_sys::files::check_program;
use secmon_sys::spawn::{Command, Orphan};
use secmon_sys::wait::Side;
use secmon_wire::{Operation, Unit};

use super::reason::{Reason, detail, first_error_line};

/// How long a check may take.
const PREFLIGHT_TIME: Duration = Duration::from_secs(30);

/// The checks that may fit `unit`, in the order of its row.
pub(crate) fn candidates(operation: &Operation, unit: &Unit) -> Vec<Command> {
    let Some(pattern) = operation.pattern(unit) else { return Vec::new() };
    let Some(version) = pattern.version(unit) else { return Vec::new() };
    let fill = |text: &str| text.replace(['*', '?'], version);
    let command = |program: &str, args: &[&str]| {
        Command::new(Path::new(&fill(program)), args.iter().map(|arg| fill(arg)))
    };
    pattern.preflight.iter().filter_map(|check| command(check.program, check.args)).collect()
}

/// The first of them whose program is there now. `None` if there is none.
pub(crate) fn present(candidates: &[Command]) -> Option<&Command> {
    candidates.iter().find(|command| command.program().exists())
}

/// Runs the check. Its exit status if there was one; an error says what is wrong.
pub(crate) fn run(
    command: &Command,
    side: &mut dyn Side,
    output: &mut [u8],
) -> (Option<i32>, Result<(), Reason>) {
    if let Err(problem) = check_program(command.program()) {
        return (None, Err(detail(problem)));
    }
    let child = match command.spawn(Orphan::Ends) {
        Ok(child) => child,
        Err(e) => return (None, Err(detail(format_args!("{}: {e}", command.program().display())))),
    };
    let ended = child.wait(Instant::now() + PREFLIGHT_TIME, side, output);
    let result = match ended.exit {
        _ if ended.timed_out => Err(detail(format_args!("no answer within {} s", PREFLIGHT_TIME.as_secs()))),
        Some(0) => Ok(()),
        exit => Err(match first_error_line(ended.output) {
            line if line.is_empty() => {
                let name = command.program().file_name().unwrap_or_default();
                detail(format_args!("{} ended with {}", name.display(), exit.unwrap_or(-1)))
            }
            line => detail(line),
        }),
    };
    (ended.exit, result)
}
