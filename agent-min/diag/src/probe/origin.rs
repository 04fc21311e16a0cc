//! The home pages, asked of this host itself: what a visitor would get if nothing stood in between.

use std::time::Duration;

use secmon_wire::Threshold;
use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};

use super::page::{Verdict, judge};
use super::url::Url;
use super::{AGAIN_AFTER, NAMELESS, allowed, called, name_of, not_asked, why};
use crate::Notes;
use crate::host::{Denied, Fetch, Host, Page};
use crate::stack::{Listen, Site, Stack};

/// More home pages than this are not asked for; each costs the host a page of PHP.
const SITES_MAX: usize = 8;
/// A home page that takes longer is slow. A run of three seconds has no time to wait for slower ones.
const SLOW: Duration = Duration::from_millis(Threshold::SlowPage.row().usual as u64);
/// A program that was started this many seconds ago may still warm its caches.
const COLD: u64 = 60;
/// No sound site redirects more often than this before its home page.
const HOPS_MAX: usize = 5;
/// What asks for the page and not for a cache's copy of it.
const HOME: &str = "/?secmon=1";
/// Another page, to tell a broken page from a broken site. WordPress answers it from the same code.
const OTHER: &str = "/?p=1&secmon=1";
/// How often trouble has been seen when it is reported.
const LOOKS: u64 = 2;
/// Seconds after which WordPress leaves maintenance mode by itself, unless its file says otherwise. Before that, the
/// file alone says how long it has been.
const MAINTENANCE: u64 = 600;

/// Asks every site for its home page, and those with trouble again.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    if stack.sites.is_empty() {
        notes.skipped(Check::Origin, WhyNotChecked::Absent, "");
    }
    let mut troubled = Vec::new();
    let limit = stack.thresholds.given(Threshold::SlowPage).map(Duration::from_millis);
    for (count, site) in stack.asked().enumerate() {
        let name = name_of(site);
        if count >= SITES_MAX {
            notes.skipped(Check::Origin, WhyNotChecked::Timeout, "more sites");
            break;
        }
        let begun = host.elapsed();
        match look(host, site, name, HOME) {
            Ok(seen) if seen.has_trouble() => {
                notes.checked(Check::Origin);
                if !is_usual(site, &seen) {
                    troubled.push((site, name, seen));
                }
            }
            Ok(_) => {
                notes.checked(Check::Origin);
                let took = host.elapsed().saturating_sub(begun);
                if let Some(most) = limit.filter(|most| took >= *most && is_slow(host, site, name, *most)) {
                    too_slow(host, stack, name, most, notes);
                }
            }
            // A look that had less time than a slow page takes proves nothing.
            Err(Denied::Timeout) if host.elapsed().saturating_sub(begun) >= SLOW => {
                too_slow(host, stack, name, limit.unwrap_or(SLOW), notes);
            }
            // Who takes all that nobody else does may well hang up on it (nginx: `return 444`).
            Err(Denied::Failed) if name == NAMELESS => {}
            Err(denied) => not_asked(Check::Origin, denied, name, notes),
        }
    }
    if troubled.is_empty() {
        return;
    }
    host.pause(AGAIN_AFTER);
    for (site, name, first) in troubled {
        match look(host, site, name, HOME) {
            Ok(again) if again.same_trouble(&first) => report(host, site, name, &again, notes),
            Ok(_) => {}
            Err(denied) => not_asked(Check::Origin, denied, name, notes),
        }
    }
}

/// Whether that is what a site without a name is there for: it takes whoever asks for no other one.
fn is_usual(site: &Site, seen: &Seen) -> bool {
    name_of(site) == NAMELESS
        && match seen.verdict() {
            Verdict::Default => true,
            Verdict::Blank => site.php.is_none(),
            _ => false,
        }
}

/// Whether this site answers now, for those who have seen it fail elsewhere.
pub(super) fn is_well(host: &dyn Host, site: &Site, name: &str) -> bool {
    look(host, site, name, HOME).is_ok_and(|seen| !seen.has_trouble())
}

/// Whether a second look takes longer than the manifest allows, too: the first may have filled a cache.
fn is_slow(host: &dyn Host, site: &Site, name: &str, most: Duration) -> bool {
    let begun = host.elapsed();
    let seen = look(host, site, name, HOME);
    let took = host.elapsed().saturating_sub(begun) >= most;
    took && matches!(seen, Ok(_) | Err(Denied::Timeout))
}

/// What a look at a site ended with.
#[derive(Debug)]
enum Seen {
    /// A page.
    Page(Page),
    /// A redirect to somewhere that isn't served here, or that can't be followed.
    Away,
    /// Redirects without an end.
    Loop,
}

impl Seen {
    fn verdict(&self) -> Verdict<'_> {
        match self {
            Self::Page(page) => judge(page),
            Self::Away | Self::Loop => Verdict::Fine,
        }
    }

    fn has_trouble(&self) -> bool {
        matches!(self, Self::Loop) || self.verdict() != Verdict::Fine
    }

    fn same_trouble(&self, other: &Self) -> bool {
        let both_loop = matches!(self, Self::Loop) == matches!(other, Self::Loop);
        both_loop && self.has_trouble() && self.verdict().same_kind(other.verdict())
    }
}

fn look(host: &dyn Host, site: &Site, name: &str, path: &str) -> Result<Seen, Denied> {
    let listens = || site.listens.iter();
    let listen = listens().find(|listen| listen.tls).or_else(|| listens().next()).ok_or(Denied::Absent)?;
    let start = Url { tls: listen.tls, host: name.to_ascii_lowercase(), path: path.to_owned() };
    follow(start, |url| {
        // A scheme that this site doesn't speak, or another name, is somebody else's.
        let here = |listen: &&Listen| listen.tls == url.tls;
        let names = site.names.iter().map(String::as_str);
        if !names.chain([name]).any(|name| name.eq_ignore_ascii_case(&url.host)) {
            return Ok(None);
        }
        let Some(listen) = listens().find(here) else { return Ok(None) };
        let time = allowed(host, SLOW).ok_or(Denied::Timeout)?;
        let page = Fetch { to: listen.reachable(), tls: url.tls, host: &url.host, path: &url.path };
        host.fetch(&page, time).map(Some)
    })
}

/// Follows redirects while `fetch` answers them.
fn follow(start: Url, mut fetch: impl FnMut(&Url) -> Result<Option<Page>, Denied>) -> Result<Seen, Denied> {
    let mut been = vec![start];
    let mut cookies = false;
    while let Some(here) = been.last() {
        let Some(page) = fetch(here)? else { return Ok(Seen::Away) };
        let Verdict::Redirect(to) = judge(&page) else { return Ok(Seen::Page(page)) };
        let Some(next) = here.join(to) else { return Ok(Seen::Away) };
        cookies |= page.header("set-cookie").is_some();
        if been.contains(&next) || been.len() > HOPS_MAX {
            // A page that sets a cookie and asks for itself again would have let a browser through.
            return Ok(if cookies { Seen::Away } else { Seen::Loop });
        }
        been.push(next);
    }
    Ok(Seen::Away)
}

/// Follows a name's redirects at the edge, and says whether they end.
pub(super) fn loops(start: Url, fetch: impl FnMut(&Url) -> Result<Option<Page>, Denied>) -> bool {
    matches!(follow(start, fetch), Ok(Seen::Loop))
}

fn too_slow(host: &dyn Host, stack: &Stack, name: &str, most: Duration, notes: &mut Notes) {
    let is_cold = |started: u64| host.clock().saturating_sub(started) < COLD;
    if stack.web.iter().filter_map(|web| web.master).any(|master| is_cold(master.started)) {
        notes.skipped(Check::Origin, WhyNotChecked::Timeout, name);
        return;
    }
    notes.checked(Check::Origin);
    let waited = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
    let facts = Facts::new().text(FactName::Host, called(name)).number(FactName::Milliseconds, waited);
    notes.found(Finding::new(FindingId::HttpSlowTtfb, Severity::Warning).with(facts));
}

/// Takes down what two looks have seen.
fn report(host: &dyn Host, site: &Site, name: &str, seen: &Seen, notes: &mut Notes) {
    let facts = Facts::new().text(FactName::Host, called(name));
    let Seen::Page(page) = seen else {
        notes.found(Finding::new(FindingId::HttpRedirectLoop, Severity::Critical).with(facts));
        return;
    };
    let with_code = facts.clone().number(FactName::Code, page.status.into());
    let (id, severity, facts) = match judge(page) {
        Verdict::Fine | Verdict::Redirect(_) => return,
        Verdict::Blank => {
            let size = u64::try_from(page.body.len()).unwrap_or(u64::MAX);
            (FindingId::HttpBlank200, Severity::Critical, facts.number(FactName::Size, size))
        }
        Verdict::Default => (FindingId::HttpVhostWrong, Severity::Warning, facts),
        Verdict::Database => (FindingId::HttpDbErrorPage, Severity::Critical, with_code),
        Verdict::Fatal => (FindingId::HttpCriticalError, how_far(host, site, name), with_code),
        Verdict::Maintenance => return maintenance(host, site, name, notes),
        Verdict::Gateway if page.status == 504 => {
            let facts = facts.number(FactName::Seconds, page.first_byte.as_secs());
            let facts = facts.text(FactName::Path, "/").number(FactName::Count, LOOKS);
            (FindingId::Http504, Severity::Critical, facts)
        }
        Verdict::Gateway => {
            (FindingId::Http502, Severity::Critical, with_code.number(FactName::Count, LOOKS))
        }
        Verdict::Broken => {
            let facts = Facts::new().number(FactName::Count, LOOKS).number(FactName::Percent, 100);
            (
                FindingId::Http5xxRate,
                Severity::Critical,
                facts.text(FactName::Path, &format!("{}/", called(name))),
            )
        }
    };
    notes.found(Finding::new(id, severity).with(facts));
}

/// A fatal error on every page is worse than one on the home page alone.
fn how_far(host: &dyn Host, site: &Site, name: &str) -> Severity {
    match look(host, site, name, OTHER) {
        Ok(seen) if !seen.has_trouble() => Severity::Warning,
        _ => Severity::Critical,
    }
}

/// An update puts a site into maintenance mode for a moment; what counts is since when.
fn maintenance(host: &dyn Host, site: &Site, name: &str, notes: &mut Notes) {
    let since = site.root.as_ref().ok_or(Denied::Absent).and_then(|root| {
        let file = format!("{}/.maintenance", root.trim_end_matches('/'));
        host.metadata(&file).map(|file| file.modified)
    });
    let since = match since {
        Ok(since) => since,
        Err(denied) => return notes.skipped(Check::Origin, why(denied), &format!("{name}/.maintenance")),
    };
    let seconds = host.clock().saturating_sub(since);
    if seconds >= MAINTENANCE {
        let facts = Facts::new().text(FactName::Host, called(name)).number(FactName::Seconds, seconds);
        notes.found(Finding::new(FindingId::HttpMaintenance, Severity::Critical).with(facts).since(since));
    }
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
