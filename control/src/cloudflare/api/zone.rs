//! The token, the zone itself and its security level.

use serde_json::{Value, json};

use super::client::{Call, Failed, Method};
use super::error::words;
use super::{ApiError, Network, ZoneApi, scope, segment};
use crate::cloudflare::Plan;
use crate::cloudflare::credentials::is_of_an_account;

/// What a token is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// It works; until when, if it ends.
    Active { until: Option<String> },
    /// Somebody switched it off.
    Disabled,
    /// It has ended; when, if the API says so.
    Expired { on: Option<String> },
}

/// A zone as the API describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneState {
    /// Its name: a domain.
    pub name: String,
    /// `active`, `pending`, `initializing`, `moved`, or what else the API says.
    pub status: String,
    /// Whether its owner has switched Cloudflare off for it: rules then do nothing.
    pub paused: bool,
    /// What it is paid for.
    pub plan: Plan,
    /// What the API lists as allowed, such as `#waf:edit`; often empty.
    pub permissions: Vec<String>,
}

impl ZoneState {
    /// Why rules of this zone do nothing, if they don't.
    pub fn idle(&self) -> Option<String> {
        match (self.status.as_str(), self.paused) {
            ("active", false) => None,
            ("active", true) => Some("the zone is paused: Cloudflare lets everything through".to_owned()),
            (status, _) => {
                Some(format!("the zone is {status}, not active: its visitors don't pass Cloudflare"))
            }
        }
    }
}

impl ZoneApi {
    /// What the token is worth.
    pub async fn verify_token(&self) -> Result<TokenState, ApiError> {
        let failed = match is_of_an_account(&self.token) {
            true => None,
            false => match self.ask_token("/user/tokens/verify").await {
                Ok(state) => return Ok(state),
                Err(Failed::Denied { .. }) => Some(ApiError::TokenInvalid),
                Err(failed) => return Err(failed.judged(scope::ZONE_READ)),
            },
        };
        // A token that belongs to an account is asked for there, and the zone says which account that is.
        let account = match self.ask_zone().await {
            Ok(zone) => {
                zone.pointer("/account/id").and_then(Value::as_str).and_then(segment).map(str::to_owned)
            }
            Err(denied @ Failed::Denied { .. }) => {
                return Err(failed.unwrap_or_else(|| denied.judged(scope::ZONE_READ)));
            }
            Err(other) => return Err(other.judged(scope::ZONE_READ)),
        };
        let Some(account) = account else { return Err(failed.unwrap_or(ApiError::NotFound)) };
        match self.ask_token(&format!("/accounts/{account}/tokens/verify")).await {
            Ok(state) => Ok(state),
            Err(Failed::Denied { .. } | Failed::Api(ApiError::NotFound)) => {
                Err(failed.unwrap_or(ApiError::TokenInvalid))
            }
            Err(other) => Err(other.judged(scope::ZONE_READ)),
        }
    }

    /// The zone.
    pub async fn zone(&self) -> Result<ZoneState, ApiError> {
        let call = self.read("");
        let (result, _) = self.call(&call, scope::ZONE_READ).await?;
        let state = zone_state(&result)
            .filter(|_| result.get("id").and_then(Value::as_str) == Some(self.zone.as_str()));
        state.ok_or_else(|| call.lost("its description of the zone is not one"))
    }

    /// The security level, exactly as it reads.
    pub async fn security_level(&self) -> Result<String, ApiError> {
        let call = self.read(SECURITY_LEVEL);
        let (result, _) = self.call(&call, scope::SETTINGS_EDIT).await?;
        level(&result).map(str::to_owned).ok_or_else(|| call.lost("the security level is not one"))
    }

    /// Sets the security level.
    pub async fn set_security_level(&self, value: &str) -> Result<(), ApiError> {
        let call = self.change(Method::PATCH, SECURITY_LEVEL, Some(json!({ "value": value })));
        let (result, _) = self.call(&call, scope::SETTINGS_EDIT).await?;
        match level(&result) {
            Some(now) if now == value => Ok(()),
            _ => Err(call.lost("the answer has another security level")),
        }
    }

    /// Why something was denied with a status that has two reasons: asks whether the token works at all.
    pub(super) async fn why_denied(&self, status: u16, scope: &'static str) -> ApiError {
        let denied = || Failed::Denied { status, certain: false };
        if !is_of_an_account(&self.token) {
            match self.ask_token("/user/tokens/verify").await {
                Ok(TokenState::Active { .. }) => return ApiError::ScopeMissing(scope),
                Ok(_) => return ApiError::TokenInvalid,
                Err(Failed::Denied { .. }) if scope == scope::ZONE_READ => return ApiError::TokenInvalid,
                Err(Failed::Denied { .. }) => {}
                Err(_) => return denied().judged(scope),
            }
        }
        match self.ask_zone().await {
            Ok(_) => ApiError::ScopeMissing(scope),
            Err(Failed::Denied { .. }) if scope != scope::ZONE_READ => ApiError::TokenInvalid,
            Err(_) => denied().judged(scope),
        }
    }

    async fn ask_token(&self, path: &str) -> Result<TokenState, Failed> {
        let call = Call::read(Some(&self.token), path.to_owned());
        let (result, _) = self.api.call(&call).await?;
        let when = || result.get("expires_on").and_then(Value::as_str).map(words);
        match result.get("status").and_then(Value::as_str) {
            Some("active") => Ok(TokenState::Active { until: when() }),
            Some("disabled") => Ok(TokenState::Disabled),
            Some("expired") => Ok(TokenState::Expired { on: when() }),
            _ => Err(call.lost("its verdict on the token is not one").into()),
        }
    }

    async fn ask_zone(&self) -> Result<Value, Failed> {
        self.api.call(&self.read("")).await.map(|(result, _)| result)
    }
}

const SECURITY_LEVEL: &str = "/settings/security_level";

fn level(result: &Value) -> Option<&str> {
    let value = result.get("value")?.as_str()?;
    let known = |c: u8| c.is_ascii_alphanumeric() || c == b'_' || c == b'-';
    (!value.is_empty() && value.len() <= 64 && value.bytes().all(known)).then_some(value)
}

fn zone_state(result: &Value) -> Option<ZoneState> {
    let text = |pointer: &str| result.pointer(pointer).and_then(Value::as_str);
    let listed = result.get("permissions").and_then(Value::as_array);
    Some(ZoneState {
        name: text("/name").filter(|name| is_domain(name))?.to_owned(),
        status: words(text("/status")?),
        paused: result.get("paused")?.as_bool()?,
        plan: plan(text("/plan/legacy_id")),
        permissions: listed.into_iter().flatten().filter_map(Value::as_str).map(words).collect(),
    })
}

/// A plan that isn't known, or sold by a partner under a name of its own, is taken for the one with the least room.
fn plan(name: Option<&str>) -> Plan {
    let name = name.unwrap_or_default();
    Plan::new(name.strip_prefix("partners_").unwrap_or(name)).unwrap_or(Plan::Free)
}

fn is_domain(name: &str) -> bool {
    let known = |c: u8| c.is_ascii_alphanumeric() || b"-._".contains(&c);
    !name.is_empty() && name.len() <= 253 && name.bytes().all(known)
}

/// The networks of `/ips`: both families, each list with something in it.
pub(super) fn networks(result: &Value) -> Option<Vec<Network>> {
    let mut all = Vec::new();
    for family in ["ipv4_cidrs", "ipv6_cidrs"] {
        let list = result.get(family)?.as_array().filter(|list| !list.is_empty())?;
        for network in list {
            all.push(Network::parse(network.as_str()?)?);
        }
    }
    Some(all)
}
