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
use super::reason::first_error_line;
use super::systemd;
use crate::config::{Config, ManagerChoice};

/// An invocation id or `pid P start T`; empty if the unit has none.
pub(crate) type Instance = heapless::String<INSTANCE_MAX>;

/// How long a service manager may take to say how a unit is.
const STATUS_TIME: Duration = Duration::from_secs(10);
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
pub(crate) enum Presence {
    Present,
    /// There is none; the text says what there is.
    Absent(String),
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

    /// The program that restarts `unit`.
    pub(crate) fn restart_command(&self, unit: &Unit) -> Option<Command> {
        match &self.manager {
            Manager::Systemd(systemctl) => Command::new(systemctl, systemd::restart_args(unit.as_str())),
            Manager::OpenRc(rc_service) => Command::new(rc_service, [unit.as_str(), "restart"]),
            Manager::SysV | Manager::Procd => Command::new(&self.init_dir.join(unit.as_str()), ["restart"]),
            Manager::Missing => None,
        }
    }

    /// How `unit` is. An error means that the service manager doesn't say.
    pub(crate) fn status(
        &self,
        operation: &Operation,
        unit: &Unit,
        side: &mut dyn Side,
    ) -> Result<Status, String> {
        match &self.manager {
            Manager::Missing => Ok(Status::absent("no service manager found".into())),
            Manager::Systemd(systemctl) => {
                let command =
                    Command::new(systemctl, systemd::status_args(unit.as_str())).ok_or("no such command")?;
                let child = command.spawn(Orphan::Ends).map_err(|e| format!("systemctl: {e}"))?;
                let ended = child.wait(Instant::now() + STATUS_TIME, side);
                systemd::parse_status(unit.as_str(), &String::from_utf8_lossy(&ended.output))
                    .ok_or_else(|| format!("systemctl says nothing: {}", first_error_line(&ended.output)))
            }
            Manager::OpenRc(_) | Manager::SysV | Manager::Procd => {
                Ok(self.init_script_status(operation, unit))
            }
        }
    }

    /// Whether the manager's answer is final once its program has ended. An init script may end before the
    /// daemon has written its pid file.
    pub(crate) const fn restart_is_synchronous(&self) -> bool {
        matches!(self.manager, Manager::Systemd(_))
    }

    fn init_script_status(&self, operation: &Operation, unit: &Unit) -> Status {
        let script = self.init_dir.join(unit.as_str());
        if let Err(problem) = check_program(&script) {
            let there = self.scripts_there(operation);
            let what = if script.exists() { problem.to_string() } else { format!("no {}", script.display()) };
            return Status::absent(match there.as_str() {
                "" => what,
                there => format!("{what}; there is: {there}"),
            });
        }
        let process =
            operation.pattern(unit).and_then(|pattern| pid_file::main_process(&self.run_dir, unit, pattern));
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
    fn scripts_there(&self, operation: &Operation) -> String {
        let names = operation.units.iter().map(|pattern| pattern.name);
        let there: Vec<&str> = names.filter(|name| self.init_dir.join(name).is_file()).collect();
        there.join(" ")
    }
}

impl Status {
    /// Active as another instance than `before`: what a restart is for.
    pub(crate) fn is_replacement_of(&self, before: &Instance) -> bool {
        self.active && !self.changing && !self.instance.is_empty() && self.instance != *before
    }

    fn absent(what: String) -> Self {
        Self { presence: Presence::Absent(what), active: false, changing: false, instance: Instance::new() }
    }
}
