//! Where looks are asked for: one at a time for each agent. Who asks while one is under way gets what it brings, and
//! so does who asks right after it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use secmon_wire::AgentId;
use secmon_wire::diag::Finding;
use tokio::task::JoinSet;

use super::look::Seen;
use super::{Areas, Look, NotRun, Sample, Verdict, Visit, compare};
use crate::dispatch::{Agents, CallError, now};
use crate::store::{AgentRow, Store, StoreError};

/// Hosts of one client that are looked at for one question.
pub const HOSTS_MAX: usize = 20;
/// How often an agent is asked that is busy, and how long it is left alone in between: it begins one look a second, and
/// none takes longer than four.
const BUSY_TRIES: usize = 4;
const BUSY_PAUSE: Duration = Duration::from_millis(1_500);
/// Looks of one agent that are remembered: of different areas.
const REMEMBERED_MAX: usize = 4;

/// Who can be asked for a report.
pub trait Ask: std::fmt::Debug + Send + Sync + 'static {
    /// The report of a look at these areas, as it came.
    fn report(
        &self,
        agent: &AgentRow,
        areas: &Areas,
    ) -> impl Future<Output = Result<Vec<u8>, CallError>> + Send;
}

impl Ask for Agents {
    async fn report(&self, agent: &AgentRow, areas: &Areas) -> Result<Vec<u8>, CallError> {
        self.diag(agent, &areas.query()).await
    }
}

/// Asks, compares, remembers.
#[derive(Debug)]
pub struct Desk<A = Agents> {
    agents: Arc<A>,
    store: Arc<Store>,
    turns: Mutex<HashMap<AgentId, Arc<Turn>>>,
    places: AtomicU64,
}

/// The right to look at a host, and the last looks at it.
type Turn = tokio::sync::Mutex<Vec<(Areas, Arc<Visit>)>>;

impl<A: Ask> Desk<A> {
    /// A desk over these agents.
    pub fn new(agents: Arc<A>, store: Arc<Store>) -> Self {
        // Messages of before a start must not be taken for ours.
        let places = AtomicU64::new(now().saturating_mul(1 << 20));
        Self { agents, store, turns: Mutex::default(), places }
    }

    /// The number of a new message that a later one shall replace.
    pub fn new_place(&self) -> u64 {
        self.places.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks at the hosts, side by side; what each look brought, in their order. A look that is at most so old serves
    /// as well as a new one.
    pub async fn visit(
        self: &Arc<Self>,
        agents: Vec<AgentRow>,
        asked: &Areas,
        fresh: Duration,
    ) -> Vec<Arc<Visit>> {
        let arrived = Instant::now();
        let mut under_way = JoinSet::new();
        for (at, agent) in agents.into_iter().take(HOSTS_MAX).enumerate() {
            let (this, asked) = (Arc::clone(self), asked.clone());
            under_way.spawn(async move { (at, this.visit_one(&agent, &asked, arrived, fresh).await) });
        }
        let mut visits = under_way.join_all().await;
        visits.sort_by_key(|(at, _)| *at);
        visits.into_iter().map(|(_, visit)| visit).collect()
    }

    async fn visit_one(
        &self,
        agent: &AgentRow,
        asked: &Areas,
        arrived: Instant,
        fresh: Duration,
    ) -> Arc<Visit> {
        let turn = self.turn(&agent.id);
        let mut last = turn.lock().await;
        let same = last.iter().find(|(areas, _)| areas == asked).map(|(_, visit)| visit);
        if let Some(visit) = same.filter(|visit| visit.serves(arrived, Instant::now(), fresh)) {
            return Arc::clone(visit);
        }
        let result = self.look(agent, asked).await;
        let visit = Arc::new(Visit { agent: agent.id.clone(), ended: Instant::now(), result });
        last.retain(|(areas, _)| areas != asked);
        last.insert(0, (asked.clone(), Arc::clone(&visit)));
        last.truncate(REMEMBERED_MAX);
        visit
    }

    fn turn(&self, agent: &AgentId) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(agent.clone()).or_default())
    }

    async fn look(&self, agent: &AgentRow, asked: &Areas) -> Result<Look, NotRun> {
        let allowed = agent.read_manifest().map_err(|_| NotRun::Damaged)?.body.diagnostics;
        let Some(areas) = asked.within(&allowed) else {
            return Err(match Areas::of(allowed) {
                Some(allowed) => NotRun::NotAllowed { asked: asked.clone(), allowed },
                None => NotRun::NothingAllowed,
            });
        };
        let bytes = self.report(agent, &areas).await?;
        let mut seen = Seen::read(bytes).map_err(NotRun::NotAReport)?;
        // What nobody asked for says nothing about the question.
        seen.findings.retain(|finding| areas.contains(finding.id.entry().area));
        if seen.findings.iter().any(|finding| finding.flood.is_some()) {
            // A mitigation needs it, and only a mitigation.
            if let Err(error) = self.store.keep_flood(&agent.id, &agent.client, now(), &seen.bytes) {
                tracing::error!("{}: the flood that was found can't be kept: {error}", agent.id);
            }
        }
        let mut findings = seen.findings.clone();
        let (compared, found) = self.compare(agent, &areas, &seen, &mut findings).unwrap_or_else(|error| {
            tracing::error!("{}: what was counted can't be compared: {error}", agent.id);
            (None, Vec::new())
        });
        let verdict = Verdict::new(findings, found);
        Ok(Look { not_allowed: asked.without(&allowed), asked: areas, seen, verdict, compared })
    }

    /// Asks again while the agent is busy: with somebody else's look, or with having just begun one.
    async fn report(&self, agent: &AgentRow, areas: &Areas) -> Result<Vec<u8>, NotRun> {
        let mut tries = BUSY_TRIES;
        loop {
            tries = tries.saturating_sub(1);
            match self.agents.report(agent, areas).await.map_err(NotRun::from) {
                Err(NotRun::Busy) if tries > 0 => tokio::time::sleep(BUSY_PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// How old the oldest look is that could be compared with, and what the comparison shows. Of the findings, what is
    /// usual on the host is excused.
    fn compare(
        &self,
        agent: &AgentRow,
        areas: &Areas,
        seen: &Seen,
        findings: &mut Vec<Finding>,
    ) -> Result<(Option<u64>, Vec<super::Compared>), StoreError> {
        let now = Sample { taken: now(), boot: seen.boot, counters: seen.counters.clone() };
        let past = self.store.samples(&agent.id)?;
        super::usual::excuse(findings, &past, now.taken);
        let oldest = past.iter().rfind(|sample| sample.boot == now.boot && sample.taken < now.taken);
        let oldest = oldest.map(|sample| sample.taken);
        let ours = self.store.restarts_since(&agent.id, oldest.unwrap_or(now.taken))?;
        let mut found = compare(&past, &now, &seen.findings, &ours);
        found.retain(|new| areas.contains(new.finding.id.entry().area));
        // Only the next look is the poorer for it.
        if let Err(error) = self.store.keep_sample(&agent.id, &now) {
            tracing::error!("{}: what was counted can't be kept: {error}", agent.id);
        }
        Ok((oldest.map(|taken| now.taken.saturating_sub(taken)), found))
    }
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
