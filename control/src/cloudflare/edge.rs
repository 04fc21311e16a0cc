//! Looks at pages through Cloudflare's edge, as a machine would that isn't a browser. Sends no token and no cookie,
//! follows no redirect, and reads no body.

use std::time::Duration;

use reqwest::header::HOST;
use tokio::task::JoinSet;

use super::Probe;
use super::collateral::{Seen, Sight};
use crate::config::ApiUrl;

/// How long a page has. A mitigation waits for the look before it, so it is short.
const PATIENCE: Duration = Duration::from_secs(4);
/// The header by which the edge says that it challenges.
const MITIGATED: &str = "cf-mitigated";

/// The way to the edge.
#[derive(Clone, Debug)]
pub struct Edge {
    http: reqwest::Client,
    /// Asked instead of the zones' own names.
    stand_in: Option<ApiUrl>,
}

/// The HTTPS client can't be made.
#[derive(Debug, thiserror::Error)]
#[error("the HTTPS client for looks at pages can't be made: {0}")]
pub struct NoClient(#[from] reqwest::Error);

impl Edge {
    /// The edge of the zones, or what stands in for it on this machine.
    pub fn new(stand_in: Option<ApiUrl>) -> Result<Self, NoClient> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("secmon/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            // What is looked at is what a new visitor meets.
            .pool_max_idle_per_host(0);
        let builder = if stand_in.is_some() { builder.no_proxy() } else { builder.https_only(true) };
        Ok(Self { http: builder.build()?, stand_in })
    }

    /// Looks at these pages of a zone side by side.
    pub(super) async fn look(&self, zone: &str, pages: Vec<Probe>) -> Vec<Seen> {
        let mut looks = JoinSet::new();
        for (at, page) in pages.into_iter().enumerate() {
            let request = self.request(zone, &page);
            looks.spawn(async move {
                let sight = match request.send().await {
                    Ok(answer) => {
                        let is_challenge =
                            answer.headers().get(MITIGATED).is_some_and(|value| value == "challenge");
                        Sight::of(answer.status().as_u16(), is_challenge)
                    }
                    Err(_) => Sight::Nothing,
                };
                (at, (page, sight))
            });
        }
        let mut seen = looks.join_all().await;
        seen.sort_by_key(|(at, _)| *at);
        seen.into_iter().map(|(_, seen)| seen).collect()
    }

    fn request(&self, zone: &str, page: &Probe) -> reqwest::RequestBuilder {
        match &self.stand_in {
            None => self.http.get(page.url(zone)),
            Some(base) => {
                let url = format!("{}{}", base.as_str(), page.path());
                self.http.get(url).header(HOST, page.host(zone))
            }
        }
    }
}
