//! Checks side by side: a few threads, each with one check at a time, until the run's time is over.
//!
//! The threads are started before the last wall, which allows no other. A check that hangs (a dead network file
//! system) costs its own thread and its own findings, and is named as not made; the report goes out without it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use secmon_diag::Notes;
use secmon_diag::host::Host;
use secmon_diag::stack::Stack;
use secmon_wire::diag::{Check, WhyNotChecked};
use secmon_wire::{Area, Tuning};

use super::host::RealHost;
use crate::areas::Areas;

/// Checks at once: most of them wait for an answer.
const THREADS: usize = 8;
/// A thread's stack.
const STACK: usize = 256 * 1024;

/// One check as the pool runs it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// It is made if one of these is asked for.
    pub(super) areas: &'static [Area],
    /// What isn't checked if it doesn't come to its end.
    pub(super) what: &'static [Check],
    pub(super) check: fn(&dyn Host, &Stack, &mut Notes),
}

/// The threads.
#[derive(Debug)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    host: RealHost,
    desk: Mutex<Desk>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Desk {
    waiting: VecDeque<Task>,
    stack: Arc<Stack>,
    /// Those that are being made.
    running: Vec<Task>,
    notes: Notes,
}

impl Pool {
    pub(super) fn start(host: RealHost) -> io::Result<Self> {
        let shared = Arc::new(Shared { host, desk: Mutex::default(), changed: Condvar::new() });
        for _ in 0..THREADS {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().stack_size(STACK).spawn(move || shared.work())?;
        }
        Ok(Self { shared })
    }

    /// Finds out what there is, and makes every check of these areas; what was seen until the time is over.
    pub(super) fn look(&self, areas: Areas, tuning: &Tuning) -> Notes {
        let mut notes = Notes::default();
        let mut stack = secmon_diag::discover::discover(&self.shared.host, &mut notes);
        secmon_diag::tuning::apply(&mut stack, tuning);
        let stack = Arc::new(stack);
        let tasks = super::tasks::TASKS;
        let wanted = tasks.iter().filter(|task| task.areas.iter().any(|area| areas.has(*area)));
        let mut desk = self.shared.desk();
        desk.stack = stack;
        desk.notes = notes;
        desk.waiting.extend(wanted);
        self.shared.changed.notify_all();
        while !desk.waiting.is_empty() || !desk.running.is_empty() {
            let left = self.shared.host.left();
            if left.is_zero() {
                break;
            }
            let woken = self.shared.changed.wait_timeout(desk, left);
            desk = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        let Desk { waiting, running, notes, .. } = &mut *desk;
        for what in waiting.drain(..).chain(running.iter().copied()).flat_map(|task| task.what) {
            notes.skipped(*what, WhyNotChecked::Timeout, "");
        }
        let mut notes = std::mem::take(notes);
        // A log says something of other areas, too, which nobody has asked for or may know.
        notes.keep(|area| areas.has(area));
        notes
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nobody panics while holding it, and the counts would be right if somebody did.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut desk = self.desk();
        loop {
            let Some(task) = desk.waiting.pop_front() else {
                desk = self.changed.wait(desk).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            desk.running.push(task);
            let stack = Arc::clone(&desk.stack);
            drop(desk);
            let mut notes = Notes::default();
            (task.check)(&self.host, &stack, &mut notes);
            desk = self.desk();
            desk.notes.merge(notes);
            let at = desk.running.iter().position(|running| std::ptr::fn_addr_eq(running.check, task.check));
            at.map(|at| desk.running.swap_remove(at));
            self.changed.notify_all();
        }
    }
}
