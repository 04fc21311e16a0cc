//! The certificates that this host shows, asked for as a client would: over TLS, with the site's name.
//!
//! A certificate that several sites share is judged once, for the first of them; only whether it names them is asked
//! for each.

use std::time::Duration;

use secmon_wire::diag::{Check, FactName, Facts, Finding, FindingId, Severity, WhyNotChecked};
use secmon_wire::{ActionId, Threshold};

use super::certificate::Certificate;
use super::{NAMELESS, allowed, name_of, not_asked, pem, why};
use crate::Notes;
use crate::host::{Denied, Host};
use crate::stack::{Site, Stack};
use crate::tuning::Thresholds;

/// More sites than this are not asked; a handshake takes a few milliseconds of both sides' processor.
const SITES_MAX: usize = 16;
/// A handshake with this host itself.
const HANDSHAKE: Duration = Duration::from_millis(800);
/// More files of a site are not read; two (RSA and ECDSA) are usual.
const FILES_MAX: usize = 4;
/// A chain in PEM is some 6 KiB; one with the key and comments before it fits as well.
const FILE_MAX: usize = 32 * 1024;
/// A renewal has this time to reach the server.
const RELOAD_WITHIN: u64 = 3_600;
const DAY: u64 = 86_400;

/// Asks every site that speaks TLS.
pub fn check(host: &dyn Host, stack: &Stack, notes: &mut Notes) {
    let has_tls = |site: &&Site| site.listens.iter().any(|listen| listen.tls);
    // A certificate that a site without a name shares is called by another's.
    let (nameless, named): (Vec<&Site>, Vec<&Site>) =
        stack.asked().filter(has_tls).partition(|site| name_of(site) == NAMELESS);
    let mut judged: Vec<Vec<u8>> = Vec::new();
    for (count, site) in named.into_iter().chain(nameless).enumerate() {
        if count >= SITES_MAX {
            notes.skipped(Check::Certificates, WhyNotChecked::Timeout, "more sites");
            return;
        }
        let name = name_of(site);
        let chain = match shown(host, site, name) {
            Ok(chain) => chain,
            // It may be there to refuse whoever asks for no other name (nginx: `ssl_reject_handshake`).
            Err(Denied::Failed) if name == NAMELESS => continue,
            Err(denied) => {
                not_asked(Check::Certificates, denied, name, notes);
                continue;
            }
        };
        let parsed: Vec<Certificate<'_>> = chain.iter().map_while(|der| Certificate::read(der)).collect();
        let Some(leaf) = parsed.first() else {
            notes.skipped(Check::Certificates, WhyNotChecked::Failed, name);
            continue;
        };
        notes.checked(Check::Certificates);
        judge_name(leaf, name, notes);
        if chain.first().is_some_and(|der| judged.contains(der)) {
            continue;
        }
        judge_dates(leaf, name, host.clock(), &stack.thresholds, notes);
        judge_chain(&parsed, name, host.clock(), notes);
        compare_with_files(host, site, (name, leaf, chain.first()), notes);
        judged.extend(chain.into_iter().next());
    }
}

fn shown(host: &dyn Host, site: &Site, name: &str) -> Result<Vec<Vec<u8>>, Denied> {
    let listen = site.listens.iter().find(|listen| listen.tls).ok_or(Denied::Absent)?;
    host.certificates(listen.reachable(), name, allowed(host, HANDSHAKE).ok_or(Denied::Timeout)?)
}

fn judge_name(leaf: &Certificate<'_>, name: &str, notes: &mut Notes) {
    if name == NAMELESS || leaf.covers(name) || name.parse::<std::net::IpAddr>().is_ok() {
        return;
    }
    // Who signs himself has no name to lose: Cloudflare accepts it, or its strict mode refuses it anyway.
    let severity = if leaf.is_self_signed() { Severity::Info } else { Severity::Critical };
    let whose = leaf.names().next().or_else(|| leaf.common_name()).unwrap_or("nobody");
    let facts = Facts::new().text(FactName::Host, name).text(FactName::What, whose);
    notes.found(Finding::new(FindingId::TlsWrongSan, severity).with(facts));
}

/// How late a renewal is: by the share of the lifetime that is left, since lifetimes shrink; for the long ones not
/// more than what is usual for 90 days. What the manifest says are days alone.
fn lateness(leaf: &Certificate<'_>, now: u64, thresholds: &Thresholds) -> Option<Severity> {
    let lifetime = leaf.not_after.saturating_sub(leaf.not_before);
    let left = leaf.not_after.saturating_sub(now);
    let below = |percent: u64, most: u64| left < most.min(lifetime.saturating_mul(percent) / 100);
    let early = thresholds.of(Threshold::TlsExpiry).saturating_mul(DAY);
    let by_days_alone = thresholds.given(Threshold::TlsExpiry).is_some();
    let is_late = if by_days_alone { left < early } else { below(22, early) };
    match is_late {
        true if below(8, 7 * DAY) => Some(Severity::Critical),
        true => Some(Severity::Warning),
        false => None,
    }
}

fn judge_dates(leaf: &Certificate<'_>, name: &str, now: u64, thresholds: &Thresholds, notes: &mut Notes) {
    let facts = |days| Facts::new().text(FactName::Host, name).number(FactName::Days, days);
    // Behind Cloudflare's ordinary mode nobody looks at the dates of a certificate that vouches for itself.
    let no_worse =
        |severity: Severity| if leaf.is_self_signed() { severity.min(Severity::Warning) } else { severity };
    if leaf.not_after < now {
        let days = (now - leaf.not_after) / DAY;
        let finding = Finding::new(FindingId::TlsExpired, no_worse(Severity::Critical));
        notes.found(finding.with(facts(days)).since(leaf.not_after));
    } else if let Some(severity) = lateness(leaf, now, thresholds) {
        let days = (leaf.not_after - now) / DAY;
        notes.found(Finding::new(FindingId::TlsExpiring, no_worse(severity)).with(facts(days)));
    }
    // Authorities date certificates back by an hour: one from the future means a clock from the past.
    if leaf.not_before > now.saturating_add(60) {
        let facts = Facts::new().number(FactName::Seconds, leaf.not_before - now);
        notes.found(Finding::new(FindingId::ClockSkew, Severity::Critical).with(facts));
    }
}

fn judge_chain(chain: &[Certificate<'_>], name: &str, now: u64, notes: &mut Notes) {
    let Some((leaf, others)) = chain.split_first() else { return };
    if leaf.is_self_signed() || leaf.is_cloudflare_origin() {
        return;
    }
    let facts = Facts::new().text(FactName::Host, name);
    // Only the leaf's own issuer must be there and valid. What is above it may be a cross-signed alternative to a
    // root that clients know anyway, and such an alternative may well have expired.
    let mut issuers = others.iter().filter(|other| leaf.is_issued_by(other)).peekable();
    let Some(first) = issuers.peek() else {
        notes.found(Finding::new(FindingId::TlsChainIncomplete, Severity::Warning).with(facts));
        return;
    };
    let what = first.common_name().unwrap_or("?");
    if let Some(expired) = issuers.map(|issuer| issuer.not_after).max().filter(|latest| *latest < now) {
        let finding = Finding::new(FindingId::TlsIntermediateExpired, Severity::Critical);
        notes.found(finding.with(facts.text(FactName::What, what)).since(expired));
    }
}

/// Whether the server shows an older certificate than the site's files hold. A site with several (RSA and ECDSA)
/// shows one of them.
fn compare_with_files(
    host: &dyn Host,
    site: &Site,
    (name, leaf, shown): (&str, &Certificate<'_>, Option<&Vec<u8>>),
    notes: &mut Notes,
) {
    let mut newer_since: Option<u64> = None;
    for path in site.certificates.iter().take(FILES_MAX) {
        let file = host.read(path, FILE_MAX).and_then(|text| pem::first(&text).ok_or(Denied::Failed));
        let changed = host.metadata(path).map(|metadata| metadata.modified);
        let (der, changed) = match file.and_then(|der| Ok((der, changed?))) {
            Ok(both) => both,
            Err(denied) => {
                not_compared(why(denied), path, notes);
                continue;
            }
        };
        if shown == Some(&der) {
            return;
        }
        let is_newer = |file: Certificate<'_>| {
            let later = (file.not_before, file.not_after) > (leaf.not_before, leaf.not_after);
            later && (name == NAMELESS || file.covers(name))
        };
        if Certificate::read(&der).is_some_and(is_newer) {
            newer_since = Some(changed);
        }
    }
    let now = host.clock();
    let Some(since) = newer_since.filter(|since| since.saturating_add(RELOAD_WITHIN) < now) else { return };
    let urgent =
        leaf.not_after < now || lateness(leaf, now, &Thresholds::default()) == Some(Severity::Critical);
    let severity = if urgent { Severity::Critical } else { Severity::Warning };
    let finding = Finding::new(FindingId::TlsNotReloaded, severity).since(since);
    notes.found(finding.with(Facts::new().text(FactName::Host, name)).action(ActionId::RestartWeb));
}

/// One file stands for all that are not for us: a host with many sites has them in one place.
fn not_compared(why: WhyNotChecked, path: &str, notes: &mut Notes) {
    let mut said = notes.what_was_not_checked().iter().filter(|skip| skip.what == Check::Certificates);
    if !said.any(|skip| skip.why == why && skip.detail.starts_with('/')) {
        notes.skipped(Check::Certificates, why, path);
    }
}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
