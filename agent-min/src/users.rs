//! Whose rights the processes have that face others: a user each, with no rights but its own.

use std::fmt;

use heapless::Vec;
use secmon_sys::account::Account;
use secmon_sys::process::runs_as_root;

use crate::config::{Config, DIAGNOSTICS_USER, NETWORK_USER};
use crate::diagnostics::GROUPS_MAX;

/// The ids that Linux gives to what has none (proc(5), overflowuid).
const NOBODY: u32 = 65_534;

/// The groups whose members may read logs, on systems that have them.
const LOG_GROUPS: [&str; GROUPS_MAX] = ["adm", "systemd-journal"];

/// Who a process becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User<'a> {
    /// Which process.
    pub(crate) process: &'static str,
    pub(crate) kind: Kind<'a>,
}

/// What kind of user that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// One of its own.
    Own(&'a str, Account),
    /// There is no such user; the one that everything without a user shares.
    Nobody { wanted: &'a str },
    /// We are no root, so it is us.
    Ours,
}

/// The network process's.
pub(crate) fn network(config: &Config) -> Result<User<'_>, String> {
    find(config, "network process", "network_user", &config.network_user, NETWORK_USER)
}

/// The diagnostics process's.
pub(crate) fn diagnostics(config: &Config) -> Result<User<'_>, String> {
    find(config, "diagnostics process", "diagnostics_user", &config.diagnostics_user, DIAGNOSTICS_USER)
}

/// The groups of the diagnostics process, as far as they exist here.
pub(crate) fn log_groups() -> Vec<u32, GROUPS_MAX> {
    LOG_GROUPS.iter().filter_map(|name| Account::group(name)).filter(|group| *group != 0).collect()
}

fn find<'a>(
    config: &Config,
    process: &'static str,
    field: &str,
    wanted: &'a str,
    default: &str,
) -> Result<User<'a>, String> {
    let path = config.path.display();
    let kind = if !runs_as_root() {
        Kind::Ours
    } else {
        match Account::find(wanted) {
            Some(Account { uid: 0, .. }) => {
                return Err(format!("{path}: {field} {wanted} is root; name a user without rights"));
            }
            Some(account) => Kind::Own(wanted, account),
            None if wanted == default => Kind::Nobody { wanted },
            None => return Err(format!("{path}: there is no user {wanted}; add it")),
        }
    };
    Ok(User { process, kind })
}

impl User<'_> {
    /// Its numbers; `None` if it stays ours.
    pub(crate) const fn account(&self) -> Option<Account> {
        match self.kind {
            Kind::Own(_, account) => Some(account),
            Kind::Nobody { .. } => Some(Account { uid: NOBODY, gid: NOBODY }),
            Kind::Ours => None,
        }
    }

    /// Whether it shares that user with others, who can then stop it.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Nobody { .. })
    }
}

impl fmt::Display for User<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Own(name, Account { uid, gid }) => write!(f, "runs as {name} ({uid}:{gid})"),
            Kind::Nobody { wanted } => write!(
                f,
                "there is no user {wanted}, so the {} runs as {NOBODY}, which others share and can stop; \
                 add one: useradd --system --no-create-home --shell /usr/sbin/nologin {wanted}",
                self.process
            ),
            Kind::Ours => f.write_str("runs as the same user as the monitor, which is not root"),
        }
    }
}
