//! Conditions that tests wait for, so that none of them sleeps. Pure.

use crate::state::State;

/// What must have happened; everything that is set must hold at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// So many requests came that the next two fit, or of any kind.
    pub requests: Option<usize>,
    /// The HTTP method that `requests` counts.
    pub method: Option<String>,
    /// A part of the paths that `requests` counts.
    pub path: Option<String>,
    /// So many visits came to the edge.
    pub visits: Option<usize>,
    /// A zone's security level.
    pub security_level: Option<(String, String)>,
}

impl Wait {
    pub(crate) fn holds(&self, state: &State) -> bool {
        let counts = |request: &&crate::record::RequestRecord| {
            self.method.as_ref().is_none_or(|method| *method == request.method)
                && self.path.as_ref().is_none_or(|part| request.path.contains(part.as_str()))
        };
        let level = |(zone, value): &(String, String)| {
            state.zone(zone).is_some_and(|zone| zone.basics.security_level == *value)
        };
        self.requests.is_none_or(|least| state.requests.iter().filter(counts).count() >= least)
            && self.visits.is_none_or(|least| state.edge.visits.len() >= least)
            && self.security_level.as_ref().is_none_or(level)
    }
}
