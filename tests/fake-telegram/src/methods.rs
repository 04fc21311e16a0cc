//! The table of methods, and the ones that are too small for a file of their own. `getUpdates` is not in
//! it: it waits, and lives in `poll`.

use crate::answer::ApiError;
use crate::inject;
use crate::messages;
use crate::params::Params;
use crate::record::CallbackAnswer;
use crate::state::State;
use serde_json::{Value, json};

type Method = fn(&mut State, &Params) -> Result<Value, ApiError>;

/// Every method that answers at once.
const METHODS: [(&str, Method); 19] = [
    ("answerCallbackQuery", answer_callback_query),
    ("deleteMessage", messages::delete),
    ("deleteMyCommands", delete_my_commands),
    ("deleteWebhook", delete_webhook),
    ("editMessageReplyMarkup", messages::edit_markup),
    ("editMessageText", messages::edit_text),
    ("getChat", get_chat),
    ("getChatMember", get_chat_member),
    ("getMe", get_me),
    ("getMyCommands", get_my_commands),
    ("getWebhookInfo", get_webhook_info),
    ("logOut", accept),
    ("close", accept),
    ("pinChatMessage", accept_in_chat),
    ("sendChatAction", send_chat_action),
    ("sendMessage", messages::send),
    ("setMessageReaction", accept_in_chat),
    ("setMyCommands", set_my_commands),
    ("setWebhook", set_webhook),
];

/// Carries out a method.
pub(crate) fn call(state: &mut State, method: &str, params: &Params) -> Result<Value, ApiError> {
    let found = METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(method));
    let (_, run) = found.ok_or_else(|| ApiError::new(404, "Not Found: method not found"))?;
    run(state, params)
}

fn get_me(state: &mut State, _: &Params) -> Result<Value, ApiError> {
    let mut me = state.bot();
    if let Some(object) = me.as_object_mut() {
        object.insert("can_join_groups".into(), json!(true));
        for name in [
            "can_read_all_group_messages",
            "supports_inline_queries",
            "can_connect_to_business",
            "has_main_web_app",
            "has_topics_enabled",
        ] {
            object.insert(name.into(), json!(false));
        }
    }
    Ok(me)
}

fn answer_callback_query(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let text = params.text("text").unwrap_or_default();
    if text.chars().count() > 200 {
        return Err(ApiError::bad_request("MESSAGE_TOO_LONG"));
    }
    let id = params.text("callback_query_id").unwrap_or_default();
    state.answer_callback(CallbackAnswer { id, text, show_alert: params.flag("show_alert") })?;
    Ok(json!(true))
}

fn send_chat_action(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    const ACTIONS: [&str; 11] = [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ];
    messages::known_chat(state, params)?;
    let action = params.text("action").unwrap_or_default();
    if !ACTIONS.contains(&action.as_str()) {
        return Err(ApiError::bad_request("wrong parameter action in request"));
    }
    Ok(json!(true))
}

fn get_chat(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let id = messages::known_chat(state, params)?;
    let mut chat = state.chats.get(&id).map(|chat| chat.value.clone()).unwrap_or_default();
    if let Some(object) = chat.as_object_mut() {
        object.insert("accent_color_id".into(), json!(0));
        object.insert("max_reaction_count".into(), json!(11));
        let gifts = [
            "unlimited_gifts",
            "limited_gifts",
            "unique_gifts",
            "premium_subscription",
            "gifts_from_channels",
        ];
        let accepted = gifts.iter().map(|gift| ((*gift).to_owned(), json!(false)));
        object.insert("accepted_gift_types".into(), Value::Object(accepted.collect()));
    }
    Ok(chat)
}

fn get_chat_member(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    messages::known_chat(state, params)?;
    let user = params.int("user_id").ok_or_else(|| ApiError::bad_request("invalid user_id specified"))?;
    Ok(json!({"status": "member", "user": inject::user(user)}))
}

fn set_my_commands(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let invalid = |what: &str| ApiError::bad_request(what);
    let commands = params.json("commands")?.unwrap_or_else(|| json!([]));
    let list = commands.as_array().ok_or_else(|| invalid("expected an Array of BotCommand"))?;
    if list.len() > 100 {
        return Err(invalid("BOT_COMMANDS_TOO_MUCH"));
    }
    for command in list {
        let field = |name: &str| command.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = field("command").trim_start_matches('/');
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !(1..=32).contains(&name.len()) || !name.chars().all(is_name) {
            return Err(invalid("BOT_COMMAND_INVALID"));
        }
        if !(1..=256).contains(&field("description").chars().count()) {
            return Err(invalid("BOT_COMMAND_DESCRIPTION_INVALID"));
        }
    }
    let scope = command_scope(params)?;
    state.commands.insert(scope, commands);
    Ok(json!(true))
}

fn get_my_commands(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    Ok(state.commands.get(&command_scope(params)?).cloned().unwrap_or_else(|| json!([])))
}

fn delete_my_commands(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    state.commands.remove(&command_scope(params)?);
    Ok(json!(true))
}

/// Scope and language, as the key of a list of commands.
fn command_scope(params: &Params) -> Result<String, ApiError> {
    let scope = params.json("scope")?.unwrap_or_else(|| json!({"type": "default"}));
    Ok(format!("{scope}{}", params.text("language_code").unwrap_or_default()))
}

fn set_webhook(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let url = params.text("url").filter(|url| !url.is_empty());
    if url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
        return Err(ApiError::bad_request("bad webhook: An HTTPS URL must be provided for webhook"));
    }
    state.webhook = url;
    drop_pending(state, params)
}

fn delete_webhook(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    state.webhook = None;
    drop_pending(state, params)
}

fn drop_pending(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    if params.flag("drop_pending_updates") {
        state.queue.clear();
    }
    Ok(json!(true))
}

fn get_webhook_info(state: &mut State, _: &Params) -> Result<Value, ApiError> {
    let mut info = json!({
        "url": state.webhook.clone().unwrap_or_default(),
        "has_custom_certificate": false,
        "pending_update_count": state.queue.pending().len(),
    });
    if let Some(object) = info.as_object_mut().filter(|_| !state.queue.allowed().is_empty()) {
        object.insert("allowed_updates".into(), json!(state.queue.allowed()));
    }
    Ok(info)
}

fn accept(_: &mut State, _: &Params) -> Result<Value, ApiError> {
    Ok(json!(true))
}

fn accept_in_chat(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    messages::known_chat(state, params)?;
    Ok(json!(true))
}
