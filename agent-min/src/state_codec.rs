//! The state as bytes, for [`secmon_sys::state_file`].
//!
//! ```text
//! version 1 · agent id (2 + n) · receipt seq 8 · last receipt 1 (+ 32) · last intent 8 · last runs 3 × 8
//! claims: floor 8 · admitted 8 · count 2 · count × (nonce 8 · ts 8)
//! pending 1: 0 none | 1 checking | 2 restarting; then body (2 + n) · began 8 · unit (2 + n);
//!            restarting also: before (2 + n) · pid 4 · start 8
//! receipts: count 2 · count × (seq 8 · envelope 32 · refusal 1 · signature 64 · body (2 + n))
//! ```
//!
//! Decoding refuses whatever encoding doesn't make. The checksum has been checked by then, so a refusal here
//! means another version of the agent or a bug, and it stops the start like any other damage.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use heapless::{String, Vec};
use secmon_sys::process::ProcessMark;
use secmon_sys::state_file::PAYLOAD_MAX;
use secmon_wire::limits::{ENVELOPE_MAX, ID_MAX, INSTANCE_MAX, RECEIPT_MAX, RECEIPTS_KEPT, UNIT_MAX};
use secmon_wire::{AgentId, Hash, Nonce, OperationId, Unit};

use crate::bytes::{Reader, Writer};
use crate::state::{CLAIMS_KEPT, Claim, Claims, Kept, Pending, Phase, State};

const VERSION: u8 = 2;

const FIXED_MAX: usize = 1 + (2 + ID_MAX) + 8 + 33 + 8 + OperationId::ALL.len() * 8;
const CLAIMS_MAX: usize = 8 + 8 + 2 + CLAIMS_KEPT * 16;
const PENDING_MAX: usize = 1 + (2 + ENVELOPE_MAX) + 8 + (2 + UNIT_MAX) + (2 + INSTANCE_MAX) + 12;
const KEPT_MAX: usize = 8 + 32 + 1 + 64 + (2 + RECEIPT_MAX);
/// Bytes of the largest state there can be.
pub(crate) const ENCODED_MAX: usize = FIXED_MAX + CLAIMS_MAX + PENDING_MAX + 2 + RECEIPTS_KEPT * KEPT_MAX;
const _: () = assert!(ENCODED_MAX <= PAYLOAD_MAX, "a state always fits into its slot");

/// Writes `state` into `out`; the bytes used. `None` if it doesn't fit, which the sizes above rule out.
pub(crate) fn encode<'a>(state: &State, out: &'a mut [u8; ENCODED_MAX]) -> Option<&'a [u8]> {
    let mut w = Writer::new(out);
    w.put(&[VERSION])?;
    w.counted(state.agent_id.as_str().as_bytes())?;
    w.put(&state.receipt_seq.to_le_bytes())?;
    match state.last_receipt {
        None => w.put(&[0])?,
        Some(hash) => w.put(&[1]).and_then(|()| w.put(&hash.0))?,
    }
    w.put(&state.last_intent.to_le_bytes())?;
    state.last_runs.iter().try_for_each(|at| w.put(&at.to_le_bytes()))?;
    w.put(&state.claims.floor.to_le_bytes())?;
    w.put(&state.claims.admitted.to_le_bytes())?;
    w.put(&u16::try_from(state.claims.kept.len()).ok()?.to_le_bytes())?;
    for claim in &state.claims.kept {
        w.put(&claim.nonce.0)?;
        w.put(&claim.ts.to_le_bytes())?;
    }
    encode_pending(state.pending.as_ref(), &mut w)?;
    w.put(&u16::try_from(state.receipts.len()).ok()?.to_le_bytes())?;
    for kept in &state.receipts {
        w.put(&kept.seq.to_le_bytes())?;
        w.put(&kept.envelope.0)?;
        w.put(&[u8::from(kept.refusal)])?;
        w.put(&kept.signature)?;
        w.counted(&kept.body)?;
    }
    let length = w.len();
    out.get(..length)
}

/// Reads a state; `None` for bytes that [`encode`] doesn't make.
pub(crate) fn decode(bytes: &[u8]) -> Option<State> {
    let mut r = Reader::new(bytes);
    if r.u8()? != VERSION {
        return None;
    }
    let agent_id = AgentId::new(r.text()?)?;
    let receipt_seq = r.u64()?;
    let last_receipt = flag(&mut r)?.then(|| r.array().map(Hash));
    let last_receipt = match last_receipt {
        None => None,
        Some(hash) => Some(hash?),
    };
    let last_intent = r.u64()?;
    let mut last_runs = [0; OperationId::ALL.len()];
    for at in &mut last_runs {
        *at = r.u64()?;
    }
    let mut claims = Claims { floor: r.u64()?, admitted: r.u64()?, kept: Vec::new() };
    for _ in 0..r.u16()? {
        let claim = Claim { nonce: Nonce(r.array()?), ts: r.u64()? };
        claims.kept.push(claim).ok()?;
    }
    let pending = decode_pending(&mut r)?;
    let mut receipts = Vec::new();
    for _ in 0..r.u16()? {
        let kept = Kept {
            seq: r.u64()?,
            envelope: Hash(r.array()?),
            refusal: flag(&mut r)?,
            signature: r.array()?,
            body: Vec::from_slice(r.counted()?).ok()?,
        };
        receipts.push(kept).ok()?;
    }
    let state =
        State { agent_id, receipt_seq, last_receipt, last_intent, last_runs, claims, pending, receipts };
    r.at_end().then_some(state)
}

fn encode_pending(pending: Option<&Pending>, w: &mut Writer<'_>) -> Option<()> {
    let Some(pending) = pending else { return w.put(&[0]) };
    w.put(&[match pending.phase {
        Phase::Checking => 1,
        Phase::Restarting { .. } => 2,
    }])?;
    w.counted(&pending.body)?;
    w.put(&pending.began.to_le_bytes())?;
    w.counted(pending.unit.as_str().as_bytes())?;
    let Phase::Restarting { before, program } = &pending.phase else { return Some(()) };
    w.counted(before.as_bytes())?;
    w.put(&program.pid.to_le_bytes())?;
    w.put(&program.start.to_le_bytes())
}

/// The outer `None` is an error, the inner one "none".
#[expect(clippy::option_option, reason = "an error and an absence are two things here")]
fn decode_pending(r: &mut Reader<'_>) -> Option<Option<Pending>> {
    let kind = r.u8()?;
    if kind == 0 {
        return Some(None);
    }
    let body = Vec::from_slice(r.counted()?).ok()?;
    let began = r.u64()?;
    let unit = Unit::new(r.text()?)?;
    let phase = match kind {
        1 => Phase::Checking,
        2 => {
            let before = String::<INSTANCE_MAX>::try_from(r.text()?).ok()?;
            Phase::Restarting { before, program: ProcessMark { pid: r.u32()?, start: r.u64()? } }
        }
        _ => return None,
    };
    Some(Some(Pending { body, began, unit, phase }))
}

fn flag(r: &mut Reader<'_>) -> Option<bool> {
    match r.u8()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
#[path = "state_codec_tests.rs"]
mod tests;
