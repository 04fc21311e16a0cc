//! The diagnostics process as the monitor has it: starts one for each request, ends it in time, and believes
//! nothing that it says but how well it is locked in. Its report goes past us, to the network process.
//!
//! One runs at a time, and is started at most once in [`START_EVERY`]. One that the kernel holds (a dead network
//! file system) can't be killed at once: until it is gone no other is started, and nobody waits for it.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use secmon_sys::channel::Channel;
use secmon_sys::role::{self, End, RoleProcess};
use secmon_sys::sandbox::Strength;
use secmon_sys::wait::readable;

use crate::areas::Areas;
use crate::diagnostics::{Order, ROLE};
use crate::message::{Reply, Token};
use crate::say;

/// From one start to the next.
const START_EVERY: Duration = Duration::from_secs(1);
/// From its start to its end; it ends itself well before.
const LIFE_TIME: Duration = Duration::from_secs(4);
/// How long one that has closed its channel may take to end.
const END_TIME: Duration = Duration::from_millis(500);
/// How often one is looked at that doesn't go, where the kernel can't tell us.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What it takes to start one.
#[derive(Debug)]
pub(crate) struct Examiner {
    /// Our own program.
    pub(crate) program: CString,
    /// Who it becomes. The areas are each run's own.
    pub(crate) order: Order,
    /// Whether nobody else has the user that it becomes.
    pub(crate) own_user: bool,
}

/// One diagnostics process after the other.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    examiner: Option<Examiner>,
    running: Option<Running>,
    last_start: Option<Instant>,
    /// What the last one has said of its walls.
    strength: Option<Strength>,
}

#[derive(Debug)]
struct Running {
    process: RoleProcess,
    link: Channel,
    /// Who waits for its end.
    asked: Option<Token>,
    until: Instant,
    /// Whether there is nothing more to be read: it has closed its channel, or was killed.
    silent: bool,
    killed: bool,
}

impl Diagnosis {
    /// Without an examiner nothing is ever started.
    pub(crate) const fn new(examiner: Option<Examiner>) -> Self {
        Self { examiner, running: None, last_start: None, strength: None }
    }

    /// The walls that should stand around it, and don't, by name; none before the first one ran.
    pub(crate) fn missing(&self) -> impl Iterator<Item = &'static str> {
        let shared = self.examiner.as_ref().is_some_and(|examiner| !examiner.own_user);
        let of_walls = self.strength.into_iter().flat_map(Strength::missing);
        of_walls.chain(shared.then_some("own-uid"))
    }

    /// Starts one that looks at `areas` and writes into `report`. The answer follows, if somebody waits for one;
    /// an error is the answer.
    pub(crate) fn begin(
        &mut self,
        asked: Option<Token>,
        areas: Areas,
        report: BorrowedFd<'_>,
    ) -> Result<(), Reply> {
        let now = Instant::now();
        let too_soon = self.last_start.is_some_and(|last| now < last + START_EVERY);
        let Some(examiner) = self.examiner.as_ref().filter(|_| self.running.is_none() && !too_soon) else {
            return Err(Reply::Overloaded);
        };
        // One that looks at nothing is no look.
        if areas != Areas::NONE {
            self.last_start = Some(now);
        }
        match examiner.start(areas, report) {
            Ok((process, link)) => {
                let until = now + LIFE_TIME;
                self.running = Some(Running { process, link, asked, until, silent: false, killed: false });
                Ok(())
            }
            Err(error) => {
                say(&format_args!("the diagnostics process can't be started: {error}"));
                Err(Reply::Overloaded)
            }
        }
    }

    /// Whoever waited is gone, and so is the pipe for the report.
    pub(crate) fn abandon(&mut self) {
        if let Some(running) = &mut self.running {
            running.asked = None;
            running.kill();
        }
    }

    /// What becomes readable when there is something to do.
    pub(crate) fn watched(&self) -> Option<BorrowedFd<'_>> {
        let running = self.running.as_ref()?;
        if running.silent { running.process.watch() } else { Some(running.link.as_fd()) }
    }

    /// When there is something to do without that.
    pub(crate) fn due(&self) -> Option<Instant> {
        // Where the kernel says when a killed one ends, that is waited for.
        let waits = |running: &&Running| !(running.killed && running.process.watch().is_some());
        self.running.as_ref().filter(waits).map(|running| running.until)
    }

    /// Does what there is to do, without waiting; the answer, if it is time for one.
    pub(crate) fn take(&mut self) -> Option<(Token, Reply)> {
        let running = self.running.as_mut()?;
        if let Some(strength) = running.listen() {
            self.strength = Some(strength);
        }
        let end = running.process.reap();
        if end.is_none() && Instant::now() >= running.until {
            running.kill();
        }
        let reply = match end {
            Some(End::Status(0)) => Reply::Diagnosed,
            Some(how) if !running.killed => {
                say(&format_args!("the diagnostics process ended before its report ({how})"));
                Reply::Overloaded
            }
            // Who waits doesn't wait for a process that doesn't go.
            _ if end.is_some() || running.killed => Reply::Overloaded,
            _ => return None,
        };
        let asked = running.asked.take();
        if end.is_some() {
            self.running = None;
        }
        asked.map(|token| (token, reply))
    }

    /// Starts one that looks at nothing, and says how well it was locked in.
    pub(crate) fn try_out(examiner: Examiner) -> Result<Strength, String> {
        let nobody = File::options().write(true).open("/dev/null").map_err(|e| e.to_string())?;
        Self::run_once(examiner, Areas::NONE, nobody.as_fd())
    }

    /// Starts one, waits for its end, and says how well it was locked in.
    pub(crate) fn run_once(
        examiner: Examiner,
        areas: Areas,
        report: BorrowedFd<'_>,
    ) -> Result<Strength, String> {
        let mut diagnosis = Self::new(Some(examiner));
        let begun = diagnosis.begin(Some(Token(0)), areas, report);
        let answer = begun.map_or_else(Some, |()| None);
        let answer = answer.or_else(|| {
            loop {
                let _which = readable([diagnosis.watched()], diagnosis.due());
                if let Some((_, reply)) = diagnosis.take() {
                    return Some(reply);
                }
            }
        });
        match diagnosis.strength.filter(|_| answer == Some(Reply::Diagnosed)) {
            Some(strength) => Ok(strength),
            None => Err("the diagnostics process doesn't come to its end".into()),
        }
    }
}

impl Examiner {
    fn start(&self, areas: Areas, report: BorrowedFd<'_>) -> io::Result<(RoleProcess, Channel)> {
        let (link, its_link) = Channel::pair()?;
        link.set_nonblocking(true)?;
        let order = Order { areas, ..self.order.clone() };
        let order = order.encode().ok_or(io::ErrorKind::InvalidData)?;
        let process = role::start(&self.program, ROLE, &[its_link.as_fd(), report])?;
        // It finds this when it comes to read; if it has ended already, its end says so.
        let _gone_already = link.send(&order);
        Ok((process, link))
    }
}

impl Running {
    /// Reads what it says of its walls, or that it says no more.
    fn listen(&mut self) -> Option<Strength> {
        if self.silent {
            return None;
        }
        let mut bytes = [0; Strength::SIZE];
        match self.link.recv(&mut bytes) {
            Ok(Strength::SIZE) => Strength::from_bytes(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            _ => {
                self.silent = true;
                self.until = self.until.min(Instant::now() + END_TIME);
                None
            }
        }
    }

    fn kill(&mut self) {
        if !self.killed {
            say("the diagnostics process doesn't end, and is killed");
        }
        let _gone_already = self.process.kill();
        self.killed = true;
        self.silent = true;
        self.until = Instant::now() + LOOK_EVERY;
    }
}
