//! `secmon serve`: puts the parts together and runs until it is told to stop.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use super::strangers::Strangers;
use super::{Door, Outbox, console, telegram};
use crate::approval::{ChatId, Operator, Senders};
use crate::audit::{AuditLog, Create, event};
use crate::cloudflare::Vault;
use crate::cloudflare::{Auto, AutoPolicy, Edge, Leases, Parts, Switch, api::Api};
use crate::config::Config;
use crate::diag::Desk;
use crate::dispatch::{Agents, Dispatcher};
use crate::fleet::control_tls;
use crate::fleet::keys::SigningKey;
use crate::policy::Policy;
use crate::store::Store;

/// Between two sweeps of the unknown senders' counters.
const SWEEP: Duration = Duration::from_secs(60);

/// Why the control plane can't serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// The database.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// The audit log can't be trusted or written.
    #[error(transparent)]
    Chain(#[from] crate::audit::AuditChainError),
    /// The first record can't be written.
    #[error("audit log: {0}")]
    Audit(#[from] crate::audit::AuditError),
    /// Keys or certificates.
    #[error(transparent)]
    Fleet(#[from] crate::fleet::FleetError),
    /// A stored API token doesn't open.
    #[error(transparent)]
    WrongKey(#[from] crate::cloudflare::WrongKey),
    /// Open approvals can't be taken up.
    #[error(transparent)]
    Resume(#[from] crate::dispatch::ResumeError),
    /// The client of Cloudflare's API.
    #[error("Cloudflare: {0}")]
    Cloudflare(String),
    /// The HTTPS client or the bot.
    #[error("{0}")]
    Telegram(String),
    /// The console's socket or a signal handler.
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
}

/// The running core: everything but the transports.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) door: Arc<Door>,
    pub(super) posted: Arc<Notify>,
}

/// Serves Telegram and the console until SIGTERM or SIGINT.
pub async fn run(config: Config) -> Result<(), ServeError> {
    let telegram = config.telegram()?;
    let bot = telegram::bot(&telegram.token, &telegram.api_url).map_err(ServeError::Telegram)?;
    let core = Core::start(&config).await?;
    let door = Arc::clone(&core.door);
    let store = Arc::clone(&door.store);
    match console::listen(config.data_dir().as_path()) {
        Ok(socket) => {
            tokio::spawn(console::serve(socket, Arc::clone(&door), Arc::clone(&core.posted)));
        }
        // The chat is what counts.
        Err(error) => tracing::error!("console: {error}; serving without it"),
    }
    tokio::spawn(telegram::deliver(bot.clone(), store, Arc::clone(&core.posted)));
    tokio::spawn(telegram::poll(bot, door));
    tracing::info!("serving");
    stopped().await?;
    console::remove(config.data_dir().as_path());
    tracing::info!("stopped");
    Ok(())
}

impl Core {
    /// Opens everything, takes up what was left open, and writes the first record.
    pub(super) async fn start(config: &Config) -> Result<Self, ServeError> {
        // A core dump would hold every key and the bot's token.
        rlimit::setrlimit(rlimit::Resource::CORE, 0, 0).map_err(io_error(Path::new("core dumps")))?;
        let (access, data) = (config.access()?, config.data_dir());
        let store = Arc::new(Store::open(&data.database())?);
        // A wrong key is an error now and not at 3 a.m.
        let vault = Vault::new(config.data_keys()?);
        vault.check(&store.zones()?)?;
        let audit = AuditLog::open(&data.audit_log(), Create::Never)?.log;
        audit.append(event::started(env!("CARGO_PKG_VERSION"))).await?;
        let posted = Arc::new(Notify::new());
        let agents = Arc::new(Agents::new(control_tls(data)?));
        let outbox = Outbox::new(
            Arc::clone(&store),
            Arc::clone(&posted),
            access.users.iter().map(|user| Operator(*user)),
        );
        let edge = Edge::new(config.cloudflare_edge()?)
            .map_err(|error| ServeError::Cloudflare(error.to_string()))?;
        let leases = Leases::new(Parts {
            store: Arc::clone(&store),
            audit: audit.clone(),
            api: Arc::new(
                Api::new(config.cloudflare_api()?)
                    .map_err(|error| ServeError::Cloudflare(error.to_string()))?,
            ),
            vault,
            switch: Switch::new(config.auto_cloudflare()?, data.auto_off()),
            durations: config.durations()?,
            outbox: outbox.clone(),
        });
        let leases = Arc::new(leases.looking_through(edge));
        let (policy, flips_max) = (config.auto_policy()?, config.auto_flips()?);
        let dispatcher = Arc::new(Dispatcher::new(
            Arc::clone(&store),
            audit.clone(),
            Arc::clone(&agents),
            SigningKey::read(&data.dispatch_key())?,
            config.manifest_secret()?,
            Arc::clone(&leases),
            outbox.clone(),
        ));
        dispatcher.resume(data.audit_log()).await?;
        let door = Arc::new(Door {
            senders: Senders::new(
                access.users.into_iter().map(Operator),
                access.chats.into_iter().map(ChatId),
            ),
            policy: Policy::default(),
            totp: access.totp,
            desk: Arc::new(Desk::new(agents, Arc::clone(&store))),
            store,
            audit,
            dispatcher,
            strangers: std::sync::Mutex::new(Strangers::default()),
        });
        tokio::spawn(sweep(Arc::clone(&door)));
        tokio::spawn(Arc::clone(door.dispatcher.watch()).look_at_all());
        mind_cloudflare(&door, outbox, (policy, flips_max), data.audit_log());
        Ok(Self { door, posted })
    }
}

/// Starts what happens at Cloudflare without anybody asking just then.
fn mind_cloudflare(
    door: &Arc<Door>,
    outbox: Outbox,
    (policy, flips_max): (AutoPolicy, usize),
    audit_log: std::path::PathBuf,
) {
    let leases = Arc::clone(door.dispatcher.leases());
    let auto = Auto {
        store: Arc::clone(&door.store),
        audit: door.audit.clone(),
        leases: Arc::clone(&leases),
        desk: Arc::clone(&door.desk),
        outbox,
        policy,
        flips_max,
    };
    tokio::spawn(Arc::clone(&leases).keep_time());
    tokio::spawn(Arc::new(auto).run());
    tokio::spawn(leases.reconcile(audit_log));
}

async fn sweep(door: Arc<Door>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        door.sweep().await;
    }
}

async fn stopped() -> Result<(), ServeError> {
    let handler =
        |kind| signal(kind).map_err(|source| ServeError::Io { what: "signal handler".to_owned(), source });
    let (mut terminate, mut interrupt) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

pub(super) fn io_error(what: &Path) -> impl FnOnce(std::io::Error) -> ServeError {
    let what = what.display().to_string();
    move |source| ServeError::Io { what, source }
}
