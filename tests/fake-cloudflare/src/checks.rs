//! What the service refuses in rules: shape, expression, and what a plan doesn't have. Pure.

use serde_json::{Map, Value};

use crate::expression::{Expression, Place};
use crate::plan::{Plan, SECONDS};
use crate::reply::Refusal;

/// The longest expression, in characters.
const LONGEST_EXPRESSION: usize = 4096;
const ACTIONS: [&str; 7] =
    ["block", "challenge", "js_challenge", "managed_challenge", "log", "skip", "execute"];

/// The rules that a phase holds, as far as this stand-in knows them.
pub(crate) fn place_of(phase: &str) -> Option<Place> {
    match phase {
        "http_request_firewall_custom" => Some(Place::Custom),
        "http_ratelimit" => Some(Place::Rate),
        _ => None,
    }
}

/// Refuses more rules than a plan has in a phase.
pub(crate) fn count(phase: &str, plan: Plan, rules: usize) -> Result<(), Refusal> {
    let most = match place_of(phase) {
        Some(Place::Custom) => plan.limits().custom_rules,
        Some(Place::Rate) => plan.limits().rate_rules,
        None => return Ok(()),
    };
    if rules <= most {
        return Ok(());
    }
    let message = format!("exceeded maximum number of rules in the phase {phase}: {rules} out of {most}");
    Err(Refusal::new(400, 20217, message).at("/rules"))
}

/// Refuses a rule that the service wouldn't take; `pointer` says where it stands in the request.
pub(crate) fn rule(phase: &str, plan: Plan, rule: &Map<String, Value>, pointer: &str) -> Result<(), Refusal> {
    let Some(place) = place_of(phase) else { return Ok(()) };
    let invalid = |member: &str, what: &str| {
        let value = rule.get(member).map_or_else(String::new, |value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        });
        let message = format!("'{value}' is not a valid value for {member} because {what}");
        Refusal::invalid(message).at(format!("{pointer}/{member}"))
    };
    let action = rule.get("action").and_then(Value::as_str).unwrap_or_default();
    if !ACTIONS.contains(&action) {
        return Err(invalid("action", "the action is unknown"));
    }
    if action == "log" && !plan.limits().enterprise {
        return Err(invalid("action", "not entitled: the use of action log is not allowed"));
    }
    if rule.get("enabled").is_some_and(|enabled| !enabled.is_boolean()) {
        return Err(invalid("enabled", "it is no boolean"));
    }
    let text = rule.get("expression").and_then(Value::as_str).unwrap_or_default();
    expression(text, place, plan, pointer)?;
    match (place, rule.get("ratelimit")) {
        (Place::Custom, None) => Ok(()),
        (Place::Custom, Some(_)) => Err(invalid("ratelimit", "rate limiting is not allowed in this phase")),
        (Place::Rate, Some(Value::Object(limit))) => rate(limit, action, plan, pointer),
        (Place::Rate, _) => Err(invalid("ratelimit", "it is required in this phase")),
    }
}

fn expression(text: &str, place: Place, plan: Plan, pointer: &str) -> Result<(), Refusal> {
    let refused = |code: u32, why: String| {
        let message = format!("'{text}' is not a valid value for expression because {why}");
        Err(Refusal::new(400, code, message).at(format!("{pointer}/expression")))
    };
    if text.is_empty() {
        return refused(20125, "the expression cannot be blank".to_owned());
    }
    let length = text.chars().count();
    if length > LONGEST_EXPRESSION {
        return refused(29400, format!("it has {length} characters and may have {LONGEST_EXPRESSION}"));
    }
    match Expression::parse(text) {
        Err(error) => refused(20127, format!("could not parse filter expression: {error}")),
        Ok(parsed) => parsed.allowed(plan, place).or_else(|why| refused(29403, why)),
    }
}

fn rate(limit: &Map<String, Value>, action: &str, plan: Plan, pointer: &str) -> Result<(), Refusal> {
    let limits = plan.limits();
    let refused = |member: &str, why: &str| {
        let value = limit.get(member).map_or_else(|| "nothing".to_owned(), Value::to_string);
        let message = format!("'{value}' is not a valid value for {member} because {why}");
        Err(Refusal::invalid(message).at(format!("{pointer}/ratelimit/{member}")))
    };
    let number = |member: &str| limit.get(member).and_then(Value::as_u64);
    let listed = limit.get("characteristics").and_then(Value::as_array).cloned().unwrap_or_default();
    let characteristics: Vec<_> = listed.iter().filter_map(Value::as_str).collect();
    let has = |name: &str| characteristics.contains(&name);
    if !has("cf.colo.id") {
        return refused("characteristics", "cf.colo.id is mandatory");
    }
    if has("ip.src") && has("cf.unique_visitor_id") {
        return refused("characteristics", "ip.src and cf.unique_visitor_id are incompatible");
    }
    let entitled = |name: &&str| {
        *name == "cf.colo.id" || limits.characteristics.is_empty() || limits.characteristics.contains(name)
    };
    if !characteristics.iter().all(entitled) {
        return refused("characteristics", "not entitled: the use of a characteristic is not allowed");
    }
    match number("period") {
        Some(period) if SECONDS.contains(&period) && period <= limits.longest_period => {}
        _ => return refused("period", "not entitled: the period is not allowed"),
    }
    if number("requests_per_period").is_none_or(|requests| requests == 0) {
        return refused("requests_per_period", "it has to be at least 1");
    }
    let challenge = action.ends_with("challenge");
    match number("mitigation_timeout") {
        Some(0) if challenge => {}
        Some(_) if challenge && !limits.enterprise => {
            return refused("mitigation_timeout", "it has to be 0 for a challenge");
        }
        Some(timeout) if SECONDS.contains(&timeout) && timeout <= limits.longest_timeout => {}
        Some(0) if limits.enterprise => {}
        _ => return refused("mitigation_timeout", "not entitled: the timeout is not allowed"),
    }
    if limit.contains_key("counting_expression") && !limits.counting_expression {
        return refused("counting_expression", "not entitled: a counting expression is not allowed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const CUSTOM: &str = "http_request_firewall_custom";
    const RATE: &str = "http_ratelimit";

    fn check(phase: &str, plan: Plan, value: &Value) -> Result<(), Refusal> {
        rule(phase, plan, value.as_object().expect("an object"), "")
    }

    fn rate_rule() -> Value {
        json!({"action": "block", "expression": "not cf.client.bot", "ratelimit": {
            "characteristics": ["cf.colo.id", "ip.src"], "period": 10, "requests_per_period": 5,
            "mitigation_timeout": 10,
        }})
    }

    #[test]
    fn one_rule_more_than_a_plan_has_is_refused() {
        for (plan, custom, rate) in
            [(Plan::Free, 5, 1), (Plan::Pro, 20, 2), (Plan::Business, 100, 5), (Plan::Enterprise, 1000, 100)]
        {
            for (phase, most) in [(CUSTOM, custom), (RATE, rate)] {
                assert_eq!(count(phase, plan, most), Ok(()));
                assert_eq!(count(phase, plan, most + 1).unwrap_err().status, 400);
            }
        }
    }

    #[test]
    fn a_rate_rule_that_a_plan_has_is_taken_and_each_step_beyond_refused() {
        use Plan::{Business, Enterprise, Free, Pro};
        let unique = json!(["cf.colo.id", "cf.unique_visitor_id"]);
        for (pointer, value, least) in [
            ("/ratelimit/period", json!(10), Some(Free)),
            ("/ratelimit/period", json!(60), Some(Pro)),
            ("/ratelimit/period", json!(600), Some(Business)),
            ("/ratelimit/period", json!(3600), Some(Enterprise)),
            ("/ratelimit/period", json!(11), None),
            ("/ratelimit/mitigation_timeout", json!(3600), Some(Pro)),
            ("/ratelimit/mitigation_timeout", json!(86400), Some(Business)),
            ("/ratelimit/mitigation_timeout", json!(0), Some(Enterprise)),
            ("/ratelimit/mitigation_timeout", json!(null), None),
            ("/ratelimit/characteristics", unique, Some(Business)),
            ("/ratelimit/characteristics", json!(["cf.colo.id", "ip.src.country"]), Some(Enterprise)),
            ("/ratelimit/characteristics", json!(["ip.src"]), None),
            ("/ratelimit/characteristics", json!(["cf.colo.id", "ip.src", "cf.unique_visitor_id"]), None),
            ("/ratelimit/requests_per_period", json!(0), None),
            ("/expression", json!("http.host eq \"a\""), Some(Pro)),
            ("/action", json!("log"), Some(Enterprise)),
            ("/action", json!("managed_challenge"), Some(Enterprise)),
            ("/action", json!("explode"), None),
            ("/ratelimit", json!(null), None),
        ] {
            let mut changed = rate_rule();
            *changed.pointer_mut(pointer).expect("a member") = value.clone();
            for plan in [Free, Pro, Business, Enterprise] {
                let taken = check(RATE, plan, &changed).is_ok();
                assert_eq!(taken, least.is_some_and(|least| plan >= least), "{pointer} {value} {plan:?}");
            }
        }
    }

    #[test]
    fn a_challenge_of_a_rate_rule_lasts_only_on_enterprise() {
        let mut challenge = rate_rule();
        challenge["action"] = json!("managed_challenge");
        challenge["ratelimit"]["mitigation_timeout"] = json!(0);
        assert_eq!(check(RATE, Plan::Free, &challenge), Ok(()));
        challenge["ratelimit"]["mitigation_timeout"] = json!(10);
        assert!(check(RATE, Plan::Business, &challenge).is_err());
        assert_eq!(check(RATE, Plan::Enterprise, &challenge), Ok(()));
    }

    #[test]
    fn an_expression_is_refused_with_the_code_of_its_fault() {
        let with = |text: &str| json!({"action": "block", "expression": text});
        let fill = |length: usize| format!("http.host eq \"{}\"", "a".repeat(length - 15));
        assert_eq!(check(CUSTOM, Plan::Free, &with(&fill(4096))), Ok(()));
        assert_eq!(check(CUSTOM, Plan::Free, &with(&fill(4097))).unwrap_err().code, 29400);
        assert_eq!(check(CUSTOM, Plan::Free, &with("")).unwrap_err().code, 20125);
        assert_eq!(check(CUSTOM, Plan::Free, &with("http.host eq \"a")).unwrap_err().code, 20127);
        assert_eq!(check(CUSTOM, Plan::Pro, &with("http.host ~ \"a\"")).unwrap_err().code, 29403);
        assert_eq!(check(CUSTOM, Plan::Business, &with("http.host ~ \"a\"")), Ok(()));
        assert!(check(CUSTOM, Plan::Free, &rate_rule()).is_err());
    }
}
