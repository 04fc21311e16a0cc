//! How often one address may ask: more than a person does, less than those who were measured.

use secmon_wire::diag::{FindingId, Flood};

use super::unfit::Why;
use crate::cloudflare::Rate;
use crate::cloudflare::limits::{CHARACTERISTICS, Limits};

/// Seconds over which is counted, where the plan allows it.
const PERIOD: u32 = 60;
/// Seconds for which an address is refused, where the plan allows it.
const TIMEOUT: u32 = 600;
/// Times what a person does, at most.
const TIMES_PERSON: u64 = 5;

/// A limit, and how much of the flood is known to be above it.
#[derive(Debug)]
pub(super) struct Limit {
    pub(super) rate: Rate,
    pub(super) percent: u64,
}

impl Limit {
    /// Half of what the busiest address makes, within bounds: never less than twice what a person does.
    pub(super) fn new(id: FindingId, flood: &Flood, limits: &Limits) -> Result<Self, Why> {
        let period = limits.period(PERIOD);
        let of_period = |count: u32| {
            let count = u64::from(count).saturating_mul(period.into());
            count.checked_div(flood.window.seconds.into()).unwrap_or(0)
        };
        let single = || flood.sources.iter().filter(|source| !matches!(source.bits, 24 | 48));
        let top = single().map(|source| of_period(source.count)).max().unwrap_or(0);
        let floor = person(id, period);
        let limit = (top / 2).clamp(floor, floor.saturating_mul(TIMES_PERSON));
        if top <= limit {
            return Err(Why::Spread);
        }
        let above = single().filter(|source| of_period(source.count) > limit);
        let above = above.fold(0_u64, |sum, source| sum.saturating_add(source.count.into()));
        let rate = Rate {
            characteristics: CHARACTERISTICS.map(str::to_owned).to_vec(),
            period,
            requests: u32::try_from(limit).unwrap_or(u32::MAX),
            mitigation_timeout: limits.timeout(TIMEOUT),
        };
        Ok(Self { rate, percent: above.saturating_mul(100).checked_div(flood.count).unwrap_or(0).min(100) })
    }
}

/// Twice what an address makes that people use, in a period of up to a minute. In ten seconds it can make half of
/// what it makes in a minute.
fn person(id: FindingId, period: u32) -> u64 {
    let in_a_minute: u64 = match id {
        // Editors of an office that share an address.
        FindingId::FloodAjax => 60,
        _ => 20,
    };
    in_a_minute.saturating_mul(u64::from(period).saturating_add(60)) / 120
}
