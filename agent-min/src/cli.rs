//! The command line: arguments become one typed command, its result becomes an exit status.
//!
//! No command is compiled into this: the frame of `main` would be as large as the largest of theirs, and every process
//! would touch all of it.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::areas::Areas;
use crate::{VERSION, check, config, diagnostics, look, net, run, say};

const HELP: &str = "\
Runs the operations that this host's signed capability manifest lists, and nothing else.

Usage: secmon-agent COMMAND [--config FILE]
       secmon-agent diag [--area AREAS] [--json] [--config FILE]

Commands:
  run       Serve the control plane until killed
  check     Say what would run, and every problem; exit 1 if there is one
  diag      Look at this host now, as the control plane would; exit 1 if something is wrong
  init      Make the state file, once, on a new host
  version   Print the version

Options:
  --config FILE   The configuration [default: /etc/secmon-agent/agent.json]
  --area AREAS    What to look at: all [default], or some of db, disk, flood, http, net, php, system, tls, web,
                  with commas
  --json          Print the report as the control plane gets it
  --help          Print this help

The configuration is one JSON object; the rest of the bundle is found in its directory:
  agent_id         the agent's name in the control plane
  listen           ADDRESS:PORT
  service_manager  auto (default), systemd, openrc, sysv or procd
  state            the state file [default: /var/lib/secmon-agent/state]
  init_dir         where init scripts are [default: /etc/init.d]
  run_dir          where pid files are [default: /run]
  network_user     whose rights the process that speaks with the network has [default: secmon-net]
  diagnostics_user whose rights the process that reads logs has [default: secmon-diag]

Exit status: 0 all well, 1 a problem, 2 a wrong command line.
";

#[derive(Debug, PartialEq, Eq)]
enum Command {
    Run(PathBuf),
    Check(PathBuf),
    Init(PathBuf),
    Look {
        config: PathBuf,
        areas: Areas,
        raw: bool,
    },
    Version,
    Help,
    /// The network process; not for people.
    Network,
    /// The diagnostics process; not for people.
    Diagnostics,
}

/// Runs the command that `args` (without the program's name) say.
pub fn main(args: impl Iterator<Item = OsString>) -> ExitCode {
    match parse(args) {
        Ok(Command::Help) => print(HELP),
        Ok(Command::Version) => print(&format!("secmon-agent {VERSION}\n")),
        Ok(Command::Run(config)) => report(run::run(&config)),
        Ok(Command::Network) => net::run().map_or_else(report, |()| ExitCode::SUCCESS),
        Ok(Command::Diagnostics) => diagnostics::run().map_or_else(report, |()| ExitCode::SUCCESS),
        Ok(Command::Init(config)) => match run::init(&config) {
            Ok(line) => print(&line),
            Err(problem) => report(problem),
        },
        Ok(Command::Look { config, areas, raw }) => match look::look(&config, areas, raw) {
            Ok(look::View { text, well }) => {
                let printed = print_bytes(&text);
                if well { printed } else { ExitCode::from(1) }
            }
            Err(problem) => report(problem),
        },
        Ok(Command::Check(config)) => {
            let check::Report { text, sound } = check::check(&config);
            let printed = print(&text);
            if sound { printed } else { ExitCode::from(1) }
        }
        Err(wrong) => {
            say(&format!("{wrong}; see secmon-agent --help"));
            ExitCode::from(2)
        }
    }
}

fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut command: Option<OsString> = None;
    let (mut config, mut areas, mut raw) = (None, None, false);
    let mut args = args;
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--help" | "-h" | "help") => return Ok(Command::Help),
            Some("--version" | "-V") => return Ok(Command::Version),
            Some("--config") => match args.next() {
                Some(path) if config.is_none() => config = Some(PathBuf::from(path)),
                Some(_) => return Err("--config is there twice".into()),
                None => return Err("--config needs a FILE".into()),
            },
            Some("--json") => raw = true,
            Some("--area") => match args.next().as_ref().and_then(|names| Areas::parse(names.to_str()?)) {
                Some(some) if areas.is_none() => areas = Some(some),
                _ => return Err("--area needs, once, all or names of areas with commas".into()),
            },
            Some(option) if option.starts_with('-') => match option.strip_prefix("--config=") {
                Some(path) if config.is_none() => config = Some(PathBuf::from(path)),
                _ => return Err(format!("unknown or repeated option {option}")),
            },
            _ if command.is_none() => command = Some(arg),
            _ => return Err(format!("unexpected argument {}", arg.display())),
        }
    }
    let config = config.unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH));
    let looks = command.as_ref().is_some_and(|name| name == "diag");
    if !looks && (raw || areas.is_some()) {
        return Err("--area and --json belong to diag".into());
    }
    match command.as_ref().and_then(|name| name.to_str()) {
        Some("run") => Ok(Command::Run(config)),
        Some("check") => Ok(Command::Check(config)),
        Some("diag") => Ok(Command::Look { config, areas: areas.unwrap_or(Areas::ALL), raw }),
        Some("init") => Ok(Command::Init(config)),
        Some("version") => Ok(Command::Version),
        Some(role) if role.as_bytes() == net::ROLE.to_bytes() => Ok(Command::Network),
        Some(role) if role.as_bytes() == diagnostics::ROLE.to_bytes() => Ok(Command::Diagnostics),
        Some(other) => Err(format!("unknown command {other}")),
        None => Err("no command".into()),
    }
}

fn print(text: &str) -> ExitCode {
    print_bytes(text.as_bytes())
}

fn print_bytes(bytes: &[u8]) -> ExitCode {
    match std::io::stdout().write_all(bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(1),
    }
}

/// Says what is wrong, unless that was said already.
fn report(problem: String) -> ExitCode {
    if !problem.is_empty() {
        say(&problem);
    }
    ExitCode::from(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_ascii_whitespace().map(OsString::from))
    }

    #[test]
    fn each_command_is_read_with_its_configuration() {
        assert_eq!(parsed("run"), Ok(Command::Run(config::DEFAULT_PATH.into())));
        assert_eq!(parsed("run --config /a"), Ok(Command::Run("/a".into())));
        assert_eq!(parsed("--config=/a check"), Ok(Command::Check("/a".into())));
        assert_eq!(parsed("init --config /a"), Ok(Command::Init("/a".into())));
        assert_eq!(parsed("version"), Ok(Command::Version));
        assert_eq!(parsed("run --help"), Ok(Command::Help));
        let looks = |areas, raw| Ok(Command::Look { config: config::DEFAULT_PATH.into(), areas, raw });
        assert_eq!(parsed("diag"), looks(Areas::ALL, false));
        let web = Areas::parse("web").expect("an area");
        assert_eq!(parsed("diag --area web --json"), looks(web, true));
    }

    #[test]
    fn a_wrong_command_line_is_not_guessed_at() {
        for line in [
            "",
            "start",
            "run now",
            "run --config",
            "run --config a --config b",
            "run -x",
            "--config a",
            "run --json",
            "check --area web",
            "diag --area shell",
            "diag --area",
            "diag --area web --area db",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
