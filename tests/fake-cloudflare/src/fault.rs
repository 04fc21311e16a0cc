//! What happens to a request by plan: somebody else's edits before it, and a failure instead of its answer. Pure; the
//! connection performs failures.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::edit::Edit;

/// One way in which the real service, or the network in front of it, fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// An HTTP status with the HTML page of a load balancer (500, 502, 504, …).
    Status { status: u16 },
    /// A refusal in the API's own envelope. With status 200 it says `success: false` though HTTP says yes.
    Error { status: u16, code: u32, message: String },
    /// 429 with `retry-after`, `Ratelimit` and `Ratelimit-Policy`.
    TooMany { retry_after: u32 },
    /// Any status with any body, byte for byte, as JSON content.
    Answer { status: u16, body: String },
    /// 200 with bytes that are not JSON.
    Garbage,
    /// 200 with the first half of the true body and a matching length.
    Truncated,
    /// The connection is closed after half of the true answer.
    CutMiddle,
    /// No answer at all; the connection stays open until the client leaves.
    Hang,
    /// The connection is closed before any byte of the answer.
    Cut,
    /// The connection is reset before any byte of the answer.
    Reset,
    /// The true answer, `ms` later.
    Delay { ms: u64 },
}

/// Something that happens to the requests that it is for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Planned {
    /// Only for this HTTP method; for every one when absent.
    pub method: Option<String>,
    /// Only for paths that contain this; for every one when absent.
    pub path: Option<String>,
    /// So many such requests pass before.
    pub skip: u32,
    /// It happens to so many requests; to all that follow when `null`.
    pub times: Option<u32>,
    /// Edits that are made before the request is looked at.
    pub before: Vec<Edit>,
    /// Edits that are made after it was carried out, or would have been.
    pub afterwards: Vec<Edit>,
    /// The failure.
    pub fault: Option<Fault>,
    /// The request is carried out and only its answer is lost. Faults that distort a true answer always let the
    /// request happen.
    pub after: bool,
}

impl Default for Planned {
    fn default() -> Self {
        Self {
            method: None,
            path: None,
            skip: 0,
            times: Some(1),
            before: Vec::new(),
            afterwards: Vec::new(),
            fault: None,
            after: false,
        }
    }
}

impl Planned {
    /// Happens to the next request with this method and this part in its path, once.
    #[must_use]
    pub fn on(method: &str, path: &str) -> Self {
        Self { method: Some(method.to_owned()), path: Some(path.to_owned()), ..Self::default() }
    }

    /// The request fails before it is carried out.
    #[must_use]
    pub fn fails(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }

    /// The request is carried out; only its answer fails.
    #[must_use]
    pub fn fails_after(self, fault: Fault) -> Self {
        Self { fault: Some(fault), after: true, ..self }
    }

    /// Somebody else is faster: makes an edit before the request.
    #[must_use]
    pub fn edits(mut self, edit: Edit) -> Self {
        self.before.push(edit);
        self
    }

    /// Somebody else comes right behind: makes an edit after the request.
    #[must_use]
    pub fn then_edits(mut self, edit: Edit) -> Self {
        self.afterwards.push(edit);
        self
    }

    /// After so many such requests.
    #[must_use]
    pub fn skip(self, count: u32) -> Self {
        Self { skip: count, ..self }
    }

    /// To so many requests.
    #[must_use]
    pub fn times(self, count: u32) -> Self {
        Self { times: Some(count), ..self }
    }

    /// Until the plans are cleared.
    #[must_use]
    pub fn for_ever(self) -> Self {
        Self { times: None, ..self }
    }

    /// Whether the request is carried out before the failure shows.
    pub(crate) fn lets_it_happen(&self) -> bool {
        use Fault::{CutMiddle, Delay, Truncated};
        self.after || matches!(self.fault, None | Some(Delay { .. } | CutMiddle | Truncated))
    }

    fn is_for(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self.path.as_ref().is_none_or(|part| path.contains(part.as_str()))
    }
}

/// What hasn't happened often enough yet, in the order of planning.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<Planned>);

impl Faults {
    pub(crate) fn plan(&mut self, planned: Planned) {
        if planned.times != Some(0) {
            self.0.push_back(planned);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn left(&self) -> Vec<Planned> {
        self.0.iter().cloned().collect()
    }

    /// What happens to a request now, if anything.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<Planned> {
        let at = self.0.iter().position(|planned| planned.is_for(method, path))?;
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
    fn plans_are_for_their_requests_and_happen_as_often_as_planned() {
        let mut faults = Faults::default();
        faults.plan(Planned::on("POST", "/rules").skip(1).times(2).fails(Fault::Cut));
        faults.plan(Planned::default().fails(Fault::Hang));
        assert_eq!(faults.strike("GET", "/rules").unwrap().fault, Some(Fault::Hang));
        assert_eq!(faults.strike("GET", "/rules"), None);
        assert_eq!(faults.strike("POST", "/zones"), None);
        assert_eq!(faults.strike("POST", "/a/rules"), None);
        assert_eq!(faults.strike("post", "/a/rules").unwrap().fault, Some(Fault::Cut));
        assert_eq!(faults.strike("POST", "/a/rules").unwrap().fault, Some(Fault::Cut));
        assert_eq!(faults.strike("POST", "/a/rules"), None);
    }

    #[test]
    fn a_plan_for_ever_stays_until_cleared() {
        let mut faults = Faults::default();
        faults.plan(Planned::on("GET", "").for_ever().fails(Fault::Reset));
        for _ in 0..5 {
            assert!(faults.strike("GET", "/ips").is_some());
        }
        faults.clear();
        assert_eq!(faults.strike("GET", "/ips"), None);
    }
}
