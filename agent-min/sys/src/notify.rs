//! Tells the service manager that we are ready, and that we are well, if it asked for it (sd_notify(3)).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The service manager's ear.
#[derive(Debug)]
pub struct Notify {
    socket: UnixDatagram,
    watchdog: Option<Duration>,
}

impl Notify {
    /// `None` if nobody listens.
    pub fn from_environment() -> Option<Self> {
        let name = std::env::var_os("NOTIFY_SOCKET")?;
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(&name),
        };
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect_addr(&address.ok()?).ok()?;
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|time| ours && *time > 0).map(Duration::from_micros);
        Some(Self { socket, watchdog })
    }

    /// How often it wants to hear that we are well; twice as often as what it would act on.
    pub fn watchdog_every(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 2)
    }

    /// Tells it `state`, as `READY=1`. Somebody who doesn't listen any more is none of our worries.
    pub fn tell(&self, state: &str) {
        let _nobody_listens = self.socket.send(state.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// The environment is the process's, so each case runs in one of its own.
    #[test]
    fn what_the_environment_asks_for_is_told_to_whom_it_names() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("notify");
        let ear = UnixDatagram::bind(&path).expect("a socket");
        let abstract_name = format!("secmon-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&abstract_name).expect("a name");
        let other_ear = UnixDatagram::bind_addr(&address).expect("a socket");
        for (ear, name) in [(ear, path.display().to_string()), (other_ear, format!("@{abstract_name}"))] {
            let case = Command::new(std::env::current_exe().expect("this program"))
                .args(["notify::tests::one_case", "--exact", "--ignored"])
                .env("NOTIFY_SOCKET", name)
                .env("WATCHDOG_USEC", "3000000")
                .output()
                .expect("runs");
            assert!(case.status.success(), "{case:?}");
            let mut told = [0; 64];
            let length = ear.recv(&mut told).expect("told");
            assert_eq!(&told[..length], b"READY=1 1.5s");
        }
    }

    #[test]
    #[ignore = "a case of the test above"]
    fn one_case() {
        let notify = Notify::from_environment().expect("somebody listens");
        notify.tell(&format!("READY=1 {:?}", notify.watchdog_every().expect("asked for")));
    }
}
