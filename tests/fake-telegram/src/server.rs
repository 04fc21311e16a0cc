//! A running server: its thread, its address, its end.

use crate::connection::Api;
use crate::spec::{Spec, find_spec};
use crate::state::{Shared, State};
use secmon_fake_http::Server;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The token of a server that is started with the default options.
pub const DEFAULT_TOKEN: &str = "4815162342:fake-token-for-tests-only-AAAAAAAAAAA";

/// How a server behaves from its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port on 127.0.0.1; 0 for any free one.
    pub port: u16,
    /// The one token that is valid.
    pub token: String,
    /// The specification that requests are checked against.
    pub spec: Option<PathBuf>,
    /// Whether the built-in send limits answer 429.
    pub rate_limit: bool,
    /// How much later repeated 409 answers come; 3 s at the real server.
    pub conflict_pause: Duration,
    /// Whether quick repetition of the same offset is slowed down as the real server does.
    pub quick_repeat: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            token: DEFAULT_TOKEN.to_owned(),
            spec: find_spec(),
            rate_limit: false,
            conflict_pause: Duration::from_secs(3),
            quick_repeat: false,
        }
    }
}

/// A running server. Dropping it closes the port and every connection.
#[derive(Debug)]
pub struct FakeTelegram {
    pub(crate) shared: Arc<Shared>,
    server: Server,
    token: String,
}

impl FakeTelegram {
    /// Starts a server on a thread of its own, for sync and async tests alike.
    ///
    /// # Panics
    /// When the port is taken or the specification can't be read; [`Self::try_start`] gives the error.
    #[must_use]
    #[track_caller]
    pub fn start(options: Options) -> Self {
        Self::try_start(options)
            .unwrap_or_else(|error| panic!("the fake Telegram server can't start: {error}"))
    }

    /// Starts a server, or says why not.
    pub fn try_start(options: Options) -> io::Result<Self> {
        let spec = options.spec.as_deref().map(Spec::load).transpose()?;
        let mut state = State::new(options.token.clone(), spec);
        state.conflict_pause = options.conflict_pause;
        state.quick_repeat = options.quick_repeat;
        state.limit_rate(options.rate_limit);
        let shared = Arc::new(Shared::new(state));
        let server = Server::start("fake-telegram", options.port, Arc::new(Api(Arc::clone(&shared))))?;
        Ok(Self { shared, server, token: options.token })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.server.addr()
    }

    /// The URL that takes the place of `https://api.telegram.org`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.addr())
    }

    /// The valid token.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }
}
