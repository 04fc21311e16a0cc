//! The service manager's watchdog, where it has one for us: we say that we are well once the network process has
//! said that it is, so that either one hanging is noticed. Without a watchdog there are no wake-ups.

use std::time::{Duration, Instant};

use secmon_sys::notify::Notify;

/// Who wants to hear it, and when next.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    notify: Option<Notify>,
    every: Option<Duration>,
    next: Instant,
}

impl Heartbeat {
    pub(crate) fn new() -> Self {
        let notify = Notify::from_environment();
        Self { every: notify.as_ref().and_then(Notify::watchdog_every), notify, next: Instant::now() }
    }

    /// We serve.
    pub(crate) fn announce(&self) {
        self.tell("READY=1");
    }

    /// When the network process is to be asked next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.every.map(|_| self.next)
    }

    /// Whether to ask it now; the next time is set then.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let every = self.every.filter(|_| now >= self.next);
        if let Some(every) = every {
            self.next = now + every;
        }
        every.is_some()
    }

    /// It has answered.
    pub(crate) fn answered(&self) {
        if self.every.is_some() {
            self.tell("WATCHDOG=1");
        }
    }

    fn tell(&self, state: &str) {
        if let Some(notify) = &self.notify {
            notify.tell(state);
        }
    }
}
