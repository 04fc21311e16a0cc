//! The command line, parsed once into typed actions.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Weighs secmon-agent.
#[derive(Debug, Parser)]
#[command(name = "size-report", bin_name = "cargo size-report", args_conflicts_with_subcommands = true)]
#[command(after_help = "Exit codes: 0 good, 1 over a limit or not as it must be, 2 it can't be told.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    #[command(flatten)]
    pub(crate) report: ReportArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says what the built targets weigh and where the bytes are (without a command, too)
    Report(ReportArgs),
    /// Stops what is over its budget, or over the baseline by more than 1 %
    Gate(GateArgs),
    /// Checks that a binary is what a released one must be
    Check(CheckArgs),
    /// Shows the checked-in sizes, or writes today's into them
    Baseline(BaselineArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// What to write
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Write there instead of to standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,

    /// How many functions and constants to list (the picture shows all that have room)
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub(crate) top: usize,

    /// Only the table of targets (text, markdown)
    #[arg(long)]
    pub(crate) brief: bool,

    #[command(flatten)]
    pub(crate) artefacts: Artefacts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
    Markdown,
    Svg,
}

#[derive(Debug, Args)]
pub(crate) struct GateArgs {
    /// What the change is based on: growth since there is named when an updated baseline accepts it
    #[arg(long, value_name = "COMMIT", default_value = "HEAD")]
    pub(crate) base: String,

    #[command(flatten)]
    pub(crate) artefacts: Artefacts,
}

#[derive(Debug, Args)]
pub(crate) struct BaselineArgs {
    /// Write today's sizes into size-report/baseline.json, the READMEs' tables and size-report/sizes.svg
    #[arg(long)]
    pub(crate) update: bool,

    #[command(flatten)]
    pub(crate) artefacts: Artefacts,
}

/// Which binaries are meant.
#[derive(Debug, Args)]
pub(crate) struct Artefacts {
    /// Where cross/build left the targets [default: target/cross]
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) dir: Option<PathBuf>,

    /// Triples of cross/targets.toml [default: all that are built]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The row of cross/targets.toml that the files are of [default: the triple in their path]
    #[arg(long, value_name = "TRIPLE")]
    pub(crate) target: Option<String>,

    /// Binaries
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_report_is_what_one_gets_without_a_command() {
        let cli = parse("size-report --format svg --out x.svg i686-unknown-linux-musl").unwrap();
        assert!(cli.command.is_none());
        assert_eq!((cli.report.format, cli.report.artefacts.targets.len()), (Format::Svg, 1));
    }

    #[test]
    fn check_needs_a_file_and_formats_are_a_closed_list() {
        assert!(parse("size-report check").is_err());
        assert!(parse("size-report check a b").is_ok());
        assert!(parse("size-report report --format html").is_err());
    }
}
