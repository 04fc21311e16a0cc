//! The `secmon` command: flags become typed actions, actions call the modules that do the work.
//!
//! Nothing is decided here. Results go to stdout, everything else to stderr; the exit code is 0 for done,
//! 1 for a problem, 2 for a command line that isn't one; `diag` has 3 for what could not be looked at.

mod agent;
mod args;
mod auto;
mod cloudflare;
mod diag;
mod doctor;
mod documents;
mod environment;
mod error;
mod init;
mod key;
mod live;
mod manifest;
mod run;
mod tuning;
mod zone_args;

use std::process::ExitCode;

use clap::Parser;

pub use args::Cli;
pub use error::CliError;

/// Parses the command line, runs it, and says what went wrong.
pub fn main() -> ExitCode {
    match run::run(Cli::parse(), &mut std::io::stdout().lock()) {
        Ok(code) => code,
        // Whoever reads our output has read enough.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("secmon: {error}");
            ExitCode::from(error.code())
        }
    }
}
