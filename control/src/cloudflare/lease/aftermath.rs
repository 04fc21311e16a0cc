//! What a mitigation broke: pages are looked at while it is planned, and again once it is in force. Changes nothing in
//! a zone; whether it is put back, operators decide.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::record::{Lease, Origin, State};
use super::{Leases, Managed};
use crate::audit::event;
use crate::chat::Reply;
use crate::cloudflare::collateral::{Collateral, Seen, broken, pages};
use crate::cloudflare::{Edge, Probe, ZoneId};

/// A change takes seconds until every place of the edge knows it: so long after it is looked, and looked again.
const LOOKS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];

/// How the pages of zones answered before a change.
pub(super) type Before = HashMap<ZoneId, Vec<Seen>>;
/// Pages to look at, by zone.
pub(super) type Targets = Vec<(ZoneId, String, Vec<Probe>)>;

impl Leases {
    /// The same, looking at pages through this edge after each mitigation.
    pub fn looking_through(self, edge: Edge) -> Self {
        Self { edge: Some(edge), ..self }
    }

    /// What is to be looked at in these zones.
    pub(super) fn targets(zones: &[Managed]) -> Targets {
        zones.iter().map(|zone| (zone.id.clone(), zone.name.clone(), pages(&zone.probes))).collect()
    }

    /// Looks at pages before anything is changed.
    pub(super) async fn sights(&self, targets: Targets) -> Before {
        let mut before = Before::new();
        let Some(edge) = &self.edge else { return before };
        let mut looks = tokio::task::JoinSet::new();
        for (zone, name, pages) in targets.into_iter().filter(|(_, _, pages)| !pages.is_empty()) {
            let edge = edge.clone();
            looks.spawn(async move { (zone, edge.look(&name, pages).await) });
        }
        before.extend(looks.join_all().await);
        before
    }

    /// Looks at a zone's pages after a lease came into force there, and tells what it broke.
    pub(super) async fn look_after(self: Arc<Self>, lease: Lease, before: Vec<Seen>) {
        let Some(edge) = &self.edge else { return };
        let pages = match self.probes_of(&lease.zone) {
            Ok(probes) => pages(&probes),
            Err(error) => return tracing::warn!("lease {}: pages can't be looked at: {error}", lease.id),
        };
        if pages.is_empty() {
            return;
        }
        let mut found = Collateral { lease: lease.id, looked: pages.len(), broken: Vec::new() };
        for wait in LOOKS {
            tokio::time::sleep(wait).await;
            let after = edge.look(&lease.zone_name, pages.clone()).await;
            // What has been put back meanwhile breaks nothing.
            match self.store.lease(lease.id) {
                Ok(Some(now)) if now.state == State::Active => {}
                Ok(_) => return,
                Err(error) => return tracing::error!("lease {}: {error}", lease.id),
            }
            found.broken = broken(&before, &after);
            if !found.broken.is_empty() {
                break;
            }
        }
        if let Err(error) = self.audit.append(event::collateral(&lease, &found)).await {
            tracing::error!("audit: {error}");
        }
        if found.broken.is_empty() {
            return;
        }
        let reply = Reply::collateral(&lease, &found);
        match lease.origin {
            Origin::Approved { transport, chat, .. } => self.outbox.post(transport, chat, &reply),
            Origin::Automatic => self.outbox.announce(&reply),
        }
    }
}
