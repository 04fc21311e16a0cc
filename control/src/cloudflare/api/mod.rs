//! The API client: single calls with a deadline, a budget and a typed error. It knows no lease and decides nothing.
//!
//! Reads are tried again; changes never are: whoever sent one reads back what became of it.

mod access;
mod budget;
mod client;
mod envelope;
mod error;
mod rulesets;
mod zone;

#[cfg(test)]
mod testing;
#[cfg(test)]
#[path = "api_tests.rs"]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{Network, ZoneId};
use crate::config::{ApiUrl, Secret};
use budget::Budget;
use client::{Call, Failed, Method};

pub use access::FoundAccessRule;
pub use error::ApiError;
pub use rulesets::{FoundRule, Ruleset};
pub use zone::{TokenState, ZoneState};

/// Permissions, as the dashboard names them where a token is made.
pub mod scope {
    /// The zone itself: its name, status and plan.
    pub const ZONE_READ: &str = "Zone / Zone / Read";
    /// The security level.
    pub const SETTINGS_EDIT: &str = "Zone / Zone Settings / Edit";
    /// Custom rules and rate limiting rules.
    pub const WAF_EDIT: &str = "Zone / Zone WAF / Edit";
    /// IP access rules.
    pub const FIREWALL_EDIT: &str = "Zone / Firewall Services / Edit";
}

/// One client for all zones: connections, and the budget of requests.
pub struct Api {
    http: reqwest::Client,
    base: ApiUrl,
    budget: Mutex<Budget>,
}

/// One zone with its token.
#[derive(Clone)]
pub struct ZoneApi {
    api: Arc<Api>,
    zone: ZoneId,
    token: Arc<Secret>,
}

impl Api {
    /// A client for the API at `base`.
    pub fn new(base: ApiUrl) -> Result<Self, ApiError> {
        let http = client::http(&base)?;
        Ok(Self { http, base, budget: Mutex::default() })
    }

    /// A zone with the token for it.
    pub fn zone(self: &Arc<Self>, zone: ZoneId, token: Arc<Secret>) -> ZoneApi {
        ZoneApi { api: Arc::clone(self), zone, token }
    }

    /// Cloudflare's own networks, which every request of a visitor comes from.
    pub async fn ips(&self) -> Result<Vec<Network>, ApiError> {
        let call = Call::read(None, "/ips".to_owned());
        let (result, _) = self.call(&call).await.map_err(|failed| failed.judged(scope::ZONE_READ))?;
        zone::networks(&result).ok_or_else(|| call.lost("its list of networks is not one"))
    }

    fn budget<T>(&self, act: impl FnOnce(&mut Budget) -> T) -> T {
        act(&mut self.budget.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ZoneApi {
    /// The zone.
    pub const fn id(&self) -> &ZoneId {
        &self.zone
    }

    /// A call about something in the zone that needs `scope`.
    async fn call(&self, call: &Call<'_>, scope: &'static str) -> Result<(Value, Option<u64>), ApiError> {
        match self.api.call(call).await {
            Ok((result, pages)) => Ok((result, pages.total_pages)),
            Err(failed) => Err(self.judge(failed, scope).await),
        }
    }

    async fn judge(&self, failed: Failed, scope: &'static str) -> ApiError {
        match failed {
            Failed::Denied { status, certain: false } => self.why_denied(status, scope).await,
            failed => failed.judged(scope),
        }
    }

    fn read(&self, path: &str) -> Call<'_> {
        Call::read(Some(&self.token), format!("/zones/{}{path}", self.zone))
    }

    fn change(&self, method: Method, path: &str, body: Option<Value>) -> Call<'_> {
        Call::change(method, &self.token, format!("/zones/{}{path}", self.zone), body)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base", &self.base).finish_non_exhaustive()
    }
}

impl fmt::Debug for ZoneApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZoneApi").field("zone", &self.zone).finish_non_exhaustive()
    }
}

/// An id as it may stand in a path. What the API gives is a stranger's text, too.
fn segment(id: &str) -> Option<&str> {
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    (!id.is_empty() && id.len() <= 64 && id.bytes().all(known)).then_some(id)
}
