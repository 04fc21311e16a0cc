//! Tokens, zones, their security level, and the service's own addresses.

use serde_json::{Value, json};

use super::{Call, Outcome};
use crate::reply::{Refusal, Reply};
use crate::state::State;
use crate::token::TokenStatus;
use crate::zone::Zone;

const LEVELS: [&str; 6] = ["off", "essentially_off", "low", "medium", "high", "under_attack"];

/// Some of the service's published ranges, enough for tests.
const IPV4: [&str; 5] =
    ["173.245.48.0/20", "103.21.244.0/22", "141.101.64.0/18", "104.16.0.0/13", "172.64.0.0/13"];
const IPV6: [&str; 3] = ["2400:cb00::/32", "2606:4700::/32", "2a06:98c0::/29"];

pub(super) fn ips(_: &mut State, _: &Call<'_>) -> Outcome {
    Ok(Reply::ok(&json!({"ipv4_cidrs": IPV4, "ipv6_cidrs": IPV6, "etag": "0".repeat(32)})))
}

pub(super) fn verify(_: &mut State, call: &Call<'_>) -> Outcome {
    let token = call.token.as_ref().ok_or_else(|| Refusal::authentication(401))?;
    let mut result = json!({"id": "e".repeat(32), "status": token.status});
    if let (Some(end), Some(members)) = (&token.expires_on, result.as_object_mut()) {
        members.insert("expires_on".to_owned(), json!(end));
    }
    let said = match token.status {
        TokenStatus::Active => "This API Token is valid and active",
        TokenStatus::Disabled => "This API Token is disabled",
        TokenStatus::Expired => "This API Token is expired",
    };
    let messages = json!([{"code": 10000, "message": said, "type": null}]);
    Ok(Reply::json(200, &json!({"result": result, "success": true, "errors": [], "messages": messages})))
}

pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let token = call.token.clone().ok_or_else(|| Refusal::authentication(401))?;
    let wanted = |zone: &&Zone| {
        let name = call.query.get("name").is_none_or(|name| zone.basics.name == *name);
        let status = call.query.get("status").is_none_or(|status| json!(zone.basics.status) == *status);
        name && status && token.reaches(&zone.basics.id)
    };
    let mut zones: Vec<_> = state.zones.iter().filter(wanted).map(|zone| zone.shown(&token)).collect();
    zones.sort_by_key(|zone| zone["name"].to_string());
    let number = |name: &str, default: usize| match call.query.get(name) {
        None => Ok(default),
        Some(text) => text.parse().ok().filter(|number| *number >= 1).ok_or_else(|| Refusal::invalid(name)),
    };
    Ok(Reply::page(&zones, number("page", 1)?, number("per_page", 20)?.clamp(5, 50)))
}

pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    let token = call.token.clone().ok_or_else(|| Refusal::authentication(401))?;
    Ok(Reply::ok(&zone(state, call)?.shown(&token)))
}

pub(super) fn level(state: &mut State, call: &Call<'_>) -> Outcome {
    Ok(Reply::ok(&zone(state, call)?.shown_level()))
}

pub(super) fn set_level(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let value = body.get("value").and_then(Value::as_str).unwrap_or_default().to_owned();
    if !LEVELS.contains(&value.as_str()) {
        return Err(Refusal::new(400, 1007, "Invalid value for zone setting security_level"));
    }
    let now = state.now();
    let zone = zone(state, call)?;
    zone.basics.security_level = value;
    zone.level_changed = Some(now);
    Ok(Reply::ok(&zone.shown_level()))
}

pub(super) fn zone<'a>(state: &'a mut State, call: &Call<'_>) -> Result<&'a mut Zone, Refusal> {
    state.zone_mut(call.hole("zone")).ok_or_else(|| Refusal::not_found("the zone"))
}
