//! What others do in an account, by the dashboard or by a client of their own: nothing here is checked or limited.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::plan::Plan;
use crate::ruleset::{Position, Ruleset, shown_rule};
use crate::state::State;
use crate::token::{Permission, TokenStatus};
use crate::zone::ZoneStatus;

/// One edit. A rule is named by its `id`, `ref`, description or notes; a name that ends in `*` names the first one
/// that begins so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Puts a rule into a phase, at a place counted from 1, or last. Makes the entry point where there is none.
    AddRule { zone: String, phase: String, rule: Map<String, Value>, place: Option<usize> },
    /// Removes a rule.
    RemoveRule { zone: String, phase: String, rule: String },
    /// Sets members of a rule; `null` removes one.
    ChangeRule { zone: String, phase: String, rule: String, set: Map<String, Value> },
    /// Moves a rule to a place, counted from 1.
    MoveRule { zone: String, phase: String, rule: String, place: usize },
    /// Removes a phase's ruleset.
    RemoveRuleset { zone: String, phase: String },
    /// Sets the security level.
    SetSecurityLevel { zone: String, value: String },
    /// Makes an access rule.
    AddAccessRule { zone: String, rule: Value },
    /// Removes an access rule.
    RemoveAccessRule { zone: String, rule: String },
    /// Changes what a zone is. What isn't said stays.
    SetZone { zone: String, status: Option<ZoneStatus>, paused: Option<bool>, plan: Option<Plan> },
    /// Removes a zone.
    RemoveZone { zone: String },
    /// Changes a token. What isn't said stays.
    SetToken { secret: String, status: Option<TokenStatus>, permissions: Option<BTreeSet<Permission>> },
    /// Removes a token, so that it isn't known any more.
    RemoveToken { secret: String },
    /// Moves the server's clock.
    AdvanceClock { ms: i64 },
}

impl State {
    /// Makes an edit, or says what it is about that isn't there.
    pub(crate) fn edit(&mut self, edit: &Edit) -> Result<(), String> {
        match edit {
            Edit::AddRule { zone, phase, rule, place } => self.add_rule(zone, phase, rule, *place),
            Edit::RemoveRule { zone, phase, rule } => self.in_ruleset(zone, phase, |ruleset, _| {
                let place = place_of(ruleset, rule)?;
                ruleset.rules.remove(place);
                Ok(())
            }),
            Edit::ChangeRule { zone, phase, rule, set } => self.in_ruleset(zone, phase, |ruleset, now| {
                let place = place_of(ruleset, rule)?;
                let old = ruleset.rules.remove(place);
                ruleset.rules.insert(place, with(&old, set, now));
                Ok(())
            }),
            Edit::MoveRule { zone, phase, rule, place } => self.in_ruleset(zone, phase, |ruleset, _| {
                let from = place_of(ruleset, rule)?;
                let moved = ruleset.rules.remove(from);
                ruleset.put(moved, &Position::Index((*place).max(1)));
                Ok(())
            }),
            Edit::RemoveRuleset { zone, phase } => {
                let rulesets = &mut self.zone_mut(zone).ok_or("no such zone")?.rulesets;
                let place = rulesets.iter().position(|ruleset| ruleset.phase == *phase);
                rulesets.remove(place.ok_or("no such ruleset")?);
                Ok(())
            }
            Edit::SetSecurityLevel { zone, value } => {
                value.clone_into(&mut self.zone_mut(zone).ok_or("no such zone")?.basics.security_level);
                Ok(())
            }
            Edit::AddAccessRule { zone, rule } => {
                self.new_access_rule(zone, rule).map(|_| ()).map_err(|refusal| refusal.message)
            }
            Edit::RemoveAccessRule { zone, rule } => {
                let rules = &mut self.zone_mut(zone).ok_or("no such zone")?.access_rules;
                let named = |name: &str| is_named(rule, name);
                let place = rules.iter().position(|found| named(&found.id) || named(&found.notes));
                rules.remove(place.ok_or("no such access rule")?);
                Ok(())
            }
            Edit::SetZone { zone, status, paused, plan } => {
                let basics = &mut self.zone_mut(zone).ok_or("no such zone")?.basics;
                basics.status = status.unwrap_or(basics.status);
                basics.paused = paused.unwrap_or(basics.paused);
                basics.plan = plan.unwrap_or(basics.plan);
                Ok(())
            }
            Edit::RemoveZone { zone } => {
                let place = self.zones.iter().position(|known| known.basics.id == *zone);
                self.zones.remove(place.ok_or("no such zone")?);
                Ok(())
            }
            Edit::SetToken { secret, status, permissions } => {
                let token =
                    self.tokens.iter_mut().find(|token| token.secret == *secret).ok_or("no such token")?;
                token.status = status.unwrap_or(token.status);
                token.permissions = permissions.clone().unwrap_or_else(|| token.permissions.clone());
                Ok(())
            }
            Edit::RemoveToken { secret } => {
                let place = self.tokens.iter().position(|token| token.secret == *secret);
                self.tokens.remove(place.ok_or("no such token")?);
                Ok(())
            }
            Edit::AdvanceClock { ms } => {
                self.clock_offset_ms = self.clock_offset_ms.saturating_add(*ms);
                Ok(())
            }
        }
    }

    fn add_rule(
        &mut self,
        zone: &str,
        phase: &str,
        rule: &Map<String, Value>,
        place: Option<usize>,
    ) -> Result<(), String> {
        let (id, other) = (self.new_id(), self.new_id());
        let zone_now = self.zone_mut(zone).ok_or("no such zone")?;
        if zone_now.entry_point(phase).is_none() {
            zone_now.rulesets.push(Ruleset::new(other, phase));
        }
        self.in_ruleset(zone, phase, |ruleset, now| {
            let position = place.map_or(Position::Last, |place| Position::Index(place.max(1)));
            ruleset.put(shown_rule(rule, None, id, now), &position);
            Ok(())
        })
    }

    fn in_ruleset(
        &mut self,
        zone: &str,
        phase: &str,
        change: impl FnOnce(&mut Ruleset, &str) -> Result<(), String>,
    ) -> Result<(), String> {
        let now = self.now();
        let zone = self.zone_mut(zone).ok_or("no such zone")?;
        let ruleset = zone.entry_point_mut(phase).ok_or("no such ruleset")?;
        change(ruleset, &now)?;
        ruleset.changed(&now);
        Ok(())
    }
}

fn with(old: &Value, set: &Map<String, Value>, now: &str) -> Value {
    let mut members = old.as_object().cloned().unwrap_or_default();
    for (name, value) in set {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    shown_rule(&members, Some(old), String::new(), now)
}

fn place_of(ruleset: &Ruleset, wanted: &str) -> Result<usize, String> {
    let named = |rule: &Value, name: &str| rule[name].as_str().is_some_and(|found| is_named(wanted, found));
    let found = ruleset
        .rules
        .iter()
        .position(|rule| ["id", "ref", "description"].iter().any(|name| named(rule, name)));
    found.ok_or_else(|| format!("no rule is called {wanted:?}"))
}

fn is_named(wanted: &str, name: &str) -> bool {
    wanted.strip_suffix('*').map_or(wanted == name, |start| name.starts_with(start))
}
