//! A running server: its options, its addresses.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use secmon_fake_http::Server;

use crate::connection::{Api, Edge};
use crate::rate::RateLimit;
use crate::spec::{PREFIX, Spec, find_spec};
use crate::state::{Shared, State};
use crate::token::Token;
use crate::zone::{NewZone, Zone};

/// The zone of a server that is started with the default options.
pub const DEFAULT_ZONE: &str = "9f1839b6152d298aca64c4e906b6d074";
/// The token of a server that is started with the default options. It may do everything everywhere.
pub const DEFAULT_TOKEN: &str = "fake-token-for-tests-only-AAAAAAAAAAAAAAAA";

/// How a server behaves from its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API's port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// The edge's port on 127.0.0.1; 0 for any free one.
    pub edge_port: u16,
    /// The zones at the start: `example.com`, free, without rules.
    pub zones: Vec<NewZone>,
    /// The tokens at the start.
    pub tokens: Vec<Token>,
    /// The specification that requests are checked against.
    pub spec: Option<PathBuf>,
    /// Whether tokens are limited, and how.
    pub rate_limit: Option<RateLimit>,
    /// How many access rules the account may have.
    pub access_rule_quota: usize,
    /// What a visitor gets while a zone is under attack.
    pub under_attack_status: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            edge_port: 0,
            zones: vec![NewZone::new(DEFAULT_ZONE, "example.com")],
            tokens: vec![Token::new(DEFAULT_TOKEN)],
            spec: find_spec(),
            rate_limit: None,
            access_rule_quota: 50_000,
            under_attack_status: 403,
        }
    }
}

/// A running server. Dropping it closes its ports and every connection.
#[derive(Debug)]
pub struct FakeCloudflare {
    pub(crate) shared: Arc<Shared>,
    api: Server,
    edge: Server,
}

impl FakeCloudflare {
    /// Starts a server on threads of its own, for sync and async tests alike.
    ///
    /// # Panics
    /// When a port is taken or the specification can't be read; [`Self::try_start`] gives the error.
    #[must_use]
    #[track_caller]
    pub fn start(options: Options) -> Self {
        Self::try_start(options).unwrap_or_else(|error| panic!("the fake Cloudflare can't start: {error}"))
    }

    /// Starts a server, or says why not.
    pub fn try_start(options: Options) -> io::Result<Self> {
        let mut state = State::new(options.spec.as_deref().map(Spec::load).transpose()?);
        options.zones.into_iter().for_each(|zone| state.add_zone(Zone::new(zone)));
        options.tokens.into_iter().for_each(|token| state.add_token(token));
        state.windows.limit = options.rate_limit;
        state.access_rule_quota = options.access_rule_quota;
        state.edge.under_attack_status = options.under_attack_status;
        let shared = Arc::new(Shared::new(state));
        let api = Server::start("fake-cloudflare", options.port, Arc::new(Api(Arc::clone(&shared))))?;
        let edge = Server::start("fake-edge", options.edge_port, Arc::new(Edge(Arc::clone(&shared))))?;
        Ok(Self { shared, api, edge })
    }

    /// Where the API listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.api.addr()
    }

    /// Where the edge listens.
    #[must_use]
    pub fn edge_addr(&self) -> SocketAddr {
        self.edge.addr()
    }

    /// The URL that takes the place of `https://api.cloudflare.com/client/v4`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{PREFIX}", self.addr())
    }

    /// The URL that takes the place of a zone's own. Visits say who comes by the headers `X-Test-Ip` and
    /// `X-Test-Verified-Bot`.
    #[must_use]
    pub fn edge_url(&self) -> String {
        format!("http://{}", self.edge_addr())
    }
}
