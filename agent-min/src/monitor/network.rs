//! The network process as the monitor has it: starts it, reads what it sends, and starts it again when it ends.
//!
//! Nothing that it sends is believed, and nothing that it does holds the monitor up: both channels are
//! non-blocking, a message is of one size or it is dropped, an answer that finds no room is dropped, and
//! however often it ends, it is started at most once in [`START_EVERY`].

use std::ffi::CString;
use std::io::{self, PipeWriter, Write};
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use secmon_sys::channel::{Channel, pipe_for};
use secmon_sys::process::is_shortage;
use secmon_sys::role::{self, RoleProcess};
use secmon_sys::sandbox::Strength;
use secmon_sys::wait::{Alone, pause, readable};

use super::desk::Stop;
use super::tls_key::TlsKey;
use crate::diagnostics::REPORT_SIZE;
use crate::handshake::{self, SignRequest};
use crate::message::{REQUEST_SIZE, Reply, Request, Token};
use crate::net::ROLE;
use crate::say;

/// From one start of the network process to the next.
const START_EVERY: Duration = Duration::from_secs(1);
/// How long one that is only tried out may take to be ready.
const TRIAL_TIME: Duration = Duration::from_secs(10);
/// How long a network process that has closed its channel may take to end.
const END_TIME: Duration = Duration::from_millis(500);
/// How often it may end in a row without having been ready: then something is wrong that another start won't mend.
const STILLBORN_MAX: u32 = 3;

/// What it takes to start one.
#[derive(Debug)]
pub(crate) struct Starter {
    program: CString,
    listener: TcpListener,
    /// [`crate::setup`], encoded.
    setup: Vec<u8>,
    own_user: bool,
}

/// One network process after the other.
#[derive(Debug)]
pub(crate) struct NetworkProcess {
    starter: Option<Starter>,
    link: Channel,
    handshakes: Channel,
    /// Where a diagnostics process writes its report, and the network process reads it.
    report: PipeWriter,
    process: Option<RoleProcess>,
    started: Instant,
    /// What the running one has said of its walls; `None` until it is ready.
    strength: Option<Strength>,
    /// Whether one ever was ready.
    ever_ready: bool,
    stillborn: u32,
}

/// What there was to be read.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "lives on the stack for a moment")]
pub(crate) enum Event {
    /// A request to answer.
    Asked(Token, Request),
    /// Another network process is there: whoever waited for an answer is gone.
    Replaced,
    /// Nothing, or nothing that concerns anybody else.
    Nothing,
}

impl Starter {
    /// `program` is our own, by its absolute path; `own_user` says whether nobody else has the user that it becomes.
    pub(crate) const fn new(program: CString, listener: TcpListener, setup: Vec<u8>, own_user: bool) -> Self {
        Self { program, listener, setup, own_user }
    }

    fn start(&self) -> io::Result<(Channel, Channel, PipeWriter, RoleProcess)> {
        let (link, its_link) = Channel::pair()?;
        let (handshakes, its_handshakes) = Channel::pair()?;
        let (its_setup, mut setup) = io::pipe()?;
        let (its_report, report) = pipe_for(REPORT_SIZE)?;
        let keep = [
            its_link.as_fd(),
            its_handshakes.as_fd(),
            self.listener.as_fd(),
            its_setup.as_fd(),
            its_report.as_fd(),
        ];
        let mut process = role::start(&self.program, ROLE, &keep)?;
        drop(its_setup);
        // It reads all of it before it does anything else; if it ends instead, this fails.
        if let Err(error) = setup.write_all(&self.setup) {
            let _gone_already = process.kill();
            process.wait();
            return Err(error);
        }
        link.set_nonblocking(true)?;
        handshakes.set_nonblocking(true)?;
        Ok((link, handshakes, report, process))
    }
}

impl NetworkProcess {
    /// Starts the first one.
    pub(crate) fn start(starter: Starter) -> io::Result<Self> {
        let (link, handshakes, report, process) = starter.start()?;
        Ok(Self {
            starter: Some(starter),
            link,
            handshakes,
            report,
            process: Some(process),
            started: Instant::now(),
            strength: None,
            ever_ready: false,
            stillborn: 0,
        })
    }

    /// For tests: somebody at the other ends who is no process.
    #[cfg(test)]
    pub(crate) fn somebody() -> (Self, Channel, Channel) {
        let (link, its_link) = Channel::pair().expect("a pair");
        let (handshakes, its_handshakes) = Channel::pair().expect("a pair");
        for channel in [&link, &handshakes] {
            channel.set_nonblocking(true).expect("set");
        }
        let network = Self {
            starter: None,
            link,
            handshakes,
            report: io::pipe().expect("a pipe").1,
            process: None,
            started: Instant::now(),
            strength: None,
            ever_ready: false,
            stillborn: 0,
        };
        (network, its_link, its_handshakes)
    }

    /// Waits until it is locked in, ends it, and says how well it was.
    pub(crate) fn try_out(mut self) -> Result<Strength, Stop> {
        let until = Instant::now() + TRIAL_TIME;
        let mut bytes = [0_u8; REQUEST_SIZE];
        let strength = loop {
            let there = readable([Some(self.link.as_fd())], Some(until));
            match self.link.recv(&mut bytes) {
                Ok(length) if length > 0 => match bytes.get(..length).and_then(Request::decode) {
                    Some((_, Request::Ready(strength))) => break Strength::from_bytes(strength),
                    _ => break None,
                },
                Err(error) if there == [false] && error.kind() == io::ErrorKind::WouldBlock => {
                    if Instant::now() >= until {
                        break None;
                    }
                }
                _ => break None,
            }
        };
        let how = self.end();
        strength.ok_or(Stop::NetworkGone(how))
    }

    /// What becomes readable when there is something to read.
    pub(crate) fn watched(&self) -> [BorrowedFd<'_>; 2] {
        [self.link.as_fd(), self.handshakes.as_fd()]
    }

    /// Where a report goes.
    pub(crate) fn report(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// The walls that should stand around it, and don't, by name.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'static str> {
        let shared = self.starter.as_ref().is_some_and(|starter| !starter.own_user);
        let of_walls = self.strength.into_iter().flat_map(Strength::missing);
        of_walls.chain(shared.then_some("own-uid"))
    }

    /// What the running one has said of its walls.
    pub(crate) const fn strength(&self) -> Option<Strength> {
        self.strength
    }

    /// Takes what is there, without waiting. Handshakes are answered here.
    pub(crate) fn next(&mut self, key: &TlsKey) -> Result<Event, Stop> {
        self.sign(key);
        let mut bytes = [0_u8; REQUEST_SIZE];
        let length = match self.link.recv(&mut bytes) {
            Ok(0) => return self.replace(),
            Ok(length) => length,
            // Nothing there; or a message that is too long, which was not sent by our network process as we know it.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData) => {
                return Ok(Event::Nothing);
            }
            Err(_) => return self.replace(),
        };
        // What doesn't decode gets no answer.
        match bytes.get(..length).and_then(Request::decode) {
            Some((_, Request::Ready(strength))) => self.is_ready(strength),
            Some((token, request)) => return Ok(Event::Asked(token, request)),
            None => {}
        }
        Ok(Event::Nothing)
    }

    /// An answer that finds no room is dropped: one that is awaited always finds some.
    pub(crate) fn reply(&self, token: Token, reply: &Reply) {
        let _dropped = self.link.send(&reply.encode(token));
    }

    fn sign(&self, key: &TlsKey) {
        let mut bytes = [0_u8; handshake::REQUEST_SIZE];
        let Ok(length) = self.handshakes.recv(&mut bytes) else { return };
        if let Some(request) = bytes.get(..length).and_then(SignRequest::decode) {
            let _dropped = self.handshakes.send(&key.answer(&request).encode());
        }
    }

    /// Said once in a process's life, before it reads a byte from the network; whatever it says later is somebody
    /// else's word.
    fn is_ready(&mut self, strength: [u8; Strength::SIZE]) {
        if self.strength.is_none() {
            self.strength = Strength::from_bytes(strength);
            self.ever_ready = self.strength.is_some();
            self.stillborn = 0;
        }
    }

    fn replace(&mut self) -> Result<Event, Stop> {
        if self.process.is_some() || self.starter.is_none() {
            self.take_leave()?;
        }
        let Some(starter) = &self.starter else { return Err(Stop::NetworkGone(role::End::Unknown)) };
        // It is dead, and nothing can be asked meanwhile.
        pause(self.started + START_EVERY, &mut Alone);
        self.started = Instant::now();
        match starter.start() {
            Ok((link, handshakes, report, process)) => {
                (self.link, self.handshakes, self.report) = (link, handshakes, report);
                self.process = Some(process);
                Ok(Event::Replaced)
            }
            Err(error) if is_shortage(&error) => {
                say(&format_args!("the network process can't be started: {error}; trying again"));
                Ok(Event::Nothing)
            }
            Err(error) => Err(Stop::NoNetwork(error.raw_os_error().unwrap_or(0))),
        }
    }

    /// Ends what is left of the process that has gone, and says so. An error if another start wouldn't help.
    fn take_leave(&mut self) -> Result<(), Stop> {
        let how = self.end();
        self.process = None;
        if self.strength.take().is_none() {
            self.stillborn = self.stillborn.saturating_add(1);
            if !self.ever_ready || self.stillborn >= STILLBORN_MAX {
                return Err(Stop::NetworkGone(how));
            }
        } else {
            say(&format_args!("the network process ended ({how}); starting another"));
        }
        Ok(())
    }

    /// Sees to it that the process has ended, whatever its channel says.
    fn end(&mut self) -> role::End {
        let Some(process) = &mut self.process else { return role::End::Unknown };
        // One that ends by itself may still have to say why.
        if let Some(end) = process.watch() {
            let _ended_or_not = readable([Some(end)], Some(Instant::now() + END_TIME));
        }
        let _gone_already = process.kill();
        process.wait()
    }
}
