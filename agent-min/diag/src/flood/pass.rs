//! One pass over a log's lines, oldest first: what of it is counted, and when a window is judged.

use std::net::IpAddr;

use secmon_wire::diag::{FactName, Facts, Finding, FindingId, Severity, Source};

use super::agent::{Agent, Crawler};
use super::format::Format;
use super::json::Rewritten;
use super::line::Line;
use super::preview::{AHEAD, LATE, LATE_IN_A_ROW, Preview};
use super::probes::Identity;
use super::rates::WINDOW;
use super::request::{Kind, request};
use super::state::State;
use super::time::Clock;
use super::verdict::{Seen, Verdict, merge};
use super::whose::{Shown, Whose, is_among};
use super::{Settings, answers, kinds, probes, senders};
use crate::host::USER_AGENT;

/// Windows of an hour.
const HOUR: u64 = 3_600 / WINDOW;
/// Seconds without wp-cron.php after which it has stalled, calls of it that show that it was used, and pages since
/// then that would have called it.
const CRON_STALLED: u64 = 3_600;
const CRON_CALLS: u32 = 3;
const CRON_PAGES: u32 = 30;

/// How an address is checked.
pub(super) type Identify<'i> = &'i mut dyn FnMut(IpAddr, Crawler) -> Identity;

/// A pass.
#[derive(Debug)]
pub(super) struct Pass<'s> {
    format: Format,
    clock: Clock,
    room: Box<Rewritten>,
    junk: u64,
    course: Course<'s>,
}

/// What the lines have told so far.
#[derive(Debug)]
struct Course<'s> {
    settings: &'s Settings<'s>,
    state: State,
    shown: Shown,
    end: u64,
    /// The window that is being counted, from the end: 0 is the last.
    window: Option<u64>,
    newest: u64,
    late: u32,
    /// Seconds of the window before the log began.
    before: u64,
    cron: Cron,
    login_flood: bool,
    lines: u64,
    verdicts: Vec<Verdict>,
}

/// When WordPress last did what it had planned.
#[derive(Clone, Copy, Debug, Default)]
struct Cron {
    last: u64,
    calls: u32,
    pages_since: u32,
}

impl<'s> Pass<'s> {
    pub(super) fn new(format: Format, preview: Preview, settings: &'s Settings<'s>) -> Self {
        let mut verdicts = Vec::new();
        if let Some(percent) = preview.census.edge_percent() {
            let facts = Facts::new().number(FactName::Percent, percent);
            let finding = Finding::new(FindingId::WebRealipMissing, Severity::Warning).with(facts);
            verdicts.push(Verdict { finding, end: preview.end, rate: 0 });
        }
        let course = Course {
            settings,
            state: State::new(settings.seed),
            shown: preview.census.shown(),
            end: preview.end,
            window: None,
            newest: 0,
            late: 0,
            before: 0,
            cron: Cron::default(),
            login_flood: false,
            lines: 0,
            verdicts,
        };
        Self { format, clock: Clock::default(), room: Box::new(Rewritten::new()), junk: 0, course }
    }

    /// Bytes that the pass keeps, whatever the log is.
    pub(super) fn size(&self) -> usize {
        let heap = self.course.state.size().saturating_sub(size_of::<State>());
        size_of::<Self>().saturating_add(size_of::<Rewritten>()).saturating_add(heap)
    }

    /// Lines that were counted, and those that were none.
    pub(super) const fn lines(&self) -> (u64, u64) {
        (self.course.lines, self.junk)
    }

    /// Counts a line.
    #[inline]
    pub(super) fn line(&mut self, text: &[u8], identify: Identify<'_>) {
        match self.format.read(text, &mut self.clock, &mut self.room) {
            Some(line) => self.course.line(&line, identify),
            None => self.junk = self.junk.saturating_add(u64::from(!text.is_empty())),
        }
    }

    /// The rates of the last window, which has to be of now.
    pub(super) fn rates(&self, now: u64, found: &mut dyn FnMut(FindingId, u32)) {
        let now = self.course.window == Some(0) && now <= self.course.end.saturating_add(WINDOW);
        kinds::rates(&self.course.state, &mut |id, rate| found(id, if now { rate } else { 0 }));
    }

    /// Judges the last window, and says all.
    pub(super) fn finish(mut self, identify: Identify<'_>) -> Vec<Verdict> {
        self.course.judge(identify);
        self.course.judge_hour();
        self.course.judge_cron();
        self.course.verdicts
    }
}

impl Course<'_> {
    #[inline]
    fn line(&mut self, line: &Line<'_>, identify: Identify<'_>) {
        let limit = self.settings.now.unwrap_or(self.end).saturating_add(AHEAD);
        if line.time > limit || self.is_late(line.time) || self.is_ours(line) {
            return;
        }
        self.lines = self.lines.saturating_add(1);
        let window = self.end.saturating_sub(line.time) / WINDOW;
        let current = match self.window {
            // A late line counts for the window that is open.
            Some(current) if window >= current => current,
            Some(current) => {
                self.turn(current, window, identify);
                window
            }
            None => {
                self.before = line.time.saturating_sub(self.begin(window));
                window
            }
        };
        self.window = Some(current);
        let at = line.time.saturating_sub(self.begin(current)).min(WINDOW);
        let Some(met) = self.state.meet(line.agent) else { return };
        let agent = self.state.agent.get(met).map_or(Agent::Other, |note| note.agent);
        let request = request(line, agent);
        self.see_cron(line, request.kind);
        let whose = Whose {
            shown: self.shown,
            exempt: self.settings.exempt,
            spare_private: self.settings.spare_private,
        };
        self.state.count(line, &request, met, at, &whose);
    }

    /// What a look at this host has asked of it. The name alone could be anybody's.
    fn is_ours(&self, line: &Line<'_>) -> bool {
        let own = |client: &IpAddr| client.is_loopback() || is_among(*client, self.settings.exempt);
        line.agent.starts_with(USER_AGENT.as_bytes()) && line.client.as_ref().is_some_and(own)
    }

    fn is_late(&mut self, time: u64) -> bool {
        if time.saturating_add(LATE) < self.newest {
            self.late = self.late.saturating_add(1);
            if self.late < LATE_IN_A_ROW {
                return true;
            }
            self.newest = time;
        }
        (self.late, self.newest) = (0, self.newest.max(time));
        false
    }

    /// The moment before a window's first.
    fn begin(&self, window: u64) -> u64 {
        self.end.saturating_sub(window.saturating_add(1).saturating_mul(WINDOW))
    }

    fn turn(&mut self, current: u64, next: u64, identify: Identify<'_>) {
        let (flooded, accused) = self.judge(identify);
        senders::remember(&mut self.state, &accused, self.settings.floor);
        let flooded: Vec<usize> = flooded.iter().map(|kind| *kind as usize).collect();
        let idle = current.saturating_sub(next).saturating_sub(1).saturating_mul(WINDOW / 60);
        self.state.turn(&flooded, self.before, idle);
        self.before = 0;
        if current / HOUR != next / HOUR {
            self.judge_hour();
        }
    }

    /// Judges the open window: the kinds that were a flood, and who was accused.
    fn judge(&mut self, identify: Identify<'_>) -> (Vec<Kind>, Vec<Source>) {
        let Some(window) = self.window else { return (Vec::new(), Vec::new()) };
        let end = self.end.saturating_sub(window.saturating_mul(WINDOW));
        let mut flooded = Vec::new();
        let mut new = Vec::new();
        let seen = Seen::new(&self.state, self.settings, self.shown, end, window == 0);
        let mut of_kind = |kind, verdict| {
            flooded.push(kind);
            new.push(verdict);
        };
        kinds::judge(&seen, &mut of_kind);
        probes::missing(&seen, &mut of_kind);
        if let Some(verdict) = senders::judge(&seen, &flooded) {
            if verdict.finding.id != FindingId::BenignSurge {
                flooded.push(Kind::Page);
            }
            new.push(verdict);
        }
        new.extend(senders::harvesters(&seen));
        probes::crawlers(&seen, identify, &mut |verdict| new.push(verdict));
        new.extend(probes::broken_in(&seen));
        answers::judge(&seen, &mut |verdict| new.push(verdict));
        if window == 0 {
            super::direct::judge(&seen, &mut new);
        }
        let floods = new.iter().filter_map(|verdict| verdict.finding.flood.as_ref());
        let accused = floods.flat_map(|flood| flood.sources.iter().copied()).collect();
        self.login_flood |= flooded.contains(&Kind::Login);
        new.into_iter().for_each(|verdict| merge(&mut self.verdicts, verdict));
        (flooded, accused)
    }

    fn judge_hour(&mut self) {
        let window = self.window.unwrap_or(0);
        let end = self.end.saturating_sub(window.saturating_mul(WINDOW));
        if let Some(verdict) = probes::slow_logins(&self.state, end).filter(|_| !self.login_flood) {
            merge(&mut self.verdicts, verdict);
        }
        self.login_flood = false;
        self.state.turn_hour();
    }

    #[inline]
    fn see_cron(&mut self, line: &Line<'_>, kind: Kind) {
        match kind {
            // The caller doesn't wait for the answer, so 499 is as good as 200.
            Kind::Cron if line.status < 500 => {
                let calls = self.cron.calls.saturating_add(1);
                self.cron = Cron { last: line.time, calls, pages_since: 0 };
            }
            Kind::Page => self.cron.pages_since = self.cron.pages_since.saturating_add(1),
            _ => {}
        }
    }

    fn judge_cron(&mut self) {
        let silent = self.end.saturating_sub(self.cron.last);
        let used = self.cron.calls >= CRON_CALLS && self.cron.pages_since >= CRON_PAGES;
        if used && silent > CRON_STALLED {
            let facts = Facts::new().number(FactName::Seconds, silent);
            let finding =
                Finding::new(FindingId::WpCronStalled, Severity::Info).with(facts).since(self.cron.last);
            merge(&mut self.verdicts, Verdict { finding, end: self.end, rate: 0 });
        }
    }
}
