//! One action, one call.

use std::io::Write;
use std::process::ExitCode;

use super::args::{AgentCommand, AuditCommand, Cli, ClientCommand, Command, ManifestCommand, Settled};
use super::environment::Environment;
use super::error::CliError;
use super::zone_args::KeyCommand;
use super::{agent, auto, cloudflare, diag, doctor, documents, init, key, live, manifest};
use crate::demo::{self, serve_demo_service};

/// Runs the command.
pub(super) fn run(cli: Cli, out: &mut impl Write) -> Result<ExitCode, CliError> {
    match cli.command {
        Command::Settled(command) => {
            let environment = Environment::load(cli.global)?;
            act(command, &environment, out).map_err(|error| environment.explain(error))
        }
        Command::Demo { service_pid_file: Some(pid), service_port_file: Some(port), .. } => {
            done(serve_demo_service(&pid, &port).map_err(CliError::Output))
        }
        Command::Demo { agent, tour, .. } => done(Ok(demo::run(&demo::Options { agent, tour })?)),
        Command::Completions { shell } => done(documents::completions(shell, out)),
        Command::Man { out: directory } => done(documents::man(directory.as_deref(), out)),
    }
}

fn act(command: Settled, environment: &Environment, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let config = environment.config();
    match command {
        Settled::Init { totp } => done(init::run(&config, totp, out)),
        Settled::Client(ClientCommand::Add { client }) => {
            done(agent::add_client(&agent::open(&config)?, &client, out))
        }
        Settled::Client(ClientCommand::List) => done(agent::clients(&agent::open(&config)?, out)),
        Settled::Agent(AgentCommand::Add(args)) => done(agent::add(&config, *args, out)),
        Settled::Agent(AgentCommand::List) => done(agent::list(&agent::open(&config)?, out)),
        Settled::Manifest(ManifestCommand::Sign { file, out: target, record }) => {
            done(manifest::sign_file(&config, &file, target.as_deref(), record, out))
        }
        Settled::Manifest(ManifestCommand::Verify { file }) => manifest::verify_file(&config, &file, out),
        Settled::Manifest(ManifestCommand::Show { file }) => done(manifest::show_file(&file, out)),
        Settled::Auto(command) => done(auto::run(&config, command, out)),
        Settled::Cloudflare(command) => cloudflare::run(&config, command, out),
        Settled::Key(KeyCommand::Rotate) => done(key::rotate_key(environment, out)),
        Settled::Serve => done(live::serve(config)),
        Settled::Console { operator } => done(live::console(config, operator)),
        Settled::Diag(args) => diag::run(&config, &args, out),
        Settled::Doctor { offline } => doctor::run(environment, offline, out),
        Settled::Audit(AuditCommand::Verify { file }) => live::audit_verify(&config, file, out),
        Settled::Audit(AuditCommand::Recover) => done(live::audit_recover(&config, out)),
    }
}

fn done(result: Result<(), CliError>) -> Result<ExitCode, CliError> {
    result.map(|()| ExitCode::SUCCESS)
}
