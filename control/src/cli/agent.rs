//! `secmon agent add`: the bundle first, then the registry, so that no agent is known without its keys.

use std::io::Write;
use std::path::{Path, PathBuf};

use secmon_wire::{Capability, operation};

use super::args::AddAgent;
use super::environment::existing;
use super::error::CliError;
use crate::config::Config;
use crate::dispatch::now;
use crate::fleet::bundle::{Bundle, HostSettings, NewAgent, ServiceManager, Signers};
use crate::fleet::{FleetError, RegistryError, pki};
use crate::store::{Store, StoreError};

pub(super) fn add(config: &Config, args: AddAgent, out: &mut impl Write) -> Result<(), CliError> {
    let data = existing(config)?;
    let signers = Signers::read(data, config.manifest_secret()?)?;
    let store = Store::open(&data.database())?;
    let target = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{}.bundle", args.agent)));
    let new = new_agent(args)?;
    if !store.client_exists(&new.client)? {
        return Err(RegistryError::NoClient(new.client).into());
    }
    let bundle = Bundle::write(&target, &new, &signers, now())?;
    let agent = bundle.agent.clone();
    bundle.publish()?;
    if let Err(error) = store.add_agent(&agent) {
        // An agent that isn't registered has no use for its keys, and the next attempt needs the place.
        std::fs::remove_dir_all(&target).map_err(|source| FleetError::File {
            path: target,
            source,
            hint: "remove it by hand",
        })?;
        return Err(error.into());
    }
    writeln!(out, "Added {} of {}, reached at {}.", agent.id, agent.client, agent.address)?;
    writeln!(out, "Its certificate is good until {}.", pki::date(agent.not_after))?;
    next_steps(&target, &new, out)
}

pub(super) fn list(store: &Store, out: &mut impl Write) -> Result<(), CliError> {
    for agent in store.agents()? {
        let manifest = agent.read_manifest()?;
        let operations: Vec<String> =
            manifest.body.operations.iter().map(|c| format!("{}={}", c.action, c.unit)).collect();
        writeln!(out, "{}  {}  {}  {}", agent.client, agent.id, agent.address, operations.join(" "))?;
    }
    Ok(())
}

pub(super) fn clients(store: &Store, out: &mut impl Write) -> Result<(), CliError> {
    for client in store.clients()? {
        let count = store.agents_of(&client.id)?.len();
        let agents = if count == 1 { "agent" } else { "agents" };
        writeln!(out, "{}  {count} {agents}", client.id)?;
    }
    Ok(())
}

fn new_agent(args: AddAgent) -> Result<NewAgent, CliError> {
    let mut operations = Vec::new();
    for allow in &args.allow {
        let id = allow.operation;
        let mut intervals = args.min_interval.iter().filter(|interval| interval.operation == id);
        let seconds = match (intervals.next(), intervals.next()) {
            (_, Some(_)) => {
                return Err(CliError::Usage(format!("--min-interval names {id} twice; give it once")));
            }
            (Some(interval), None) => interval.seconds,
            (None, None) => operation(id).default_interval_s,
        };
        let capability = Capability::new(id, allow.unit.clone(), seconds).map_err(FleetError::Manifest)?;
        operations.push(capability);
    }
    operations.sort_by_key(|capability| capability.action);
    for pair in operations.windows(2) {
        if let [first, second] = pair
            && first.action == second.action
        {
            let text = format!("--allow names {} twice; an agent restarts one unit for it", first.action);
            return Err(CliError::Usage(text));
        }
    }
    let unused = args.min_interval.iter().find(|i| !operations.iter().any(|c| c.action == i.operation));
    if let Some(interval) = unused {
        let id = interval.operation;
        return Err(CliError::Usage(format!(
            "--min-interval names {id}, which no --allow names; add it or leave it out"
        )));
    }
    let host = HostSettings {
        listen: args.listen,
        service_manager: args.service_manager,
        state: args.state,
        init_dir: args.init_dir,
        run_dir: args.run_dir,
    };
    Ok(NewAgent {
        id: args.agent,
        client: args.client,
        address: args.address,
        operations,
        diagnostics: args.diagnostics.0,
        tuning: args.tuning.tuning()?,
        host,
    })
}

/// Where systemd isn't, by hand; a second time changes nothing.
const USERS: [&str; 4] = [
    "for u in secmon-net secmon-diag; do id -u $u >/dev/null 2>&1 ||",
    "  useradd --system --no-create-home --shell /usr/sbin/nologin $u; done",
    "  # BusyBox: adduser -S -D -H -s /sbin/nologin $u",
    "for g in adm systemd-journal; do ! grep -q ^$g: /etc/group || usermod -aG $g secmon-diag; done",
];

fn next_steps(target: &Path, new: &NewAgent, out: &mut impl Write) -> Result<(), CliError> {
    let bundle = shell_word(&target.display().to_string());
    let host = match new.address.host() {
        v6 if v6.contains(':') => format!("[{v6}]"),
        host => host.to_owned(),
    };
    writeln!(out, "Its bundle is {bundle}. The private keys in it exist nowhere else. Next:")?;
    writeln!(out, "  1. Copy it to the server, then remove it here:")?;
    writeln!(out, "       scp -rp {bundle} root@{host}:/etc/secmon-agent && rm -r {bundle}")?;
    writeln!(out, "  2. On the server, with secmon-agent in /usr/local/bin:")?;
    let systemd =
        matches!(new.host.service_manager, None | Some(ServiceManager::Auto | ServiceManager::Systemd));
    let users = ["systemd-sysusers /etc/secmon-agent/secmon-agent.sysusers"];
    for line in if systemd { &users[..] } else { &USERS } {
        writeln!(out, "       {line}")?;
    }
    writeln!(out, "       mkdir -p -m 0700 /var/lib/secmon-agent")?;
    writeln!(out, "       secmon-agent init     # once, on a new server: makes the state file")?;
    writeln!(out, "       secmon-agent check")?;
    if systemd {
        writeln!(out, "       cp /etc/secmon-agent/secmon-agent.service /etc/systemd/system/")?;
        writeln!(out, "       systemctl enable --now secmon-agent")?;
    } else {
        writeln!(out, "       and let the service manager start: secmon-agent run")?;
    }
    writeln!(out, "  3. Here: secmon doctor")?;
    Ok(())
}

/// The text as one word of a POSIX shell.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@:,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Adds a client.
pub(super) fn add_client(
    store: &Store,
    client: &secmon_wire::ClientId,
    out: &mut impl Write,
) -> Result<(), CliError> {
    store.add_client(client, now())?;
    writeln!(
        out,
        "Added {client}. Next: secmon agent add {client} AGENT --address HOST:7443 --allow restart-web=nginx"
    )?;
    Ok(())
}

/// The registry.
pub(super) fn open(config: &Config) -> Result<Store, CliError> {
    let open: Result<Store, StoreError> = Store::open(&existing(config)?.database());
    Ok(open?)
}
