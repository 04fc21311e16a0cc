//! The messages of all chats, and the methods that make, change and remove them.

use crate::answer::ApiError;
use crate::formatted::{self, Entity, Formatted, MAX_TEXT, utf16_len};
use crate::html;
use crate::keyboard;
use crate::params::Params;
use crate::record::{Content, SentMessage};
use crate::state::State;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Both directions of every chat.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    pub(crate) sent: Vec<SentMessage>,
    incoming: BTreeMap<(i64, i64), Value>,
}

impl Messages {
    pub(crate) fn remember_incoming(&mut self, chat: i64, id: i64, message: &Value) {
        // A pressed button shows the bot's own message again: that one is known better here.
        if self.find_sent(chat, id).is_none() {
            let mut message = message.clone();
            if let Some(object) = message.as_object_mut() {
                // The server shows a quoted message without what it quotes itself.
                object.remove("reply_to_message");
            }
            self.incoming.insert((chat, id), message);
        }
    }

    fn find_sent(&mut self, chat: i64, id: i64) -> Option<&mut SentMessage> {
        let matches = |message: &&mut SentMessage| (message.chat_id, message.message_id) == (chat, id);
        self.sent.iter_mut().find(matches).filter(|message| !message.deleted)
    }
}

impl State {
    /// A message of either direction, as the server shows it.
    pub(crate) fn message_value(&mut self, chat: i64, id: i64) -> Option<Value> {
        match self.messages.find_sent(chat, id).cloned() {
            Some(sent) => Some(self.sent_value(&sent)),
            None => self.messages.incoming.get(&(chat, id)).cloned(),
        }
    }

    fn sent_value(&self, sent: &SentMessage) -> Value {
        let content = sent.latest();
        let chat = self.chats.get(&sent.chat_id).map(|chat| chat.value.clone());
        let mut value = json!({
            "message_id": sent.message_id,
            "from": self.bot(),
            "chat": chat,
            "date": sent.first.date,
            "text": content.text,
        });
        let replied = sent.reply_to.and_then(|id| self.messages.incoming.get(&(sent.chat_id, id)));
        let markup = content.reply_markup.as_ref().filter(|markup| markup.get("inline_keyboard").is_some());
        let extras = [
            ("entities", (!content.entities.is_empty()).then(|| json!(content.entities))),
            ("reply_to_message", replied.cloned()),
            ("reply_markup", markup.cloned()),
            ("edit_date", sent.edits.last().map(|edit| json!(edit.date))),
        ];
        if let Some(object) = value.as_object_mut() {
            object.extend(extras.into_iter().filter_map(|(name, extra)| Some((name.to_owned(), extra?))));
        }
        value
    }
}

/// `sendMessage`
pub(crate) fn send(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let chat_id = known_chat(state, params)?;
    let reply_to = replied(state, params, chat_id)?;
    let first = content(state, params)?;
    limit(state, chat_id)?;
    let message_id = state.next_message_id(chat_id);
    let sent = SentMessage { chat_id, message_id, reply_to, first, edits: Vec::new(), deleted: false };
    let value = state.sent_value(&sent);
    state.messages.sent.push(sent);
    Ok(value)
}

/// `editMessageText`
pub(crate) fn edit_text(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let edit = content(state, params)?;
    let chat = editable(state, params)?;
    limit(state, chat)?;
    apply_edit(state, params, edit)
}

/// `editMessageReplyMarkup`
pub(crate) fn edit_markup(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let chat = editable(state, params)?;
    let reply_markup = markup(params)?;
    let now = state.now();
    let id = params.int("message_id").unwrap_or_default();
    let current = state.messages.find_sent(chat, id).map(|sent| sent.latest().clone());
    let current = current.ok_or_else(|| ApiError::bad_request("message to edit not found"))?;
    apply_edit(state, params, Content { reply_markup, date: now, ..current })
}

/// `deleteMessage`
pub(crate) fn delete(state: &mut State, params: &Params) -> Result<Value, ApiError> {
    let chat = known_chat(state, params)?;
    let id = params.int("message_id").unwrap_or_default();
    if let Some(sent) = state.messages.find_sent(chat, id) {
        sent.deleted = true;
    } else if state.messages.incoming.remove(&(chat, id)).is_none() {
        return Err(ApiError::bad_request("message to delete not found"));
    }
    Ok(json!(true))
}

/// The chat that a request names, by id or by `@username`.
pub(crate) fn known_chat(state: &State, params: &Params) -> Result<i64, ApiError> {
    let named = params.text("chat_id").filter(|id| !id.is_empty());
    let named = named.ok_or_else(|| ApiError::bad_request("chat_id is empty"))?;
    let found = match named.strip_prefix('@') {
        Some(username) => state.chats.iter().find_map(|(id, chat)| {
            let known = chat.value.get("username")?.as_str()?;
            known.eq_ignore_ascii_case(username).then_some(*id)
        }),
        None => named.trim().parse().ok().filter(|id| state.chats.contains_key(id)),
    };
    found.ok_or_else(|| ApiError::bad_request("chat not found"))
}

fn editable(state: &mut State, params: &Params) -> Result<i64, ApiError> {
    if params.text("chat_id").is_none() && params.text("inline_message_id").is_some() {
        return Err(ApiError::bad_request("MESSAGE_ID_INVALID"));
    }
    let chat = known_chat(state, params)?;
    let id = params.int("message_id");
    let id = id.ok_or_else(|| ApiError::bad_request("message identifier is not specified"))?;
    if state.messages.find_sent(chat, id).is_some() {
        Ok(chat)
    } else if state.messages.incoming.contains_key(&(chat, id)) {
        Err(ApiError::bad_request("message can't be edited"))
    } else {
        Err(ApiError::bad_request("message to edit not found"))
    }
}

fn apply_edit(state: &mut State, params: &Params, edit: Content) -> Result<Value, ApiError> {
    let chat = known_chat(state, params)?;
    let id = params.int("message_id").unwrap_or_default();
    let sent = state.messages.find_sent(chat, id);
    let sent = sent.ok_or_else(|| ApiError::bad_request("message to edit not found"))?;
    let now = sent.latest();
    if (&now.text, &now.entities, &now.reply_markup) == (&edit.text, &edit.entities, &edit.reply_markup) {
        return Err(ApiError::bad_request(
            "message is not modified: specified new message content and reply markup \
             are exactly the same as a current content and reply markup of the message",
        ));
    }
    sent.edits.push(edit);
    let sent = sent.clone();
    Ok(state.sent_value(&sent))
}

fn content(state: &State, params: &Params) -> Result<Content, ApiError> {
    let raw = params.text("text").unwrap_or_default();
    if raw.is_empty() {
        return Err(ApiError::bad_request("message text is empty"));
    }
    let parse_mode = params.text("parse_mode").filter(|mode| !mode.is_empty());
    let clean = without_control_characters(&raw);
    let mut formatted = match parse_mode.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("none") => formatted::plain(&clean),
        Some("html") => html::parse(&clean)
            .map_err(|what| ApiError::bad_request(format!("can't parse entities: {what}")))?,
        Some("markdown" | "markdownv2") => {
            return Err(ApiError::bad_request("can't parse entities: this server doesn't know Markdown"));
        }
        Some(_) => return Err(ApiError::bad_request("unsupported parse_mode")),
    };
    if parse_mode.is_none() {
        formatted.entities = explicit_entities(params)?;
    }
    let Formatted { text, entities } = formatted;
    if text.is_empty() {
        return Err(ApiError::bad_request("text must be non-empty"));
    }
    if utf16_len(&text) > MAX_TEXT {
        return Err(ApiError::bad_request("message is too long"));
    }
    Ok(Content { raw, text, entities, parse_mode, reply_markup: markup(params)?, date: state.now() })
}

fn explicit_entities(params: &Params) -> Result<Vec<Entity>, ApiError> {
    let Some(entities) = params.json("entities")? else { return Ok(Vec::new()) };
    serde_json::from_value(entities)
        .map_err(|error| ApiError::bad_request(format!("can't parse MessageEntity: {error}")))
}

fn markup(params: &Params) -> Result<Option<Value>, ApiError> {
    let markup = params.json("reply_markup")?;
    markup.as_ref().map_or(Ok(()), keyboard::check)?;
    Ok(markup)
}

/// The message that a new one answers; it must exist unless the bot allows that it doesn't.
fn replied(state: &mut State, params: &Params, chat: i64) -> Result<Option<i64>, ApiError> {
    let (id, optional) = match params.json("reply_parameters")? {
        Some(reply) => {
            let id = reply.get("message_id").and_then(Value::as_i64);
            let id = id.ok_or_else(|| {
                ApiError::bad_request("can't parse reply parameters: Can't find field \"message_id\"")
            })?;
            (id, reply.get("allow_sending_without_reply").and_then(Value::as_bool).unwrap_or(false))
        }
        // The name of this parameter before Bot API 7.0; the server still takes it.
        None => match params.int("reply_to_message_id") {
            Some(id) => (id, params.flag("allow_sending_without_reply")),
            None => return Ok(None),
        },
    };
    match state.message_value(chat, id) {
        Some(_) => Ok(Some(id)),
        None if optional => Ok(None),
        None => Err(ApiError::bad_request("message to be replied not found")),
    }
}

fn limit(state: &mut State, chat: i64) -> Result<(), ApiError> {
    let now = state.now_ms();
    state.rate.as_mut().map_or(Ok(()), |rate| rate.admit(chat, now)).map_err(ApiError::flood)
}

/// As the server cleans texts: no carriage returns, other control characters become spaces.
fn without_control_characters(text: &str) -> String {
    let kept = text.chars().filter(|character| *character != '\r');
    kept.map(|character| if character < ' ' && character != '\n' { ' ' } else { character }).collect()
}
