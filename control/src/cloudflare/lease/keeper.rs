//! What happens to leases without anybody asking: they run out, are taken up after a stop, and their outcomes are found.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secmon_wire::{ActionId, Intent};

use super::change::{remove_access_orphan, remove_orphan, stands};
use super::end::{NotEnded, SETTLE_S};
use super::order::{Asked, Told};
use super::record::{Lease, Origin, State, Way};
use super::{Leases, Managed, Outcome, Why};
use crate::audit::{Found, event, holds_text};
use crate::chat::Reply;
use crate::cloudflare::api::ApiError;
use crate::cloudflare::{LeaseId, Phase};
use crate::dispatch::now;
use crate::store::{ArmedRow, PendingRow, StoreError};

/// What is tried again is tried after so long, and then after twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// The keeper looks at least so often.
const LONGEST_SLEEP: Duration = Duration::from_secs(3600);

/// A lease whose end is tried again.
#[derive(Debug)]
struct Retry {
    wait: Duration,
    at: tokio::time::Instant,
    told: bool,
}

impl Leases {
    /// Ends leases when their time is over, and goes on with what couldn't be ended. Runs for ever.
    pub async fn keep_time(self: Arc<Self>) {
        let mut retries = HashMap::new();
        loop {
            let notified = self.changed.notified();
            let sleep = match self.store.open_leases() {
                Ok(open) => self.pass(open, &mut retries).await,
                Err(error) => {
                    tracing::error!("leases: {error}");
                    FIRST_WAIT
                }
            };
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = notified => {}
            }
        }
    }

    /// One look at every open lease; returns how long nothing is due.
    async fn pass(&self, open: Vec<Lease>, retries: &mut HashMap<LeaseId, Retry>) -> Duration {
        retries.retain(|id, _| open.iter().any(|lease| lease.id == *id));
        let mut sleep = LONGEST_SLEEP;
        for lease in open {
            let why = match lease.state {
                State::Active if now() >= lease.expires => Why::Expired,
                State::Active => {
                    sleep = sleep.min(Duration::from_secs(lease.expires.saturating_sub(now())));
                    continue;
                }
                State::Ending if now() >= lease.expires => Why::Expired,
                State::Ending => Why::Lost,
                // Whoever made the plan goes on with it.
                State::Planned | State::Ended => continue,
            };
            if let Some(retry) = retries.get(&lease.id)
                && retry.at > tokio::time::Instant::now()
            {
                sleep = sleep.min(retry.at.saturating_duration_since(tokio::time::Instant::now()));
                continue;
            }
            match self.end_in_turn(&lease, why).await {
                Ok(ended) => {
                    retries.remove(&ended.id);
                    self.outbox.announce(&Reply::lease_ended(&ended, why));
                }
                Err(error) => sleep = sleep.min(self.later(&lease, &error, retries)),
            }
        }
        sleep
    }

    async fn end_in_turn(&self, lease: &Lease, why: Why) -> Result<Lease, NotEnded> {
        let _turn = self.turn(&lease.zone).await;
        self.end(lease.id, why).await
    }

    /// Puts a try off, and says once that the way back is blocked.
    fn later(&self, lease: &Lease, error: &NotEnded, retries: &mut HashMap<LeaseId, Retry>) -> Duration {
        let retry = retries.entry(lease.id).or_insert_with(|| Retry {
            wait: FIRST_WAIT,
            at: tokio::time::Instant::now(),
            told: false,
        });
        let wait = retry.wait;
        retry.at = tokio::time::Instant::now().checked_add(wait).unwrap_or(retry.at);
        retry.wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        tracing::warn!("lease {}: can't be ended yet: {error}", lease.id);
        // A hiccup isn't worth a message.
        if !retry.told && wait > FIRST_WAIT.saturating_mul(4) {
            retry.told = true;
            self.outbox.announce(&Reply::lease_stuck(lease, &error.to_string()));
        }
        wait
    }

    /// Finds out what became of leases whose answer didn't come, then records and tells it.
    pub(crate) async fn find_out(self: Arc<Self>, open: Vec<(Lease, Option<Intent>)>) {
        for (lease, intent) in open {
            let mut wait = FIRST_WAIT;
            let (lease, outcome) = loop {
                match self.look(&lease).await {
                    Ok(Some(found)) => break found,
                    Ok(None) => {}
                    Err(error) => tracing::info!("lease {}: still unknown: {error}", lease.id),
                }
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(LONGEST_WAIT);
            };
            if outcome == Outcome::Done {
                tokio::spawn(Arc::clone(&self).look_after(lease.clone(), Vec::new()));
            }
            self.conclude(lease, outcome, intent).await;
        }
        self.changed.notify_waiters();
    }

    /// Records and tells an outcome that was found later.
    async fn conclude(&self, lease: Lease, outcome: Outcome, intent: Option<Intent>) {
        let done = [(lease, outcome, false)];
        let written = self.audit.append(event::cloudflare_outcome(&done, intent)).await;
        let reply = Reply::mitigated(&done);
        let [(lease, _, _)] = done;
        match lease.origin {
            Origin::Approved { nonce, transport, chat, .. } => {
                self.outbox.post(transport, chat, &reply);
                match written {
                    Ok(_) => {
                        if let Err(error) = self.store.close(nonce) {
                            tracing::error!("{error}");
                        }
                    }
                    Err(error) => tracing::error!("audit: {error}"),
                }
            }
            Origin::Automatic => self.outbox.announce(&reply),
        }
    }

    /// What the zone shows of a planned lease; `None` while it can't be said.
    async fn look(&self, lease: &Lease) -> Result<Option<(Lease, Outcome)>, NotEnded> {
        let _turn = self.turn(&lease.zone).await;
        let Some(mut lease) = self.store.lease(lease.id)? else {
            return Err(StoreError::Damaged("lease").into());
        };
        match lease.state {
            State::Active => return Ok(Some((lease, Outcome::Done))),
            State::Ending | State::Ended => {
                let why = lease.ending.clone().unwrap_or_else(|| "it was ended".to_owned());
                return Ok(Some((lease, Outcome::Failed(why))));
            }
            State::Planned => {}
        }
        let api = self.api_of(&lease.zone)?;
        let mut standing = 0_usize;
        for held in &lease.held {
            if stands(&api, &held.change, &lease.id.tag()).await? {
                standing = standing.saturating_add(1);
            }
        }
        if standing == lease.held.len() {
            lease.state = State::Active;
            self.store.update_lease(&lease)?;
            return Ok(Some((lease, Outcome::Done)));
        }
        if now() < lease.created.saturating_add(SETTLE_S) {
            return Ok(None);
        }
        let ended = self.end(lease.id, Why::Lost).await?;
        let why =
            if standing == 0 { "it never came into force" } else { "only a part of it came into force" };
        let why = format!("{why}; {}", ended.ending.clone().unwrap_or_default());
        Ok(Some((ended, Outcome::Failed(why))))
    }

    /// Takes up an approval whose intent is on disk and whose outcome isn't.
    pub(crate) async fn resume(
        self: &Arc<Self>,
        row: &PendingRow,
        found: &Found,
    ) -> Result<Told, StoreError> {
        let intent = Intent { hash: found.hash, seq: found.seq };
        let asked = Asked::again(row, intent);
        match row.action {
            ActionId::CfRestore => {
                let mut leases = self.store.open_leases_of(&row.client)?;
                leases.retain(|lease| lease.created <= found.ts);
                Ok(self.end_all(&asked, leases).await)
            }
            ActionId::EnableCfAuto => {
                let Some(lease) = found.lease else { return Err(StoreError::Damaged("arming")) };
                let until = found.ts.saturating_add(self.durations.of(row.action));
                let (client, operator, since) = (row.client.clone(), row.operator, found.ts);
                let kept = self.store.arm(&ArmedRow { client, lease, operator, since, until });
                let kept = kept.map_err(|error| error.to_string());
                Ok(self.armed(&asked, kept).await)
            }
            ActionId::DisableCfAuto => {
                let kept = self.store.disarm(&row.client).map(|_was| ()).map_err(|error| error.to_string());
                Ok(self.armed(&asked, kept).await)
            }
            _ => {
                let leases = self.store.leases_by(row.nonce)?;
                let open: Vec<_> = leases.into_iter().map(|lease| (lease, Some(intent))).collect();
                let reply = if open.is_empty() { Reply::renewal_unknown(row) } else { Reply::looking(row) };
                if open.is_empty() {
                    let record = event::renewal_unknown(&asked);
                    let is_final = self.audit.append(record).await.is_ok();
                    return Ok(Told { reply, is_final, outcomes: Vec::new(), is_suppressed: false, open });
                }
                Ok(Told { reply, is_final: false, outcomes: Vec::new(), is_suppressed: false, open })
            }
        }
    }

    /// Takes up automatic leases that were planned when the control plane stopped, and removes what of ours no lease
    /// in force accounts for.
    pub async fn reconcile(self: Arc<Self>, audit_log: PathBuf) {
        let planned = match self.store.open_leases() {
            Ok(open) => {
                open.into_iter().filter(|lease| lease.state == State::Planned && !lease.is_approved())
            }
            Err(error) => return tracing::error!("leases: {error}"),
        };
        let planned: Vec<_> = planned.map(|lease| (lease, None)).collect();
        Arc::clone(&self).find_out(planned).await;
        let clients = match self.store.clients() {
            Ok(clients) => clients,
            Err(error) => return tracing::error!("leases: {error}"),
        };
        for client in clients {
            match self.zones_of(&client.id) {
                Ok(zones) => {
                    for zone in zones {
                        if let Err(error) = self.remove_orphans(&zone, &audit_log).await {
                            tracing::warn!("{}: can't be reconciled: {error}", zone.name);
                        }
                    }
                }
                Err(error) => tracing::error!("{}: {error}", client.id),
            }
        }
    }

    /// Removes objects with the tag of a lease of ours that isn't in force: one that a restored backup of the
    /// database has forgotten, or that came after its lease was given up. Tags that our audit log doesn't know are
    /// of another secmon and stay.
    async fn remove_orphans(&self, zone: &Managed, audit_log: &std::path::Path) -> Result<(), NotEnded> {
        let _turn = self.turn(&zone.id).await;
        for phase in [Phase::Custom, Phase::RateLimit] {
            let Some(ruleset) = zone.api.entrypoint(phase).await? else { continue };
            for rule in &ruleset.rules {
                let Some(id) = rule.reference.as_deref().and_then(LeaseId::of_tag) else { continue };
                if self.is_orphan(id, audit_log)? {
                    self.audit.append(event::orphan(zone, id, "rule")).await?;
                    remove_orphan(&zone.api, &ruleset, rule).await?;
                    self.outbox.announce(&Reply::orphan_removed(zone, id));
                }
            }
        }
        for rule in zone.api.access_rules().await? {
            let Some(id) = LeaseId::of_tag(&rule.notes) else { continue };
            if self.is_orphan(id, audit_log)? {
                self.audit.append(event::orphan(zone, id, "address rule")).await?;
                remove_access_orphan(&zone.api, &rule).await?;
                self.outbox.announce(&Reply::orphan_removed(zone, id));
            }
        }
        Ok(())
    }

    fn is_orphan(&self, id: LeaseId, audit_log: &std::path::Path) -> Result<bool, NotEnded> {
        match self.store.lease(id)? {
            // Somebody changed it while the lease held, and it was left alone; or it came late.
            Some(lease) => Ok(lease.state == State::Ended
                && lease.held.iter().all(|held| held.ended != Some(Way::LeftAlone))),
            None => holds_text(audit_log, &id.to_string())
                .map_err(|error| ApiError::Unavailable(format!("audit log: {error}")).into()),
        }
    }
}
