//! The sender: takes the outbox's messages one after the other, and keeps each until Telegram took it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use teloxide::payloads::{EditMessageTextSetters, SendMessageSetters};
use teloxide::requests::Requester;
use teloxide::types::{CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup, MessageId, ParseMode};
use teloxide::{ApiError, Bot, RequestError};
use tokio::sync::Notify;

use super::{FIRST_WAIT, LONGEST_WAIT, network_error};
use crate::approval::{ChatId, Transport};
use crate::chat::Reply;
use crate::store::Store;

/// Telegram's limit for what a copy button copies.
const COPY_MAX: usize = 256;

/// Places whose message is known: those of questions that are being answered.
const PLACES_MAX: usize = 64;

/// What to do with a message after an attempt.
enum Next {
    /// Telegram took it, as this message where it said so.
    Done(Option<MessageId>),
    Drop(String),
    Again(Duration, String),
    /// The message that it should have replaced is gone or can't be changed: it becomes a message of its own.
    Anew,
}

/// Which message stands in which place. What is forgotten costs a second message, and no words.
#[derive(Default)]
struct Places(VecDeque<(ChatId, u64, MessageId)>);

impl Places {
    fn find(&self, chat: ChatId, place: Option<u64>) -> Option<MessageId> {
        let place = place?;
        self.0.iter().find(|known| (known.0, known.1) == (chat, place)).map(|known| known.2)
    }

    fn forget(&mut self, chat: ChatId, place: u64) {
        self.0.retain(|known| (known.0, known.1) != (chat, place));
    }

    fn remember(&mut self, chat: ChatId, place: u64, message: MessageId) {
        self.forget(chat, place);
        self.0.push_back((chat, place, message));
        if self.0.len() > PLACES_MAX {
            self.0.pop_front();
        }
    }
}

/// Delivers for ever.
pub(in crate::chat) async fn deliver(bot: Bot, store: Arc<Store>, posted: Arc<Notify>) {
    let mut wait = FIRST_WAIT;
    let mut places = Places::default();
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
        let reply = Reply::from_json(&row.reply);
        let place = reply.as_ref().and_then(Reply::place);
        match attempt(&bot, row.chat, reply, places.find(row.chat, place), wait).await {
            Next::Done(message) => {
                wait = FIRST_WAIT;
                if let (Some(place), Some(message)) = (place, message) {
                    places.remember(row.chat, place, message);
                }
            }
            Next::Drop(why) => {
                tracing::error!("telegram: a message to chat {} was given up: {why}", row.chat.0)
            }
            Next::Anew => {
                if let Some(place) = place {
                    places.forget(row.chat, place);
                }
                continue;
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

/// Sends a message, or changes the one in its place.
async fn attempt(
    bot: &Bot,
    chat: ChatId,
    reply: Option<Reply>,
    in_place: Option<MessageId>,
    wait: Duration,
) -> Next {
    let Some(reply) = reply else { return Next::Drop("it is damaged".to_owned()) };
    let (chat, html, keyboard) = (teloxide::types::ChatId(chat.0), reply.html(), keyboard(&reply));
    let outcome = match in_place {
        None => {
            let mut request = bot.send_message(chat, html).parse_mode(ParseMode::Html);
            request.reply_markup = keyboard.map(Into::into);
            request.await
        }
        Some(message) => {
            let mut request = bot.edit_message_text(chat, message, html).parse_mode(ParseMode::Html);
            request.reply_markup = keyboard;
            request.await
        }
    };
    match outcome {
        Ok(message) => Next::Done(Some(message.id)),
        Err(RequestError::Api(error)) if in_place.is_some() && cannot_be_changed(&error) => Next::Anew,
        Err(RequestError::Api(ApiError::MessageNotModified)) => Next::Done(in_place),
        Err(RequestError::RetryAfter(seconds)) => {
            Next::Again(seconds.duration().max(FIRST_WAIT), "asked to wait".to_owned())
        }
        Err(RequestError::Network(error)) => Next::Again(wait, network_error(&error).to_owned()),
        // Telegram took the message, and described it in a way that the library can't read.
        Err(RequestError::InvalidJson { raw, .. }) if raw.trim_start().starts_with("{\"ok\":true") => {
            Next::Done(in_place)
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

/// A button that copies the line, and one for each command.
fn keyboard(reply: &Reply) -> Option<InlineKeyboardMarkup> {
    let line = reply.copy_line().filter(|line| line.chars().count() <= COPY_MAX);
    let copy = line
        .map(|line| InlineKeyboardButton::copy_text_button("Copy", CopyTextButton { text: line.to_owned() }));
    let commands =
        reply.buttons().iter().map(|button| InlineKeyboardButton::callback(&button.label, &button.command));
    let rows: Vec<[InlineKeyboardButton; 1]> = copy.into_iter().chain(commands).map(|one| [one]).collect();
    (!rows.is_empty()).then(|| InlineKeyboardMarkup::new(rows))
}

fn cannot_be_changed(error: &ApiError) -> bool {
    matches!(
        error,
        ApiError::MessageToEditNotFound | ApiError::MessageCantBeEdited | ApiError::MessageIdInvalid
    )
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
