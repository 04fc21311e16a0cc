//! Planned failures: what goes wrong, for which method, how often. Pure; the connection performs them.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One way in which the real service, or the network in front of it, fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An HTTP status with the HTML page of a load balancer (500, 502, 504, …).
    Status { status: u16 },
    /// An error in the Bot API's own form.
    Error { code: u16, description: String },
    /// 429 with `parameters.retry_after` and the `Retry-After` header.
    Flood { retry_after: u64 },
    /// 409 as for the older of two pollers.
    Conflict,
    /// 401 as for a revoked token.
    Unauthorized,
    /// Any status with any body, byte for byte (as JSON content), for oddities such as `{"ok":false}`.
    Answer { status: u16, body: String },
    /// 200 with bytes that are not JSON.
    Garbage,
    /// 200 with the first half of the true JSON and a matching length.
    Truncated,
    /// The true answer, `ms` later.
    Delay { ms: u64 },
    /// No answer at all; the connection stays open until the client leaves.
    Hang,
    /// The connection is closed before any byte of the answer.
    Cut,
    /// The connection is reset before any byte of the answer.
    Reset,
    /// The connection is closed after half of the true answer.
    CutMiddle,
    /// The true answer in pieces of `chunk` bytes, `ms` apart.
    Drip { chunk: usize, ms: u64 },
    /// The true answer with `extra` bytes beyond its Content-Length.
    TooLong { extra: usize },
}

/// A fault and when it strikes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedFault {
    /// What happens.
    pub fault: Fault,
    /// Only for this method (without case); for every method when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// So many matching requests pass before it strikes.
    #[serde(default)]
    pub skip: u32,
    /// So many requests are struck; for ever when `null`.
    #[serde(default = "once")]
    pub times: Option<u32>,
    /// The request takes effect (the message is stored, the offset confirmed) and only its answer is
    /// lost. Faults that distort a true answer always let the request take effect.
    #[serde(default)]
    pub after: bool,
}

fn once() -> Option<u32> {
    Some(1)
}

impl PlannedFault {
    /// Strikes the next request of any method, once.
    #[must_use]
    pub fn new(fault: Fault) -> Self {
        Self { fault, method: None, skip: 0, times: once(), after: false }
    }

    /// Only for this method.
    #[must_use]
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// After so many matching requests.
    #[must_use]
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Some(count);
        self
    }

    /// Until the faults are cleared.
    #[must_use]
    pub fn for_ever(mut self) -> Self {
        self.times = None;
        self
    }

    /// The request takes effect; only the answer fails.
    #[must_use]
    pub fn after_effect(mut self) -> Self {
        self.after = true;
        self
    }

    /// Whether the method is carried out before the fault shows.
    pub(crate) fn lets_it_happen(&self) -> bool {
        use Fault::{CutMiddle, Delay, Drip, TooLong, Truncated};
        self.after
            || matches!(self.fault, Delay { .. } | CutMiddle | Truncated | Drip { .. } | TooLong { .. })
    }
}

/// The faults that have not struck often enough yet, in the order of their planning.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<PlannedFault>);

impl Faults {
    pub(crate) fn plan(&mut self, fault: PlannedFault) {
        if fault.times != Some(0) {
            self.0.push_back(fault);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn left(&self) -> Vec<PlannedFault> {
        self.0.iter().cloned().collect()
    }

    /// The fault that strikes a request for `method` now, if any.
    pub(crate) fn strike(&mut self, method: &str) -> Option<PlannedFault> {
        let matches =
            |planned: &PlannedFault| planned.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(method));
        let at = self.0.iter().position(matches)?;
        let planned = self.0.get_mut(at)?;
        if planned.skip > 0 {
            planned.skip -= 1;
            return None;
        }
        let struck = planned.clone();
        if let Some(times) = &mut planned.times {
            *times -= 1;
            if *times == 0 {
                self.0.remove(at);
            }
        }
        Some(struck)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_strike_in_order_and_as_often_as_planned() {
        let mut faults = Faults::default();
        faults.plan(PlannedFault::new(Fault::Cut).on("sendMessage").skip(1).times(2));
        faults.plan(PlannedFault::new(Fault::Hang));
        assert_eq!(faults.strike("GetMe").unwrap().fault, Fault::Hang);
        assert_eq!(faults.strike("SendMessage"), None);
        assert_eq!(faults.strike("SENDMESSAGE").unwrap().fault, Fault::Cut);
        assert_eq!(faults.strike("sendMessage").unwrap().fault, Fault::Cut);
        assert_eq!(faults.strike("sendMessage"), None);
    }

    #[test]
    fn a_fault_for_ever_stays_until_cleared() {
        let mut faults = Faults::default();
        faults.plan(PlannedFault::new(Fault::Conflict).for_ever());
        for _ in 0..5 {
            assert!(faults.strike("getUpdates").is_some());
        }
        faults.clear();
        assert_eq!(faults.strike("getUpdates"), None);
    }

    #[test]
    fn the_json_form_has_defaults_and_refuses_unknown_words() {
        let planned: PlannedFault =
            serde_json::from_str(r#"{"fault":{"kind":"flood","retry_after":3}}"#).unwrap();
        assert_eq!(planned, PlannedFault::new(Fault::Flood { retry_after: 3 }));
        assert!(serde_json::from_str::<PlannedFault>(r#"{"fault":{"kind":"cut"},"time":2}"#).is_err());
        assert!(serde_json::from_str::<PlannedFault>(r#"{"fault":{"kind":"explode"}}"#).is_err());
    }
}
