//! `secmon init`: what was made, and what to do next.

use std::io::Write;

use super::environment::Environment;
use super::error::CliError;
use crate::config::{Config, variable};
use crate::dispatch::now;
use crate::fleet::init::{FromEnvironment, NewTotp, init, otpauth_uri};

pub(super) fn run(config: &Config, totp: bool, out: &mut impl Write) -> Result<(), CliError> {
    let given = FromEnvironment {
        manifest_secret: Environment::is_given(variable::MANIFEST_SECRET),
        data_key: Environment::is_given(variable::DATA_KEY),
    };
    if totp && Environment::is_given(variable::TOTP_SECRET) {
        let text = format!(
            "--totp would make a secret beside {}, which the environment sets",
            variable::TOTP_SECRET
        );
        return Err(CliError::Usage(format!("{text}; leave one of them out")));
    }
    // What the environment gives is what will be used, so it has to be good before anything is made.
    if given.manifest_secret {
        config.manifest_secret()?;
    }
    if given.data_key {
        config.data_keys()?;
    }
    let data = config.data_dir();
    let secret = init(data, given, if totp { NewTotp::Make } else { NewTotp::Leave }, now())?;
    let file = data.env_file();
    writeln!(out, "Made {}: authority, keys, settings, database, audit log.", data.as_path().display())?;
    if let Some(secret) = secret {
        writeln!(
            out,
            "One-time codes are on. Scan or open this once with your authenticator, then clear the screen:"
        )?;
        writeln!(out, "  {}", otpauth_uri(&secret))?;
    }
    writeln!(out, "Next:")?;
    writeln!(
        out,
        "  1. In {}, set {} and {}.",
        file.display(),
        variable::BOT_TOKEN,
        variable::ALLOWED_USER_IDS
    )?;
    writeln!(out, "  2. Keep a copy of {} and of the directory in a safe place.", file.display())?;
    writeln!(out, "  3. secmon client add CLIENT")?;
    writeln!(out, "  4. secmon agent add CLIENT AGENT --address HOST:7443 --allow restart-web=nginx")?;
    writeln!(out, "  5. secmon doctor, then secmon serve")?;
    Ok(())
}
