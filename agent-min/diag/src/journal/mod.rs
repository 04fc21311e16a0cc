//! systemd's journal, as far as the diagnostics need it: what the services wrote to their terminals, what systemd says
//! of them, and what the kernel says of memory.
//!
//! Only the file that is written now is read, of it at most some hundred messages of each service; messages of 512
//! bytes and more may be compressed, and are left out.

mod blocks;
mod file;
mod siphash;

use secmon_wire::diag::WhyNotChecked;

pub use blocks::Source;
pub use file::{Entry, Journal, Unreadable};

use crate::discover;
use crate::host::{Denied, Host};

/// Where journals are: kept, or in memory.
const PLACES: [&str; 2] = ["/var/log/journal", "/run/log/journal"];
/// Machines of which there may be one: containers leave theirs.
const MACHINES_MAX: usize = 64;

/// The journal's path, if there is one.
pub(crate) fn path(host: &dyn Host) -> Option<String> {
    let id = host.read("/etc/machine-id", 64).unwrap_or_default();
    let id = String::from_utf8_lossy(id.trim_ascii()).into_owned();
    for place in PLACES {
        let known = format!("{place}/{id}/system.journal");
        if !id.is_empty() && host.metadata(&known).is_ok() {
            return Some(known);
        }
        // Without an id of its own, any machine's is better than none.
        let names = host.list(place, MACHINES_MAX).unwrap_or_default();
        let mut found = names.iter().map(|name| format!("{place}/{name}/system.journal"));
        if id.is_empty()
            && let Some(path) = found.find(|path| host.metadata(path).is_ok())
        {
            return Some(path);
        }
    }
    None
}

/// Opens it and lets `read` read in it.
pub(crate) fn with<T>(
    host: &dyn Host,
    path: &str,
    read: impl FnOnce(&mut Journal<'_>) -> T,
) -> Result<T, WhyNotChecked> {
    let mut probe = [0; 1];
    host.read_at(path, 0, &mut probe).map_err(discover::why)?;
    let source = |offset: u64, out: &mut [u8]| match host.read_at(path, offset, out) {
        Ok(count) => Some(count),
        Err(Denied::Absent) => Some(0),
        Err(_) => None,
    };
    match Journal::open(&source) {
        Ok(mut journal) => Ok(read(&mut journal)),
        Err(Unreadable::Old) => Err(WhyNotChecked::Unsupported),
        Err(Unreadable::Broken) => Err(WhyNotChecked::Failed),
    }
}
