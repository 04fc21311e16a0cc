//! What an approval or the automatic dispatch asks for, from the gates behind the claim to the outcome on disk.

use std::sync::Arc;

use secmon_wire::diag::{Finding, Severity};
use secmon_wire::{ActionId, ClientId, Intent, Nonce};

use super::aftermath::Before;
use super::make::{Order, Planned, Step};
use super::record::{Lease, Origin, State};
use super::{Leases, Licence, Managed, Outcome, Why, new_id};
use crate::approval::{Claimed, Operator, Reason};
use crate::audit::event;
use crate::chat::Reply;
use crate::cloudflare::{Mitigation, Path, Zone, escalation, mitigate, narrowest};
use crate::diag::Seen;
use crate::dispatch::now;
use crate::store::{ArmedRow, PendingRow, StoreError};

/// A finding this old says nothing of now.
const FRESH_S: u64 = 15 * 60;

/// What an operator is told, and whether more will come.
#[derive(Debug)]
#[must_use]
pub struct Told {
    /// The words.
    pub reply: Reply,
    /// Whether this was the last of it.
    pub is_final: bool,
    /// What came of each lease.
    pub outcomes: Vec<Outcome>,
    /// Whether the switch kept some of it from being made.
    pub is_suppressed: bool,
    /// What isn't known yet.
    pub(crate) open: Vec<(Lease, Option<Intent>)>,
}

/// An approval whose intent is on disk.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Who approved.
    pub operator: Operator,
    /// By which approval.
    pub nonce: Nonce,
    /// For whom.
    pub client: &'a ClientId,
    /// What.
    pub action: ActionId,
    /// The record.
    pub intent: Intent,
}

/// An automatic mitigation that was decided on.
#[derive(Debug)]
pub struct Automatic<'a> {
    /// For whom.
    pub client: &'a ClientId,
    /// What.
    pub action: ActionId,
    /// In which way.
    pub path: Path,
    /// Because of this.
    pub finding: &'a Finding,
    /// For how long.
    pub lasts_s: u64,
}

impl Leases {
    /// Does what an approval asks for.
    pub async fn approve(self: &Arc<Self>, claimed: &Claimed) -> Result<Told, Reason> {
        self.has_a_zone(claimed.client())?;
        let told = match claimed.action() {
            ActionId::CfRestore => self.restore(claimed).await?,
            ActionId::EnableCfAuto => self.enable(claimed).await?,
            ActionId::DisableCfAuto => self.disable(claimed).await?,
            _ => self.mitigate(claimed).await?,
        };
        self.changed.notify_waiters();
        Ok(told)
    }

    /// Whether there is anything at Cloudflare that an approval for this client could be about.
    fn has_a_zone(&self, client: &ClientId) -> Result<(), Reason> {
        let unavailable = |error: StoreError| Reason::StoreUnavailable(error.to_string());
        let no_zone = self.store.zones_of(client).map_err(unavailable)?.is_empty();
        let armed = self.store.armed().map_err(unavailable)?;
        // Whoever is armed can be disarmed, also without a zone.
        if no_zone && armed.iter().all(|row| row.client != *client) { Err(Reason::NoZone) } else { Ok(()) }
    }

    async fn mitigate(self: &Arc<Self>, claimed: &Claimed) -> Result<Told, Reason> {
        let (client, action) = (claimed.client(), claimed.action());
        self.learn_networks().await;
        let findings = self.fresh_floods(client)?;
        if findings.is_empty() && action != ActionId::CfUnderAttack {
            return Err(Reason::NoFreshFlood);
        }
        let origin = Origin::Approved {
            operator: claimed.operator(),
            nonce: claimed.nonce(),
            transport: claimed.transport(),
            chat: claimed.chat(),
        };
        let reason = findings.first().map_or("approved without a finding", |finding| finding.id.as_str());
        let order = Order { client, action, origin, reason, lasts_s: self.durations.of(action) };
        let zones = self.client_zones(client)?;
        let _turns = self.turns(&zones).await;
        let (planned, before) = self.plan_and_look(zones, &order, &findings).await?;
        self.keep(&planned)?;
        let overridden = self.switch.off().is_some();
        let record = event::cloudflare_intent(claimed, planned.iter().map(Planned::view), overridden);
        let intent = self.intend(record, &planned).await?;
        Ok(self.carry_out_all(planned, Licence::for_approval, intent, before).await)
    }

    /// Does what the automatic dispatch decided. The switch is asked at the moment of each zone's change.
    pub async fn dispatch_automatically(self: &Arc<Self>, automatic: &Automatic<'_>) -> Result<Told, Reason> {
        let Automatic { client, action, path, finding, lasts_s } = *automatic;
        self.learn_networks().await;
        let order = Order { client, action, origin: Origin::Automatic, reason: finding.id.as_str(), lasts_s };
        let zones = self.client_zones(client)?;
        let _turns = self.turns(&zones).await;
        let (planned, before) = self.plan_and_look(zones, &order, std::slice::from_ref(finding)).await?;
        if self.switch.off().is_some() {
            return Err(Reason::AutoDisabled);
        }
        self.keep(&planned)?;
        let record = event::automatic_intent(client, action, planned.iter().map(Planned::view));
        let intent = self.intend(record, &planned).await?;
        let licence = || self.switch.permit(path).ok().map(Licence::Automatic);
        let told = self.carry_out_all(planned, licence, intent, before).await;
        self.changed.notify_waiters();
        Ok(told)
    }

    /// The narrowest mitigation that a finding carries in all zones of a client.
    pub fn narrowest(&self, client: &ClientId, finding: &Finding) -> Result<ActionId, Reason> {
        let zones = self.client_zones(client)?;
        let fits = |action: &ActionId| {
            zones.iter().all(|zone| fitting(*action, zone, std::slice::from_ref(finding)).is_ok())
        };
        let carried = zones.iter().filter_map(|zone| narrowest(&zone.target(), finding)).find(fits);
        carried.map_or_else(|| last_resort(finding), Ok)
    }

    /// Puts back everything that the automatic dispatch made for a client.
    pub async fn step_back(&self, client: &ClientId) -> Result<(), Reason> {
        let unavailable = |error: StoreError| Reason::StoreUnavailable(error.to_string());
        for lease in self.store.open_leases_of(client).map_err(unavailable)? {
            if lease.is_approved() {
                continue;
            }
            let _turn = self.turn(&lease.zone).await;
            if self.switch.permit(Path::Back).is_err() {
                return Err(Reason::AutoDisabled);
            }
            match self.end(lease.id, Why::Quiet).await {
                Ok(ended) => self.outbox.announce(&Reply::lease_ended(&ended, Why::Quiet)),
                // The keeper goes on with it.
                Err(error) => tracing::warn!("lease {}: can't be ended yet: {error}", lease.id),
            }
        }
        self.changed.notify_waiters();
        Ok(())
    }

    /// Gives what the automatic dispatch made more time.
    pub async fn prolong(&self, mut lease: Lease, lasts_s: u64) -> Result<(), Reason> {
        if self.switch.permit(Path::Prolong).is_err() {
            return Err(Reason::AutoDisabled);
        }
        lease.expires = now().saturating_add(lasts_s);
        self.record(event::lease_prolonged(&lease)).await?;
        self.store.update_lease(&lease).map_err(|error| Reason::StoreUnavailable(error.to_string()))
    }

    /// A client's zones; none is a reason of its own.
    fn client_zones(&self, client: &ClientId) -> Result<Vec<Managed>, Reason> {
        let zones = self.zones_of(client).map_err(|error| Reason::Cloudflare(error.to_string()))?;
        if zones.is_empty() { Err(Reason::NoZone) } else { Ok(zones) }
    }

    /// The flood findings of the newest fresh report of each of a client's agents, the worst first.
    pub fn fresh_floods(&self, client: &ClientId) -> Result<Vec<Finding>, Reason> {
        let unavailable = |error: StoreError| Reason::StoreUnavailable(error.to_string());
        let reports = self.store.floods_since(client, now().saturating_sub(FRESH_S)).map_err(unavailable)?;
        let mut findings = Vec::new();
        for (agent, _taken, report) in reports {
            match Seen::read(report) {
                Ok(seen) => {
                    findings.extend(seen.findings.into_iter().filter(|finding| finding.flood.is_some()))
                }
                Err(error) => tracing::error!("{agent}: the kept report is damaged: {error}"),
            }
        }
        let weight = |finding: &Finding| {
            let requests = finding.flood.as_ref().map_or(0, |flood| flood.count);
            (finding.severity != Severity::Info, requests)
        };
        findings.sort_by_key(|finding| std::cmp::Reverse(weight(finding)));
        Ok(findings)
    }

    /// Plans, and looks meanwhile at what must not break: what is broken already is nobody's new fault.
    async fn plan_and_look(
        &self,
        zones: Vec<Managed>,
        order: &Order<'_>,
        findings: &[Finding],
    ) -> Result<(Vec<Planned>, Before), Reason> {
        let looks = self.sights(Self::targets(&zones));
        tokio::try_join!(self.plan_all(zones, order, findings), async { Ok(looks.await) })
    }

    async fn plan_all(
        &self,
        zones: Vec<Managed>,
        order: &Order<'_>,
        findings: &[Finding],
    ) -> Result<Vec<Planned>, Reason> {
        let mut planned = Vec::with_capacity(zones.len());
        for zone in zones {
            let mitigation = fitting(order.action, &zone, findings)?;
            planned.push(self.plan(zone, order, mitigation).await?);
        }
        Ok(planned)
    }

    /// Puts what is new on disk, before it is recorded and before any call.
    fn keep(&self, planned: &[Planned]) -> Result<(), Reason> {
        let new = planned.iter().filter_map(|planned| match &planned.step {
            Step::Make(lease) => Some(lease.clone()),
            Step::Renew(_) => None,
        });
        self.store
            .add_leases(&new.collect::<Vec<_>>())
            .map_err(|error| Reason::StoreUnavailable(error.to_string()))
    }

    /// No record, no act.
    async fn record(&self, record: crate::audit::Record) -> Result<Intent, Reason> {
        let sealed =
            self.audit.append(record).await.map_err(|error| Reason::AuditUnavailable(error.to_string()))?;
        Ok(Intent { hash: sealed.hash, seq: sealed.seq })
    }

    /// Records an intent. Leases whose intent can't be recorded are over before they began.
    async fn intend(&self, record: crate::audit::Record, planned: &[Planned]) -> Result<Intent, Reason> {
        let recorded = self.record(record).await;
        if recorded.is_err() {
            for planned in planned {
                let Step::Make(lease) = &planned.step else { continue };
                if let Err(error) = self.never_recorded(lease) {
                    tracing::error!("lease {}: {error}", lease.id);
                }
            }
        }
        recorded
    }

    fn never_recorded(&self, lease: &Lease) -> Result<(), StoreError> {
        let ending = Some("never recorded, and so never made".to_owned());
        self.store.update_lease(&Lease { state: State::Ended, ending, ..lease.clone() })
    }

    /// Drops what an approval planned whose intent isn't in the log: the control plane stopped in between.
    pub(crate) fn drop_unrecorded(&self, nonce: Nonce) -> Result<(), StoreError> {
        let leases = self.store.leases_by(nonce)?;
        leases
            .iter()
            .filter(|lease| lease.state == State::Planned)
            .try_for_each(|lease| self.never_recorded(lease))
    }

    async fn carry_out_all(
        self: &Arc<Self>,
        planned: Vec<Planned>,
        mut licence: impl FnMut() -> Option<Licence>,
        intent: Intent,
        mut before: Before,
    ) -> Told {
        let mut done = Vec::with_capacity(planned.len());
        let mut is_suppressed = false;
        for planned in planned {
            let renewed = matches!(planned.step, Step::Renew(_));
            let (lease, outcome) = match licence() {
                Some(licence) => self.carry_out(planned, &licence).await,
                None => {
                    is_suppressed = true;
                    self.not_permitted(planned).await
                }
            };
            if outcome == Outcome::Done && !renewed {
                let before = before.remove(&lease.zone).unwrap_or_default();
                tokio::spawn(Arc::clone(self).look_after(lease.clone(), before));
            }
            done.push((lease, outcome, renewed));
        }
        let written = self.audit.append(event::cloudflare_outcome(&done, Some(intent))).await;
        let mut reply = Reply::mitigated(&done);
        let mut told = Told {
            reply: Reply::new(),
            is_final: true,
            outcomes: Vec::new(),
            is_suppressed: false,
            open: Vec::new(),
        };
        if let Err(error) = &written {
            tracing::error!("audit: {error}");
            reply.note(&format!("The audit log can't be written ({error}); this outcome is not in it yet."));
            told.is_final = false;
        }
        for (lease, outcome, _) in done {
            told.outcomes.push(outcome.clone());
            if matches!(outcome, Outcome::Unknown(_)) {
                told.is_final = false;
                told.open.push((lease, Some(intent)));
            }
        }
        (told.reply, told.is_suppressed) = (reply, is_suppressed);
        told
    }

    /// The switch was turned between two zones: what was only planned never happens.
    async fn not_permitted(&self, planned: Planned) -> (Lease, Outcome) {
        let lease = planned.step.lease().clone();
        if let Step::Make(lease) = &planned.step
            && let Err(error) = self.end(lease.id, Why::Failed).await
        {
            tracing::warn!("lease {}: {error}", lease.id);
        }
        (lease, Outcome::Failed("automatic changes were switched off".to_owned()))
    }

    async fn restore(self: &Arc<Self>, claimed: &Claimed) -> Result<Told, Reason> {
        let unavailable = |error: StoreError| Reason::StoreUnavailable(error.to_string());
        let leases = self.store.open_leases_of(claimed.client()).map_err(unavailable)?;
        if leases.is_empty() {
            return Err(Reason::NothingToRestore);
        }
        let overridden = self.switch.off().is_some();
        let intent = self.record(event::restore_intent(claimed, &leases, overridden)).await?;
        Ok(self.end_all(&Asked::by(claimed, intent), leases).await)
    }

    /// Ends these leases for a `cf-restore` whose intent is on disk. What can't be ended now is ended later.
    pub(super) async fn end_all(&self, asked: &Asked<'_>, leases: Vec<Lease>) -> Told {
        let mut ends = Vec::with_capacity(leases.len());
        for lease in leases {
            let _turn = self.turn(&lease.zone).await;
            let ended = self.end(lease.id, Why::Restored(asked.operator, asked.nonce)).await;
            ends.push((lease, ended.map_err(|error| error.to_string())));
        }
        let written = self.audit.append(event::restore_outcome(asked, &ends)).await;
        let mut reply = Reply::restored(asked.client, &ends);
        if let Err(error) = &written {
            reply.note(&format!("The audit log can't be written ({error}); this outcome is not in it yet."));
        }
        Told::at_once(reply, written.is_ok())
    }

    async fn enable(&self, claimed: &Claimed) -> Result<Told, Reason> {
        self.client_zones(claimed.client())?;
        let id = new_id().ok_or_else(|| Reason::Cloudflare("the system has no random numbers".to_owned()))?;
        let since = now();
        let until = since.saturating_add(self.durations.of(ActionId::EnableCfAuto));
        let armed = ArmedRow {
            client: claimed.client().clone(),
            lease: id,
            operator: claimed.operator(),
            since,
            until,
        };
        let overridden = self.switch.off();
        let intent = self.record(event::arming_intent(claimed, Some(&armed), overridden.is_some())).await?;
        let kept = self.store.arm(&armed).map_err(|error| error.to_string());
        let mut told = self.armed(&Asked::by(claimed, intent), kept).await;
        if let Some(off) = overridden {
            told.reply.note(&format!(
                "Automatic changes are switched off ({off}): nothing happens until they aren't."
            ));
        }
        Ok(told)
    }

    async fn disable(&self, claimed: &Claimed) -> Result<Told, Reason> {
        let intent = self.record(event::arming_intent(claimed, None, false)).await?;
        let kept = self.store.disarm(claimed.client()).map(|_was| ()).map_err(|error| error.to_string());
        Ok(self.armed(&Asked::by(claimed, intent), kept).await)
    }

    /// Records and words what came of arming or disarming.
    pub(super) async fn armed(&self, asked: &Asked<'_>, kept: Result<(), String>) -> Told {
        let record = event::arming_outcome(asked, &kept);
        let written = self.audit.append(record).await;
        let hours = self.durations.of(ActionId::EnableCfAuto) / 3600;
        let mut reply = Reply::armed(asked.client, asked.action, &kept, hours);
        if let Err(error) = &written {
            reply.note(&format!("The audit log can't be written ({error}); this outcome is not in it yet."));
        }
        Told::at_once(reply, written.is_ok())
    }
}

impl<'a> Asked<'a> {
    fn by(claimed: &'a Claimed, intent: Intent) -> Self {
        Self {
            operator: claimed.operator(),
            nonce: claimed.nonce(),
            client: claimed.client(),
            action: claimed.action(),
            intent,
        }
    }

    /// An approval that was taken up after a stop.
    pub(super) const fn again(row: &'a PendingRow, intent: Intent) -> Self {
        Self { operator: row.operator, nonce: row.nonce, client: &row.client, action: row.action, intent }
    }
}

impl Licence {
    const fn for_approval() -> Option<Self> {
        Some(Self::Approval)
    }
}

/// Under-attack mode, if a finding warrants that every visitor is checked without anybody asking: a flood that does harm.
pub(in crate::cloudflare) fn last_resort(finding: &Finding) -> Result<ActionId, Reason> {
    let why =
        || Reason::Unfit(format!("only under-attack mode is left, which {} doesn't warrant", finding.id));
    escalation(finding).ok_or_else(why)
}

impl Told {
    /// Words without leases behind them.
    const fn at_once(reply: Reply, is_final: bool) -> Self {
        Self { reply, is_final, outcomes: Vec::new(), is_suppressed: false, open: Vec::new() }
    }
}

impl Managed {
    fn target(&self) -> Zone<'_> {
        Zone { name: &self.name, plan: self.plan, protections: &self.protections }
    }
}

impl Planned {
    /// What the record of an intent says of it.
    fn view(&self) -> (&Lease, bool, &[Lease]) {
        (self.step.lease(), matches!(self.step, Step::Renew(_)), &self.replaces)
    }
}

/// What the first finding that the action fits asks for.
fn fitting(action: ActionId, zone: &Managed, findings: &[Finding]) -> Result<Mitigation, Reason> {
    let target = zone.target();
    if action == ActionId::CfUnderAttack {
        return Ok(Mitigation::under_attack(&target));
    }
    let mut unfit = None;
    for finding in findings {
        match mitigate(action, &target, finding) {
            Ok(mitigation) => return Ok(mitigation),
            Err(why) => unfit = unfit.or(Some(why)),
        }
    }
    Err(unfit.map_or(Reason::NoFreshFlood, |why| Reason::Unfit(format!("{}: {why}", zone.name))))
}
