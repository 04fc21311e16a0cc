//! Which local sockets somebody listens on, as the kernel's list says.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use super::upstream::CONNECT;
use crate::host::{Denied, Endpoint, Host};

/// What is read of the list; under a flood it has a row for each that waits.
const SOCKETS_MAX: usize = 1024 * 1024;

/// The local sockets that somebody listens on.
pub(super) struct Listening(Option<Vec<String>>);

impl Listening {
    /// Reads them, if there aren't too many.
    pub(super) fn read(host: &dyn Host) -> Self {
        let text = host.read("/proc/net/unix", SOCKETS_MAX).ok().filter(|text| text.len() < SOCKETS_MAX);
        Self(text.map(|text| listening(&text)))
    }

    /// Whether somebody listens there; where the list can't be read, a connection tells.
    pub(super) fn has(&self, host: &dyn Host, path: &str) -> bool {
        match &self.0 {
            Some(paths) => paths.iter().any(|known| known == path || same_run(known, path)),
            None => {
                let tried = host.connect(&Endpoint::Unix(path.to_owned()), CONNECT);
                !matches!(tried, Err(Denied::Refused | Denied::Absent))
            }
        }
    }

    /// Another socket of PHP-FPM beside this one.
    pub(super) fn sibling(&self, path: &str) -> Option<String> {
        let (directory, _) = path.rsplit_once('/').filter(|(_, name)| name.contains("php"))?;
        let beside = |known: &&String| {
            known.rsplit_once('/').is_some_and(|(other, name)| {
                (other == directory || same_run(other, directory))
                    && name.starts_with("php")
                    && name.ends_with(".sock")
            })
        };
        self.0.as_ref()?.iter().find(beside).cloned()
    }
}

/// `/var/run` is `/run`.
pub(super) fn same_run(one: &str, other: &str) -> bool {
    let plain = |path: &str| path.strip_prefix("/var").filter(|rest| rest.starts_with("/run")).is_some();
    (plain(one) || plain(other)) && one.trim_start_matches("/var") == other.trim_start_matches("/var")
}

/// The paths in `/proc/net/unix` that are listened on.
pub fn listening(text: &[u8]) -> Vec<String> {
    /// `__SO_ACCEPTCON` in the column of flags.
    const LISTENS: &str = "00010000";
    /// More paths are not kept.
    const PATHS_MAX: usize = 1024;
    let mut paths = Vec::new();
    for line in text.split(|c| *c == b'\n') {
        let line = String::from_utf8_lossy(line);
        // A path may have blanks; it is the last column.
        let mut fields = line.splitn(2, " /");
        let (Some(before), Some(path)) = (fields.next(), fields.next()) else { continue };
        if before.split_ascii_whitespace().nth(3) == Some(LISTENS) && paths.len() < PATHS_MAX {
            paths.push(format!("/{path}"));
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SOCKET: &str = "/run/php/php8.2-fpm.sock";
    const HEAD: &str = "Num       RefCount Protocol Flags    Type St Inode Path\n";

    fn listens(path: &str) -> String {
        format!("0000000000000000: 00000002 00000000 00010000 0001 01 12345 {path}\n")
    }

    #[test]
    fn listening_sockets_are_those_with_their_flag() {
        let text = format!(
            "{HEAD}{}0000: 00000003 00000000 00000000 0001 03 1 /run/php/other.sock\n\
             0000: 00000002 00000000 00010000 0001 01 2 @abstract\n\
             0000: 00000002 00000000 00010000 0001 01 2\n{}",
            listens(SOCKET),
            listens("/run/with blank")
        );
        assert_eq!(listening(text.as_bytes()), [SOCKET, "/run/with blank"]);
        let real = std::fs::read("/proc/net/unix").expect("a kernel");
        assert!(listening(&real).iter().all(|path| path.starts_with('/')));
    }

    proptest! {
        #[test]
        fn any_list_is_read(text in prop::collection::vec(any::<u8>(), 0..300)) {
            let _paths = listening(&text);
        }
    }
}
