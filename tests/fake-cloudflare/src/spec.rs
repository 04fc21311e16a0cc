//! Checks requests, and the stand-in's own answers, against an OpenAPI file. Pure but for loading.

use std::path::{Path, PathBuf};

use secmon_fake_http::Request;
use serde_json::{Value, json};

use crate::schema::breaches;

const FILE: &str = "specs/cloudflare-openapi.json";

/// Where the paths of the file begin.
pub(crate) const PREFIX: &str = "/client/v4";

/// The specification file: in `$SECMON_SHARED`, or in `shared` beside the workspace; `None` when there is none.
#[must_use]
pub fn find_spec() -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let roots = [std::env::var_os("SECMON_SHARED").map(PathBuf::from), Some(workspace.join("../shared"))];
    roots.into_iter().flatten().map(|root| root.join(FILE)).find(|path| path.is_file())
}

/// The operations of the file.
#[derive(Clone, Debug)]
pub(crate) struct Spec(Value);

impl Spec {
    pub(crate) fn load(path: &Path) -> std::io::Result<Self> {
        let bytes = std::fs::read(path)?;
        serde_json::from_slice(&bytes).map(Self).map_err(std::io::Error::other)
    }

    /// Every way in which a request breaks the specification.
    pub(crate) fn check_request(&self, request: &Request) -> Vec<String> {
        let called = format!("{} {}", request.verb, request.path);
        let Some((template, operation)) = self.operation(&request.verb, &request.path) else {
            return vec![format!("{called}: the specification has no such operation")];
        };
        let mut found = self.check_parameters(&template, operation, request);
        found.extend(self.check_body(operation, request));
        found.into_iter().map(|what| format!("{called}: {what}")).collect()
    }

    /// Every way in which an answer breaks the specification.
    pub(crate) fn check_answer(&self, request: &Request, status: u16, body: &[u8]) -> Vec<String> {
        let Some((_, operation)) = self.operation(&request.verb, &request.path) else { return Vec::new() };
        let responses = operation.get("responses");
        let described = [status.to_string(), format!("{}XX", status / 100)];
        let response = described.iter().find_map(|code| responses.and_then(|all| all.get(code)));
        let found = match response.map(|response| self.resolve(response)) {
            None => vec!["the specification has no such status".to_owned()],
            Some(response) => match (schema_of(response), serde_json::from_slice(body)) {
                (None, _) if body.is_empty() => Vec::new(),
                (None, _) => vec!["a body where there is none".to_owned()],
                (Some(_), Err(error)) => vec![format!("the body is no JSON: {error}")],
                (Some(schema), Ok(value)) => breaches(&self.0, schema, &value),
            },
        };
        let called = format!("the answer {status} to {} {}", request.verb, request.path);
        found.into_iter().map(|what| format!("{called}: {what}")).collect()
    }

    /// The template of a path that fits, and its operation; a template without holes goes before one with some.
    fn operation(&self, verb: &str, path: &str) -> Option<(String, &Value)> {
        let path = path.strip_prefix(PREFIX)?;
        let paths = self.0.get("paths")?.as_object()?;
        let fitting = paths.iter().filter(|(template, _)| holes(template, path).is_some());
        let (template, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template.clone(), item.get(verb.to_ascii_lowercase())?))
    }

    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let reference = value.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'));
        reference.and_then(|pointer| self.0.pointer(pointer)).unwrap_or(value)
    }

    fn check_parameters(&self, template: &str, operation: &Value, request: &Request) -> Vec<String> {
        let path = request.path.strip_prefix(PREFIX).unwrap_or_default();
        let holes = holes(template, path).unwrap_or_default();
        let query = request.query_pairs();
        let parameters = operation.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
        let named = |place: &str, name: &str| {
            let is = |parameter: &&Value| parameter["in"] == place && parameter["name"] == name;
            parameters.iter().find(is).cloned()
        };
        let mut found = Vec::new();
        for (place, pairs) in [("path", &holes), ("query", &query)] {
            for (name, text) in pairs {
                match named(place, name) {
                    None => found.push(format!("{place} parameter {name}: unknown")),
                    Some(parameter) => found.extend(
                        breaches(
                            &self.0,
                            &parameter["schema"],
                            &typed(self.resolve(&parameter["schema"]), text),
                        )
                        .into_iter()
                        .map(|what| format!("{place} parameter {name}{what}")),
                    ),
                }
            }
        }
        found
    }

    fn check_body(&self, operation: &Value, request: &Request) -> Vec<String> {
        let Some(body) = operation.get("requestBody") else {
            let empty = request.body.is_empty();
            return if empty { Vec::new() } else { vec!["a body where there is none".to_owned()] };
        };
        if request.body.is_empty() {
            let required = body.get("required") == Some(&Value::Bool(true));
            return if required { vec!["the body is missing".to_owned()] } else { Vec::new() };
        }
        let mut found = Vec::new();
        if request.content_type().split(';').next().unwrap_or_default().trim() != "application/json" {
            found.push(format!("the body's type is {:?}", request.content_type()));
        }
        match (schema_of(body), serde_json::from_slice::<Value>(&request.body)) {
            (_, Err(error)) => found.push(format!("the body is no JSON: {error}")),
            (Some(schema), Ok(value)) => found.extend(breaches(&self.0, schema, &value)),
            (None, Ok(_)) => {}
        }
        found
    }
}

fn schema_of(holder: &Value) -> Option<&Value> {
    holder.get("content")?.get("application/json")?.get("schema")
}

/// What stands in the holes of a template, if the path fits it.
fn holes(template: &str, path: &str) -> Option<Vec<(String, String)>> {
    if template.matches('/').count() != path.matches('/').count() {
        return None;
    }
    let mut found = Vec::new();
    for (wanted, part) in template.split('/').zip(path.split('/')) {
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !part.is_empty() => found.push((name.to_owned(), part.to_owned())),
            None if wanted == part => {}
            _ => return None,
        }
    }
    Some(found)
}

/// A parameter's text as the value that its schema speaks of.
fn typed(schema: &Value, text: &str) -> Value {
    match schema["type"].as_str() {
        Some("number" | "integer") => {
            text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number))
        }
        _ => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        let id = json!({"type": "string", "pattern": "^[0-9]+$"});
        let body =
            json!({"required": true, "content": {"application/json": {"schema": {"required": ["a"]}}}});
        let answer = json!({"content": {"application/json": {"schema": {"required": ["b"]}}}});
        Spec(json!({
            "components": {"responses": {"answer": answer}},
            "paths": {"/x/{id}": {
                "get": {"parameters": [{"in": "path", "name": "id", "schema": id}], "responses": {"204": {}}},
                "post": {
                    "parameters": [
                        {"in": "path", "name": "id", "schema": id},
                        {"in": "query", "name": "page", "schema": {"type": "number", "minimum": 1}},
                    ],
                    "requestBody": body,
                    "responses": {"200": {"$ref": "#/components/responses/answer"}, "4XX": {}},
                },
            }},
        }))
    }

    fn request(verb: &str, target: &str, body: &str) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            verb: verb.to_owned(),
            path: format!("{PREFIX}{path}"),
            query: query.to_owned(),
            headers: vec![("Content-Type".to_owned(), "application/json; charset=utf-8".to_owned())],
            keep_alive: true,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn each_breach_of_a_request_is_told_and_a_good_one_has_none() {
        for (verb, target, body, breaches) in [
            ("POST", "/x/1?page=2", r#"{"a":1}"#, 0),
            ("GET", "/x/1", "", 0),
            ("GET", "/x/1", "{}", 1),
            ("GET", "/x/y", "", 1),
            ("GET", "/x/1?page=2", "", 1),
            ("GET", "/y", "", 1),
            ("PUT", "/x/1", "", 1),
            ("POST", "/x/1", "", 1),
            ("POST", "/x/1", "{", 1),
            ("POST", "/x/1", r#"{"b":1}"#, 1),
            ("POST", "/x/1?page=0", r#"{"a":1}"#, 1),
            ("POST", "/x/1?page=x", r#"{"a":1}"#, 1),
        ] {
            let found = spec().check_request(&request(verb, target, body));
            assert_eq!(found.len(), breaches, "{verb} {target} {body}: {found:?}");
        }
    }

    #[test]
    fn each_breach_of_an_answer_is_told_and_a_good_one_has_none() {
        for (verb, status, body, breaches) in [
            ("POST", 200, r#"{"b":1}"#, 0),
            ("POST", 200, r#"{"a":1}"#, 1),
            ("POST", 200, "", 1),
            ("POST", 404, "", 0),
            ("POST", 500, "", 1),
            ("GET", 204, "", 0),
            ("GET", 204, "{}", 1),
            ("GET", 200, "", 1),
        ] {
            let found = spec().check_answer(&request(verb, "/x/1", ""), status, body.as_bytes());
            assert_eq!(found.len(), breaches, "{verb} {status} {body}: {found:?}");
        }
    }

    #[test]
    fn a_path_fills_the_holes_of_its_template_and_of_no_other() {
        let pair = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(holes("/zones/{zone_id}", "/zones/1"), Some(vec![pair("zone_id", "1")]));
        assert_eq!(holes("/zones/{zone_id}", "/zones/"), None);
        assert_eq!(holes("/zones/{zone_id}", "/zones/1/rulesets"), None);
        assert_eq!(holes("/ips", "/ips"), Some(Vec::new()));
    }
}
