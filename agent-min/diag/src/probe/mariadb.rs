//! A conversation with MariaDB or MySQL that leaves no line in its log: a login by the account of this process, which
//! has no rights and no password, and a goodbye.
//!
//! Whoever connects and leaves without a login is logged by the server as an aborted connection. Where the account
//! doesn't exist, one line says so instead, by name.

use std::time::Duration;

use super::exchange::Exchange;
use super::mysql::{
    First, HEADER, PACKET_MAX, QUIT, Reply, STATISTICS, first, login, query, reply, row, statistic,
};
use super::{ACCOUNT, allowed};
use crate::host::{Denied, Endpoint, Host};

/// The numbers that are judged or compared.
const NUMBERS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Threads_connected','Threads_running',\
    'Innodb_row_lock_current_waits','Slow_queries','Created_tmp_tables','Created_tmp_disk_tables','Uptime')";
const LIMIT: &str = "SHOW GLOBAL VARIABLES LIKE 'max_connections'";
/// A question takes about a millisecond.
const ANSWER: Duration = Duration::from_millis(500);
/// Packets of one answer: two columns, their ends, and a row for each number; more are not read.
const PACKETS_MAX: usize = 24;

/// What came of a look.
#[derive(Debug)]
pub(super) enum Look<'h> {
    /// It answers, and has let us in.
    In(Session<'h>),
    /// It answers, and there is no account for us.
    NoAccount,
    /// It refuses everybody, by this error.
    Refuses(u16),
    /// It is not what it should be.
    Strange,
}

/// An open session.
pub(super) struct Session<'h> {
    exchange: Exchange<'h>,
    packet: Vec<u8>,
    number: u8,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// The server's numbers. What it didn't say is 0, which is no alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) connected: u64,
    pub(super) running: u64,
    pub(super) lock_waits_now: u64,
    pub(super) slow_queries: u64,
    pub(super) tmp_tables: u64,
    pub(super) tmp_disk_tables: u64,
    pub(super) uptime: u64,
}

/// Connects, and logs in.
pub(super) fn look<'h>(host: &'h dyn Host, to: &Endpoint, time: Duration) -> Result<Look<'h>, Denied> {
    let time = allowed(host, time).ok_or(Denied::Timeout)?;
    let exchange = Exchange::open(host, to, time)?;
    let mut session = Session { exchange, packet: Vec::new(), number: 0 };
    session.receive()?;
    match first(&session.packet) {
        First::Greeting => {}
        First::Error(code) => return Ok(Look::Refuses(code)),
        First::Other => return Ok(Look::Strange),
    }
    session.send(&login(ACCOUNT))?;
    session.receive()?;
    if reply(&session.packet) == Reply::SwitchOrEnd {
        // Another way to log in needs a password, and there is none.
        session.send(&[])?;
        session.receive()?;
    }
    Ok(match reply(&session.packet) {
        Reply::Ok => Look::In(session),
        Reply::Error(code @ (super::mysql::TOO_MANY_CONNECTIONS | super::mysql::HOST_BLOCKED)) => {
            Look::Refuses(code)
        }
        Reply::Error(_) => Look::NoAccount,
        Reply::SwitchOrEnd | Reply::Data(_) => Look::Strange,
    })
}

impl Session<'_> {
    /// Its numbers; at least those of the short line where the long list is not for us.
    pub(super) fn numbers(&mut self) -> Result<Numbers, Denied> {
        let mut numbers = Numbers::default();
        let asked = self.rows(NUMBERS, |name, value| {
            let slot = match name {
                b"Threads_connected" => &mut numbers.connected,
                b"Threads_running" => &mut numbers.running,
                b"Innodb_row_lock_current_waits" => &mut numbers.lock_waits_now,
                b"Slow_queries" => &mut numbers.slow_queries,
                b"Created_tmp_tables" => &mut numbers.tmp_tables,
                b"Created_tmp_disk_tables" => &mut numbers.tmp_disk_tables,
                b"Uptime" => &mut numbers.uptime,
                _ => return,
            };
            *slot = value;
        });
        if asked == Err(Denied::Permission) {
            self.command(STATISTICS)?;
            self.receive()?;
            numbers.uptime = statistic(&self.packet, b"Uptime").ok_or(Denied::Failed)?;
            numbers.connected = statistic(&self.packet, b"Threads").unwrap_or(0);
            numbers.slow_queries = statistic(&self.packet, b"Slow queries").unwrap_or(0);
            return Ok(numbers);
        }
        asked.map(|()| numbers)
    }

    /// The most connections that it takes.
    pub(super) fn limit(&mut self) -> Result<u64, Denied> {
        let mut limit = None;
        self.rows(LIMIT, |_, value| limit = Some(value))?;
        limit.ok_or(Denied::Failed)
    }

    /// Says goodbye. Whether that arrives is the server's affair.
    pub(super) fn end(mut self) {
        let _gone_either_way = self.command(QUIT);
    }

    fn rows(&mut self, sql: &str, mut each: impl FnMut(&[u8], u64)) -> Result<(), Denied> {
        self.command(&query(sql))?;
        let mut ends = 0;
        for _ in 0..PACKETS_MAX {
            self.receive()?;
            match reply(&self.packet) {
                Reply::Error(_) => return Err(Denied::Permission),
                // The first end closes the columns, the second the rows.
                Reply::SwitchOrEnd => ends += 1,
                Reply::Data(_) if ends == 1 => {
                    if let Some((name, value)) = row(&self.packet) {
                        each(name, value);
                    }
                }
                Reply::Ok | Reply::Data(_) => {}
            }
            if ends == 2 {
                return Ok(());
            }
        }
        Err(Denied::Failed)
    }

    fn command(&mut self, body: &[u8]) -> Result<(), Denied> {
        self.number = u8::MAX;
        self.exchange.allow(ANSWER);
        self.send(body)
    }

    /// Sends a packet, numbered after the last one.
    fn send(&mut self, body: &[u8]) -> Result<(), Denied> {
        let [low, middle, high, ..] = u32::try_from(body.len()).unwrap_or(0).to_le_bytes();
        let header = [low, middle, high, self.number.wrapping_add(1)];
        self.exchange.send(&[&header, body].concat())
    }

    /// Receives a packet into `packet`.
    fn receive(&mut self) -> Result<(), Denied> {
        let mut header = [0; HEADER];
        self.exchange.fill(&mut header)?;
        let [low, middle, high, number] = header;
        let length = u32::from_le_bytes([low, middle, high, 0]);
        let length =
            usize::try_from(length).ok().filter(|length| *length <= PACKET_MAX).ok_or(Denied::Failed)?;
        self.number = number;
        self.packet.resize(length, 0);
        self.exchange.fill(&mut self.packet)
    }
}
