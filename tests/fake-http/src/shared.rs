//! A server's state behind one lock, and the way to wait for a change of it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The state and its doorbells: one for tasks, one for threads.
#[derive(Debug)]
pub struct Shared<S> {
    state: Mutex<S>,
    tasks: watch::Sender<u64>,
    threads: Condvar,
}

impl<S> Shared<S> {
    /// Guards a state.
    pub fn new(state: S) -> Self {
        Self { state: Mutex::new(state), tasks: watch::Sender::new(0), threads: Condvar::new() }
    }

    /// Looks at the state, or changes what nobody waits for.
    pub fn peek<T>(&self, look: impl FnOnce(&mut S) -> T) -> T {
        look(&mut self.lock())
    }

    /// Changes the state and wakes everybody who waits.
    pub fn change<T>(&self, change: impl FnOnce(&mut S) -> T) -> T {
        let result = change(&mut self.lock());
        self.tasks.send_modify(|version| *version = version.wrapping_add(1));
        self.threads.notify_all();
        result
    }

    /// A view of the changes from now on.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.tasks.subscribe()
    }

    /// Blocks the thread until `done` gives something.
    pub fn wait<T>(&self, timeout: Duration, mut done: impl FnMut(&mut S) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(result) = done(&mut state) {
                return Some(result);
            }
            let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            state = self.threads.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        // A panic of one test thread must not hide the record from the others.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
