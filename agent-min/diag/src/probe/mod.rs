//! Probes: the host's own services are asked as a visitor, a client or a monitor would ask them.
//!
//! Each check takes what [`discovery`](crate::stack) found, asks with short deadlines, asks again before it says that
//! something is wrong, and leaves no trace in the logs that a person would have to wonder about. Nothing is verified
//! and nothing is trusted: an answer can only become a finding, a counter, or "not checked".
//!
//! Reading and judging are pure functions over bytes, in modules of their own; they are what the fuzzers feed.

mod bytes;
pub mod certificate;
pub mod certificates;
pub mod clock;
pub mod databases;
pub mod date;
mod der;
pub mod dns;
pub mod edge;
mod exchange;
pub mod fastcgi;
pub mod fpm;
mod mariadb;
pub mod mysql;
pub mod names;
pub mod origin;
pub mod page;
pub mod pem;
mod postgres;
pub mod postgres_packets;
pub mod url;

use std::time::Duration;

use secmon_wire::diag::{Check, WhyNotChecked};

use crate::Notes;
use crate::host::{Denied, Endpoint, Host};
use crate::stack::Site;

/// The database servers' account for us: without rights and without a password, for the user of the same name. Where
/// there is none, each look leaves a line that a login by this name was refused.
pub(crate) const ACCOUNT: &str = "secmon-diag";
/// Before something is called broken it is asked once more after this time: long enough for a reload, short enough
/// for a run of three seconds.
const AGAIN_AFTER: Duration = Duration::from_millis(1_000);
/// What every check leaves of the run's time for writing down what it saw.
const RESERVE: Duration = Duration::from_millis(150);

/// The time that a question may take: what it wants, or what is left. `None` if that is too little to ask at all.
fn allowed(host: &dyn Host, wanted: Duration) -> Option<Duration> {
    const LEAST: Duration = Duration::from_millis(50);
    let left = host.left().saturating_sub(RESERVE);
    (left >= LEAST).then(|| wanted.min(left))
}

const fn why(denied: Denied) -> WhyNotChecked {
    match denied {
        Denied::Absent => WhyNotChecked::Absent,
        Denied::Permission => WhyNotChecked::Permission,
        Denied::Timeout => WhyNotChecked::Timeout,
        Denied::Unsupported => WhyNotChecked::Unsupported,
        Denied::Refused | Denied::Full | Denied::Failed => WhyNotChecked::Failed,
    }
}

/// A site couldn't be asked. Where this build can't, that is for want of its protocol's older version.
fn not_asked(what: Check, denied: Denied, name: &str, notes: &mut Notes) {
    match denied {
        Denied::Unsupported => {
            notes.skipped(what, WhyNotChecked::Unsupported, &format!("{name}: TLS 1.2 only"));
        }
        denied => notes.skipped(what, why(denied), name),
    }
}

/// What a site without a name is asked as, and called.
const NAMELESS: &str = "localhost";

/// What a site without a name is called in a sentence.
pub(crate) const THE_SITE: &str = "the site";

/// What a site that is asked by this name is called in a sentence.
fn called(name: &str) -> &str {
    if name == NAMELESS { THE_SITE } else { name }
}

/// The name that a site is asked by.
fn name_of(site: &Site) -> &str {
    site.names.first().map(String::as_str).filter(|name| !name.is_empty()).unwrap_or(NAMELESS)
}

/// An endpoint, for people.
fn address(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix(path) => path.clone(),
        Endpoint::Tcp(address) => address.to_string(),
    }
}

#[cfg(test)]
mod testing;
