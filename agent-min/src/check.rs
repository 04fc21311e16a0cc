//! `check`: says what would run on this host, and every problem, without changing anything.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use secmon_sys::clock::wall_seconds;
use secmon_sys::files::{check_directory, check_program};
use secmon_sys::sandbox::Strength;
use secmon_sys::state_file::StateFile;
use secmon_sys::wait::Alone;
use secmon_wire::{Capability, Tuning, operation};

use crate::bundle::{self, Findings, TlsParts};
use crate::config::Config;
use crate::monitor::{Presence, Services, present_check};
use crate::net::RemoteKey;
use crate::run::{read_state, try_diagnostics, try_network};
use crate::{VERSION, certificate, users};

/// What was found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) text: String,
    pub(crate) sound: bool,
}

/// Looks at everything that `run` would use.
#[inline(never)] // see cli.rs
pub(crate) fn check(config: &Path) -> Report {
    let config = match Config::load(config) {
        Ok(config) => config,
        Err(problem) => return Report { text: format!("problem: {problem}\n"), sound: false },
    };
    let mut paper = Paper::default();
    paper.line("version", VERSION);
    paper.line("agent", &config.agent_id);
    paper.line("certificate", certificate::agent_name(&config.agent_id));
    paper.line("listen", config.listen);
    check_state(&config, &mut paper);
    for user in [users::network(&config), users::diagnostics(&config)] {
        match user {
            Ok(user) => paper.line(user.process, user),
            Err(problem) => paper.problem(problem),
        }
    }

    let services = Services::find(&config);
    paper.line("service manager", services.name());
    let mut findings = Findings::default();
    let bundle = bundle::load(&config, &mut findings);
    if let (Some(public), Some(point)) = (&bundle.public, bundle.tls_key) {
        let parts = TlsParts {
            directory: config.directory(),
            agent_id: &config.agent_id,
            authority: &public.authority,
            chain: &public.chain,
            key: Arc::new(RemoteKey::public_only(point)),
        };
        let _what_is_wrong_is_found = bundle::load_tls(parts, wall_seconds(), &mut findings);
    }
    if let Some(identity) = &bundle.monitor {
        let manifest = &identity.manifest;
        paper.line(
            "manifest",
            format_args!("{} of {}, number {}", identity.manifest_hash, manifest.client_id, manifest.seq),
        );
        let areas: Vec<&str> = manifest.diagnostics.iter().map(|area| area.as_str()).collect();
        paper.line("diagnostics", if areas.is_empty() { "none".to_owned() } else { areas.join(" ") });
        say_tuning(&manifest.tuning, &mut paper);
        if manifest.operations.is_empty() {
            paper.line("operations", "none");
        }
        for capability in &manifest.operations {
            check_operation(capability, &services, &mut paper);
        }
    }
    if let (Some(public), Some(point), []) = (&bundle.public, bundle.tls_key, findings.fatal.as_slice()) {
        let tuning = bundle.monitor.as_ref().map(|identity| identity.manifest.tuning.clone());
        let tuning = tuning.unwrap_or_default();
        let processes = [
            ("network", try_network(&config, public, point)),
            ("diagnostics", try_diagnostics(&config, tuning)),
        ];
        for (name, strength) in processes {
            match strength {
                Ok(strength) => check_walls(name, strength, &mut paper),
                Err(problem) => paper.problem(problem),
            }
        }
    }
    for note in findings.notes {
        paper.line("note", note);
    }
    for problem in findings.fatal {
        paper.problem(problem);
    }
    paper.finish()
}

#[derive(Default)]
struct Paper {
    text: String,
    problems: usize,
}

impl Paper {
    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _strings_take_all = writeln!(self.text, "{name}: {value}");
    }

    fn problem(&mut self, problem: impl std::fmt::Display) {
        self.problems = self.problems.saturating_add(1);
        self.line("problem", problem);
    }

    fn finish(mut self) -> Report {
        match self.problems {
            0 => self.line("result", "no problems"),
            1 => self.line("result", "1 problem"),
            problems => self.line("result", format_args!("{problems} problems")),
        }
        Report { text: self.text, sound: self.problems == 0 }
    }
}

fn check_state(config: &Config, paper: &mut Paper) {
    paper.line("state", config.state.display());
    let directory = config.state.parent().filter(|directory| directory.exists());
    let result = directory
        .map_or(Ok(()), check_directory)
        .and_then(|()| StateFile::peek(&config.state))
        .and_then(|payload| read_state(config, &payload));
    match result {
        Ok(state) => {
            paper.line("receipts", state.receipt_seq);
            if let Some(pending) = state.pending {
                paper.line("under way", format_args!("a restart of {}", pending.unit));
            }
        }
        Err(problem) => paper.problem(problem),
    }
}

/// What of the manifest's tuning differs from looking at all there is.
fn say_tuning(tuning: &Tuning, paper: &mut Paper) {
    let lists: [(&str, Vec<&str>); 3] = [
        ("only hosts", tuning.hosts().collect()),
        ("only access logs", tuning.access_logs().collect()),
        ("only error logs", tuning.error_logs().collect()),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        paper.line(name, list.join(", "));
    }
    for (threshold, value) in tuning.thresholds() {
        paper.line("threshold", format_args!("{threshold} {value} {}", threshold.row().unit));
    }
}

fn check_walls(process: &str, strength: Strength, paper: &mut Paper) {
    paper.line(&format!("{process} walls"), strength);
    let missing: Vec<&str> = strength.missing().collect();
    if !missing.is_empty() {
        paper.line(&format!("{process} lacks"), missing.join(" "));
    }
}

fn check_operation(capability: &Capability, services: &Services, paper: &mut Paper) {
    let row = operation(capability.action);
    let Capability { action, unit, min_interval_s } = capability;
    paper.line(
        action.as_str(),
        format_args!("{unit}, at most every {min_interval_s} s, given up after {} s", row.timeout_s),
    );
    let service = services.service(row, unit);
    match present_check(&service.checks) {
        Some(command) => {
            paper.line("  check", command);
            if let Err(problem) = check_program(command.program()) {
                paper.problem(problem);
            }
        }
        None => paper.line("  check", "none on this host"),
    }
    let Some(command) = &service.restart else {
        return paper
            .problem(format_args!("{action}: no service manager found ; name one as service_manager"));
    };
    paper.line("  restart", command);
    match service.status(&mut Alone) {
        Ok(status) => match status.presence {
            Presence::Present => {
                let instance = if status.instance.is_empty() { "none" } else { status.instance.as_str() };
                paper.line(
                    "  now",
                    format_args!("{}, {instance}", if status.active { "active" } else { "not active" }),
                );
            }
            Presence::NotFound => paper.problem(format_args!("{action}: there is no unit {unit}")),
            Presence::Absent(what) => {
                paper.problem(format_args!("{action}: {what}; install it, or sign another manifest"));
            }
        },
        Err(what) => paper.problem(format_args!("{action}: {what}; is the service manager right?")),
    }
    if let Err(problem) = check_program(command.program()) {
        paper.problem(problem);
    }
}
