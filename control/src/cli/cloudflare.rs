//! `secmon cloudflare`: zones, their tokens and what is spared in them.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use secmon_wire::ClientId;
use serde_json::{Value, json};

use super::environment::existing;
use super::error::CliError;
use super::live;
use super::zone_args::{CloudflareCommand, Protect};
use crate::cloudflare::api::Api;
use crate::cloudflare::{ApiToken, Protections, Spared, Vault, ZoneId, check};
use crate::config::Config;
use crate::dispatch::now;
use crate::fleet::RegistryError;
use crate::fleet::doctor::{Level, LookedAt, look_at_zones, missing, unproven};
use crate::store::{Put, SeenZone, Store, ZoneRow};

/// No token is longer; a longer file is the wrong file.
const TOKEN_FILE_MAX: u64 = 4096;

/// What every command takes.
struct Desk {
    store: Store,
    vault: Vault,
    api: Arc<Api>,
}

impl Desk {
    /// Opens the registry. With a wrong data key no command begins.
    fn open(config: &Config) -> Result<Self, CliError> {
        let store = Store::open(&existing(config)?.database())?;
        let vault = Vault::new(config.data_keys()?);
        let api = Arc::new(Api::new(config.cloudflare_api()?)?);
        Ok(Self { store, vault, api })
    }

    fn checked(config: &Config) -> Result<Self, CliError> {
        let desk = Self::open(config)?;
        desk.vault.check(&desk.store.zones()?)?;
        Ok(desk)
    }

    /// The zone of a client with this name or id.
    fn zone(&self, client: &ClientId, text: &str) -> Result<ZoneRow, CliError> {
        if !self.store.client_exists(client)? {
            return Err(RegistryError::NoClient(client.clone()).into());
        }
        let id = ZoneId::new(text);
        let mut zones = self.store.zones_of(client)?.into_iter();
        let found =
            zones.find(|row| Some(&row.zone) == id.as_ref() || row.seen.name.eq_ignore_ascii_case(text));
        found.ok_or_else(|| RegistryError::NoZone { client: client.clone(), zone: text.to_owned() }.into())
    }
}

pub(super) fn run(
    config: &Config,
    command: CloudflareCommand,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    match command {
        // A zone whose own token doesn't open gets a new one this way, so each of the others is looked at alone.
        CloudflareCommand::Add { client, zone, token_file } => {
            add(&Desk::open(config)?, client, zone, token_file.as_deref(), out)
        }
        CloudflareCommand::List { json } => list(&Desk::checked(config)?, json, out),
        // Each zone's finding says whether its token opens.
        CloudflareCommand::Check { client, json } => look(&Desk::open(config)?, client.as_ref(), json, out),
        // Removing is the way out where a key is lost.
        CloudflareCommand::Remove { client, zone } => remove(&Desk::open(config)?, &client, &zone, out),
        CloudflareCommand::Protect(args) => protect(&Desk::checked(config)?, &args, out),
    }
}

fn add(
    desk: &Desk,
    client: ClientId,
    zone: ZoneId,
    token_file: Option<&Path>,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    if !desk.store.client_exists(&client)? {
        return Err(RegistryError::NoClient(client).into());
    }
    let token = ApiToken::new(&read_token(token_file)?)?;
    let api = desk.api.zone(zone.clone(), Arc::new(token.secret().clone()));
    let found = live::runtime()?.block_on(check(&api)).map_err(|error| CliError::Zone(Box::new(error)))?;
    if !found.missing.is_empty() {
        return Err(CliError::Scope(missing(&found)));
    }
    let (now, name) = (now(), found.zone.name.clone());
    let row = ZoneRow {
        zone,
        client: client.clone(),
        credential: desk.vault.seal(token.secret(), now)?,
        added: now,
        seen: seen(&found.zone, now),
    };
    let put = desk.store.put_zone(&row, |other| Ok::<_, CliError>(desk.vault.open(other).map(drop)?))?;
    let plan = found.zone.plan;
    match put {
        Put::Added => writeln!(out, "Added {name} ({plan} plan) of {client}.")?,
        Put::Renewed => writeln!(out, "{name} ({plan} plan) of {client} has the new token.")?,
    }
    if let Some(idle) = found.zone.idle() {
        writeln!(out, "Warning: {idle}.")?;
    }
    if let Some(until) = &found.until {
        writeln!(out, "Warning: the token ends on {until}.")?;
    }
    if !found.unproven.is_empty() {
        writeln!(out, "Warning: {}.", unproven(&found))?;
    }
    if put == Put::Added {
        writeln!(
            out,
            "Next: secmon cloudflare protect {client} {name} --range OFFICE --path /WEBHOOK/ --origin SERVER --probe /"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The token's text. At a terminal it would be shown while it is typed, and kept in the scroll-back.
fn read_token(file: Option<&Path>) -> Result<String, CliError> {
    let read = |from: &mut dyn Read| {
        let mut bytes = Vec::new();
        from.take(TOKEN_FILE_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|_| "\u{fffd}".to_owned()))
    };
    match file {
        Some(path) => File::open(path)
            .and_then(|mut file| read(&mut file))
            .map_err(|source| CliError::Input { path: path.to_owned(), source }),
        None if std::io::stdin().is_terminal() => Err(CliError::Usage(
            "the token would be shown while you type it; pipe it in, or give --token-file".to_owned(),
        )),
        None => read(&mut std::io::stdin().lock())
            .map_err(|source| CliError::Input { path: "standard input".into(), source }),
    }
}

fn list(desk: &Desk, as_json: bool, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let mut all = Vec::new();
    for row in desk.store.zones()? {
        let spared = desk.store.spared(&row.zone)?;
        let (client, seen) = (&row.client, &row.seen);
        if as_json {
            let texts = |kind: &str| -> Vec<String> {
                spared.iter().filter(|one| one.kind() == kind).map(Spared::value).collect()
            };
            let mut object = described(&row);
            if let Some(members) = object.as_object_mut() {
                for (name, kind) in
                    [("ranges", "range"), ("paths", "path"), ("origins", "origin"), ("probes", "probe")]
                {
                    members.insert(name.to_owned(), json!(texts(kind)));
                }
            }
            all.push(object);
        } else {
            let paused = if seen.paused { " paused" } else { "" };
            let (zone, name, plan, status) = (&row.zone, &seen.name, seen.plan, &seen.status);
            writeln!(out, "{client}  {name}  {zone}  {plan}  {status}{paused}  {} protected", spared.len())?;
        }
    }
    if as_json {
        writeln!(out, "{}", Value::Array(all))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn described(row: &ZoneRow) -> Value {
    let (zone, seen) = (row.zone.as_str(), &row.seen);
    json!({
        "client": row.client.as_str(), "zone": zone, "name": seen.name, "plan": seen.plan.as_str(),
        "status": seen.status, "paused": seen.paused, "added": row.added, "checked": seen.checked,
    })
}

fn look(
    desk: &Desk,
    client: Option<&ClientId>,
    as_json: bool,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    let zones = match client {
        Some(client) if !desk.store.client_exists(client)? => {
            return Err(RegistryError::NoClient(client.clone()).into());
        }
        Some(client) => desk.store.zones_of(client)?,
        None => desk.store.zones()?,
    };
    let looked = live::runtime()?.block_on(look_at_zones(&desk.api, &desk.vault, zones));
    let mut worst = Level::Ok;
    for zone in &looked {
        if let Ok(check) = &zone.result {
            desk.store.saw_zone(&zone.row.zone, &seen(&check.zone, now()))?;
        }
        for finding in zone.findings() {
            worst = worst.max(finding.level);
            if !as_json {
                writeln!(out, "{finding}")?;
            }
        }
    }
    if as_json {
        writeln!(out, "{}", Value::Array(looked.iter().map(found).collect()))?;
    }
    Ok(if worst == Level::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn found(zone: &LookedAt) -> Value {
    let (client, id) = (zone.row.client.as_str(), zone.row.zone.as_str());
    match &zone.result {
        Ok(check) => json!({
            "client": client, "zone": id, "name": check.zone.name, "plan": check.zone.plan.as_str(),
            "status": check.zone.status, "paused": check.zone.paused, "token_until": check.until,
            "missing": check.missing, "unproven": check.unproven, "error": null,
        }),
        Err(error) => {
            json!({ "client": client, "zone": id, "name": zone.row.seen.name, "error": error.to_string() })
        }
    }
}

fn remove(desk: &Desk, client: &ClientId, zone: &str, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let row = desk.zone(client, zone)?;
    desk.store.remove_zone(&row)?;
    let name = &row.seen.name;
    writeln!(
        out,
        "Removed {name} of {client}. Revoke its token at dash.cloudflare.com if nothing else uses it."
    )?;
    Ok(ExitCode::SUCCESS)
}

fn protect(desk: &Desk, args: &Protect, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let row = desk.zone(&args.client, &args.zone)?;
    let (named, name) = (args.named(), &row.seen.name);
    if args.remove && named.is_empty() {
        return Err(CliError::Usage(
            "--remove needs what to remove: --range, --path, --origin or --probe".to_owned(),
        ));
    }
    if args.remove {
        let before = desk.store.spared(&row.zone)?;
        if let Some(absent) = named.iter().find(|one| !before.contains(one)) {
            return Err(CliError::Usage(format!("{absent} is not protected in {name}; nothing was removed")));
        }
        desk.store.spare_no_longer(&row.zone, &named)?;
    } else {
        let outside = named.iter().find(|one| matches!(one, Spared::Probe(probe) if !probe.is_in(name)));
        if let Some(outside) = outside {
            return Err(CliError::Usage(format!(
                "{outside} is not in {name}, and doesn't show what a change there did"
            )));
        }
        // What no rule has room for would keep every mitigation from being made.
        let mut all = desk.store.spared(&row.zone)?;
        all.extend(named.iter().filter(|one| !all.contains(one)).cloned().collect::<Vec<_>>());
        Protections::of(&all, &[])
            .map_err(|error| CliError::Usage(format!("{error}; nothing was protected in {name}")))?;
        desk.store.spare(&row.zone, &named)?;
    }
    let spared = desk.store.spared(&row.zone)?;
    if spared.is_empty() {
        writeln!(out, "Nothing is protected in {name}.")?;
    }
    for one in spared {
        writeln!(out, "{one}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn seen(zone: &crate::cloudflare::api::ZoneState, now: u64) -> SeenZone {
    let (name, status) = (zone.name.clone(), zone.status.clone());
    SeenZone { name, plan: zone.plan, status, paused: zone.paused, checked: now }
}
