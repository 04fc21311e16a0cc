//! One request and its answer: budget, deadline, bounded body, and a second try for reads.

use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use secmon_wire::signature::sha256;
use serde_json::Value;

use super::budget::{Kind, Leave, Payer};
use super::envelope::{self, Outcome, Pages};
use super::{Api, ApiError};
use crate::config::{ApiUrl, Secret};

pub(super) use reqwest::Method;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const WHOLE_TIMEOUT: Duration = Duration::from_secs(20);
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
const BODY_MAX: usize = 1 << 20;
/// A request that would have to wait for longer isn't sent.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// How often a read is tried, and how long after its first try the last begins.
const TRIES: u32 = 3;
const TRY_FOR: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// What is asked.
#[derive(Debug)]
pub(super) struct Call<'a> {
    kind: Kind,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    token: Option<&'a Secret>,
    body: Option<Value>,
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failed {
    /// For a reason that needs no second look.
    Api(ApiError),
    /// The phase has no ruleset.
    NoEntrypoint,
    /// The token is bad, or may not do this; which of them may not be certain.
    Denied { status: u16, certain: bool },
}

impl Failed {
    /// The error, as far as the answer alone tells.
    pub(super) fn judged(self, scope: &'static str) -> ApiError {
        match self {
            Self::Api(error) => error,
            Self::NoEntrypoint => ApiError::NotFound,
            Self::Denied { status: 403, certain: false } => ApiError::ScopeMissing(scope),
            Self::Denied { .. } => ApiError::TokenInvalid,
        }
    }
}

impl From<ApiError> for Failed {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl<'a> Call<'a> {
    /// Reads what is at `path`.
    pub(super) const fn read(token: Option<&'a Secret>, path: String) -> Self {
        Self { kind: Kind::Read, method: Method::GET, path, query: Vec::new(), token, body: None }
    }

    /// Changes what is at `path`.
    pub(super) const fn change(method: Method, token: &'a Secret, path: String, body: Option<Value>) -> Self {
        Self { kind: Kind::Change, method, path, query: Vec::new(), token: Some(token), body }
    }

    /// The same with a query.
    pub(super) fn with(mut self, query: Vec<(&'static str, String)>) -> Self {
        self.query = query;
        self
    }

    /// What it means that no trustworthy answer came.
    pub(super) fn lost(&self, why: &str) -> ApiError {
        match self.kind {
            Kind::Read => ApiError::Unavailable(why.to_owned()),
            Kind::Change => ApiError::Unknown(why.to_owned()),
        }
    }

    fn payer(&self) -> Payer {
        self.token.map_or([0; 32], |token| sha256(token.expose().as_bytes()).0)
    }
}

/// The HTTP client: no redirects, as they would carry the token elsewhere.
pub(super) fn http(base: &ApiUrl) -> Result<reqwest::Client, ApiError> {
    let builder = reqwest::Client::builder()
        .user_agent(concat!("secmon/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(WHOLE_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT);
    // Plain http is for this machine alone, and a proxy is another one.
    let builder = if base.is_encrypted() { builder.https_only(true) } else { builder.no_proxy() };
    builder.build().map_err(|error| ApiError::Unavailable(format!("the HTTPS client can't be made: {error}")))
}

impl Api {
    /// The result. A read is tried again where a second try may help.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<(Value, Pages), Failed> {
        let (start, mut pause) = (Instant::now(), FIRST_PAUSE);
        for _ in 1..TRIES {
            match self.once(call).await {
                Err(Failed::Api(ApiError::Unavailable(_) | ApiError::RateLimited { .. }))
                    if call.kind == Kind::Read && start.elapsed() < TRY_FOR => {}
                settled => return settled,
            }
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        self.once(call).await
    }

    async fn once(&self, call: &Call<'_>) -> Result<(Value, Pages), Failed> {
        let secret = call.token.map(Secret::expose);
        self.exchange(call).await.map_err(|failed| match failed {
            Failed::Api(error) => Failed::Api(error.without(secret).bounded()),
            other => other,
        })
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<(Value, Pages), Failed> {
        self.leave(call).await?;
        let answer = self.request(call)?.send().await.map_err(|error| sending(call, &error))?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let now = Instant::now();
        if let Some(limit) = header(&headers, "ratelimit") {
            self.budget(|budget| budget.told(call.payer(), limit, now));
        }
        let body = body(call, answer).await;
        match envelope::read(status, body.as_deref().unwrap_or_default()) {
            Outcome::Slower => {
                let after = header(&headers, RETRY_AFTER.as_str());
                let wait = self.budget(|budget| budget.refused(call.payer(), after, now));
                Err(ApiError::RateLimited { retry_after_s: seconds(wait) }.into())
            }
            Outcome::Denied { status, certain } => Err(Failed::Denied { status, certain }),
            Outcome::NoEntrypoint => Err(Failed::NoEntrypoint),
            Outcome::No(error) => Err(error.into()),
            // An answer that was cut off says no more than its status.
            Outcome::Lost(why) => Err(body.err().unwrap_or_else(|| call.lost(&why)).into()),
            Outcome::Done(result, pages) => body.map(|_| (result, pages)).map_err(Into::into),
        }
    }

    /// Waits for its turn, or says that it would take too long.
    async fn leave(&self, call: &Call<'_>) -> Result<(), ApiError> {
        let mut left = WAIT_MAX;
        loop {
            match self.budget(|budget| budget.ask(call.payer(), call.kind, Instant::now())) {
                Leave::Go => return Ok(()),
                Leave::Wait(wait) => {
                    left = left
                        .checked_sub(wait)
                        .ok_or_else(|| ApiError::RateLimited { retry_after_s: seconds(wait) })?;
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    fn request(&self, call: &Call<'_>) -> Result<reqwest::RequestBuilder, ApiError> {
        let url = format!("{}{}", self.base.as_str(), call.path);
        let mut request = self.http.request(call.method.clone(), url).query(&call.query);
        if let Some(token) = call.token {
            // A token's form is checked where it comes in; one that was stored otherwise is no header.
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                .map_err(|_| ApiError::TokenInvalid)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        Ok(request)
    }
}

/// What it means that no answer came. The error's own text would name the address and nothing of use.
fn sending(call: &Call<'_>, error: &reqwest::Error) -> ApiError {
    match () {
        // Nothing was sent, whatever it was.
        () if error.is_connect() => ApiError::Unavailable("no connection".to_owned()),
        () if error.is_builder() => ApiError::Unavailable("its address can't be used".to_owned()),
        () if error.is_timeout() => call.lost("no answer in time"),
        () => call.lost("the connection broke"),
    }
}

/// The body, within its limit.
async fn body(call: &Call<'_>, mut answer: reqwest::Response) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| match error.is_timeout() {
        true => call.lost("no whole answer in time"),
        false => call.lost("the answer was cut off"),
    })? {
        if body.len().saturating_add(chunk.len()) > BODY_MAX {
            return Err(call.lost("the answer is longer than any of its API"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Rounded up: whoever comes back at that second is let in.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}
