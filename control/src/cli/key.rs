//! `secmon key rotate`: where the data key stands decides who can write the new one.

use std::io::Write;

use super::environment::{Environment, Holder, existing};
use super::error::CliError;
use crate::config::variable;
use crate::dispatch::now;
use crate::fleet::rotation::{reseal, rotate};
use crate::store::Store;

pub(super) fn rotate_key(environment: &Environment, out: &mut impl Write) -> Result<(), CliError> {
    let config = environment.config();
    let data = existing(&config)?;
    let keys = config.data_keys()?;
    let store = Store::open(&data.database())?;
    match environment.holder(variable::DATA_KEY) {
        Holder::File(path) => {
            let rotated = rotate(data, path, &store, now())?;
            let how = if rotated.finished {
                "Finished the rotation that was interrupted"
            } else {
                "Rotated the data key"
            };
            writeln!(
                out,
                "{how}; tokens encrypted with the new one: {}. It stands in {}.",
                rotated.credentials,
                path.display()
            )?;
            writeln!(out, "Next:")?;
            writeln!(
                out,
                "  1. Restart secmon serve: until then it holds the old key, which opens no token any more."
            )?;
            writeln!(
                out,
                "  2. Keep a copy of {} in a safe place; older backups need the old key.",
                path.display()
            )?;
        }
        Holder::Environment if keys.older().is_empty() => return Err(CliError::KeyElsewhere),
        Holder::Environment => {
            let count = reseal(&store, &keys, now())?;
            writeln!(out, "Tokens encrypted with the first key of {}: {count}.", variable::DATA_KEY)?;
            writeln!(out, "Next: remove the other keys from it, and restart secmon serve.")?;
        }
    }
    Ok(())
}
