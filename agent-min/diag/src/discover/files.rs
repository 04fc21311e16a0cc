//! Configuration files, with what they include: a fixed number of them, each of a fixed size.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use secmon_wire::diag::{Check, WhyNotChecked};

use super::glob;
use crate::Notes;
use crate::host::{Denied, Host};

/// More files than this are not read for one program: a host with as many sites has other tools.
const FILES_MAX: usize = 512;
/// What is read of one file; real ones have some kilobytes.
const FILE_BYTES_MAX: usize = 256 * 1024;
/// What is read of all of one program's files.
const TOTAL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deep files may include each other. Also what ends a circle of them.
const DEPTH_MAX: usize = 10;

/// Reads one program's configuration.
pub(crate) struct Files<'h> {
    host: &'h dyn Host,
    files_left: usize,
    bytes_left: usize,
    /// What could not be read or was cut off.
    missing: Vec<(WhyNotChecked, String)>,
    newest: u64,
}

impl std::fmt::Debug for Files<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Files").field("files_left", &self.files_left).finish_non_exhaustive()
    }
}

impl<'h> Files<'h> {
    pub(crate) const fn new(host: &'h dyn Host) -> Self {
        Self { host, files_left: FILES_MAX, bytes_left: TOTAL_BYTES_MAX, missing: Vec::new(), newest: 0 }
    }

    pub(crate) const fn host(&self) -> &'h dyn Host {
        self.host
    }

    /// The file, if it is there and there is room for it.
    pub(crate) fn read(&mut self, path: &str) -> Option<Vec<u8>> {
        let Some(left) = self.files_left.checked_sub(1).filter(|_| self.bytes_left > 0) else {
            self.miss(WhyNotChecked::Unsupported, path);
            return None;
        };
        let most = FILE_BYTES_MAX.min(self.bytes_left);
        match self.host.read(path, most) {
            Ok(bytes) => {
                self.files_left = left;
                self.bytes_left = self.bytes_left.saturating_sub(bytes.len());
                if bytes.len() >= most {
                    self.miss(WhyNotChecked::Unsupported, path);
                }
                self.note_change(path);
                Some(bytes)
            }
            Err(Denied::Absent) => None,
            Err(denied) => {
                self.miss(super::why(denied), path);
                None
            }
        }
    }

    /// The files that a pattern stands for, sorted as the programs do. Of too many, one more than can be read: that
    /// tells.
    pub(crate) fn expand(&mut self, pattern: &str) -> Vec<String> {
        // Taking a file away changes the configuration, too, and only its directory tells.
        if let Some((directory, _)) = pattern.rsplit_once('/').filter(|(_, name)| glob::is_pattern(name)) {
            self.note_change(directory);
        }
        glob::expand(self.host, pattern, self.files_left.saturating_add(1))
    }

    /// When the newest of the files that were read was changed, or one came or went where all are included.
    pub(crate) const fn newest(&self) -> u64 {
        self.newest
    }

    /// Says what was not read.
    pub(crate) fn tell(&self, what: Check, notes: &mut Notes) {
        for (why, path) in &self.missing {
            notes.skipped(what, *why, path);
        }
    }

    fn note_change(&mut self, path: &str) {
        if let Ok(metadata) = self.host.metadata(path) {
            self.newest = self.newest.max(metadata.modified);
        }
    }

    fn miss(&mut self, why: WhyNotChecked, path: &str) {
        /// Enough for a reader to see what is wrong.
        const SAID: usize = 4;
        if self.missing.len() < SAID {
            self.missing.push((why, path.to_owned()));
        }
    }
}

/// Files that are being read, the innermost last: instead of recursion.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    frames: Vec<Source>,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: Vec<u8>,
    /// How far it has been read.
    pub(crate) at: usize,
    opened: bool,
}

impl Sources {
    /// Puts these files where the innermost one is now; circles and what is too deep end here, and that is told.
    pub(crate) fn push(&mut self, paths: Vec<String>, files: &mut Files<'_>) {
        let open = self.frames.iter().filter(|frame| frame.opened).count();
        if open < DEPTH_MAX {
            let frame = |path| Source { path, text: Vec::new(), at: 0, opened: false };
            self.frames.extend(paths.into_iter().rev().map(frame));
        } else if let Some(path) = paths.first() {
            files.miss(WhyNotChecked::Unsupported, path);
        }
    }

    /// The file to read on in.
    pub(crate) fn current(&mut self, files: &mut Files<'_>) -> Option<&mut Source> {
        loop {
            let last = self.frames.last_mut()?;
            if !last.opened {
                last.opened = true;
                last.text = files.read(&last.path).unwrap_or_default();
            }
            if last.at < last.text.len() {
                break;
            }
            let _read_to_its_end = self.frames.pop();
        }
        self.frames.last_mut()
    }
}

impl Source {
    /// The directory that it is in.
    pub(crate) fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("/", |(directory, _)| directory)
    }

    /// Its next line, without what ends it.
    pub(crate) fn line(&mut self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().position(|c| *c == b'\n').unwrap_or(rest.len());
        self.at = self.at.saturating_add(end).saturating_add(1);
        String::from_utf8_lossy(rest.get(..end).unwrap_or_default().trim_ascii()).into_owned()
    }
}

/// `path` as seen from a directory.
pub(crate) fn below(directory: &str, path: &str) -> String {
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("{}/{}", directory.trim_end_matches('/'), path.trim_start_matches("./"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::fake::FakeHost;

    const NOW: u64 = 1_795_311_290;

    #[test]
    fn taking_a_file_away_is_a_change_where_all_are_included() {
        let host = FakeHost::new(NOW).file_of("/etc/x/a.conf", b"", NOW - 9);
        let mut files = Files::new(&host);
        let _text = files.read("/etc/x/a.conf");
        assert_eq!(files.expand("/etc/x/a.conf"), ["/etc/x/a.conf"]);
        assert_eq!(files.newest(), NOW - 9);
        // The directory is as new as its last file that came or went: now.
        assert_eq!(files.expand("/etc/x/*.conf"), ["/etc/x/a.conf"]);
        assert_eq!(files.newest(), NOW);
    }
}
