//! Checks requests against a machine-readable Bot API: `methods.NAME.fields[]` and `types.NAME.fields[]`
//! with `name`, `types` (alternatives) and `required`; unions as `subtypes`. Pure but for loading.

use crate::params::{Params, Transport};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FILE: &str = "specs/telegram-bot-api.json";

/// The specification file: in `$SECMON_SHARED`, or in `shared` beside the workspace; `None` when there
/// is none.
#[must_use]
pub fn find_spec() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let roots = [std::env::var_os("SECMON_SHARED").map(PathBuf::from), Some(workspace.join("../shared"))];
    roots.into_iter().flatten().map(|root| root.join(FILE)).find(|path| path.is_file())
}

/// The methods and types of the Bot API.
#[derive(Clone, Debug, Deserialize)]
pub struct Spec {
    methods: BTreeMap<String, Definition>,
    types: BTreeMap<String, Definition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Definition {
    #[serde(default)]
    fields: Vec<Field>,
    #[serde(default)]
    subtypes: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Field {
    name: String,
    types: Vec<String>,
    required: bool,
}

impl Spec {
    /// Reads the file.
    pub fn load(path: &Path) -> std::io::Result<Self> {
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map_err(std::io::Error::other)
    }

    /// Every way in which `value` isn't of type `name`; empty when it is.
    #[must_use]
    pub fn check_type(&self, value: &Value, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.check_value(value, name, name, &mut found);
        found
    }

    /// Every way in which a request breaks the specification; empty when it keeps it.
    pub(crate) fn check_request(&self, method: &str, params: &Params) -> Vec<String> {
        let Some((name, definition)) =
            self.methods.iter().find(|(name, _)| name.eq_ignore_ascii_case(method))
        else {
            return vec![format!("{method}: the method doesn't exist")];
        };
        let mut found = Vec::new();
        for field in &definition.fields {
            let path = format!("{name}.{}", field.name);
            let uploaded = params.files.contains(&field.name);
            match params.values.get(&field.name) {
                _ if uploaded && field.types.iter().any(|kind| kind == "InputFile") => {}
                _ if uploaded => found.push(format!("{path}: is no file")),
                None if field.required => found.push(format!("{path}: required, absent")),
                None => {}
                Some(Value::String(text)) if params.transport != Transport::Json => {
                    self.check_text(text, &field.types, &path, &mut found);
                }
                Some(value) => self.check_any(value, &field.types, &path, &mut found),
            }
        }
        let attached = attachments(&params.values);
        let named = params.values.keys().chain(&params.files);
        for unknown in named.filter(|key| definition.fields.iter().all(|field| field.name != **key)) {
            if !attached.contains(unknown) {
                found.push(format!("{name}.{unknown}: unknown field"));
            }
        }
        found
    }

    /// A value of a form: text, numbers and booleans in words, everything else as JSON text.
    fn check_text(&self, text: &str, types: &[String], path: &str, found: &mut Vec<String>) {
        let fits = types.iter().any(|kind| match kind.as_str() {
            "String" => true,
            "Integer" => text.parse::<i64>().is_ok(),
            "Float" => text.parse::<f64>().is_ok(),
            "Boolean" => matches!(text, "true" | "false" | "True" | "False"),
            "InputFile" => text.starts_with("attach://"),
            _ => false,
        });
        if fits {
            return;
        }
        match serde_json::from_str::<Value>(text) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => self.check_any(&value, types, path, found),
            _ => found.push(format!("{path}: expected {}, found the text {text:?}", types.join(" or "))),
        }
    }

    fn check_any(&self, value: &Value, types: &[String], path: &str, found: &mut Vec<String>) {
        let mut best: Option<Vec<String>> = None;
        for kind in types {
            let mut errors = Vec::new();
            self.check_value(value, kind, path, &mut errors);
            if best.as_ref().is_none_or(|best| errors.len() < best.len()) {
                best = Some(errors);
            }
        }
        let errors = best.unwrap_or_default();
        if types.len() == 1 {
            found.extend(errors);
        } else if !errors.is_empty() {
            let alternatives = types.join(", ");
            found.push(format!("{path}: is none of {alternatives} (nearest: {})", errors.join("; ")));
        }
    }

    fn check_value(&self, value: &Value, kind: &str, path: &str, found: &mut Vec<String>) {
        let fits = match (kind, value) {
            ("Integer", value) => value.is_i64() || value.is_u64(),
            ("Float", value) => value.is_number(),
            ("String", value) => value.is_string(),
            ("Boolean", value) => value.is_boolean(),
            ("InputFile", Value::String(text)) => text.starts_with("attach://"),
            (_, Value::Array(items)) if kind.starts_with("Array of ") => {
                let item_kind = kind.strip_prefix("Array of ").unwrap_or_default();
                for (index, item) in items.iter().enumerate() {
                    self.check_value(item, item_kind, &format!("{path}[{index}]"), found);
                }
                true
            }
            (_, Value::Object(object)) if !kind.starts_with("Array of ") => {
                self.check_object(value, object, kind, path, found);
                true
            }
            _ => false,
        };
        if !fits {
            found.push(format!("{path}: expected {kind}, found {}", kind_of(value)));
        }
    }

    fn check_object(
        &self,
        value: &Value,
        object: &Map<String, Value>,
        kind: &str,
        path: &str,
        found: &mut Vec<String>,
    ) {
        // A type that is named but not defined is taken as any object.
        let Some(definition) = self.types.get(kind) else { return };
        if !definition.subtypes.is_empty() {
            return self.check_any(value, &definition.subtypes, path, found);
        }
        for field in &definition.fields {
            match object.get(&field.name) {
                None if field.required => found.push(format!("{path}.{}: required, absent", field.name)),
                None => {}
                Some(inner) => self.check_any(inner, &field.types, &format!("{path}.{}", field.name), found),
            }
        }
        for unknown in object.keys().filter(|key| definition.fields.iter().all(|field| field.name != **key)) {
            found.push(format!("{path}.{unknown}: unknown field of {kind}"));
        }
    }
}

/// Names of parts that some value refers to as `attach://name`.
fn attachments(values: &Map<String, Value>) -> Vec<String> {
    let texts = values.values().map(Value::to_string).collect::<String>();
    texts
        .split("attach://")
        .skip(1)
        .map(|rest| rest.split(['"', '\\']).next().unwrap_or_default().to_owned())
        .collect()
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "spec_tests.rs"]
mod tests;
