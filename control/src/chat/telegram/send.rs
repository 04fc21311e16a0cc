//! The sender: takes the outbox's messages one after the other, and keeps each until Telegram took it.

use std::sync::Arc;
use std::time::Duration;

use teloxide::payloads::SendMessageSetters;
use teloxide::requests::Requester;
use teloxide::types::{CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup, ParseMode};
use teloxide::{ApiError, Bot, RequestError};
use tokio::sync::Notify;

use super::{FIRST_WAIT, LONGEST_WAIT, network_error};
use crate::approval::{ChatId, Transport};
use crate::chat::Reply;
use crate::store::Store;

/// Telegram's limit for what a copy button copies.
const COPY_MAX: usize = 256;

/// What to do with a message after an attempt.
enum Next {
    Done,
    Drop(String),
    Again(Duration, String),
}

/// Delivers for ever.
pub(in crate::chat) async fn deliver(bot: Bot, store: Arc<Store>, posted: Arc<Notify>) {
    let mut wait = FIRST_WAIT;
    loop {
        // Registered before the look, so that a post in between is not missed.
        let waiting = posted.notified();
        tokio::pin!(waiting);
        waiting.as_mut().enable();
        let row = match store.next_post(Transport::Telegram) {
            Ok(Some(row)) => row,
            Ok(None) => {
                waiting.await;
                continue;
            }
            Err(error) => {
                tracing::error!("outbox: {error}");
                tokio::time::sleep(wait).await;
                continue;
            }
        };
        match attempt(&bot, row.chat, Reply::from_json(&row.reply), wait).await {
            Next::Done => wait = FIRST_WAIT,
            Next::Drop(why) => {
                tracing::error!("telegram: a message to chat {} was given up: {why}", row.chat.0)
            }
            Next::Again(pause, why) => {
                tracing::warn!("telegram: sending: {why}; trying again in {} s", pause.as_secs());
                tokio::time::sleep(pause).await;
                wait = wait.saturating_mul(2).min(LONGEST_WAIT);
                continue;
            }
        }
        if let Err(error) = store.delivered(row.id) {
            tracing::error!("outbox: {error}; a message may be sent again after a restart");
        }
    }
}

async fn attempt(bot: &Bot, chat: ChatId, reply: Option<Reply>, wait: Duration) -> Next {
    let Some(reply) = reply else { return Next::Drop("it is damaged".to_owned()) };
    let mut request =
        bot.send_message(teloxide::types::ChatId(chat.0), reply.html()).parse_mode(ParseMode::Html);
    if let Some(line) = reply.copy_line().filter(|line| line.chars().count() <= COPY_MAX) {
        let copy = CopyTextButton { text: line.to_owned() };
        let button = InlineKeyboardButton::copy_text_button("Copy", copy);
        request = request.reply_markup(InlineKeyboardMarkup::new([[button]]));
    }
    match request.await {
        Ok(_) => Next::Done,
        Err(RequestError::RetryAfter(seconds)) => {
            Next::Again(seconds.duration().max(FIRST_WAIT), "asked to wait".to_owned())
        }
        Err(RequestError::Network(error)) => Next::Again(wait, network_error(&error).to_owned()),
        // Telegram took the message, and described it in a way that the library can't read.
        Err(RequestError::InvalidJson { raw, .. }) if raw.trim_start().starts_with("{\"ok\":true") => {
            Next::Done
        }
        Err(RequestError::InvalidJson { .. }) => Next::Again(wait, "the answer is not Telegram's".to_owned()),
        Err(RequestError::Api(ApiError::InvalidToken)) => {
            Next::Again(wait, "the bot token is not valid".to_owned())
        }
        Err(RequestError::Api(error)) if passes(&error) => Next::Again(wait, error.to_string()),
        Err(RequestError::Api(error)) => Next::Drop(error.to_string()),
        Err(RequestError::MigrateToChatId(_)) => Next::Drop(
            "the group became a supergroup; put its new id into SECMON_TELEGRAM_ALLOWED_CHAT_IDS".to_owned(),
        ),
        Err(RequestError::Io(error)) => Next::Again(wait, error.to_string()),
    }
}

/// Telegram's own troubles and other methods' conflicts go by; a refusal of this message doesn't.
fn passes(error: &ApiError) -> bool {
    match error {
        ApiError::TerminatedByOtherGetUpdates => true,
        ApiError::Unknown(text) => {
            let text = text.to_ascii_lowercase();
            !(text.contains("bad request") || text.contains("forbidden"))
        }
        _ => false,
    }
}
