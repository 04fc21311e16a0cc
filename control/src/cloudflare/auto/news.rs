//! What of a look at floods is news. Pure.
//!
//! An access log remembers: minutes after a flood was answered its requests still stand in the window that an agent
//! judges, and what is over is told of for a while. So nothing that was before the last change says how the change
//! worked: a finding counts when its requests came afterwards, or when there are more and more of them.

use std::collections::BTreeMap;

use secmon_wire::diag::{Finding, FindingId, Severity, Window};
use secmon_wire::{ActionId, AgentId};

use super::ladder::Seen;

/// What is over is told of by agents as if it weren't for so long.
const OVER_S: u64 = 600;
/// So long after a change, what was before it explains a finding: a window of five minutes, and the time above.
const LINGERS_S: u64 = 900;
/// So long after a change the edge may not know of it everywhere.
const SETTLES_S: u64 = 10;

/// What one agent found.
#[derive(Clone, Debug)]
pub struct Told<'f> {
    /// Who.
    pub agent: &'f AgentId,
    /// Its clock.
    pub clock: u64,
    /// What.
    pub findings: Vec<&'f Finding>,
}

/// What is remembered of the last change.
#[derive(Clone, Debug)]
pub struct News {
    /// When something was made or put back; nothing yet is 0.
    changed: u64,
    /// What there was when the change had settled.
    base: Option<BTreeMap<(AgentId, FindingId), Mark>>,
}

/// Requests of a flood, and the end of the window in which they were counted.
#[derive(Clone, Copy, Debug)]
struct Mark {
    count: u64,
    end: u64,
}

impl News {
    /// For a client whose last change was then.
    pub const fn new(changed: u64) -> Self {
        Self { changed, base: None }
    }

    /// Something was made or put back.
    pub fn changed(&mut self, now: u64) {
        *self = Self::new(now);
    }

    /// What a look shows, and the worst flood of it.
    pub fn weigh<'f>(&mut self, told: &[Told<'f>], now: u64) -> (Seen, Option<&'f Finding>) {
        let all = told.iter().flat_map(|told| told.findings.iter().map(move |finding| (told, *finding)));
        let floods: Vec<_> = all.filter_map(|(told, finding)| Flood::of(told, finding, now)).collect();
        let is_base = self.base.is_none() && now >= self.changed.saturating_add(SETTLES_S);
        let weighed = floods.iter().map(|flood| (self.judge(flood, now), flood));
        let worst = weighed.max_by_key(|(seen, flood)| (*seen, flood.finding.severity, flood.mark.count));
        let said = worst.map_or((Seen::Quiet, None), |(seen, flood)| (seen, Some(flood.finding)));
        if is_base {
            self.base = Some(
                floods.iter().map(|flood| ((flood.agent.clone(), flood.finding.id), flood.mark)).collect(),
            );
        }
        said
    }

    fn judge(&self, flood: &Flood<'_>, now: u64) -> Seen {
        if !is_confirmed(flood.finding) {
            // Somebody scans every server at any time.
            let is_flood = flood.finding.id.as_str().starts_with("flood-");
            let is_over = flood.mark.end.saturating_add(OVER_S) < now;
            return if is_flood && !is_over { Seen::Suspicious } else { Seen::Quiet };
        }
        let of_now = if flood.mark.end <= self.changed {
            // Either it is over, or it goes on and was once worse.
            now >= self.changed.saturating_add(LINGERS_S)
        } else {
            flood.begin >= self.changed || self.grows(flood)
        };
        if of_now { Seen::Flood } else { Seen::Unclear }
    }

    /// Whether requests still come at half of the rate that the window had.
    fn grows(&self, flood: &Flood<'_>) -> bool {
        let Some(base) = &self.base else { return false };
        let Some(then) = base.get(&(flood.agent.clone(), flood.finding.id)) else { return true };
        let after = flood.mark.end.saturating_sub(then.end);
        let new = flood.mark.count.saturating_sub(then.count);
        let length = flood.mark.end.saturating_sub(flood.begin);
        let enough = new.saturating_mul(length).saturating_mul(2) >= then.count.saturating_mul(after);
        after > 0 && new > 0 && enough
    }
}

/// A flood in a look, by our own clock.
#[derive(Clone, Copy, Debug)]
struct Flood<'f> {
    agent: &'f AgentId,
    finding: &'f Finding,
    begin: u64,
    mark: Mark,
}

impl<'f> Flood<'f> {
    fn of(told: &Told<'f>, finding: &'f Finding, now: u64) -> Option<Self> {
        let flood = finding.flood.as_ref()?;
        let Window { end, seconds } = flood.window;
        let end = now.saturating_sub(told.clock.saturating_sub(end));
        let begin = end.saturating_sub(seconds.into());
        Some(Self { agent: told.agent, finding, begin, mark: Mark { count: flood.count, end } })
    }
}

/// Floor, ratio and impact: without all three a finding proposes nothing.
fn is_confirmed(finding: &Finding) -> bool {
    let at_the_edge = |action: ActionId| action.operation().is_none();
    finding.severity > Severity::Info && finding.action.is_some_and(at_the_edge)
}

#[cfg(test)]
#[path = "news_tests.rs"]
mod tests;
