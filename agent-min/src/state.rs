//! What the agent remembers: claimed nonces, the receipt chain, the last runs, the operation under way.
//!
//! Pure: [`crate::admit`] reads it, the monitor changes it and puts it on disk. Everything is bounded.
//!
//! # Why an evicted nonce can't be played again
//!
//! At most [`CLAIMS_KEPT`] nonces are kept. When one more comes, the one with the **oldest time stamp** goes,
//! and `floor` rises to that time stamp; an envelope whose time stamp is not above the floor is refused as if
//! its nonce were known. So for every claimed nonce ever: it is in the list, or its envelope's time stamp is
//! at or below the floor: no envelope is ever admitted twice. (That a forgotten nonce could come again in a
//! **new** signed envelope with a later time stamp is for the control plane to rule out, which remembers every
//! nonce.) A flood of envelopes (which takes the dispatch key) costs availability, never a
//! second run; and since intervals bound the runs, an honest control plane is always far above the floor.
//!
//! The floor never rises above clock + 300 s, nor above the latest envelope that was admitted if that is later
//! (the clock was set back since), so that signed envelopes from the far future can't lock the agent for longer
//! than that. Such an envelope is refused as stale and its nonce is claimed; it is forgotten
//! only after [`CLAIMS_KEPT`] signed envelopes with later time stamps still, all refused.
//!
//! # Why a flood of refusals can't hide what ran
//!
//! Of [`RECEIPTS_KEPT`] receipts, refusals get those places that runs don't need, and at least
//! [`REFUSALS_KEPT`]; beyond that the oldest refusal goes first. Runs go only when runs follow, which the
//! intervals slow down. Every receipt carries a number and the hash of the one before, so whatever went is
//! seen to be missing.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::{String, Vec};
use secmon_sys::process::ProcessMark;
use secmon_wire::limits::{ENVELOPE_MAX, FRESHNESS_S, INSTANCE_MAX, RECEIPT_MAX, RECEIPTS_KEPT};
use secmon_wire::signature::Signature;
use secmon_wire::{AgentId, Envelope, Hash, Nonce, OperationId, Unit};

/// Nonces that are kept.
pub(crate) const CLAIMS_KEPT: usize = 64;
/// Places among the kept receipts that refusals have even when runs fill all others.
pub(crate) const REFUSALS_KEPT: usize = 4;

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Whose state this is.
    pub(crate) agent_id: AgentId,
    /// The number of the last receipt; 0 before the first.
    pub(crate) receipt_seq: u64,
    /// SHA-256 of the body of the last receipt.
    pub(crate) last_receipt: Option<Hash>,
    /// The highest intent number seen; 0 before the first.
    pub(crate) last_intent: u64,
    /// When each operation last began, in the order of [`OperationId::ALL`]; 0 for never.
    pub(crate) last_runs: [u64; OperationId::ALL.len()],
    /// The nonces that can't be used again.
    pub(crate) claims: Claims,
    /// The operation under way.
    pub(crate) pending: Option<Pending>,
    /// The kept receipts, oldest first.
    pub(crate) receipts: Vec<Kept, RECEIPTS_KEPT>,
}

/// Nonces that can't be used again, and the time stamp up to which all others can't be either.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) floor: u64,
    /// The latest time stamp of an envelope that was admitted.
    pub(crate) admitted: u64,
    pub(crate) kept: Vec<Claim, CLAIMS_KEPT>,
}

/// A nonce and its envelope's time stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) nonce: Nonce,
    pub(crate) ts: u64,
}

/// An operation that was admitted and has no receipt yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pending {
    /// The envelope's own bytes.
    pub(crate) body: Vec<u8, ENVELOPE_MAX>,
    /// The clock when it was admitted.
    pub(crate) began: u64,
    /// What it touches.
    pub(crate) unit: Unit,
    /// How far it got.
    pub(crate) phase: Phase,
}

/// How far an operation got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The restart has not begun; the configuration is being checked, perhaps.
    Checking,
    /// The restart may have begun; without this on disk it has not.
    Restarting {
        /// The unit's instance before.
        before: String<INSTANCE_MAX>,
        /// The program that restarts it.
        program: ProcessMark,
    },
}

/// A receipt as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Its number.
    pub(crate) seq: u64,
    /// SHA-256 of the envelope that it answers.
    pub(crate) envelope: Hash,
    /// Whether it is a refusal.
    pub(crate) refusal: bool,
    pub(crate) signature: Signature,
    pub(crate) body: Vec<u8, RECEIPT_MAX>,
}

impl State {
    /// Before the first envelope.
    pub(crate) fn new(agent_id: AgentId) -> Self {
        Self {
            agent_id,
            receipt_seq: 0,
            last_receipt: None,
            last_intent: 0,
            last_runs: [0; _],
            claims: Claims::default(),
            pending: None,
            receipts: Vec::new(),
        }
    }

    /// Takes note of an envelope that is admitted.
    pub(crate) fn take_note_of_admitted(&mut self, envelope: &Envelope, clock: u64) {
        self.claims.admitted = self.claims.admitted.max(envelope.ts);
        self.take_note(envelope, clock);
    }

    /// Takes note of an envelope that will get a receipt: its nonce is used up, whatever becomes of it.
    pub(crate) fn take_note(&mut self, envelope: &Envelope, clock: u64) {
        self.claims.claim(Claim { nonce: envelope.nonce, ts: envelope.ts }, clock);
        self.last_intent = self.last_intent.max(envelope.intent.seq);
    }

    /// When `operation` last began; 0 for never.
    pub(crate) fn last_run(&self, operation: OperationId) -> u64 {
        let mut runs = OperationId::ALL.iter().zip(self.last_runs);
        runs.find(|(id, _)| **id == operation).map_or(0, |(_, at)| at)
    }

    /// Sets when `operation` last began.
    pub(crate) fn set_last_run(&mut self, operation: OperationId, clock: u64) {
        let mut runs = OperationId::ALL.iter().zip(&mut self.last_runs);
        if let Some((_, at)) = runs.find(|(id, _)| **id == operation) {
            *at = clock;
        }
    }

    /// The receipt that answered an envelope with this hash; the latest if there are several.
    pub(crate) fn receipt_for(&self, envelope: Hash) -> Option<&Kept> {
        self.receipts.iter().rev().find(|kept| kept.envelope == envelope)
    }

    /// Appends a receipt, which makes room first if it must.
    pub(crate) fn keep(&mut self, kept: Kept) {
        if self.receipts.is_full() {
            let refusals = self.receipts.iter().filter(|k| k.refusal).count();
            let wanted_place = usize::from(kept.refusal);
            let goes = if refusals.saturating_add(wanted_place) > REFUSALS_KEPT {
                self.receipts.iter().position(|k| k.refusal)
            } else {
                self.receipts.iter().position(|k| !k.refusal)
            };
            self.receipts.remove_at(goes.unwrap_or(0));
        }
        let pushed = self.receipts.push(kept);
        debug_assert!(pushed.is_ok(), "room was made");
    }
}

impl Claims {
    /// Whether this nonce is known to be used up.
    pub(crate) fn contains(&self, nonce: Nonce) -> bool {
        self.kept.iter().any(|claim| claim.nonce == nonce)
    }

    /// Whether an envelope with this time stamp may have been claimed and forgotten.
    pub(crate) const fn may_have_forgotten(&self, ts: u64) -> bool {
        ts <= self.floor
    }

    fn claim(&mut self, claim: Claim, clock: u64) {
        if self.contains(claim.nonce) {
            // Refused as a replay; the first claim stands, raised if this envelope carries a later time stamp.
            for known in self.kept.iter_mut().filter(|known| known.nonce == claim.nonce) {
                known.ts = known.ts.max(claim.ts);
            }
            return;
        }
        let Err(claim) = self.kept.push(claim) else { return };
        let mut oldest = claim;
        for known in &mut self.kept {
            if known.ts < oldest.ts {
                core::mem::swap(known, &mut oldest);
            }
        }
        let highest = clock.saturating_add(FRESHNESS_S).max(self.admitted);
        self.floor = self.floor.max(oldest.ts.min(highest));
    }
}

/// Removal that can't panic and keeps the order.
trait RemoveAt {
    fn remove_at(&mut self, at: usize);
}

impl RemoveAt for Vec<Kept, RECEIPTS_KEPT> {
    fn remove_at(&mut self, at: usize) {
        let mut index = 0_usize;
        self.retain(|_| {
            let stays = index != at;
            index = index.saturating_add(1);
            stays
        });
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
