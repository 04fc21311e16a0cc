//! The parameters of a request, from wherever they came: query, JSON, form or multipart.
//!
//! The real server reads everything as text and converts on use, so `"5"` is as good as `5` here too.
//! The specification check is stricter and looks at the transport.

use crate::answer::ApiError;
use crate::multipart;
use secmon_fake_http::percent_decode;
use serde::Serialize;
use serde_json::{Map, Value};

/// How the parameters of a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// In the query alone, or not at all.
    Query,
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `multipart/form-data`.
    Multipart,
}

/// The parameters of a request.
#[derive(Clone, Debug)]
pub(crate) struct Params {
    pub(crate) transport: Transport,
    /// JSON values as they came, or strings.
    pub(crate) values: Map<String, Value>,
    /// Names of uploaded files.
    pub(crate) files: Vec<String>,
}

impl Params {
    /// Reads query and body; a later name wins, the body over the query.
    pub(crate) fn read(query: &str, content_type: &str, body: &[u8]) -> Result<Self, ApiError> {
        let mut params = Self { transport: Transport::Query, values: Map::new(), files: Vec::new() };
        params.add_form(query.as_bytes())?;
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if body.is_empty() {
            return Ok(params);
        }
        match essence.as_str() {
            "application/json" => params.add_json(body)?,
            "application/x-www-form-urlencoded" => {
                params.transport = Transport::Form;
                params.add_form(body)?;
            }
            "multipart/form-data" => {
                params.transport = Transport::Multipart;
                params.add_multipart(content_type, body)?;
            }
            // The real server ignores a body of any other type.
            _ => {}
        }
        Ok(params)
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), ApiError> {
        self.transport = Transport::Json;
        let parsed: Value = serde_json::from_slice(body)
            .map_err(|error| ApiError::bad_request(format!("can't parse request body as JSON: {error}")))?;
        let Value::Object(object) = parsed else {
            return Err(ApiError::bad_request("expected JSON object as request body"));
        };
        self.values.extend(object);
        Ok(())
    }

    fn add_form(&mut self, form: &[u8]) -> Result<(), ApiError> {
        for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = text(percent_decode(halves.next().unwrap_or_default()))?;
            let value = text(percent_decode(halves.next().unwrap_or_default()))?;
            self.values.insert(name, Value::String(value));
        }
        Ok(())
    }

    fn add_multipart(&mut self, content_type: &str, body: &[u8]) -> Result<(), ApiError> {
        let parts = multipart::parse(content_type, body)
            .map_err(|what| ApiError::bad_request(format!("can't parse multipart body: {what}")))?;
        for part in parts {
            if part.is_file {
                self.files.push(part.name);
            } else {
                self.values.insert(part.name, Value::String(text(part.content)?));
            }
        }
        Ok(())
    }

    /// A text; numbers and booleans are given as they are written.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name)? {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// A whole number; anything else counts as absent, as the real server has it.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// A truth value: `true`, `yes` and `1` are true.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.text(name).is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "1"))
    }

    /// A JSON value, given as such or as JSON text.
    pub(crate) fn json(&self, name: &str) -> Result<Option<Value>, ApiError> {
        match self.values.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => serde_json::from_str(text).map(Some).map_err(|_| {
                ApiError::bad_request(format!("can't parse {} JSON object", name.replace('_', " ")))
            }),
            Some(value) => Ok(Some(value.clone())),
        }
    }
}

fn text(bytes: Vec<u8>) -> Result<String, ApiError> {
    String::from_utf8(bytes).map_err(|_| ApiError::bad_request("strings must be encoded in UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn query_and_form_are_decoded_and_the_body_wins() {
        let params =
            Params::read("a=1&b=x", "application/x-www-form-urlencoded; charset=utf-8", b"b=%3Cb%3E+y&c=")
                .unwrap();
        assert_eq!(params.int("a"), Some(1));
        assert_eq!(params.text("b").unwrap(), "<b> y");
        assert_eq!(params.text("c").unwrap(), "");
    }

    #[test]
    fn json_values_and_json_in_text_are_the_same() {
        let direct = Params::read("", "application/json", br#"{"m":{"x":1},"n":"7","t":true}"#).unwrap();
        let as_text = Params::read("m=%7B%22x%22:1%7D", "", b"").unwrap();
        assert_eq!(direct.json("m").unwrap(), Some(json!({"x": 1})));
        assert_eq!(as_text.json("m").unwrap(), Some(json!({"x": 1})));
        assert_eq!(direct.int("n"), Some(7));
        assert!(direct.flag("t"));
    }

    #[test]
    fn a_body_that_is_no_json_object_is_refused() {
        for body in [&b"[1]"[..], b"{", b"null", b"\xff"] {
            assert!(Params::read("", "application/json", body).is_err());
        }
        let bad = Params::read("t=%FF", "", b"").unwrap_err();
        assert_eq!(bad.description, "Bad Request: strings must be encoded in UTF-8");
    }
}
