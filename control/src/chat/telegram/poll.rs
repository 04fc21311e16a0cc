//! The long-poll loop. The offset is in the database: an update is confirmed only after it was handled, and
//! handling one again is harmless.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use teloxide::Bot;
use teloxide::requests::Requester;

use super::update::{Batch, Content};
use super::{FIRST_WAIT, LONGEST_WAIT, POLL_S, network_error};
use crate::chat::Door;

/// Updates per poll; Telegram gives at most 100.
const BATCH: u32 = 100;
/// More than a hundred updates of the largest size.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// The update kinds that are asked for. The edited ones are wanted so that a changed approval gets its
/// rejection.
const KINDS: &[&str] =
    &["message", "edited_message", "channel_post", "edited_channel_post", "callback_query"];
/// Longest wait that Telegram can impose before we ask again anyway.
const RETRY_AFTER_MAX_S: u64 = 3600;

/// Why a poll brought nothing.
#[derive(Debug, PartialEq, Eq)]
enum PollError {
    /// Somebody else polls with this token.
    Conflict,
    /// A webhook is set, and as long as it is there is nothing to poll.
    Webhook,
    /// The token is not (or no longer) valid.
    Unauthorized,
    /// Telegram asks for patience.
    RetryAfter(u64),
    /// Anything else: it passes.
    Passing(String),
}

#[derive(Deserialize)]
struct Answer<'a> {
    ok: bool,
    #[serde(borrow, default)]
    result: Vec<&'a RawValue>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
}

/// Polls for ever.
pub(in crate::chat) async fn poll(bot: Bot, door: Arc<Door>) {
    let mut wait = FIRST_WAIT;
    // Handled so far. It is kept here too, so that a database that can't be written brings nothing twice.
    let mut handled = None;
    loop {
        let outcome = match handled.map_or_else(|| door.store.telegram_offset(), Ok) {
            Ok(offset) => fetch(&bot, offset).await,
            Err(error) => Err(PollError::Passing(error.to_string())),
        };
        let pause = match outcome {
            Ok(answer) => match handle(&answer, &bot, &door, &mut handled).await {
                Ok(()) => {
                    wait = FIRST_WAIT;
                    continue;
                }
                Err(error) => back_off(&error, &mut wait),
            },
            Err(error) => {
                if error == PollError::Webhook {
                    remove_webhook(&bot).await;
                }
                back_off(&error, &mut wait)
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Nobody but us is meant to get this bot's messages.
async fn remove_webhook(bot: &Bot) {
    match bot.delete_webhook().await {
        Ok(_) => tracing::error!(
            "telegram: a webhook was set for this bot and has been removed; if you didn't set it, the token has \
             leaked: revoke it with @BotFather"
        ),
        Err(_) => tracing::error!("telegram: a webhook is set for this bot and can't be removed"),
    }
}

async fn fetch(bot: &Bot, offset: i64) -> Result<Vec<u8>, PollError> {
    let passing = |error: &reqwest::Error| PollError::Passing(network_error(error).to_owned());
    let mut url = bot.api_url();
    match url.path_segments_mut() {
        Ok(mut segments) => segments.pop_if_empty().push(&format!("bot{}", bot.token())).push("getUpdates"),
        Err(()) => return Err(PollError::Passing("SECMON_TELEGRAM_API_URL has no path".to_owned())),
    };
    let request = serde_json::json!({
        "offset": offset, "limit": BATCH, "timeout": POLL_S, "allowed_updates": KINDS,
    });
    let request = bot.client().post(url).header("Content-Type", "application/json").body(request.to_string());
    let mut response = request.send().await.map_err(|error| passing(&error))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| passing(&error))? {
        if body.len().saturating_add(chunk.len()) > ANSWER_MAX {
            return Err(PollError::Passing("the answer is too long".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    match status {
        200 => Ok(body),
        401 | 404 => Err(PollError::Unauthorized),
        409 if mentions_webhook(&body) => Err(PollError::Webhook),
        409 => Err(PollError::Conflict),
        429 => Err(PollError::RetryAfter(retry_after(&body))),
        status => Err(PollError::Passing(format!("HTTP status {status}"))),
    }
}

/// Telegram says which conflict it is only in words.
fn mentions_webhook(body: &[u8]) -> bool {
    let answer: Option<Answer<'_>> = serde_json::from_slice(body).ok();
    answer.is_some_and(|answer| answer.description.contains("webhook"))
}

fn retry_after(body: &[u8]) -> u64 {
    let answer: Option<Answer<'_>> = serde_json::from_slice(body).ok();
    answer.and_then(|answer| answer.parameters.retry_after).unwrap_or(1).clamp(1, RETRY_AFTER_MAX_S)
}

async fn handle(
    answer: &[u8],
    bot: &Bot,
    door: &Arc<Door>,
    handled: &mut Option<i64>,
) -> Result<(), PollError> {
    let unreadable = || PollError::Passing("the answer is not Telegram's".to_owned());
    let answer: Answer<'_> = serde_json::from_slice(answer).map_err(|_| unreadable())?;
    if !answer.ok {
        return Err(unreadable());
    }
    let bot_id = bot.token().split_once(':').and_then(|(id, _)| id.parse().ok()).unwrap_or_default();
    let batch = Batch::read(&answer.result);
    if batch.unnumbered > 0 {
        tracing::warn!("telegram: {} updates without a number were skipped", batch.unnumbered);
        if batch.updates.is_empty() {
            return Err(unreadable());
        }
    }
    for (id, content) in batch.updates {
        match content {
            Content::Message(message) => {
                if let Some(inbound) = message.inbound(bot_id) {
                    door.receive(inbound).await;
                }
            }
            Content::Press(press) => {
                let query = press.id.clone();
                if let Some(inbound) = press.inbound()
                    && door.receive(inbound).await.is_some()
                {
                    tokio::spawn(end_waiting(bot.clone(), query));
                }
            }
            Content::Other => {}
            Content::Unreadable(why) => tracing::warn!("telegram: update {id} was skipped: {why}"),
        }
        // A crash before this line delivers the update again, and its nonce is claimed by then.
        let next = id.saturating_add(1);
        *handled = Some(next);
        if let Err(error) = door.store.set_telegram_offset(next) {
            tracing::error!("telegram: {error}; how far updates were handled is known in memory only");
        }
    }
    Ok(())
}

/// The button that was pressed shows that something is under way until it is told otherwise, or a while is over.
async fn end_waiting(bot: Bot, query: String) {
    if bot.answer_callback_query(teloxide::types::CallbackQueryId(query)).await.is_err() {
        tracing::info!("telegram: a button will look pressed for a while");
    }
}

fn back_off(error: &PollError, wait: &mut Duration) -> Duration {
    match error {
        PollError::RetryAfter(seconds) => {
            tracing::warn!("telegram: asked to wait {seconds} s");
            return Duration::from_secs(*seconds);
        }
        PollError::Conflict => tracing::error!(
            "telegram: another program polls with this bot token; if it isn't a second secmon of yours, \
             the token has leaked: revoke it with @BotFather and set the new one"
        ),
        PollError::Unauthorized => tracing::error!(
            "telegram: the bot token is not valid (any more); set SECMON_TELEGRAM_BOT_TOKEN to the one that \
             @BotFather shows"
        ),
        PollError::Webhook => {}
        PollError::Passing(why) => tracing::warn!("telegram: {why}; trying again in {} s", wait.as_secs()),
    }
    let pause = *wait;
    *wait = wait.saturating_mul(2).min(LONGEST_WAIT);
    pause
}
