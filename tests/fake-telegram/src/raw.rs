//! Reads what can be read in a raw update without changing a byte of it. Pure.

use serde_json::Value;
use std::borrow::Cow;

/// The update as JSON with lone surrogates replaced, or `None` when it isn't JSON at all.
pub(crate) fn look_inside(raw: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(raw);
    serde_json::from_str(&without_lone_surrogates(&text)).ok()
}

/// Inserts `"update_id":id` as the first field; `None` when the bytes don't start an object.
pub(crate) fn with_update_id(raw: &[u8], id: i64) -> Option<Vec<u8>> {
    let start = raw.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let rest = raw.get(start..)?.strip_prefix(b"{")?;
    let empty = rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'}');
    let comma = if empty { "" } else { "," };
    Some([format!("{{\"update_id\":{id}{comma}").as_bytes(), rest].concat())
}

fn without_lone_surrogates(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let used = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                out.push_str("\\ufffd");
                rest = escape.get(6..).unwrap_or_default();
                continue;
            }
            // Two characters, so that an escaped backslash doesn't start another escape.
            _ => escape.char_indices().nth(2).map_or(escape.len(), |(index, _)| index),
        };
        let (kept, after) = escape.split_at(used);
        out.push_str(kept);
        rest = after;
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The UTF-16 code unit of a `\uXXXX` at the start of `text`.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_do_not_hide_the_rest() {
        let seen =
            look_inside(br#"{"a":"\ud800","b":"\udc00x","c":"\ud83e\udd80","d":"\\ud800","e":7}"#).unwrap();
        assert_eq!(seen["a"], "\u{fffd}");
        assert_eq!(seen["b"], "\u{fffd}x");
        assert_eq!(seen["c"], "🦀");
        assert_eq!(seen["d"], "\\ud800");
        assert_eq!(seen["e"], 7);
        assert_eq!(look_inside(b"\xff{"), None);
    }

    #[test]
    fn an_id_goes_in_front_of_everything_else() {
        assert_eq!(with_update_id(br#" {"x":"\ud800"}"#, 5).unwrap(), br#"{"update_id":5,"x":"\ud800"}"#);
        assert_eq!(with_update_id(b"{ }", 5).unwrap(), b"{\"update_id\":5 }");
        assert_eq!(with_update_id(b"[]", 5), None);
    }
}
