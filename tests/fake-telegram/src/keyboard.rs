//! The checks on `reply_markup`. Pure. One deliberate difference: the real server takes the first action
//! that it finds on a button with several; here that is an error, because the documentation forbids it.

use crate::answer::ApiError;
use crate::formatted::utf16_len;
use serde_json::Value;

const ACTIONS: [&str; 10] = [
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
];

/// Checks any `reply_markup`; only inline keyboards have rules beyond being an object.
pub(crate) fn check(markup: &Value) -> Result<(), ApiError> {
    let Some(object) = markup.as_object() else {
        return Err(ApiError::bad_request("object expected as reply markup"));
    };
    let Some(rows) = object.get("inline_keyboard") else {
        return Ok(());
    };
    let rows = rows.as_array().ok_or_else(|| {
        ApiError::bad_request("field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array")
    })?;
    for row in rows {
        let row = row.as_array().ok_or_else(|| {
            ApiError::bad_request(
                "field \"inline_keyboard\" of the InlineKeyboardMarkup must be an Array of Arrays",
            )
        })?;
        row.iter().try_for_each(check_button)?;
    }
    Ok(())
}

fn check_button(button: &Value) -> Result<(), ApiError> {
    let broken = |what: &str| ApiError::bad_request(format!("can't parse inline keyboard button: {what}"));
    let object = button.as_object().ok_or_else(|| broken("InlineKeyboardButton must be an Object"))?;
    match object.get("text") {
        None => return Err(broken("Can't find field \"text\"")),
        Some(Value::String(text)) if text.is_empty() => {
            return Err(ApiError::bad_request("text buttons must be non-empty"));
        }
        Some(Value::String(_)) => {}
        Some(_) => return Err(broken("Field \"text\" must be of type String")),
    }
    let mut actions = ACTIONS.iter().filter_map(|name| object.get(*name).map(|value| (*name, value)));
    let Some((name, value)) = actions.next() else {
        return Err(broken("Text buttons are unallowed in the inline keyboard"));
    };
    if let Some((other, _)) = actions.next() {
        return Err(broken(&format!("exactly one action is allowed, found \"{name}\" and \"{other}\"")));
    }
    match name {
        "callback_data" => match value.as_str() {
            Some(data) if (1..=64).contains(&data.len()) => Ok(()),
            _ => Err(ApiError::bad_request("BUTTON_DATA_INVALID")),
        },
        "copy_text" => match value.get("text").and_then(Value::as_str) {
            Some(text) if (1..=256).contains(&utf16_len(text)) => Ok(()),
            _ => Err(ApiError::bad_request("BUTTON_COPY_TEXT_INVALID")),
        },
        "url" => match value.as_str() {
            Some(url) if url.contains(['.', ':']) => Ok(()),
            _ => Err(ApiError::bad_request("BUTTON_URL_INVALID")),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn verdict(button: Value) -> Result<(), String> {
        check(&json!({"inline_keyboard": [[button]]})).map_err(|error| error.description)
    }

    #[test]
    fn a_button_has_exactly_one_action() {
        assert_eq!(verdict(json!({"text": "x", "callback_data": "y"})), Ok(()));
        assert!(verdict(json!({"text": "x"})).unwrap_err().contains("Text buttons are unallowed"));
        assert!(verdict(json!({"text": "x", "url": "https://a.example", "pay": true})).is_err());
        assert!(verdict(json!({"callback_data": "y"})).unwrap_err().contains("Can't find field"));
    }

    #[test]
    fn callback_data_is_1_to_64_bytes() {
        assert_eq!(verdict(json!({"text": "x", "callback_data": "é".repeat(32)})), Ok(()));
        for data in [String::new(), "é".repeat(33)] {
            let refusal = verdict(json!({"text": "x", "callback_data": data})).unwrap_err();
            assert_eq!(refusal, "Bad Request: BUTTON_DATA_INVALID");
        }
    }

    #[test]
    fn copy_text_is_1_to_256_characters() {
        assert_eq!(verdict(json!({"text": "x", "copy_text": {"text": "é".repeat(256)}})), Ok(()));
        for text in [String::new(), "x".repeat(257)] {
            assert!(verdict(json!({"text": "x", "copy_text": {"text": text}})).is_err());
        }
    }

    #[test]
    fn a_keyboard_is_an_array_of_arrays() {
        assert!(check(&json!({"inline_keyboard": [{"text": "x", "callback_data": "y"}]})).is_err());
        assert!(check(&json!([])).is_err());
        assert!(check(&json!({"force_reply": true})).is_ok());
    }
}
