//! Rulesets of phases and the rules in them.

use serde_json::{Map, Value, json};

use super::zones::zone;
use super::{Call, Outcome};
use crate::checks;
use crate::plan::Plan;
use crate::reply::{Refusal, Reply};
use crate::ruleset::{Position, Ruleset, replaced, shown_rule};
use crate::state::State;

pub(super) fn list(state: &mut State, call: &Call<'_>) -> Outcome {
    let rulesets = &zone(state, call)?.rulesets;
    Ok(Reply::ok(&json!(rulesets.iter().map(|ruleset| ruleset.shown(false)).collect::<Vec<_>>())))
}

pub(super) fn create(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let phase = body.get("phase").and_then(Value::as_str).unwrap_or_default().to_owned();
    if body.get("kind").and_then(Value::as_str) != Some("zone") || phase.is_empty() {
        return Err(Refusal::invalid("a ruleset of a zone needs kind zone and a phase").at("/kind"));
    }
    let zone = zone(state, call)?;
    if zone.entry_point(&phase).is_some() {
        let why = format!("exceeded maximum number of zone rulesets for phase {phase}");
        let message = format!("'zone' is not a valid value for kind because {why}");
        return Err(Refusal::new(400, 20217, message).at("/kind"));
    }
    fill(state, call, &phase, &body)
}

pub(super) fn get(state: &mut State, call: &Call<'_>) -> Outcome {
    Ok(Reply::ok(&ruleset(state, call)?.shown(true)))
}

/// PUT: the list as it is sent takes the place of the whole list. In a phase without an entry point it makes one.
pub(super) fn replace(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let phase = match call.hole("phase") {
        "" => ruleset(state, call)?.phase.clone(),
        phase => phase.to_owned(),
    };
    fill(state, call, &phase, &body)
}

pub(super) fn delete(state: &mut State, call: &Call<'_>) -> Outcome {
    let id = ruleset(state, call)?.id.clone();
    zone(state, call)?.rulesets.retain(|ruleset| ruleset.id != id);
    Ok(Reply::nothing())
}

pub(super) fn versions(state: &mut State, call: &Call<'_>) -> Outcome {
    let shown = ruleset(state, call)?.history.iter().rev().map(|version| {
        let mut version = version.clone();
        if let Some(members) = version.as_object_mut() {
            members.remove("rules");
        }
        version
    });
    Ok(Reply::ok(&Value::Array(shown.collect())))
}

pub(super) fn version(state: &mut State, call: &Call<'_>) -> Outcome {
    let wanted = call.hole("version");
    let ruleset = ruleset(state, call)?;
    let found = ruleset.history.iter().find(|version| version["version"] == wanted);
    found.map(Reply::ok).ok_or_else(|| Refusal::not_found("the version"))
}

pub(super) fn add_rule(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let position = position(&body)?.unwrap_or(Position::Last);
    let plan = plan(state, call)?;
    let old = ruleset(state, call)?;
    let (phase, count) = (old.phase.clone(), old.rules.len());
    checks::rule(&phase, plan, &body, "")?;
    checks::count(&phase, plan, count + 1)?;
    let (id, now) = (state.new_id(), state.now());
    let ruleset = ruleset(state, call)?;
    if !ruleset.put(shown_rule(&body, None, id, &now), &position) {
        return Err(Refusal::invalid("the rule that the position names isn't there").at("/position"));
    }
    ruleset.changed(&now);
    Ok(Reply::ok(&ruleset.shown(true)))
}

/// PATCH: a lone position moves a rule; anything else takes the place of the whole rule.
pub(super) fn change_rule(state: &mut State, call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let position = position(&body)?;
    let (plan, now) = (plan(state, call)?, state.now());
    let ruleset = ruleset(state, call)?;
    let place = rule_place(ruleset, call)?;
    let moved_only = position.is_some() && body.len() == 1;
    if !moved_only {
        checks::rule(&ruleset.phase, plan, &body, "")?;
    }
    let mut rules = ruleset.rules.clone();
    let old = rules.remove(place);
    let rule = if moved_only { old } else { shown_rule(&body, Some(&old), String::new(), &now) };
    let before = std::mem::replace(&mut ruleset.rules, rules);
    if !ruleset.put(rule, &position.unwrap_or(Position::Index(place + 1))) {
        ruleset.rules = before;
        return Err(Refusal::invalid("the rule that the position names isn't there").at("/position"));
    }
    ruleset.changed(&now);
    Ok(Reply::ok(&ruleset.shown(true)))
}

pub(super) fn delete_rule(state: &mut State, call: &Call<'_>) -> Outcome {
    let now = state.now();
    let ruleset = ruleset(state, call)?;
    let place = rule_place(ruleset, call)?;
    ruleset.rules.remove(place);
    ruleset.changed(&now);
    Ok(Reply::ok(&ruleset.shown(true)))
}

fn fill(state: &mut State, call: &Call<'_>, phase: &str, body: &Map<String, Value>) -> Outcome {
    let Some(rules) = body.get("rules").and_then(Value::as_array) else {
        return Err(Refusal::invalid("rules are missing").at("/rules"));
    };
    let sent: Vec<_> = rules.iter().filter_map(Value::as_object).cloned().collect();
    if sent.len() != rules.len() {
        return Err(Refusal::invalid("a rule is no object").at("/rules"));
    }
    let plan = plan(state, call)?;
    checks::count(phase, plan, sent.len())?;
    for (index, rule) in sent.iter().enumerate() {
        checks::rule(phase, plan, rule, &format!("/rules/{index}"))?;
    }
    let old = zone(state, call)?.entry_point(phase).cloned();
    let now = state.now();
    let mut ruleset = match old {
        Some(old) => old,
        None => Ruleset::new(state.new_id(), phase),
    };
    ruleset.rules = replaced(&sent, &ruleset.rules, || state.new_id(), &now);
    for (member, text) in [("name", &mut ruleset.name), ("description", &mut ruleset.description)] {
        if let Some(said) = body.get(member).and_then(Value::as_str) {
            said.clone_into(text);
        }
    }
    ruleset.changed(&now);
    let shown = ruleset.shown(true);
    let zone = zone(state, call)?;
    match zone.entry_point_mut(phase) {
        Some(old) => *old = ruleset,
        None => zone.rulesets.push(ruleset),
    }
    Ok(Reply::ok(&shown))
}

fn plan(state: &mut State, call: &Call<'_>) -> Result<Plan, Refusal> {
    Ok(zone(state, call)?.basics.plan)
}

/// The ruleset that a path names by its id or by its phase.
fn ruleset<'a>(state: &'a mut State, call: &Call<'_>) -> Result<&'a mut Ruleset, Refusal> {
    let (id, phase) = (call.hole("ruleset").to_owned(), call.hole("phase").to_owned());
    let zone = zone(state, call)?;
    if phase.is_empty() {
        let found = zone.rulesets.iter_mut().find(|ruleset| ruleset.id == id);
        return found.ok_or_else(|| Refusal::not_found("the ruleset"));
    }
    let missing =
        || Refusal::new(404, 10003, format!("could not find entrypoint ruleset in the {phase} phase"));
    zone.entry_point_mut(&phase).ok_or_else(missing)
}

fn rule_place(ruleset: &Ruleset, call: &Call<'_>) -> Result<usize, Refusal> {
    ruleset.place_of(call.hole("rule")).ok_or_else(|| Refusal::not_found("the rule"))
}

fn position(body: &Map<String, Value>) -> Result<Option<Position>, Refusal> {
    let Some(position) = body.get("position") else { return Ok(None) };
    let members = position.as_object().filter(|members| members.len() == 1);
    let member = members.and_then(|members| members.iter().next());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let found = member.and_then(|(name, value)| match name.as_str() {
        "before" => text(value).map(Position::Before),
        "after" => text(value).map(Position::After),
        "index" => value
            .as_u64()
            .and_then(|index| usize::try_from(index).ok())
            .filter(|index| *index >= 1)
            .map(Position::Index),
        _ => None,
    });
    found
        .map(Some)
        .ok_or_else(|| Refusal::invalid("a position is one of before, after and index").at("/position"))
}
