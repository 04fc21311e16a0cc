//! The network side: TLS, HTTP and connections, on one thread. It parses what strangers send, and can do
//! nothing else.
//!
//! It holds the TLS key and one end of a socket pair. It has no other key, runs no program and touches no
//! file; what it wants done it asks for in fixed-size messages ([`crate::message`]), and the acting side
//! believes none of it.

mod connection;
mod crypto;
mod deadline;
mod http;
mod limits;
mod link;
mod tls;

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;

use async_executor::LocalExecutor;
use async_io::{Async, Timer};
use futures_lite::future::or;
use rustls::ServerConfig;

pub(crate) use crypto::provider;
pub(crate) use limits::CONNECTIONS_MAX;
pub(crate) use tls::tls_config;

use crate::bundle::NetworkIdentity;
use connection::Connection;
use deadline::within;
use limits::{ACCEPT_PAUSE, HANDSHAKE_TIME};
use link::{Link, Seat};
use tls::TlsStream;

/// The network side, bound and not yet serving.
#[derive(Debug)]
pub(crate) struct Network {
    listener: Async<TcpListener>,
    link: Link,
    identity: NetworkIdentity,
}

impl Network {
    /// Binds the listener. `acting` is our end of the socket pair.
    pub(crate) fn bind(
        listen: SocketAddr,
        acting: UnixDatagram,
        identity: NetworkIdentity,
    ) -> io::Result<Self> {
        let listener = Async::<TcpListener>::bind(listen)?;
        Ok(Self { listener, link: Link::new(acting)?, identity })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.get_ref().local_addr()
    }

    /// Serves for as long as the acting side is there.
    pub(crate) fn run(self) -> io::Error {
        let connections = LocalExecutor::new();
        let serve = or(self.link.deliver(), self.accept(&connections));
        async_io::block_on(connections.run(serve))
    }

    async fn accept<'a>(&'a self, connections: &LocalExecutor<'a>) -> io::Error {
        loop {
            match self.listener.accept().await {
                // Before the handshake there is no way to say why; closing at once is the politest there is.
                Ok((tcp, _peer)) => match self.link.seat() {
                    Some(seat) => connections.spawn(self.serve(tcp, seat)).detach(),
                    None => drop(tcp),
                },
                // Out of descriptors, say, or a connection that went before we took it.
                Err(_) => {
                    Timer::after(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn serve(&self, tcp: Async<TcpStream>, seat: Seat<'_>) {
        let _only_slower_without = tcp.get_ref().set_nodelay(true);
        let tls: Arc<ServerConfig> = Arc::clone(&self.identity.tls);
        if let Ok(stream) = within(HANDSHAKE_TIME, TlsStream::accept(tcp, tls)).await {
            Connection::new(stream, seat, &self.identity.manifest).serve().await;
        }
    }
}
