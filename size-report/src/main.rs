//! `cargo size-report`: what the agent weighs, per target, section and crate, against its budget; whether a
//! change may go in; and whether a binary is what a released one must be.

mod area;
mod args;
mod baseline;
mod check;
mod dependencies;
#[cfg(test)]
mod fixture;
mod gate;
mod git;
mod host_paths;
mod image;
mod markdown;
mod numbers;
mod owner;
mod picture;
mod properties;
mod report;
mod run;
mod targets;
mod text;
mod v0;
mod weigh;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    match run::run(args::Cli::parse(), &mut out) {
        Ok(run::Outcome::Good) => ExitCode::SUCCESS,
        Ok(run::Outcome::Bad) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("size-report: {error}");
            ExitCode::from(2)
        }
    }
}
