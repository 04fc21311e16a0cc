//! Service managers: how a unit is restarted, and whether it runs as which instance.
//!
//! Every program is an absolute path with a fixed argument list; the unit's name, which comes from the signed
//! manifest and fits the table of operations, is the only part that varies.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use secmon_sys::files::check_program;
use secmon_sys::spawn::{Command, Orphan};
use secmon_sys::wait::Side;
use secmon_wire::limits::INSTANCE_MAX;
use secmon_wire::{Operation, Unit};

use super::pid_file;
use super::preflight;
use super::reason::{Reason, detail, first_error_line};
use super::systemd;
use crate::config::{Config, ManagerChoice};

/// An invocation id or `pid P start T`; empty if the unit has none.
pub(crate) type Instance = heapless::String<INSTANCE_MAX>;

/// How long a service manager may take to say how a unit is.
const STATUS_TIME: Duration = Duration::from_secs(10);
/// Bytes of its answer.
const STATUS_MAX: usize = 1024;
const RC_SERVICE: &[&str] = &["/sbin/rc-service", "/usr/sbin/rc-service", "/bin/rc-service"];

/// The service manager of this host, and where its things are.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    manager: Manager,
    init_dir: PathBuf,
    run_dir: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Manager {
    Systemd(PathBuf),
    OpenRc(PathBuf),
    SysV,
    Procd,
    Missing,
}

/// One unit of this host, with every program that an operation may run for it: put together once, at the start.
#[derive(Debug)]
pub(crate) struct Service {
    services: Services,
    operation: &'static Operation,
    unit: Unit,
    /// What may check its configuration, in order.
    pub(crate) checks: Vec<Command>,
    pub(crate) restart: Option<Command>,
    status: Option<Command>,
    /// Lists the units of this operation that the host has.
    list: Option<Command>,
    /// Shows what the unit wrote last.
    journal: Option<Command>,
}

/// How a unit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) presence: Presence,
    pub(crate) active: bool,
    /// Whether the service manager is still at work on it.
    pub(crate) changing: bool,
    pub(crate) instance: Instance,
}

/// Whether there is such a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack")]
pub(crate) enum Presence {
    Present,
    /// There is none, by systemd's word.
    NotFound,
    /// There is none, or none that can be used; the text says why, and what there is.
    Absent(Reason),
}

impl Services {
    /// The service manager that `config` names, or else the one that is found.
    pub(crate) fn find(config: &Config) -> Self {
        let first = |programs: &[&str]| programs.iter().map(PathBuf::from).find(|path| path.exists());
        let systemd = || first(systemd::PROGRAMS).map(Manager::Systemd);
        let openrc = || first(RC_SERVICE).map(Manager::OpenRc);
        let found = match config.service_manager {
            ManagerChoice::Systemd => systemd(),
            ManagerChoice::OpenRc => openrc(),
            ManagerChoice::SysV => Some(Manager::SysV),
            ManagerChoice::Procd => Some(Manager::Procd),
            // sd_booted(3) and OpenRC's own scripts look at the same two directories.
            ManagerChoice::Auto if Path::new("/run/systemd/system").is_dir() => systemd(),
            ManagerChoice::Auto if Path::new("/run/openrc").is_dir() => openrc(),
            ManagerChoice::Auto if Path::new("/sbin/procd").exists() => Some(Manager::Procd),
            ManagerChoice::Auto => config.init_dir.is_dir().then_some(Manager::SysV),
        };
        Self {
            manager: found.unwrap_or(Manager::Missing),
            init_dir: config.init_dir.clone(),
            run_dir: config.run_dir.clone(),
        }
    }

    /// Its name.
    pub(crate) const fn name(&self) -> &'static str {
        match self.manager {
            Manager::Systemd(_) => "systemd",
            Manager::OpenRc(_) => "openrc",
            Manager::SysV => "sysv",
            Manager::Procd => "procd",
            Manager::Missing => "none",
        }
    }

    /// Whether the service manager starts services itself, so that they inherit nothing from us.
    pub(crate) const fn start_services_themselves(&self) -> bool {
        matches!(self.manager, Manager::Systemd(_))
    }

    /// The unit with its programs.
    pub(crate) fn service(&self, operation: &'static Operation, unit: &Unit) -> Service {
        let name = unit.as_str();
        let systemd = |args: &dyn Fn() -> Vec<String>| match &self.manager {
            Manager::Systemd(systemctl) => Command::new(systemctl, args()),
            _ => None,
        };
        let journalctl = systemd::JOURNALS.iter().map(Path::new).find(|path| path.exists());
        Service {
            checks: preflight::candidates(operation, unit),
            restart: match &self.manager {
                Manager::Systemd(systemctl) => Command::new(systemctl, systemd::restart_args(name)),
                Manager::OpenRc(rc_service) => Command::new(rc_service, [name, "restart"]),
                Manager::SysV | Manager::Procd => Command::new(&self.init_dir.join(name), ["restart"]),
                Manager::Missing => None,
            },
            status: systemd(&|| systemd::status_args(name)),
            list: systemd(&|| systemd::list_args(operation.units.iter().map(|pattern| pattern.name))),
            journal: journalctl
                .filter(|_| matches!(self.manager, Manager::Systemd(_)))
                .and_then(|program| Command::new(program, systemd::journal_args(name))),
            services: self.clone(),
            operation,
            unit: unit.clone(),
        }
    }
}

impl Service {
    pub(crate) const fn operation(&self) -> &'static Operation {
        self.operation
    }

    pub(crate) const fn unit(&self) -> &Unit {
        &self.unit
    }

    /// How the unit is. An error means that the service manager doesn't say.
    pub(crate) fn status(&self, side: &mut dyn Side) -> Result<Status, Reason> {
        match &self.services.manager {
            Manager::Missing => Ok(Status::absent(detail("no service manager found"))),
            Manager::Systemd(_) => self.ask_systemd(side),
            Manager::OpenRc(_) | Manager::SysV | Manager::Procd => Ok(self.init_script_status()),
        }
    }

    fn ask_systemd(&self, side: &mut dyn Side) -> Result<Status, Reason> {
        let mut output = [0; STATUS_MAX];
        let said = look(self.status.as_ref(), side, &mut output)?;
        let status = std::str::from_utf8(said)
            .ok()
            .and_then(|said| systemd::parse_status(self.unit.as_str(), said))
            .ok_or_else(|| detail(format_args!("systemctl says nothing: {}", first_error_line(said))))?;
        Ok(match status.presence {
            Presence::NotFound => Status { presence: Presence::Absent(self.what_there_is(side)), ..status },
            _ => status,
        })
    }

    /// That the unit isn't there, and which of its kind are.
    fn what_there_is(&self, side: &mut dyn Side) -> Reason {
        let mut output = [0; STATUS_MAX];
        let said = look(self.list.as_ref(), side, &mut output).unwrap_or_default();
        let mut there = Reason::new();
        for name in systemd::listed(std::str::from_utf8(said).unwrap_or_default()) {
            let _cut_at_its_limit = there.push(' ').and_then(|()| there.push_str(name));
        }
        let what = if there.is_empty() { "" } else { "; there is:" };
        detail(format_args!("no unit {}.service{what}{there}", self.unit))
    }

    /// What the unit has written in the last minutes, where there is a journal that keeps it.
    pub(crate) fn last_words<'o>(&self, side: &mut dyn Side, output: &'o mut [u8]) -> &'o [u8] {
        look(self.journal.as_ref(), side, output).unwrap_or_default()
    }

    /// Whether the manager's answer is final once its program has ended. An init script may end before the
    /// daemon has written its pid file.
    pub(crate) const fn restart_is_synchronous(&self) -> bool {
        matches!(self.services.manager, Manager::Systemd(_))
    }

    fn init_script_status(&self) -> Status {
        let script = self.services.init_dir.join(self.unit.as_str());
        if let Err(problem) = check_program(&script) {
            let there = self.scripts_there();
            let what = if script.exists() {
                detail(problem)
            } else {
                detail(format_args!("no {}", script.display()))
            };
            return Status::absent(match there.as_str() {
                "" => what,
                there => detail(format_args!("{what}; there is: {there}")),
            });
        }
        let pattern = self.operation.pattern(&self.unit);
        let process = pattern.and_then(|p| pid_file::main_process(&self.services.run_dir, &self.unit, p));
        let instance =
            process.map(|mark| format!("pid {} start {}", mark.pid, mark.start)).unwrap_or_default();
        Status {
            presence: Presence::Present,
            active: process.is_some(),
            changing: false,
            instance: Instance::try_from(instance.as_str()).unwrap_or_default(),
        }
    }

    /// The scripts of this operation's other units that exist: the manifest may name the wrong one.
    fn scripts_there(&self) -> String {
        let names = self.operation.units.iter().map(|pattern| pattern.name);
        let there: Vec<&str> = names.filter(|name| self.services.init_dir.join(name).is_file()).collect();
        there.join(" ")
    }
}

/// What a program that only looks has to say.
fn look<'o>(
    command: Option<&Command>,
    side: &mut dyn Side,
    output: &'o mut [u8],
) -> Result<&'o [u8], Reason> {
    let command = command.ok_or_else(|| detail("no such command"))?;
    let child = command
        .spawn(Orphan::Ends)
        .map_err(|e| detail(format_args!("{}: {e}", command.program().display())))?;
    Ok(child.wait(Instant::now() + STATUS_TIME, side, output).output)
}

impl Status {
    /// Active as another instance than `before`: what a restart is for.
    pub(crate) fn is_replacement_of(&self, before: &Instance) -> bool {
        self.active && !self.changing && !self.instance.is_empty() && self.instance != *before
    }

    fn absent(what: Reason) -> Self {
        Self { presence: Presence::Absent(what), active: false, changing: false, instance: Instance::new() }
    }
}
