//! A day of visits at an armed site, replayed at its own times: the agent's judge reads the log that the server writes,
//! the ladder decides, and the edge stand-in keeps away from the server what the rules match.
//!
//! Nothing here waits and nothing is random: a day gives the same figures each time. It is simpler than the real
//! thing where that is no advantage for what is measured: changes take no time, and a person solves a challenge.

mod days;
mod edge;
mod figures;
mod made;
mod request;

use std::collections::VecDeque;

use secmon_control::cloudflare::auto::{AutoPolicy, Ladder, Level, News, Seen, Step, Told};
use secmon_control::cloudflare::{Plan, Protections, Zone, mitigate, narrowest};
use secmon_diag::flood::{Impact, Settings, judge_now};
use secmon_wire::diag::Finding;
use secmon_wire::{ActionId, AgentId};

pub use days::{directory, recorded_days};
pub use figures::Figures;
pub use made::{crowd, floods};
pub use request::Request;

use edge::{Answer, Edge, SITE};
use request::recorded;

/// What an agent reads of a log.
const SPAN_S: u64 = 7_200;
/// How long the site is looked at after its last visit.
const AFTER_S: u64 = 1_800;
/// Changes of mind in an hour, as it is without a setting.
const FLIPS: usize = 4;

/// Visits of a site.
#[derive(Debug)]
pub struct Day {
    /// What it is called in the table.
    pub name: String,
    /// In the order of the log.
    pub requests: Vec<Request>,
    /// Dynamic requests that the server answers in a second; further ones fail. A recorded day has its answers.
    pub capacity: Option<u32>,
}

/// A day under way.
#[derive(Debug)]
struct Site<'d> {
    day: &'d Day,
    plan: Plan,
    edge: Edge,
    ladder: Ladder,
    news: News,
    log: VecDeque<(u64, Vec<u8>)>,
    /// Whether anything was written since the last look.
    unread: bool,
    last: Seen,
    /// The second that is being answered, and the dynamic requests of it so far.
    load: (u64, u32),
    figures: Figures,
}

impl Day {
    /// Replays it at a site of this plan.
    pub fn replay(&self, plan: Plan) -> Figures {
        let mut site = Site {
            day: self,
            plan,
            edge: Edge::new(),
            ladder: Ladder::new(AutoPolicy::Ladder, FLIPS, Level::Off, 0),
            news: News::new(0),
            log: VecDeque::new(),
            unread: false,
            last: Seen::Quiet,
            load: (0, 0),
            figures: Figures::of(self),
        };
        let mut now = self.requests.first().map_or(0, |request| request.at);
        let mut look = now;
        for request in &self.requests {
            now = now.max(request.at);
            while look <= now {
                look = site.look(look);
            }
            site.serve(request);
        }
        let end = now + AFTER_S;
        while look <= end {
            look = site.look(look);
        }
        site.figures
    }
}

impl Site<'_> {
    /// A visit, from the edge to the log.
    fn serve(&mut self, request: &Request) {
        let answer = self.edge.answer(request);
        self.figures.count(request, answer);
        if answer == Answer::Stopped {
            return;
        }
        let line = match self.day.capacity {
            None => request.line.clone(),
            Some(capacity) => {
                if self.load.0 != request.at {
                    self.load = (request.at, 0);
                }
                self.load.1 += u32::from(request.is_dynamic);
                let failed = request.is_dynamic && self.load.1 > capacity;
                request.written(if failed { 502 } else { 200 })
            }
        };
        self.log.push_back((request.at, line));
        self.unread = true;
    }

    /// A look, and what follows from it; when the next one is due.
    fn look(&mut self, now: u64) -> u64 {
        while self.log.front().is_some_and(|(at, _)| at + SPAN_S < now) {
            self.log.pop_front();
        }
        let idle = !self.unread && self.ladder.level() == Level::Off && self.last == Seen::Quiet;
        let findings = if idle { Vec::new() } else { self.findings(now) };
        self.unread = false;
        let agent = AgentId::new("web1").expect("an id");
        let told = Told { agent: &agent, clock: now, findings: findings.iter().collect() };
        let (seen, worst) = self.news.weigh(&[told], now);
        self.last = seen;
        let step = self.ladder.judge(seen, now);
        self.act(step, worst, now);
        now + self.ladder.pause().as_secs()
    }

    fn findings(&self, now: u64) -> Vec<Finding> {
        let log: Vec<u8> =
            self.log.iter().flat_map(|(_, line)| line.iter().copied().chain([b'\n'])).collect();
        let impact = Impact::default();
        let settings = Settings { host: SITE, now: Some(now), ..Settings::new(&impact) };
        judge_now(&log, None, &settings).findings
    }

    fn act(&mut self, step: Step, worst: Option<&Finding>, now: u64) {
        let protections = Protections::default();
        let zone = Zone { name: SITE, plan: self.plan, protections: &protections };
        let action = match (step, worst) {
            (Step::Stay | Step::Hold, _) | (Step::Narrow | Step::UnderAttack, None) => return,
            (Step::Back, _) => {
                self.edge.clear();
                self.ladder.fell(now);
                self.news.changed(now);
                self.figures.back(now);
                return;
            }
            (Step::Narrow, Some(finding)) => narrowest(&zone, finding).unwrap_or(ActionId::CfUnderAttack),
            (Step::UnderAttack, Some(_)) => ActionId::CfUnderAttack,
        };
        let Some(finding) = worst else { return };
        let mitigation = mitigate(action, &zone, finding).expect("an action that was said to fit");
        self.edge.make(&mitigation.changes);
        let level = if action == ActionId::CfUnderAttack { Level::UnderAttack } else { Level::Narrow };
        self.ladder.rose(level, now);
        self.news.changed(now);
        self.figures.made(action, now);
    }
}
