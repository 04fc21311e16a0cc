//! The short form, for a phone: a line for each cause, what may help against it, and nothing where nothing is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use secmon_wire::diag::{Advice, Severity, WhyNotChecked};
use secmon_wire::{ActionId, ClientId};

use super::line::{LINE_MAX, advice, cause, cut, seconds, words};
use super::{Areas, Judged, Look, Visit};
use crate::chat::Reply;

/// Causes that are shown.
const CAUSES_MAX: usize = 6;
/// A look that is older than this says how old it is.
const OLD: Duration = Duration::from_secs(15);

/// Whose hosts they are, and what can be approved for them.
#[derive(Debug)]
pub struct Client<'a> {
    /// Which.
    pub id: &'a ClientId,
    /// What was asked for.
    pub asked: &'a Areas,
    /// What somebody could carry out.
    pub offered: &'a [ActionId],
    /// Hosts that were not asked.
    pub left_out: usize,
}

/// The short form.
pub fn page(client: &Client<'_>, visits: &[Arc<Visit>]) -> Reply {
    let mut shown = Shown::worst_of(visits);
    let mut reply = Reply::new();
    let mut untold = 0_usize;
    for visit in visits {
        reply = match &visit.result {
            Err(why) => heading(reply.text("✗ "), client, visit).text(format!(": not looked at: {why}\n")),
            Ok(look) => {
                let causes: Vec<_> = look.verdict.causes().filter(|one| shown.takes(one.severity)).collect();
                let hidden = look.verdict.causes().count().saturating_sub(causes.len());
                untold = untold.saturating_add(hidden).saturating_add(look.verdict.untold);
                host(reply, client, visit, look, &causes)
            }
        };
    }
    reply = remarks(reply, client, visits, untold);
    buttons(reply, client, visits)
}

/// The command that asks for the details.
pub(super) fn details_command(client: &Client<'_>) -> String {
    match *client.asked == Areas::all() {
        true => format!("/diag {} details", client.id),
        false => format!("/diag {} {} details", client.id, client.asked.query()),
    }
}

/// Which host, and when it was looked at if that is a while ago.
pub(super) fn heading(reply: Reply, client: &Client<'_>, visit: &Visit) -> Reply {
    let reply = reply.bold(format!("{} {}", client.id, visit.agent));
    match visit.ended.elapsed() {
        age if age > OLD => reply.text(format!(" ({} ago)", seconds(age.as_secs()))),
        _ => reply,
    }
}

/// Which causes are shown: those that are worse than the least severe one that there is room for, and as many of its
/// severity as there is room left for.
struct Shown {
    least: Severity,
    room: usize,
}

impl Shown {
    fn worst_of(visits: &[Arc<Visit>]) -> Self {
        let looks = visits.iter().filter_map(|visit| visit.result.as_ref().ok());
        let mut severities: Vec<Severity> =
            looks.flat_map(|look| look.verdict.causes().map(|one| one.severity)).collect();
        severities.sort_unstable_by_key(|severity| std::cmp::Reverse(*severity));
        severities.truncate(CAUSES_MAX);
        let least = severities.last().copied().unwrap_or(Severity::Info);
        Self { least, room: severities.iter().filter(|severity| **severity == least).count() }
    }

    fn takes(&mut self, severity: Severity) -> bool {
        if severity == self.least && self.room > 0 {
            self.room = self.room.saturating_sub(1);
            return true;
        }
        severity > self.least
    }
}

fn host(mut reply: Reply, client: &Client<'_>, visit: &Visit, look: &Look, causes: &[&Judged]) -> Reply {
    if look.verdict.is_healthy() {
        let areas = look.asked.within(&look.seen.areas);
        let areas = areas.map_or_else(|| "nothing was checked".to_owned(), |areas| areas.to_string());
        reply = heading(reply.text("✓ "), client, visit).text(format!(": nothing wrong ({areas})\n"));
    } else {
        reply = heading(reply, client, visit).text("\n");
    }
    for one in causes {
        reply = reply.parts(cause(one, look.seen.clock, LINE_MAX)).text("\n");
        if let Some(advice) = advice(one.advice, |action| client.offered.contains(&action)) {
            reply = reply.parts(cut(vec![words(format!("  {advice}"))], LINE_MAX)).text("\n");
        }
    }
    reply
}

/// What is not shown, and what was not looked at: one line each.
fn remarks(mut reply: Reply, client: &Client<'_>, visits: &[Arc<Visit>], untold: usize) -> Reply {
    if untold > 0 {
        reply = reply.text(format!("and {untold} more: ")).code(details_command(client)).text("\n");
    }
    let looks = || visits.iter().filter_map(|visit| visit.result.as_ref().ok());
    let mut missing: BTreeMap<WhyNotChecked, Vec<&str>> = BTreeMap::new();
    for skipped in looks().flat_map(|look| &look.seen.not_checked) {
        let names = missing.entry(skipped.why).or_default();
        if !names.contains(&skipped.what.as_str()) {
            names.push(skipped.what.as_str());
        }
    }
    let mut skipped: Vec<String> =
        missing.iter().map(|(why, names)| format!("{} ({why})", names.join(", "))).collect();
    if *client.asked != Areas::all() {
        let forbidden = looks().find_map(|look| look.not_allowed.as_ref());
        skipped.extend(forbidden.map(|areas| format!("{areas} (not in the manifest)")));
    }
    let silent = looks().find_map(|look| look.asked.without(&look.seen.areas));
    skipped.extend(silent.map(|areas| format!("{areas} (no answer)")));
    if !skipped.is_empty() {
        let line = vec![words(format!("Not checked: {}", skipped.join("; ")))];
        reply = reply.parts(cut(line, LINE_MAX)).text("\n");
    }
    if client.left_out > 0 {
        reply = reply.text(format!("{} more servers were not asked.\n", client.left_out));
    }
    reply
}

/// A button for each action that may help, and one for the details where there are any.
fn buttons(mut reply: Reply, client: &Client<'_>, visits: &[Arc<Visit>]) -> Reply {
    let looks = visits.iter().filter_map(|visit| visit.result.as_ref().ok());
    let mut actions: Vec<ActionId> = Vec::new();
    let mut details = false;
    for look in looks {
        details |= !look.verdict.judged.is_empty() || !look.seen.not_checked.is_empty();
        for one in look.verdict.causes() {
            if let Advice::Do(action) = one.advice
                && client.offered.contains(&action)
                && !actions.contains(&action)
            {
                actions.push(action);
            }
        }
    }
    for action in actions {
        reply = reply.button(action.as_str(), format!("/prepare {action} {}", client.id));
    }
    if details { reply.button("Details", details_command(client)) } else { reply }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
