//! Checks JSON values against the schemas of an OpenAPI 3.0 file, as far as the file uses them. Pure.

use regex::Regex;
use serde_json::{Map, Value};

/// The words that are checked, and those that say nothing about a value. Another word is a breach of its own, so that
/// no constraint is passed over in silence.
const WORDS: &[&str] = &[
    "$ref",
    "type",
    "enum",
    "pattern",
    "required",
    "properties",
    "additionalProperties",
    "items",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minProperties",
    "maxProperties",
    "oneOf",
    "anyOf",
    "allOf",
    "not",
    "nullable",
    "format",
    "description",
    "example",
    "examples",
    "title",
    "readOnly",
    "default",
    "deprecated",
];

/// Every way in which `value` breaks `schema`; `root` is the whole file.
pub(crate) fn breaches(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Check { root }.value(schema, value, "", &mut found);
    found
}

struct Check<'a> {
    root: &'a Value,
}

impl Check<'_> {
    fn value(&self, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
        let Some(schema) = schema.as_object() else { return };
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            match target {
                Some(target) => self.value(target, value, path, found),
                None => found.push(format!("{path}: the schema refers to {reference}, which isn't there")),
            }
            return;
        }
        found.extend(
            schema
                .keys()
                .filter(|word| !known(word))
                .map(|word| format!("{path}: the schema says {word}, which isn't checked")),
        );
        if value.is_null() && schema.get("nullable") == Some(&Value::Bool(true)) {
            return;
        }
        if let Some(kind) = schema.get("type").and_then(Value::as_str)
            && !is_of(value, kind)
        {
            found.push(format!("{path}: expected {kind}, found {value}"));
            return;
        }
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            found.push(format!("{path}: {value} is none of {}", Value::Array(allowed.clone())));
        }
        match value {
            Value::String(text) => string(schema, text, path, found),
            Value::Number(number) => range(schema, number.as_f64(), path, found),
            Value::Array(items) => self.array(schema, items, path, found),
            Value::Object(members) => self.object(schema, members, path, found),
            Value::Null | Value::Bool(_) => {}
        }
        self.combined(schema, value, path, found);
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let mut found = Vec::new();
        self.value(schema, value, "", &mut found);
        found.is_empty()
    }

    fn combined(&self, schema: &Map<String, Value>, value: &Value, path: &str, found: &mut Vec<String>) {
        let list = |word: &str| schema.get(word).and_then(Value::as_array);
        for part in list("allOf").into_iter().flatten() {
            self.value(part, value, path, found);
        }
        let fitting = |parts: &Vec<Value>| parts.iter().filter(|part| self.fits(part, value)).count();
        if let Some(parts) = list("anyOf")
            && fitting(parts) == 0
        {
            found.push(format!("{path}: fits none of the forms that it may have: {value}"));
        }
        if let Some(parts) = list("oneOf")
            && fitting(parts) != 1
        {
            found.push(format!("{path}: fits not exactly one of the forms that it may have: {value}"));
        }
        if schema.get("not").is_some_and(|part| self.fits(part, value)) {
            found.push(format!("{path}: has the form that it may not have: {value}"));
        }
    }

    fn array(&self, schema: &Map<String, Value>, items: &[Value], path: &str, found: &mut Vec<String>) {
        size(schema, ("minItems", "maxItems"), items.len(), path, found);
        let twice = |(index, item): (usize, &Value)| items.iter().take(index).any(|other| other == item);
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) && items.iter().enumerate().any(twice) {
            found.push(format!("{path}: the same item twice"));
        }
        if let Some(schema) = schema.get("items") {
            for (index, item) in items.iter().enumerate() {
                self.value(schema, item, &format!("{path}/{index}"), found);
            }
        }
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        members: &Map<String, Value>,
        path: &str,
        found: &mut Vec<String>,
    ) {
        size(schema, ("minProperties", "maxProperties"), members.len(), path, found);
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            if !name.as_str().is_some_and(|name| members.contains_key(name)) {
                found.push(format!("{path}: {name} is required, absent"));
            }
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in members {
            let path = format!("{path}/{name}");
            match (properties.and_then(|properties| properties.get(name)), schema.get("additionalProperties"))
            {
                (Some(schema), _) => self.value(schema, value, &path, found),
                (None, Some(Value::Bool(false))) => found.push(format!("{path}: unknown member")),
                (None, Some(schema @ Value::Object(_))) => self.value(schema, value, &path, found),
                (None, _) => {}
            }
        }
    }
}

fn known(word: &str) -> bool {
    WORDS.contains(&word) || word.starts_with("x-")
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

fn string(schema: &Map<String, Value>, text: &str, path: &str, found: &mut Vec<String>) {
    size(schema, ("minLength", "maxLength"), text.chars().count(), path, found);
    if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
        && !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
    {
        found.push(format!("{path}: {text:?} doesn't match {pattern}"));
    }
    let format = schema.get("format").and_then(Value::as_str);
    let instant = || Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$");
    if format == Some("date-time") && !instant().is_ok_and(|regex| regex.is_match(text)) {
        found.push(format!("{path}: {text:?} is no point in time"));
    }
}

fn range(schema: &Map<String, Value>, number: Option<f64>, path: &str, found: &mut Vec<String>) {
    let number = number.unwrap_or(f64::NAN);
    let limit = |word: &str| schema.get(word).and_then(Value::as_f64);
    if limit("minimum").is_some_and(|least| number < least)
        || limit("maximum").is_some_and(|most| number > most)
    {
        found.push(format!("{path}: {number} is out of range"));
    }
}

fn size(schema: &Map<String, Value>, words: (&str, &str), size: usize, path: &str, found: &mut Vec<String>) {
    let limit =
        |word: &str| schema.get(word).and_then(Value::as_u64).and_then(|limit| usize::try_from(limit).ok());
    if limit(words.0).is_some_and(|least| size < least) {
        found.push(format!("{path}: {size} is below {}", words.0));
    }
    if limit(words.1).is_some_and(|most| size > most) {
        found.push(format!("{path}: {size} is above {}", words.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_word_of_a_schema_refuses_one_value_and_takes_its_neighbour() {
        let root = json!({"a": {"b": {"type": "boolean"}}});
        for (schema, good, bad) in [
            (json!({"type": "integer"}), json!(1), json!(1.5)),
            (json!({"type": "string", "enum": ["x"]}), json!("x"), json!("y")),
            (json!({"type": "string", "pattern": "^[0-9a-f]{2}$"}), json!("0f"), json!("0F")),
            (json!({"type": "string", "minLength": 2, "maxLength": 3}), json!("éé"), json!("éééé")),
            (json!({"minimum": 1, "maximum": 2}), json!(2), json!(3)),
            (json!({"format": "date-time"}), json!("2026-01-01T00:00:00.1Z"), json!("2026-01-01")),
            (json!({"nullable": true, "type": "array"}), json!(null), json!({})),
            (json!({"items": {"type": "string"}}), json!(["a"]), json!([1])),
            (json!({"minItems": 1}), json!([1]), json!([])),
            (json!({"maxItems": 0}), json!([]), json!([1])),
            (json!({"uniqueItems": true}), json!([1, 2]), json!([1, 1])),
            (json!({"required": ["a"]}), json!({"a": 1}), json!({"b": 1})),
            (json!({"properties": {"a": {"type": "string"}}}), json!({"a": "x"}), json!({"a": 1})),
            (
                json!({"additionalProperties": false, "properties": {"a": {}}}),
                json!({"a": 1}),
                json!({"b": 1}),
            ),
            (json!({"additionalProperties": {"type": "string"}}), json!({"b": "x"}), json!({"b": 1})),
            (json!({"minProperties": 1, "maxProperties": 1}), json!({"a": 1}), json!({"a": 1, "b": 1})),
            (json!({"oneOf": [{"minimum": 1}, {"minimum": 5}]}), json!(2), json!(6)),
            (json!({"anyOf": [{"type": "string"}, {"type": "array"}]}), json!("a"), json!(1)),
            (json!({"allOf": [{"minimum": 1}, {"maximum": 2}]}), json!(1), json!(0)),
            (json!({"not": {"type": "object"}}), json!(null), json!({})),
            (json!({"$ref": "#/a/b"}), json!(true), json!(1)),
        ] {
            assert_eq!(breaches(&root, &schema, &good), Vec::<String>::new(), "{schema} {good}");
            assert_eq!(breaches(&root, &schema, &bad).len(), 1, "{schema} {bad}");
        }
    }

    #[test]
    fn a_word_that_is_not_checked_is_told() {
        assert_eq!(breaches(&json!({}), &json!({"multipleOf": 2, "x-a": 1}), &json!(3)).len(), 1);
        assert_eq!(breaches(&json!({}), &json!({"$ref": "#/a"}), &json!(3)).len(), 1);
    }
}
