//! Whether an envelope is admitted: bytes, state and clock in, a verdict out.
//!
//! Pure. This is the gate in front of everything that the agent does, and it stands on its own: it believes
//! nothing that the network side has found out. The signature comes first, so that no byte of an envelope is
//! parsed that the control plane has not signed.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fmt;

use secmon_wire::limits::FRESHNESS_S;
use secmon_wire::signature::{Signature, envelope_message, sha256};
use secmon_wire::{Capability, Envelope, Hash, ManifestBody, WireError};

use crate::keys::VerifyingKey;
use crate::state::{Kept, State};

/// What becomes of an envelope.
#[derive(Debug)]
#[must_use]
pub(crate) enum Verdict<'a> {
    /// It may run, as this capability says.
    Admitted(Envelope, &'a Capability),
    /// It has a receipt already, and gets that one.
    Replay(&'a Kept),
    /// It is the one under way, and gets that one's receipt.
    UnderWay,
    /// It is from our control plane and doesn't run; it gets a signed receipt that says why.
    Refused(Envelope, Refusal),
    /// It isn't from our control plane or not for us; it gets no receipt.
    Dismissed(Dismissal),
}

/// Why an envelope of our control plane doesn't run. The first word of its text is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its time stamp is too far behind our clock.
    Late { seconds: u64 },
    /// Its time stamp is too far ahead of our clock.
    Early { seconds: u64 },
    /// Its nonce was used: by another envelope, or by this one, whose receipt is no longer kept.
    NonceUsed,
    /// It is from before the oldest nonce that we still remember.
    NonceForgotten,
    /// Our manifest doesn't list it.
    Unlisted,
    /// Another operation is under way.
    Busy,
    /// The same operation began too short a time ago.
    Interval { wait: u64 },
}

/// Why an envelope gets no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dismissal {
    /// Not signed by the dispatch key.
    Unsigned,
    /// Signed, but no envelope.
    Malformed(WireError),
    /// Signed, but for another agent.
    OtherAgent,
}

/// Judges the envelope `body`.
pub(crate) fn admit<'a>(
    body: &[u8],
    signature: &Signature,
    dispatch_key: &VerifyingKey,
    manifest: &'a ManifestBody,
    state: &'a State,
    clock: u64,
) -> Verdict<'a> {
    match envelope_message(body) {
        Ok(message) if dispatch_key.verifies(&message, signature) => {}
        _ => return Verdict::Dismissed(Dismissal::Unsigned),
    }
    let envelope = match Envelope::read(body) {
        Ok(envelope) => envelope,
        Err(error) => return Verdict::Dismissed(Dismissal::Malformed(error)),
    };
    if envelope.agent_id != manifest.agent_id || envelope.agent_id != state.agent_id {
        return Verdict::Dismissed(Dismissal::OtherAgent);
    }
    if state.pending.as_ref().is_some_and(|pending| pending.body == body) {
        return Verdict::UnderWay;
    }
    if let Some(kept) = state.receipt_for(hash_of(body)) {
        return Verdict::Replay(kept);
    }
    match refusal(&envelope, manifest, state, clock) {
        Ok(capability) => Verdict::Admitted(envelope, capability),
        Err(refusal) => Verdict::Refused(envelope, refusal),
    }
}

/// What an envelope is recognised by.
pub(crate) fn hash_of(body: &[u8]) -> Hash {
    sha256(body)
}

fn refusal<'a>(
    envelope: &Envelope,
    manifest: &'a ManifestBody,
    state: &State,
    clock: u64,
) -> Result<&'a Capability, Refusal> {
    let behind = clock.saturating_sub(envelope.ts);
    if behind > FRESHNESS_S {
        return Err(Refusal::Late { seconds: behind });
    }
    let ahead = envelope.ts.saturating_sub(clock);
    if ahead > FRESHNESS_S {
        return Err(Refusal::Early { seconds: ahead });
    }
    if state.claims.contains(envelope.nonce) {
        return Err(Refusal::NonceUsed);
    }
    if state.claims.may_have_forgotten(envelope.ts) {
        return Err(Refusal::NonceForgotten);
    }
    let Some(capability) = manifest.capability(envelope.action) else { return Err(Refusal::Unlisted) };
    if state.pending.is_some() {
        return Err(Refusal::Busy);
    }
    // A clock that was set back by more than the interval says nothing about the last run, and must not
    // lock the operation; nonces and freshness still hold then.
    let interval = u64::from(capability.min_interval_s);
    let since = clock.abs_diff(state.last_run(envelope.action));
    if since < interval {
        return Err(Refusal::Interval { wait: interval.saturating_sub(since) });
    }
    Ok(capability)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { seconds } => write!(f, "stale: {seconds} s behind this host's clock"),
            Self::Early { seconds } => write!(f, "stale: {seconds} s ahead of this host's clock"),
            Self::NonceUsed => f.write_str("nonce: was used before"),
            Self::NonceForgotten => f.write_str("nonce: from before the oldest one remembered"),
            Self::Unlisted => f.write_str("unlisted: not in this agent's manifest"),
            Self::Busy => f.write_str("busy: another operation is under way"),
            Self::Interval { wait } => write!(f, "interval: possible again in {wait} s"),
        }
    }
}

#[cfg(test)]
#[path = "admit_tests.rs"]
mod tests;
