//! Looks at armed clients' floods and does what the ladder says.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use secmon_wire::diag::Finding;
use secmon_wire::{ActionId, ClientId};
use tokio::task::JoinSet;

use super::{AutoPolicy, Ladder, Level, News, Seen, Step, Told};
use crate::approval::Reason;
use crate::audit::{AuditLog, event};
use crate::chat::{Outbox, Reply};
use crate::cloudflare::lease::last_resort;
use crate::cloudflare::{Automatic, Leases, Outcome, Path, State};
use crate::diag::{Areas, Desk, Visit};
use crate::dispatch::now;
use crate::store::{ArmedRow, Store, StoreError};

/// For how long an automatic mitigation is made; it gets more time while it is needed.
const LASTS_S: u64 = 1800;
/// It gets more time when no more than this is left.
const RENEW_S: u64 = 600;
/// How often it is looked whether somebody was armed.
const TICK: Duration = Duration::from_secs(2);
/// Looks in a row that brought nothing before operators are told.
const BLIND: u32 = 3;

/// What the automatic dispatch is made of.
#[derive(Debug)]
pub struct Auto {
    /// The database.
    pub store: Arc<Store>,
    /// The audit log.
    pub audit: AuditLog,
    /// Through which zones are changed.
    pub leases: Arc<Leases>,
    /// Through which agents are asked.
    pub desk: Arc<Desk>,
    /// Where operators are told.
    pub outbox: Outbox,
    /// What is done first.
    pub policy: AutoPolicy,
    /// Changes of mind in an hour.
    pub flips_max: usize,
}

/// What is remembered of one armed client between two looks.
#[derive(Debug)]
struct Watched {
    ladder: Ladder,
    news: News,
    armed: ArmedRow,
    /// What the switch suppressed, a refusal, blindness: told once for each flood.
    suppressed: Vec<Path>,
    refused: Option<String>,
    blind: u32,
}

impl Auto {
    /// Watches armed clients. Runs for ever.
    pub async fn run(self: Arc<Self>) {
        let mut due: HashMap<ClientId, tokio::time::Instant> = HashMap::new();
        let mut idle: HashMap<ClientId, Watched> = HashMap::new();
        let mut looks = JoinSet::new();
        loop {
            match self.store.armed() {
                Ok(armed) => self.begin_due(armed, &mut due, &mut idle, &mut looks).await,
                Err(error) => tracing::error!("automatic dispatch: {error}"),
            }
            tokio::select! {
                Some(done) = looks.join_next() => match done {
                    Ok(watched) => {
                        let watched: Watched = watched;
                        let next = tokio::time::Instant::now().checked_add(watched.ladder.pause());
                        let client = watched.armed.client.clone();
                        due.insert(client.clone(), next.unwrap_or_else(tokio::time::Instant::now));
                        idle.insert(client, watched);
                    }
                    Err(error) => tracing::error!("automatic dispatch: {error}"),
                },
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }

    async fn begin_due(
        self: &Arc<Self>,
        armed: Vec<ArmedRow>,
        due: &mut HashMap<ClientId, tokio::time::Instant>,
        idle: &mut HashMap<ClientId, Watched>,
        looks: &mut JoinSet<Watched>,
    ) {
        idle.retain(|client, _| armed.iter().any(|row| row.client == *client));
        due.retain(|client, _| armed.iter().any(|row| row.client == *client));
        for row in armed {
            if row.until <= now() {
                self.run_out(&row).await;
                continue;
            }
            let begun = due.contains_key(&row.client);
            let is_due = due.get(&row.client).is_none_or(|at| *at <= tokio::time::Instant::now());
            let watched = match idle.remove(&row.client) {
                Some(watched) if is_due => Watched { armed: row, ..watched },
                Some(watched) => {
                    idle.insert(row.client, watched);
                    continue;
                }
                // Its look is under way.
                None if begun => continue,
                None => match self.watched(row) {
                    Ok(watched) => watched,
                    Err(error) => {
                        tracing::error!("automatic dispatch: {error}");
                        continue;
                    }
                },
            };
            due.insert(watched.armed.client.clone(), tokio::time::Instant::now());
            let this = Arc::clone(self);
            looks.spawn(async move { this.look(watched).await });
        }
    }

    /// The arming's time is over.
    async fn run_out(&self, row: &ArmedRow) {
        if let Err(error) = self.audit.append(event::arming_ended(row)).await {
            tracing::error!("audit: {error}");
            return;
        }
        match self.store.disarm(&row.client) {
            Ok(_) => self.outbox.announce(&Reply::arming_ended(&row.client)),
            Err(error) => tracing::error!("automatic dispatch: {error}"),
        }
    }

    fn watched(&self, armed: ArmedRow) -> Result<Watched, StoreError> {
        let (level, since) = self.in_force(&armed.client)?;
        let ladder = Ladder::new(self.policy, self.flips_max, level, since);
        Ok(Watched { ladder, news: News::new(since), armed, suppressed: Vec::new(), refused: None, blind: 0 })
    }

    /// What is in force for a client by automatic dispatch, and since when.
    fn in_force(&self, client: &ClientId) -> Result<(Level, u64), StoreError> {
        let mut found = (Level::Off, 0);
        for lease in self.store.open_leases_of(client)? {
            if lease.is_approved() || lease.state == State::Ending {
                continue;
            }
            let level =
                if lease.action == ActionId::CfUnderAttack { Level::UnderAttack } else { Level::Narrow };
            if level == Level::UnderAttack || found.0 == Level::Off {
                found = (level, lease.created);
            }
        }
        Ok(found)
    }

    /// One look, and what follows from it.
    async fn look(&self, mut watched: Watched) -> Watched {
        let client = watched.armed.client.clone();
        match self.in_force(&client) {
            Ok((Level::Off, _)) if watched.ladder.level() != Level::Off => {
                watched.ladder.gone();
                watched.news.changed(now());
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!("automatic dispatch: {error}");
                return watched;
            }
        }
        let agents = match self.store.agents_of(&client) {
            Ok(agents) => agents,
            Err(error) => {
                tracing::error!("automatic dispatch: {error}");
                return watched;
            }
        };
        let visits = self.desk.visit(agents, &Areas::flood(), Duration::ZERO).await;
        let told = told(&visits);
        if told.is_empty() {
            watched.blind = watched.blind.saturating_add(1);
            if watched.blind == BLIND {
                self.outbox.announce(&Reply::blind(&client));
            }
            return watched;
        }
        watched.blind = 0;
        let (seen, worst) = watched.news.weigh(&told, now());
        if seen == Seen::Quiet {
            (watched.suppressed, watched.refused) = (Vec::new(), None);
        }
        let step = watched.ladder.judge(seen, now());
        self.act(&mut watched, step, worst).await;
        if seen != Seen::Quiet || step == Step::Hold {
            self.prolong(&mut watched).await;
        }
        watched
    }

    async fn act(&self, watched: &mut Watched, step: Step, worst: Option<&Finding>) {
        let client = watched.armed.client.clone();
        let (action, level, path) = match (step, worst) {
            (Step::Stay, _) | (Step::Narrow | Step::UnderAttack, None) => return,
            (Step::Hold, _) => {
                self.outbox.announce(&Reply::held(&client));
                return;
            }
            (Step::Back, _) => return self.back(watched).await,
            (Step::UnderAttack, Some(finding)) => match last_resort(finding) {
                Ok(action) => (action, Level::UnderAttack, Path::UnderAttack),
                Err(reason) => return self.refused(watched, reason.explain()),
            },
            (Step::Narrow, Some(finding)) => match self.leases.narrowest(&client, finding) {
                Ok(action @ ActionId::CfUnderAttack) => (action, Level::UnderAttack, Path::Narrow),
                Ok(action) => (action, Level::Narrow, Path::Narrow),
                Err(reason) => return self.refused(watched, reason.explain()),
            },
        };
        let Some(finding) = worst else { return };
        if self.is_suppressed(watched, path, action).await {
            return;
        }
        let automatic = Automatic { client: &client, action, path, finding, lasts_s: LASTS_S };
        match self.leases.dispatch_automatically(&automatic).await {
            Ok(told) => {
                if told.outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Failed(_))) {
                    watched.ladder.rose(level, now());
                    watched.news.changed(now());
                }
                self.outbox.announce(&Reply::automatically(told.reply, finding));
                if !told.open.is_empty() {
                    tokio::spawn(Arc::clone(&self.leases).find_out(told.open));
                }
                if told.is_suppressed {
                    self.suppressed(watched, path, action).await;
                }
            }
            Err(Reason::AutoDisabled) => self.suppressed(watched, path, action).await,
            Err(reason) => self.refused(watched, reason.explain()),
        }
    }

    /// Whether the switch is off, which is recorded and told.
    async fn is_suppressed(&self, watched: &mut Watched, path: Path, action: ActionId) -> bool {
        let is_off = self.leases.switch().off().is_some();
        if is_off {
            self.suppressed(watched, path, action).await;
        }
        is_off
    }

    /// Records and tells what the switch suppressed; once for each flood.
    async fn suppressed(&self, watched: &mut Watched, path: Path, action: ActionId) {
        if watched.suppressed.contains(&path) {
            return;
        }
        // Where it was switched on again at this moment, the next look does what is to be done.
        let Some(by) = self.leases.switch().off() else { return };
        let client = &watched.armed.client;
        let record = event::auto_suppressed(client, action, path, &by.to_string());
        match self.audit.append(record).await {
            Ok(_) => watched.suppressed.push(path),
            Err(error) => tracing::error!("audit: {error}"),
        }
        self.outbox.announce(&Reply::suppressed(client, action, &by));
    }

    fn refused(&self, watched: &mut Watched, why: String) {
        if watched.refused.as_ref() != Some(&why) {
            self.outbox.announce(&Reply::auto_refused(&watched.armed.client, &why));
            watched.refused = Some(why);
        }
    }

    /// Puts back what the automatic dispatch made.
    async fn back(&self, watched: &mut Watched) {
        if self.is_suppressed(watched, Path::Back, ActionId::CfRestore).await {
            return;
        }
        match self.leases.step_back(&watched.armed.client).await {
            Ok(()) => {
                watched.ladder.fell(now());
                watched.news.changed(now());
            }
            Err(Reason::AutoDisabled) => self.suppressed(watched, Path::Back, ActionId::CfRestore).await,
            Err(reason) => self.refused(watched, reason.explain()),
        }
    }

    /// Gives what is in force more time while it is needed, unless automatic changes are switched off: then it ends
    /// when its time is over.
    async fn prolong(&self, watched: &mut Watched) {
        let open = match self.store.open_leases_of(&watched.armed.client) {
            Ok(open) => open,
            Err(error) => return tracing::error!("automatic dispatch: {error}"),
        };
        for lease in open {
            let ends_soon = lease.expires <= now().saturating_add(RENEW_S);
            if lease.is_approved() || lease.state != State::Active || !ends_soon {
                continue;
            }
            let action = lease.action;
            match self.leases.prolong(lease, LASTS_S).await {
                Ok(()) => {}
                Err(Reason::AutoDisabled) => return self.suppressed(watched, Path::Prolong, action).await,
                Err(reason) => return tracing::error!("automatic dispatch: {}", reason.explain()),
            }
        }
    }
}

/// What the looks at a client's hosts brought, as it is judged after what is usual on each.
fn told(visits: &[Arc<Visit>]) -> Vec<Told<'_>> {
    let looks = visits.iter().filter_map(|visit| Some((visit, visit.result.as_ref().ok()?)));
    let told = looks.map(|(visit, look)| Told {
        agent: &visit.agent,
        clock: look.seen.clock,
        findings: look.verdict.judged.iter().map(|judged| &judged.finding).collect(),
    });
    told.collect()
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
