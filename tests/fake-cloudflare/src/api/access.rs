//! IP access rules.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::zones::zone;
use super::{Call, Outcome};
use crate::expression::last_of;
use crate::reply::{Refusal, Reply};
use crate::state::State;
use crate::zone::AccessRule;

const MODES: [&str; 5] = ["block", "challenge", "whitelist", "js_challenge", "managed_challenge"];

pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let zone = zone(state, call)?;
    let query = |name: &str| call.query.get(name).map(String::as_str);
    let any = query("match") == Some("any");
    let wanted = |rule: &&AccessRule| {
        let notes = |part: &str| rule.notes.to_lowercase().contains(&part.to_lowercase());
        let value = |text: &str| configured(&rule.target, text).is_ok_and(|(text, _)| text == rule.value);
        let asked = [
            query("mode").map(|mode| rule.mode == mode),
            // The list takes `ip` for both families.
            query("configuration.target").map(|target| rule.target.trim_end_matches('6') == target),
            query("configuration.value").map(value),
            query("notes").map(notes),
        ];
        let mut answers = asked.into_iter().flatten().peekable();
        if any && answers.peek().is_some() { answers.any(|yes| yes) } else { answers.all(|yes| yes) }
    };
    let mut shown: Vec<_> =
        zone.access_rules.iter().filter(wanted).map(|rule| rule.shown(&zone.basics)).collect();
    if let Some(order) = query("order") {
        let pointer = format!("/{}", order.replace('.', "/"));
        shown.sort_by_key(|rule| rule.pointer(&pointer).map(Value::to_string));
    }
    if query("direction") == Some("desc") {
        shown.reverse();
    }
    let number = |name: &str, default: usize, most: usize| match query(name) {
        None => Ok(default),
        Some(text) => {
            let number = text.parse().ok().filter(|number| (1..=most).contains(number));
            number.ok_or_else(|| Refusal::invalid(format!("{name} is out of range")))
        }
    };
    Ok(Reply::page(&shown, number("page", 1, usize::MAX / 1000)?, number("per_page", 20, 1000)?))
}

pub(super) fn add(state: &mut State, call: &Call<'_>) -> Outcome {
    let rule = state.new_access_rule(call.hole("zone"), &Value::Object(call.body()?))?;
    Ok(Reply::ok(&rule))
}

pub(super) fn change(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let zone = zone(state, call)?;
    let rule = zone.access_rules.iter_mut().find(|rule| rule.id == call.hole("rule"));
    let rule = rule.ok_or_else(missing)?;
    if let Some(mode) = body.get("mode").and_then(Value::as_str) {
        known_mode(mode)?.clone_into(&mut rule.mode);
    }
    if let Some(notes) = body.get("notes").and_then(Value::as_str) {
        notes.clone_into(&mut rule.notes);
    }
    let rule = rule.clone();
    Ok(Reply::ok(&rule.shown(&zone.basics)))
}

pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Outcome {
    let rules = &mut zone(state, call)?.access_rules;
    let place = rules.iter().position(|rule| rule.id == call.hole("rule")).ok_or_else(missing)?;
    rules.remove(place);
    Ok(Reply::ok(&json!({"id": call.hole("rule")})))
}

impl State {
    /// Makes a rule in a zone, or says why the service wouldn't.
    pub(crate) fn new_access_rule(&mut self, zone: &str, body: &Value) -> Result<Value, Refusal> {
        let text =
            |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (mode, notes, target) = (text("/mode"), text("/notes"), text("/configuration/target"));
        known_mode(&mode)?;
        let (value, addresses) = configured(&target, &text("/configuration/value"))?;
        let used: usize = self.zones.iter().map(|zone| zone.access_rules.len()).sum();
        let quota = self.access_rule_quota;
        let (id, created_on) = (self.new_id(), self.now());
        let zone = self.zone_mut(zone).ok_or_else(|| Refusal::not_found("the zone"))?;
        if target == "country" && mode == "block" && !zone.basics.plan.limits().enterprise {
            return Err(Refusal::new(400, 29403, "not entitled: a country can't be blocked"));
        }
        if zone.access_rules.iter().any(|rule| rule.target == target && rule.value == value) {
            return Err(Refusal::new(400, 10009, "firewallaccessrules.api.duplicate_of_existing"));
        }
        if used >= quota {
            return Err(Refusal::new(400, 29401, "firewallaccessrules.api.quota_exceeded"));
        }
        let rule = AccessRule { id, mode, notes, target, value, addresses, created_on };
        let shown = rule.shown(&zone.basics);
        zone.access_rules.push(rule);
        Ok(shown)
    }
}

fn missing() -> Refusal {
    Refusal::new(404, 10001, "firewallaccessrules.api.not_found")
}

fn known_mode(mode: &str) -> Result<&str, Refusal> {
    if MODES.contains(&mode) {
        Ok(mode)
    } else {
        Err(Refusal::invalid("firewallaccessrules.api.invalid_mode"))
    }
}

type Configured = (String, Option<(IpAddr, IpAddr)>);

/// What a rule is for, as it is kept, with its first and last address. An IPv6 address is kept in its long form.
fn configured(target: &str, value: &str) -> Result<Configured, Refusal> {
    let invalid = || Refusal::invalid(format!("firewallaccessrules.api.not_valid_{target}"));
    let found = match target {
        "ip" | "ip6" => {
            let address: IpAddr = value.parse().map_err(|_| invalid())?;
            let kept = match (target, address) {
                ("ip", IpAddr::V4(v4)) => v4.to_string(),
                ("ip6", IpAddr::V6(v6)) => v6.segments().map(|part| format!("{part:04x}")).join(":"),
                _ => return Err(invalid()),
            };
            (kept, Some((address, address)))
        }
        "ip_range" => {
            let (first, bits) = value.split_once('/').ok_or_else(invalid)?;
            let first: IpAddr = first.parse().map_err(|_| invalid())?;
            let allowed: &[&str] = if first.is_ipv4() { &["16", "24"] } else { &["32", "48", "64"] };
            let number = allowed.iter().find(|known| **known == bits).and_then(|bits| bits.parse().ok());
            let last = number.and_then(|bits| last_of(first, bits)).ok_or_else(invalid)?;
            (format!("{first}/{bits}"), Some((first, last)))
        }
        "asn" if value.strip_prefix("AS").is_some_and(|number| number.parse::<u32>().is_ok()) => {
            (value.to_owned(), None)
        }
        "country" if value.len() == 2 && value.bytes().all(|c| c.is_ascii_uppercase()) => {
            (value.to_owned(), None)
        }
        _ => return Err(invalid()),
    };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_is_for_is_kept_in_one_form_or_refused() {
        for (target, value, kept) in [
            ("ip", "192.0.2.1", Some("192.0.2.1")),
            ("ip", "2001:db8::1", None),
            ("ip", "192.0.2.0/24", None),
            ("ip6", "2001:DB8::1", Some("2001:0db8:0000:0000:0000:0000:0000:0001")),
            ("ip6", "192.0.2.1", None),
            ("ip_range", "192.0.2.0/24", Some("192.0.2.0/24")),
            ("ip_range", "192.0.2.1/24", None),
            ("ip_range", "192.0.2.0/25", None),
            ("ip_range", "2001:db8:0:1::/64", Some("2001:db8:0:1::/64")),
            ("ip_range", "2001:db8::/56", None),
            ("asn", "AS64496", Some("AS64496")),
            ("asn", "64496", None),
            ("country", "XX", Some("XX")),
            ("country", "xx", None),
            ("planet", "1", None),
        ] {
            let found = configured(target, value).ok().map(|(kept, _)| kept);
            assert_eq!(found.as_deref(), kept, "{target} {value}");
        }
    }
}
