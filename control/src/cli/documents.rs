//! Shell completions and man pages, from the same definition as the flags.

use std::io::Write;
use std::path::Path;

use clap::CommandFactory;

use super::args::Cli;
use super::error::CliError;
use crate::fleet::FleetError;

pub(super) fn completions(shell: clap_complete::Shell, out: &mut impl Write) -> Result<(), CliError> {
    // The generator panics where it can't write, so it writes to memory.
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "secmon", &mut text);
    Ok(out.write_all(&text)?)
}

pub(super) fn man(directory: Option<&Path>, out: &mut impl Write) -> Result<(), CliError> {
    let Some(directory) = directory else {
        clap_mangen::Man::new(Cli::command()).render(out)?;
        return Ok(());
    };
    let write = || {
        std::fs::create_dir_all(directory)?;
        clap_mangen::generate_to(Cli::command(), directory)?;
        clap_mangen::generate_to(super::live::audit_verify_command(), directory)
    };
    Ok(write().map_err(FleetError::writing(directory))?)
}
