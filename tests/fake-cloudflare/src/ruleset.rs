//! One ruleset: its rules in order, its version, and the versions before. Pure data; what may be in it is checked
//! before.

use serde_json::{Map, Value, json};

/// A zone's ruleset.
#[derive(Clone, Debug)]
pub(crate) struct Ruleset {
    pub(crate) id: String,
    pub(crate) phase: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) version: u64,
    pub(crate) last_updated: String,
    /// Each as it is shown: with `id`, `version`, `last_updated`, `ref` and `enabled`.
    pub(crate) rules: Vec<Value>,
    /// Every version as it was shown.
    pub(crate) history: Vec<Value>,
}

/// Where a rule comes to stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Position {
    /// Behind all others.
    Last,
    /// At this place, counted from 1.
    Index(usize),
    /// Before a rule, or before all.
    Before(String),
    /// Behind a rule, or behind all.
    After(String),
}

/// The members that the service gives a rule.
const GIVEN: [&str; 3] = ["id", "version", "last_updated"];

impl Ruleset {
    pub(crate) fn new(id: String, phase: &str) -> Self {
        Self {
            id,
            phase: phase.to_owned(),
            name: "default".to_owned(),
            description: String::new(),
            version: 0,
            last_updated: String::new(),
            rules: Vec::new(),
            history: Vec::new(),
        }
    }

    /// As the API shows it, with its rules or without.
    pub(crate) fn shown(&self, with_rules: bool) -> Value {
        let mut shown = json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "kind": "zone",
            "phase": self.phase,
            "version": self.version.to_string(),
            "last_updated": self.last_updated,
        });
        if let (true, Some(members)) = (with_rules, shown.as_object_mut()) {
            members.insert("rules".to_owned(), json!(self.rules));
        }
        shown
    }

    /// Ends a change: the ruleset is a new version.
    pub(crate) fn changed(&mut self, now: &str) {
        self.version += 1;
        now.clone_into(&mut self.last_updated);
        self.history.push(self.shown(true));
    }

    pub(crate) fn place_of(&self, id: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule["id"] == id)
    }

    /// Puts a rule where it is wanted; `false` when the rule that the position names isn't there.
    pub(crate) fn put(&mut self, rule: Value, position: &Position) -> bool {
        let place = match position {
            Position::Last => Some(self.rules.len()),
            Position::Index(index) => Some((index - 1).min(self.rules.len())),
            Position::Before(id) if id.is_empty() => Some(0),
            Position::After(id) if id.is_empty() => Some(self.rules.len()),
            Position::Before(id) => self.place_of(id),
            Position::After(id) => self.place_of(id).map(|place| place + 1),
        };
        if let Some(place) = place {
            self.rules.insert(place, rule);
        }
        place.is_some()
    }
}

/// A rule as it is shown, from what a client sent for it and from the rule that it replaces. A rule that stays the same
/// keeps its version.
pub(crate) fn shown_rule(sent: &Map<String, Value>, old: Option<&Value>, new_id: String, now: &str) -> Value {
    let mut rule = sent.clone();
    rule.remove("position");
    for given in GIVEN {
        rule.remove(given);
    }
    let old = old.and_then(Value::as_object);
    let id = old.and_then(|old| old.get("id")).cloned().unwrap_or_else(|| json!(new_id));
    rule.entry("enabled").or_insert(json!(true));
    rule.entry("ref").or_insert_with(|| id.clone());
    let same = old.is_some_and(|old| {
        let content = old.iter().filter(|(name, _)| !GIVEN.contains(&name.as_str()));
        content.eq(rule.iter())
    });
    let number = |old: &Map<String, Value>| old.get("version")?.as_str()?.parse::<u64>().ok();
    let version = old.and_then(number).map_or(1, |version| if same { version } else { version + 1 });
    let updated = old.and_then(|old| old.get("last_updated")).filter(|_| same).cloned();
    rule.insert("id".to_owned(), id);
    rule.insert("version".to_owned(), json!(version.to_string()));
    rule.insert("last_updated".to_owned(), updated.unwrap_or_else(|| json!(now)));
    Value::Object(rule)
}

/// A list that replaces another. Rules are known again by `id` or by `ref`.
pub(crate) fn replaced(
    sent: &[Map<String, Value>],
    old: &[Value],
    mut new_id: impl FnMut() -> String,
    now: &str,
) -> Vec<Value> {
    let mut left: Vec<&Value> = old.iter().collect();
    let mut known = |rule: &Map<String, Value>| {
        let named = |name: &str, other: &Value| rule.get(name).is_some_and(|value| *value == other[name]);
        let at = left.iter().position(|other| named("id", other));
        let at = at.or_else(|| left.iter().position(|other| named("ref", other)));
        at.map(|at| left.remove(at))
    };
    sent.iter().map(|rule| shown_rule(rule, known(rule), new_id(), now)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn a_replaced_list_keeps_ids_of_known_rules_and_versions_of_those_that_stay_the_same() {
        let mut count = 0;
        let mut id = || {
            count += 1;
            count.to_string()
        };
        let rule = |reference: &str, action: &str| {
            sent(json!({"ref": reference, "action": action, "expression": "true"}))
        };
        let first = replaced(&[rule("a", "block"), rule("b", "block")], &[], &mut id, "t1");
        let next = [rule("b", "log"), rule("c", "block"), rule("a", "block")];
        let second = replaced(&next, &first, &mut id, "t2");
        let short = |rules: &[Value]| -> Vec<String> {
            let text = |rule: &Value, name: &str| rule[name].as_str().unwrap_or_default().to_owned();
            let names = ["ref", "id", "version", "last_updated"];
            rules.iter().map(|rule| names.map(|name| text(rule, name)).join(" ")).collect()
        };
        assert_eq!(short(&first), ["a 1 1 t1", "b 2 1 t1"]);
        assert_eq!(short(&second), ["b 2 2 t2", "c 4 1 t2", "a 1 1 t1"]);
    }

    #[test]
    fn a_rule_without_a_name_is_named_by_its_id() {
        let rule =
            shown_rule(&sent(json!({"action": "log", "expression": "true"})), None, "7".to_owned(), "t");
        assert_eq!((&rule["ref"], &rule["enabled"]), (&json!("7"), &json!(true)));
    }

    #[test]
    fn positions_are_found_or_refused() {
        let mut ruleset = Ruleset::new("r".to_owned(), "http_ratelimit");
        for (id, position) in [
            ("b", Position::Last),
            ("a", Position::Before("b".to_owned())),
            ("e", Position::After(String::new())),
            ("c", Position::After("b".to_owned())),
            ("0", Position::Before(String::new())),
            ("d", Position::Index(5)),
        ] {
            assert!(ruleset.put(json!({"id": id}), &position));
        }
        assert!(!ruleset.put(json!({"id": "x"}), &Position::After("y".to_owned())));
        let ids: Vec<_> = ruleset.rules.iter().filter_map(|rule| rule["id"].as_str()).collect();
        assert_eq!(ids, ["0", "a", "b", "c", "d", "e"]);
    }
}
