//! Flags and arguments, help text included. Help, completions and man pages all come from here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use secmon_wire::limits::MIN_INTERVAL_MAX;
use secmon_wire::{AgentId, Area, ClientId, OPERATIONS, OperationId, Unit, operation};

use super::tuning::TuningArgs;
use super::zone_args::{CloudflareCommand, KeyCommand};
use crate::diag;
use crate::fleet::Address;
use crate::fleet::bundle::ServiceManager;

/// Restart one service on one server, and nothing else, from a chat.
///
/// secmon is the control plane: it takes approvals from operators, proves them, and dispatches them to
/// agents. Settings and secrets come from the environment, or from DATA_DIR/secmon.env where the environment
/// has none; every secret NAME may also be given as a file in NAME_FILE.
#[derive(Debug, Parser)]
#[command(name = "secmon", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Read variables from FILE where the environment has none [default: DATA_DIR/secmon.env, if there]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
    /// Keys, database and audit log [default: $SECMON_DATA_DIR, or /var/lib/secmon]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    #[command(flatten)]
    Settled(Settled),
    /// Show an operator restart a real service, with everything thrown away afterwards
    ///
    /// Runs a real agent with mutual TLS, and a small service under an init script, in a temporary directory.
    /// At a terminal it stays interactive; without one it plays a tour and checks every step.
    Demo {
        /// The agent's program [default: secmon-agent beside secmon, or in PATH]
        #[arg(long, value_name = "FILE")]
        agent: Option<PathBuf>,
        /// Play the tour at a terminal, too
        #[arg(long)]
        tour: bool,
        /// Be the demonstration's service, and write the process id to FILE
        #[arg(long, value_name = "FILE", hide = true, requires = "service_port_file")]
        service_pid_file: Option<PathBuf>,
        /// Be the demonstration's service, and write the port to FILE
        #[arg(long, value_name = "FILE", hide = true, requires = "service_pid_file")]
        service_port_file: Option<PathBuf>,
    },
    /// Print shell completions
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print man pages, or write one file for each command
    Man {
        /// Write the pages into DIR instead of printing that of secmon
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Commands that read settings.
#[derive(Debug, Subcommand)]
pub(super) enum Settled {
    /// Make a data directory: authority, keys, secrets, settings, database, audit log
    ///
    /// Nothing is overwritten, and either everything is made or nothing.
    Init {
        /// Also make a secret for one-time codes, switch the codes on, and print its otpauth:// link once
        #[arg(long)]
        totp: bool,
    },
    /// Add and list clients: whose sites they are
    #[command(subcommand)]
    Client(ClientCommand),
    /// Add and list agents: the servers
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Switch automatic changes at Cloudflare off and on
    ///
    /// Works on a control plane that runs, at once. Approvals go on working, and what is in force stays until its time
    /// is over. SECMON_AUTO_CF_DISABLED=1 does the same for as long as a process runs with it.
    #[command(subcommand)]
    Auto(AutoCommand),
    /// Store and check the API tokens of clients' zones at Cloudflare
    #[command(subcommand)]
    Cloudflare(CloudflareCommand),
    /// Change the key that stored tokens are encrypted with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Sign, verify and show capability manifests
    #[command(subcommand)]
    Manifest(ManifestCommand),
    /// Serve approvals from Telegram until stopped
    Serve,
    /// Approve from this terminal, through the same gates as the chat
    Console {
        /// Whose approvals these are: a user id of SECMON_TELEGRAM_ALLOWED_USER_IDS
        #[arg(long = "as", value_name = "USER_ID", value_parser = clap::value_parser!(i64).range(1..))]
        operator: i64,
    },
    /// Say what is wrong on a client's servers, and what may help
    ///
    /// Looks at all servers of the client, side by side, and changes nothing. Exits with 0 if nothing needs anybody, 1 if
    /// something does, 2 for a command line that isn't one, 3 if a server could not be looked at and nothing was found on
    /// the others.
    Diag(Diag),
    /// Look for everything that can be wrong before an approval is needed
    Doctor {
        /// Don't ask the agents
        #[arg(long)]
        offline: bool,
    },
    /// Verify or recover the audit log
    #[command(subcommand)]
    Audit(AuditCommand),
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(super) enum AutoCommand {
    /// No automatic change from now on
    Off,
    /// Automatic changes for clients that are armed
    On,
    /// Say whether they are on, and which clients are armed
    Status,
}

#[derive(Debug, Args)]
pub(super) struct Diag {
    /// Whose servers to look at
    #[arg(value_parser = client_id)]
    pub(super) client: ClientId,
    /// What to look at: names with commas (db, disk, flood, http, net, php, system, tls, web) [default: all]
    #[arg(value_name = "AREA", value_parser = asked)]
    pub(super) area: Option<diag::Areas>,
    /// Say all that was found: evidence, symptoms, what was checked and what not
    #[arg(long)]
    pub(super) details: bool,
    /// Print the reports and what was concluded from them as JSON
    #[arg(long, conflicts_with = "details")]
    pub(super) json: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum ClientCommand {
    /// Add a client
    Add {
        /// Its id: lower-case letters, digits and hyphens
        #[arg(value_parser = client_id)]
        client: ClientId,
    },
    /// List all clients
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum AgentCommand {
    /// Add a server of a client, and make the bundle for it
    ///
    /// The bundle holds the server's certificate, keys, settings and signed manifest, and what to do with it
    /// is printed. Its private keys exist nowhere else.
    Add(Box<AddAgent>),
    /// List all agents
    List,
}

#[derive(Debug, Args)]
pub(super) struct AddAgent {
    /// Whose server it is
    #[arg(value_parser = client_id)]
    pub(super) client: ClientId,
    /// The server's id, unique over all clients: lower-case letters, digits and hyphens
    #[arg(value_parser = agent_id)]
    pub(super) agent: AgentId,
    /// Where the control plane reaches it
    #[arg(long, value_name = "HOST:PORT", value_parser = address)]
    pub(super) address: Address,
    /// What it may be asked to restart, as in restart-web=nginx; once for each operation
    #[arg(long, value_name = "OPERATION=UNIT", required = true, value_parser = allow)]
    pub(super) allow: Vec<Allow>,
    /// Seconds between two runs of an operation, at least, as in restart-web=60
    #[arg(long, value_name = "OPERATION=SECONDS", value_parser = min_interval)]
    pub(super) min_interval: Vec<MinInterval>,
    /// What it may be asked to look at, without touching it: all, none, or some of db, disk, flood, http, net, php,
    /// system, tls, web, with commas
    #[arg(long, value_name = "AREAS", value_parser = areas, default_value = "all")]
    pub(super) diagnostics: Areas,
    #[command(flatten)]
    pub(super) tuning: TuningArgs,
    /// Where to make the bundle [default: ./AGENT.bundle]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Where the agent listens [default: every address of the server, or the loopback ADDRESS itself]
    #[arg(long, value_name = "ADDR:PORT", value_parser = listen)]
    pub(super) listen: Option<String>,
    /// The server's service manager [default: what the agent finds]
    #[arg(long, value_enum, hide_default_value = true)]
    pub(super) service_manager: Option<ServiceManager>,
    /// The agent's state file [default: /var/lib/secmon-agent/state]
    #[arg(long, value_name = "FILE", value_parser = host_path)]
    pub(super) state: Option<PathBuf>,
    /// Where the server's init scripts are [default: /etc/init.d]
    #[arg(long, value_name = "DIR", value_parser = host_path)]
    pub(super) init_dir: Option<PathBuf>,
    /// Where the server's pid files are [default: /run]
    #[arg(long, value_name = "DIR", value_parser = host_path)]
    pub(super) run_dir: Option<PathBuf>,
}

/// An operation with the one unit that it touches.
#[derive(Clone, Debug)]
pub(super) struct Allow {
    pub(super) operation: OperationId,
    pub(super) unit: Unit,
}

/// An operation with the seconds between two runs.
#[derive(Clone, Debug)]
pub(super) struct MinInterval {
    pub(super) operation: OperationId,
    pub(super) seconds: u32,
}

#[derive(Debug, Subcommand)]
pub(super) enum ManifestCommand {
    /// Sign a manifest's body: JSON in any layout, with or without signatures from before
    ///
    /// An agent's manifest gets the HMAC and the control plane's signature; a document of any other schema
    /// gets the HMAC alone.
    Sign {
        /// The body
        file: PathBuf,
        /// Write the manifest to FILE, which must not exist, instead of printing it
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Also make it the agent's manifest in the registry; its seq must be higher than the last one's
        #[arg(long)]
        record: bool,
    },
    /// Check each property of a manifest
    Verify {
        /// The manifest
        file: PathBuf,
    },
    /// Show what a manifest says, without checking its signatures
    Show {
        /// The manifest
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verify the audit log offline; `secmon-audit-verify` does the same with more options
    Verify {
        /// The log [default: DATA_DIR/audit.jsonl]
        file: Option<PathBuf>,
    },
    /// Cut a torn or damaged end off the log into a file of its own, and record that in the log
    Recover,
}

pub(super) fn client_id(text: &str) -> Result<ClientId, String> {
    ClientId::new(text).ok_or_else(id_form)
}

fn agent_id(text: &str) -> Result<AgentId, String> {
    AgentId::new(text).ok_or_else(id_form)
}

fn id_form() -> String {
    "expected lower-case letters, digits and hyphens, 32 at most, with no hyphen in front".to_owned()
}

fn address(text: &str) -> Result<Address, String> {
    let expected = "expected HOST:PORT, as in web1.example.com:7443, 203.0.113.5:7443 or [2001:db8::5]:7443";
    Address::new(text).ok_or_else(|| expected.to_owned())
}

fn listen(text: &str) -> Result<String, String> {
    let parsed: Result<std::net::SocketAddr, _> = text.parse();
    parsed
        .map(|_| text.to_owned())
        .map_err(|_| "expected ADDR:PORT, as in 0.0.0.0:7443 or [::]:7443".to_owned())
}

/// The agent takes absolute paths, and texts without escapes.
fn host_path(text: &str) -> Result<PathBuf, String> {
    let odd = |c: char| c.is_control() || c == '"' || c == '\\';
    if text.starts_with('/') && !text.contains(odd) {
        return Ok(PathBuf::from(text));
    }
    Err("expected an absolute path on the server, without quotes, backslashes and control characters"
        .to_owned())
}

/// Areas of diagnostics, sorted, each once.
#[derive(Clone, Debug)]
pub(super) struct Areas(pub(super) Vec<Area>);

fn areas(text: &str) -> Result<Areas, String> {
    let one = |name: &str| {
        let all: Vec<_> = Area::ALL.iter().map(|area| area.as_str()).collect();
        Area::new(name).ok_or_else(|| format!("expected all, none, or some of {}", all.join(", ")))
    };
    let mut areas = match text {
        "all" => Area::ALL.to_vec(),
        "none" => Vec::new(),
        some => some.split(',').map(one).collect::<Result<_, _>>()?,
    };
    areas.sort();
    areas.dedup();
    Ok(Areas(areas))
}

fn asked(text: &str) -> Result<diag::Areas, String> {
    let expected = || format!("expected all, or names with commas, of: {}", diag::Areas::choices());
    diag::Areas::parse(text).ok_or_else(expected)
}

fn operation_id(text: &str) -> Result<OperationId, String> {
    OperationId::new(text).ok_or_else(|| {
        let all: Vec<_> = OPERATIONS.iter().map(|operation| operation.id.as_str()).collect();
        format!("there is no operation {text}; there are {}", all.join(", "))
    })
}

fn allow(text: &str) -> Result<Allow, String> {
    let (operation_name, unit) =
        text.split_once('=').ok_or("expected OPERATION=UNIT, as in restart-web=nginx")?;
    let id = operation_id(operation_name)?;
    let row = operation(id);
    let unit = Unit::new(unit).filter(|unit| row.pattern(unit).is_some());
    unit.map(|unit| Allow { operation: id, unit }).ok_or_else(|| {
        let units: Vec<_> = row.units.iter().map(|pattern| pattern.name).collect();
        format!(
            "{id} may touch only {} (* is a version such as 8.2, ? a cluster such as 15-main; no .service at the end)",
            units.join(", ")
        )
    })
}

fn min_interval(text: &str) -> Result<MinInterval, String> {
    let (operation_name, seconds) =
        text.split_once('=').ok_or("expected OPERATION=SECONDS, as in restart-web=60")?;
    let id = operation_id(operation_name)?;
    let least = operation(id).min_interval_s;
    let seconds = seconds.parse().ok().filter(|seconds| (least..=MIN_INTERVAL_MAX).contains(seconds));
    seconds
        .map(|seconds| MinInterval { operation: id, seconds })
        .ok_or_else(|| format!("{id} takes {least} to {MIN_INTERVAL_MAX} seconds"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn units_and_intervals_that_no_manifest_could_list_are_refused_with_what_can_be() {
        assert!(allow("restart-web=nginx").is_ok());
        for (text, expected) in [
            ("restart-web=sshd", "restart-web may touch only nginx, apache2"),
            ("restart-web=nginx.service", "no .service at the end"),
            ("restart-mail=postfix", "there are restart-db, restart-php, restart-web"),
            ("nginx", "as in restart-web=nginx"),
        ] {
            let error = allow(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
        assert!(min_interval("restart-web=3").is_ok());
        for text in ["restart-web=2", "restart-web=86401", "restart-web=x", "restart-mail=60", "60"] {
            min_interval(text).expect_err(text);
        }
    }
}
