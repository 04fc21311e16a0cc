//! Telegram: a long-poll loop and a sender, each of which survives whatever Telegram does.

mod poll;
mod send;
mod update;

pub(super) use poll::poll;
pub(super) use send::deliver;

use std::time::Duration;

use teloxide::Bot;

use crate::config::{ApiUrl, BotToken};

/// How long Telegram may hold a poll (it caps at 50 s).
const POLL_S: u64 = 25;
/// When a call to Telegram is given up. Longer than any poll.
const CALL_TIMEOUT: Duration = Duration::from_secs(40);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A bot that talks to `url`.
pub(super) fn bot(token: &BotToken, url: &ApiUrl) -> Result<Bot, String> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("the HTTPS client can't be made: {error}"))?;
    let url =
        reqwest::Url::parse(url.as_str()).map_err(|error| format!("SECMON_TELEGRAM_API_URL: {error}"))?;
    Ok(Bot::with_client(token.expose(), client).set_api_url(url))
}

/// What went wrong with a call, without the URL: the URL holds the token.
fn network_error(error: &reqwest::Error) -> &'static str {
    match () {
        () if error.is_connect() => "no connection",
        () if error.is_timeout() => "no answer in time",
        () if error.is_body() || error.is_decode() => "the answer was cut off",
        () => "the connection broke",
    }
}
