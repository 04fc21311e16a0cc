//! What the monitor keeps of root's rights: what its own work takes, and what the programs that it runs take.

use std::io;

use secmon_sys::process::{runs_as_root, set_oom_score_adj};
use secmon_sys::sandbox::{Capability, CapabilityLimit, limit_capabilities};

use super::service::Services;

/// Each with who needs it. Restarting itself needs none: systemd does that, and asks for root's user id only.
const KEPT: &[Capability] = &[
    Capability::Setuid,         // the network process becomes another user
    Capability::Setgid,         // and is in no group
    Capability::Setpcap,        // and could never gain any of these
    Capability::SysChroot,      // and sees an empty directory
    Capability::Kill,           // and is killed when it hangs
    Capability::DacOverride,    // `nginx -t` and its like open logs and sockets of the service's user
    Capability::Chown,          // and give the directories that they make to that user
    Capability::Fowner,         // and set the modes of what is that user's
    Capability::NetBindService, // and bind the ports that the configuration names
    Capability::IpcLock,        // and are programs with this one set, or are not run at all (mariadbd)
];

/// The kernel's killer of memory takes almost everybody else first: an agent is needed most when memory is short.
const OOM_SCORE: i16 = -900;

/// Gives up the rest. Under init scripts the services are our own grandchildren and would lose it too, so
/// there everything is kept.
pub(crate) fn lower(services: &Services) -> io::Result<Option<CapabilityLimit>> {
    // Not ours to insist on: without CAP_SYS_RESOURCE the score stays what the service manager made it.
    let _as_it_was = set_oom_score_adj(OOM_SCORE);
    if runs_as_root() && services.start_services_themselves() {
        limit_capabilities(KEPT).map(Some)
    } else {
        Ok(None)
    }
}
