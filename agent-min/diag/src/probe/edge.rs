//! The edge: what Cloudflare answers for the sites that are behind it, beside what this host answers itself.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::certificate::Certificate;
use super::url::Url;
use super::{AGAIN_AFTER, allowed, clock, names, not_asked, origin, why};
use crate::Notes;
use crate::host::{Denied, Fetch, Host, Page};
use crate::networks::is_cloudflare;
use crate::stack::{Site, Stack};

/// More sites than this are not asked for at the edge: they share the same way back to here.
const SITES_MAX: usize = 3;
/// The nearest edge answers in some 50 ms, this host's page included in some 500 ms.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// What asks for the page and not for a cache's copy of it.
const HOME: &str = "/?secmon=1";
/// A handshake with this host itself, or with the edge.
const HANDSHAKE: Duration = Duration::from_millis(500);
/// A home page that takes longer may have been too slow through the edge as well.
const AT_ONCE: Duration = Duration::from_millis(600);
/// "Invalid SSL certificate": only the strict mode says that.
const STRICT_REFUSES: u16 = 526;

/// Asks the edge for the sites whose names lead there.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let mut clock_is_judged = false;
    for (site, name) in names::public_sites(stack).take(SITES_MAX) {
        let edge = match names::lookup(host, name) {
            Ok(addresses) => addresses.into_iter().find(|address| is_cloudflare(*address)),
            Err(denied) => {
                notes.skipped(Check::Edge, why(denied), name);
                continue;
            }
        };
        // A site that isn't behind Cloudflare has no edge.
        let Some(edge) = edge else { continue };
        match get(host, edge, &home(name)) {
            Ok(page) => {
                notes.checked(Check::Edge);
                if !clock_is_judged {
                    clock_is_judged = judge_clock(host, edge, name, &page, notes);
                }
                judge(host, site, (name, edge), &page, notes);
            }
            Err(Denied::Timeout) => judge_silence(host, site, (name, edge), notes),
            Err(denied) => not_asked(Check::Edge, denied, name, notes),
        }
    }
}

fn home(name: &str) -> Url {
    Url { tls: true, host: name.to_ascii_lowercase(), path: HOME.to_owned() }
}

fn get(host: &dyn Host, edge: IpAddr, url: &Url) -> Result<Page, Denied> {
    let time = allowed(host, PATIENCE).ok_or(Denied::Timeout)?;
    let to = SocketAddr::new(edge, if url.tls { 443 } else { 80 });
    host.fetch(&Fetch { to, tls: url.tls, host: &url.host, path: &url.path }, time)
}

/// Compares the clocks, with two answers if the first one says that ours is wrong. False if it can't be told.
fn judge_clock(host: &dyn Host, edge: IpAddr, name: &str, first: &Page, notes: &mut Notes) -> bool {
    if first.header("server") != Some("cloudflare") {
        return false;
    }
    // The first answer came a moment ago, within the time that it may take.
    let now = host.clock();
    let Some(wrong) = clock::skew(first, now.saturating_sub(PATIENCE.as_secs() + 1), now) else {
        return false;
    };
    if wrong == 0 {
        clock::report(0, notes);
        return true;
    }
    let before = host.clock();
    let Ok(second) = get(host, edge, &home(name)) else { return false };
    let Some(again) = clock::skew(&second, before, host.clock()) else { return false };
    clock::report(wrong.min(again), notes);
    true
}

fn judge(host: &dyn Host, site: &Site, (name, edge): (&str, IpAddr), page: &Page, notes: &mut Notes) {
    if (520..=527).contains(&page.status) {
        return judge_52x(host, site, (name, edge), page.status, notes);
    }
    if !(300..400).contains(&page.status) {
        return;
    }
    // The first answer is asked for again: a redirect is cheap, and a chain begins at its beginning.
    let same_host = |url: &Url| match url.host.eq_ignore_ascii_case(name) {
        true => get(host, edge, url).map(Some),
        false => Ok(None),
    };
    if origin::loops(home(name), same_host) {
        let facts = Facts::new().text(FactName::Host, name);
        notes.found(Finding::new(FindingId::HttpRedirectLoop, Severity::Critical).with(facts));
    }
}

fn judge_52x(host: &dyn Host, site: &Site, (name, edge): (&str, IpAddr), code: u16, notes: &mut Notes) {
    host.pause(AGAIN_AFTER);
    match get(host, edge, &home(name)) {
        Ok(again) if again.status == code => {}
        Ok(_) => return,
        Err(denied) => return not_asked(Check::Edge, denied, name, notes),
    }
    if code == STRICT_REFUSES && shows_self_signed(host, site, name) {
        let facts = Facts::new().text(FactName::Host, name);
        notes.found(Finding::new(FindingId::TlsSelfsignedStrict, Severity::Critical).with(facts));
    }
    // If this host doesn't answer either, that is the finding, and not this.
    if origin::is_well(host, site, name) {
        let facts = Facts::new().text(FactName::Host, name).number(FactName::Code, code.into());
        let facts = facts.text(FactName::What, &code.to_string());
        notes.found(Finding::new(FindingId::HttpEdge52x, Severity::Critical).with(facts));
    } else {
        notes.skipped(Check::Edge, WhyNotChecked::Failed, name);
    }
}

/// An edge that can't reach this host says so after 15 s or more, and no run lasts that long. But if it greets us at
/// once, and this host answers at once, then what takes the time is the way from there to here.
fn judge_silence(host: &dyn Host, site: &Site, (name, edge): (&str, IpAddr), notes: &mut Notes) {
    let greets = allowed(host, HANDSHAKE)
        .is_some_and(|time| host.certificates(SocketAddr::new(edge, 443), name, time).is_ok());
    let begun = host.elapsed();
    let well = greets && origin::is_well(host, site, name);
    if well && host.elapsed().saturating_sub(begun) <= AT_ONCE {
        notes.checked(Check::Edge);
        let facts = Facts::new().text(FactName::Host, name).text(FactName::What, "nothing in time");
        notes.found(Finding::new(FindingId::HttpEdge52x, Severity::Warning).with(facts));
    } else {
        notes.skipped(Check::Edge, WhyNotChecked::Timeout, name);
    }
}

fn shows_self_signed(host: &dyn Host, site: &Site, name: &str) -> bool {
    let Some(listen) = site.listens.iter().find(|listen| listen.tls) else { return false };
    let Some(time) = allowed(host, HANDSHAKE) else { return false };
    let Ok(chain) = host.certificates(listen.reachable(), name, time) else { return false };
    let leaf = chain.first().and_then(|der| Certificate::read(der));
    leaf.is_some_and(|leaf| leaf.is_self_signed())
}

#[cfg(test)]
#[path = "edge_tests.rs"]
mod tests;
