//! Calls to agents: HTTP over mutually authenticated TLS 1.3, pooled connections, a deadline on each call.
//!
//! An error says whether the request can have left. Nothing is retried here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Method, Response};
use secmon_wire::limits::{ENVELOPE_MAX, HEALTH_MAX, MANIFEST_MAX, RECEIPT_MAX, RECEIPTS_KEPT, REPORT_MAX};
use secmon_wire::{AGENT_NAME_SUFFIX, AgentId, Health, SIGNATURE_HEADER, from_hex, to_hex};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::fleet::SelfReport;
use crate::store::{AgentRow, ReceiptRow};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const QUERY_TIMEOUT: Duration = Duration::from_secs(10);
/// An agent looks for up to 5 s; the rest is for a slow way there and back.
const DIAG_TIMEOUT: Duration = Duration::from_secs(12);
const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
/// Room for the receipts with their signatures and brackets.
const RECEIPTS_MAX: usize = RECEIPTS_KEPT * (RECEIPT_MAX + 256) + 64;

/// A pool of connections to every agent.
#[derive(Debug)]
pub struct Agents {
    tls: rustls::ClientConfig,
    clients: Mutex<HashMap<AgentId, (String, reqwest::Client)>>,
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection: nothing was sent.
    #[error("{0}")]
    NotSent(String),
    /// The request may have left, and no answer came in time.
    #[error("no answer: the deadline passed")]
    TooLate,
    /// The request may have left, and no answer came.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// An answer without a result.
    #[error("the agent answered {status}{detail}")]
    Status { status: u16, detail: String },
    /// An answer that isn't what it should be.
    #[error("the agent's answer is not valid: {0}")]
    BadAnswer(String),
}

#[derive(Deserialize)]
struct Receipts<'a> {
    #[serde(borrow)]
    receipts: Vec<SignedBody<'a>>,
}

#[derive(Deserialize)]
struct SignedBody<'a> {
    #[serde(borrow)]
    body: &'a RawValue,
    signature: &'a str,
}

#[derive(Deserialize)]
struct ErrorBody {
    error: String,
}

impl Agents {
    /// A pool that presents the control plane's certificate.
    pub fn new(tls: rustls::ClientConfig) -> Self {
        Self { tls, clients: Mutex::default() }
    }

    /// The manifest that the agent serves, verbatim.
    pub async fn manifest(&self, agent: &AgentRow) -> Result<Vec<u8>, CallError> {
        self.get(agent, "/v1/manifest", MANIFEST_MAX, QUERY_TIMEOUT).await
    }

    /// What the agent says of itself.
    pub async fn health(&self, agent: &AgentRow) -> Result<SelfReport, CallError> {
        let body = self.get(agent, "/v1/health", HEALTH_MAX, QUERY_TIMEOUT).await?;
        let report = Health::read(&body).and_then(SelfReport::new);
        report.map_err(|error| CallError::BadAnswer(error.to_string()))
    }

    /// The report of a look at these areas (names with commas), unread.
    pub async fn diag(&self, agent: &AgentRow, areas: &str) -> Result<Vec<u8>, CallError> {
        self.get(agent, &format!("/v1/diag?area={areas}"), REPORT_MAX, DIAG_TIMEOUT).await
    }

    /// The agent's last receipts, oldest first, unverified.
    pub async fn receipts(&self, agent: &AgentRow) -> Result<Vec<ReceiptRow>, CallError> {
        let body = self.get(agent, "/v1/receipts", RECEIPTS_MAX, QUERY_TIMEOUT).await?;
        let bad = |what: String| CallError::BadAnswer(what);
        let parsed: Receipts<'_> = serde_json::from_slice(&body).map_err(|error| bad(error.to_string()))?;
        let row = |signed: &SignedBody<'_>| {
            let signature = from_hex(signed.signature.as_bytes())?;
            Some(ReceiptRow { body: signed.body.get().as_bytes().to_vec(), signature })
        };
        let rows: Option<Vec<_>> = parsed.receipts.iter().map(row).collect();
        rows.ok_or_else(|| bad("a receipt's signature is not hex".to_owned()))
    }

    /// Sends an envelope and returns the receipt, unverified.
    pub async fn execute(
        &self,
        agent: &AgentRow,
        envelope: &[u8],
        signature: &[u8; 64],
        timeout: Duration,
    ) -> Result<ReceiptRow, CallError> {
        debug_assert!(envelope.len() <= ENVELOPE_MAX);
        let request = self
            .request(agent, Method::POST, "/v1/execute", timeout)?
            .header(SIGNATURE_HEADER, to_hex::<128>(signature).as_str())
            .header("Content-Type", "application/json")
            .body(envelope.to_vec());
        let response = request.send().await.map_err(|error| classify(&error))?;
        let signature = response.headers().get(SIGNATURE_HEADER).and_then(|value| from_hex(value.as_bytes()));
        let body = read(response, RECEIPT_MAX).await?;
        let signature =
            signature.ok_or_else(|| CallError::BadAnswer("the receipt carries no signature".to_owned()))?;
        Ok(ReceiptRow { body, signature })
    }

    async fn get(
        &self,
        agent: &AgentRow,
        path: &str,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<u8>, CallError> {
        let request = self.request(agent, Method::GET, path, timeout)?;
        read(request.send().await.map_err(|error| classify(&error))?, limit).await
    }

    fn request(
        &self,
        agent: &AgentRow,
        method: Method,
        path: &str,
        timeout: Duration,
    ) -> Result<reqwest::RequestBuilder, CallError> {
        let url = format!("https://{}{AGENT_NAME_SUFFIX}{path}", agent.id);
        Ok(self.client(agent)?.request(method, url).timeout(timeout))
    }

    /// The agent's own client, made anew when its address changed.
    fn client(&self, agent: &AgentRow) -> Result<reqwest::Client, CallError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((address, client)) = clients.get(&agent.id)
            && *address == agent.address
        {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .use_preconfigured_tls(self.tls.clone())
            .dns_resolver(Arc::new(FixedAddress(agent.address.clone())))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(1)
            .build()
            .map_err(|error| CallError::NotSent(error.without_url().to_string()))?;
        clients.insert(agent.id.clone(), (agent.address.clone(), client.clone()));
        Ok(client)
    }
}

/// Resolves every name to the address that the registry has for the agent: the name is for the certificate.
#[derive(Debug)]
struct FixedAddress(String);

impl Resolve for FixedAddress {
    fn resolve(&self, _name: Name) -> Resolving {
        let address = self.0.clone();
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host(&address).await?.collect();
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// The body of a 200 answer, within its limit.
async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, CallError> {
    let status = response.status().as_u16();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
        if body.len().saturating_add(chunk.len()) > limit {
            return Err(CallError::BadAnswer(format!("longer than {limit} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    if status == 200 {
        return Ok(body);
    }
    let detail = serde_json::from_slice::<ErrorBody>(&body)
        .ok()
        .filter(|body| body.error.len() <= 64 && body.error.bytes().all(|c| c.is_ascii_graphic()))
        .map_or_else(String::new, |body| format!(" ({})", body.error));
    Err(CallError::Status { status, detail })
}

fn classify(error: &reqwest::Error) -> CallError {
    let why = root_cause(error);
    if error.is_connect() {
        CallError::NotSent(why)
    } else if error.is_timeout() {
        CallError::TooLate
    } else {
        CallError::NoAnswer(why)
    }
}

/// The innermost error says what happened; the outer ones only repeat the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { "connection timed out".to_owned() } else { cause.to_string() }
}
