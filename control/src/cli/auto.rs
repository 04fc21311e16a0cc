//! `secmon auto`: the kill switch of automatic changes, as a file that a running control plane looks for each time.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::args::AutoCommand;
use super::environment::existing;
use super::error::CliError;
use crate::cloudflare::Switch;
use crate::config::Config;
use crate::dispatch::now;
use crate::fleet::FleetError;
use crate::store::Store;

pub(super) fn run(config: &Config, command: AutoCommand, out: &mut impl Write) -> Result<(), CliError> {
    let data = existing(config)?;
    let file = data.auto_off();
    match command {
        AutoCommand::Off => switch_off(data.as_path(), &file)?,
        AutoCommand::On => switch_on(data.as_path(), &file)?,
        AutoCommand::Status => {}
    }
    let switch = Switch::new(config.auto_cloudflare()?, file);
    match switch.off() {
        Some(by) => writeln!(out, "off: {by}")?,
        None => writeln!(out, "on")?,
    }
    // Last, so that the switch works whatever the database is like.
    for armed in Store::open(&data.database())?.armed()?.into_iter().filter(|armed| armed.until > now()) {
        let minutes = armed.until.saturating_sub(now()).div_ceil(60);
        writeln!(out, "{} is armed for {minutes} min", armed.client)?;
    }
    Ok(())
}

/// The file outlives a power cut.
fn switch_off(directory: &Path, file: &Path) -> Result<(), CliError> {
    match File::options().write(true).create_new(true).open(file) {
        Ok(made) => made.sync_all().map_err(FleetError::writing(file))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(FleetError::writing(file)(error).into()),
    }
    sync(directory)
}

fn switch_on(directory: &Path, file: &Path) -> Result<(), CliError> {
    match fs::remove_file(file) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(FleetError::writing(file)(error).into()),
    }
    sync(directory)
}

fn sync(directory: &Path) -> Result<(), CliError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(synced.map_err(FleetError::writing(directory))?)
}
