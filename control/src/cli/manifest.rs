//! `secmon manifest sign|verify|show`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use secmon_wire::{Manifest, ManifestBody, Tuning};

use super::agent::open;
use super::error::CliError;
use crate::config::Config;
use crate::fleet::files::{Access, create};
use crate::fleet::keys::{PublicKey, SigningKey, public_from_pem};
use crate::fleet::manifest::{SignError, Signed, Verdict, canonical, sign, verify};
use crate::fleet::pki;

/// Far more than any manifest; a larger file is another file.
const FILE_MAX: u64 = 1 << 20;

pub(super) fn sign_file(
    config: &Config,
    file: &Path,
    target: Option<&Path>,
    record: bool,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let document = read(file)?;
    let secret = config.manifest_secret()?;
    let dispatch = || SigningKey::read(&config.data_dir().dispatch_key());
    let signed = sign(&document, dispatch, &secret).map_err(|error| match error {
        SignError::Key(error) => error.into(),
        source => CliError::Sign { path: file.to_owned(), source },
    })?;
    let mut bytes = match &signed {
        Signed::Agent(manifest) => canonical(manifest)?,
        Signed::Other(bytes) => bytes.clone(),
    };
    match (&signed, record) {
        (Signed::Agent(manifest), true) => open(config)?.update_manifest(manifest)?,
        (Signed::Other(_), true) => {
            return Err(CliError::Usage(
                "--record is for agents' manifests; this is another document".to_owned(),
            ));
        }
        (Signed::Other(_), false) => eprintln!("secmon: not an agent's manifest; signed with the HMAC alone"),
        (Signed::Agent(_), false) => {}
    }
    bytes.push(b'\n');
    match target {
        Some(path) => Ok(create(path, Access::Public, &bytes)?),
        None => Ok(out.write_all(&bytes)?),
    }
}

pub(super) fn verify_file(config: &Config, file: &Path, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let document = read(file)?;
    let secret = config.manifest_secret()?;
    let verification = verify(&document, &secret, dispatch_public(config).as_ref());
    for property in &verification.properties {
        let (mark, text) = match &property.verdict {
            Verdict::Holds(text) => ("ok  ", text),
            Verdict::NotNeeded(text) => ("--  ", text),
            Verdict::Fails(text) => ("FAIL", text),
        };
        writeln!(out, "{mark}  {}: {text}", property.name)?;
    }
    Ok(if verification.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

pub(super) fn show_file(file: &Path, out: &mut impl Write) -> Result<(), CliError> {
    let document = read(file)?;
    let document = document.strip_suffix(b"\n").unwrap_or(&document);
    let manifest = Manifest::read(document).map_err(|error| CliError::Input {
        path: file.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidData, format!("not an agent's manifest: {error}")),
    })?;
    show(&manifest.body, out)
}

fn show(body: &ManifestBody, out: &mut impl Write) -> Result<(), CliError> {
    writeln!(out, "agent        {}", body.agent_id)?;
    writeln!(out, "client       {}", body.client_id)?;
    writeln!(out, "manifest     {}, issued {} ({})", body.seq, pki::date(body.issued), body.issued)?;
    for capability in &body.operations {
        writeln!(
            out,
            "operation    {} of {}, at most every {} s",
            capability.action, capability.unit, capability.min_interval_s
        )?;
    }
    let areas: Vec<_> = body.diagnostics.iter().map(|area| area.as_str()).collect();
    writeln!(out, "diagnostics  {}", if areas.is_empty() { "none".to_owned() } else { areas.join(", ") })?;
    show_tuning(&body.tuning, out)?;
    writeln!(out, "The signatures were not checked; `secmon manifest verify` does that.")?;
    Ok(())
}

fn show_tuning(tuning: &Tuning, out: &mut impl Write) -> Result<(), CliError> {
    for host in tuning.hosts() {
        writeln!(out, "probe host   {host}, and none that isn't listed")?;
    }
    for log in tuning.access_logs() {
        writeln!(out, "access log   {log}, and none that isn't listed")?;
    }
    for log in tuning.error_logs() {
        writeln!(out, "error log    {log}, and none that isn't listed")?;
    }
    for (threshold, value) in tuning.thresholds() {
        let row = threshold.row();
        writeln!(out, "threshold    {threshold} {value} {}, usually {}", row.unit, row.usual)?;
    }
    Ok(())
}

fn dispatch_public(config: &Config) -> Option<PublicKey> {
    public_from_pem(&std::fs::read(config.data_dir().dispatch_public()).ok()?)
}

fn read(path: &Path) -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let result = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut bytes));
    result.map_err(|source| CliError::Input { path: path.to_owned(), source })?;
    Ok(bytes)
}
