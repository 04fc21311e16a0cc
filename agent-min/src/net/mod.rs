//! The network process: TLS, HTTP and connections. It parses what strangers send, and can do nothing else.
//!
//! The monitor starts it with five descriptors: the channel that it asks on ([`crate::message`]), the one for
//! handshakes ([`crate::handshake`]), the listener, a pipe with what it serves ([`crate::setup`]), none of which is
//! secret, and the one from which it takes reports of the diagnostics ([`reports`]). It locks itself in before it reads a byte from the network; afterwards it has no user's rights, no
//! files, and no system calls but those that its work takes.

mod connection;
mod crypto;
mod deadline;
mod http;
mod key;
mod limits;
mod link;
mod receipts;
mod reports;
mod stream;
mod tls;

use std::fmt::Display;
use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use futures_lite::future::or;
use rustls::ServerConfig;
use secmon_sys::account::Account;
use secmon_sys::channel::Channel;
use secmon_sys::clock::wall_seconds;
use secmon_sys::inherited;
use secmon_sys::process::our_account;
use secmon_sys::sandbox::{self, Confinement, Entered, Identity, Plan};

pub(crate) use crypto::provider;
pub(crate) use key::RemoteKey;
pub(crate) use limits::CONNECTIONS_MAX;
pub(crate) use tls::tls_config;

use crate::bundle::{self, Findings, TlsParts};
use crate::message::{Request, Token};
use crate::say;
use crate::setup::{SETUP_MAX, Setup};
use connection::Connection;
use deadline::within;
use limits::{ACCEPT_PAUSE, HANDSHAKE_TIME};
use link::{Link, Seat};
use reports::Reports;
use tls::TlsStream;

/// The word on the command line that makes the program this process.
pub(crate) const ROLE: &std::ffi::CStr = c"network";

/// What the monitor gives it, in this order.
#[derive(Debug)]
struct Inheritance {
    link: Channel,
    handshakes: Channel,
    listener: TcpListener,
    reports: File,
    setup: Vec<u8>,
}

/// Serves until the monitor is gone, which is no affair of ours to report. An error says why it can't.
#[inline(never)] // see cli.rs
pub(crate) fn run() -> Result<(), String> {
    let _monitor_is_gone = start()?.serve();
    Ok(())
}

fn start() -> Result<Network, String> {
    let inherited = Inheritance::take().map_err(|e| {
        format!("`secmon-agent run` starts this process, and hands it what it needs; by itself it is of no use ({e})")
    })?;
    let setup =
        Setup::decode(&inherited.setup).ok_or("what the monitor handed over is of another version")?;
    let entered =
        lock_in(&inherited, &setup).map_err(|e| format!("the network process can't be locked in: {e}"))?;
    let key = RemoteKey::new(setup.tls_key, inherited.handshakes).map_err(text)?;
    let tls = load_tls(&setup, key)?;
    // The reactor starts its thread with the first of these, and there is no other.
    let listener = Async::new(inherited.listener).map_err(text)?;
    let link = Link::new(inherited.link).map_err(text)?;
    let reports = Reports::new(inherited.reports).map_err(text)?;
    wait_for_reactor();
    let strength = entered.seal();
    let ready = Request::Ready(strength.to_bytes()).encode(Token(0));
    link.tell(&ready).map_err(|e| format!("the monitor is gone: {e}"))?;
    Ok(Network { listener, link, reports, tls, manifest: setup.manifest.to_vec() })
}

/// Returns when the reactor's thread is at work: what a thread does at its beginning, it may not do later.
fn wait_for_reactor() {
    /// Long enough that a timer is not over before anybody waits for it.
    const A_MOMENT: Duration = Duration::from_micros(50);
    struct Unpark(Thread, AtomicBool);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.1.store(true, Ordering::Release);
            self.0.unpark();
        }
    }
    let here = Arc::new(Unpark(std::thread::current(), AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&here));
    // Polled by nobody but this function, so it is that thread which sees the time pass and wakes us.
    while !here.1.load(Ordering::Acquire) {
        let mut timer = pin!(Timer::after(A_MOMENT));
        while timer.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            std::thread::park();
        }
    }
}

impl Inheritance {
    fn take() -> io::Result<Self> {
        let (link, handshakes) = (Channel::inherited(3)?, Channel::inherited(4)?);
        let (listener, pipe, reports) = (inherited::listener(5)?, inherited::file(6)?, inherited::file(7)?);
        let mut setup = Vec::with_capacity(SETUP_MAX);
        pipe.take(SETUP_MAX as u64).read_to_end(&mut setup)?;
        Ok(Self { link, handshakes, listener, reports, setup })
    }
}

fn lock_in(inherited: &Inheritance, setup: &Setup<'_>) -> Result<Entered, sandbox::EnterError> {
    let Account { uid, gid } = setup.account.unwrap_or_else(our_account);
    sandbox::enter(&Plan {
        identity: Identity { uid, gid, groups: Vec::new() },
        keep: &[
            inherited.link.as_fd(),
            inherited.handshakes.as_fd(),
            inherited.listener.as_fd(),
            inherited.reports.as_fd(),
        ],
        confinement: Confinement::Network { root: Path::new(setup.empty) },
    })
}

fn load_tls(setup: &Setup<'_>, key: RemoteKey) -> Result<Arc<ServerConfig>, String> {
    let mut findings = Findings::default();
    let parts = TlsParts {
        directory: Path::new(setup.directory),
        agent_id: &setup.agent_id,
        authority: setup.authority,
        chain: setup.chain,
        key: Arc::new(key),
    };
    let tls = bundle::load_tls(parts, wall_seconds(), &mut findings);
    findings.notes.iter().for_each(say);
    tls.ok_or_else(|| findings.first_problem())
}

fn text(problem: impl Display) -> String {
    problem.to_string()
}

/// The network process, locked in and not yet serving.
#[derive(Debug)]
struct Network {
    listener: Async<TcpListener>,
    link: Link,
    reports: Reports,
    tls: Arc<ServerConfig>,
    manifest: Vec<u8>,
}

impl Network {
    /// Serves for as long as the monitor is there.
    fn serve(self) -> io::Error {
        let connections = LocalExecutor::new();
        let serve = or(self.link.deliver(), self.accept(&connections));
        async_io::block_on(connections.run(serve))
    }

    async fn accept<'a>(&'a self, connections: &LocalExecutor<'a>) -> io::Error {
        loop {
            match self.listener.accept().await {
                // Before the handshake there is no way to say why; closing at once is the politest there is.
                Ok((tcp, _peer)) => match self.link.seat() {
                    Some(seat) => connections.spawn(self.converse(tcp, seat)).detach(),
                    None => drop(tcp),
                },
                // Out of descriptors, say, or a connection that went before we took it.
                Err(_) => {
                    Timer::after(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn converse(&self, tcp: Async<TcpStream>, seat: Seat<'_>) {
        let _only_slower_without = tcp.get_ref().set_nodelay(true);
        let tls = Arc::clone(&self.tls);
        if let Ok(stream) = within(HANDSHAKE_TIME, TlsStream::accept(tcp, tls)).await {
            Connection::new(stream, seat, &self.manifest, &self.reports).serve().await;
        }
    }
}
