//! A look at PostgreSQL that leaves no line in its log.
//!
//! Over TCP a server that wants a password asks for it, and says nothing of whoever leaves then; before that it says
//! whether it is full or not yet ready. Over a local socket it would look at the account at once, and log that there
//! is none: there, only whether it answers is asked.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::exchange::Exchange;
use super::postgres_packets::{MESSAGE_MAX, Said, TLS_REQUEST, said, startup};
use super::{ACCOUNT, allowed};
use crate::host::{Denied, Endpoint, Host};

/// The part of a local socket's name before the port.
const SOCKET_NAME: &str = "/.s.PGSQL.";

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// This was said.
    Said(Said),
    /// It answers; more can't be asked without a trace.
    Answers,
}

/// Asks over TCP where the server listens there, otherwise over its local socket.
pub(super) fn look(host: &dyn Host, to: &Endpoint, time: Duration) -> Result<Look, Denied> {
    let Endpoint::Unix(path) = to else { return ask(host, to, time) };
    if let Some(port) = path.rsplit_once(SOCKET_NAME).and_then(|(_, port)| port.parse().ok()) {
        let tcp = Endpoint::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        match ask(host, &tcp, time) {
            Err(Denied::Refused | Denied::Permission | Denied::Unsupported) => {}
            result => return result,
        }
    }
    let mut exchange = open(host, to, time)?;
    exchange.send(&TLS_REQUEST)?;
    let mut answer = [0];
    exchange.fill(&mut answer)?;
    match answer {
        [b'S' | b'N'] => Ok(Look::Answers),
        // `E` comes when there is not even a process to talk to us.
        _ => Ok(Look::Said(Said::Other)),
    }
}

fn ask(host: &dyn Host, to: &Endpoint, time: Duration) -> Result<Look, Denied> {
    let mut exchange = open(host, to, time)?;
    exchange.send(&startup(ACCOUNT))?;
    let mut message = [0; MESSAGE_MAX];
    // A first message is short, and comes in one piece.
    let length = exchange.receive(&mut message)?;
    Ok(Look::Said(said(message.get(..length).unwrap_or_default())))
}

fn open<'h>(host: &'h dyn Host, to: &Endpoint, time: Duration) -> Result<Exchange<'h>, Denied> {
    Exchange::open(host, to, allowed(host, time).ok_or(Denied::Timeout)?)
}
