//! Finds the main process of a service by its pid file, where the service manager has no invocation ids.
//!
//! The places are the ones of the table of operations, under the run directory; OpenRC also keeps a note of
//! each service's own pid file. An instance is `pid P start T`, which names one process (see
//! [`ProcessMark`]), so a pid file that was left behind names a process that does not run.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secmon_sys::process::ProcessMark;
use secmon_wire::{Unit, UnitPattern};

/// Bytes of a pid file or of OpenRC's note that are read.
const READ_MAX: u64 = 1024;
/// Directory entries that are looked at for a pid file with an open name.
const ENTRIES_MAX: usize = 256;

/// The main process of `unit`, if it runs.
pub(crate) fn main_process(run_dir: &Path, unit: &Unit, pattern: &UnitPattern) -> Option<ProcessMark> {
    let version = pattern.version(unit)?;
    let named = pattern.pid_files.iter().filter_map(|name| path_for(run_dir, name, version));
    named.chain(openrc_note(run_dir, unit)).find_map(|path| ProcessMark::of(read_pid(&path)?))
}

/// The path for a name of the table. A wildcard is the version in the unit's name; where that has none, it is
/// the first name in the directory that fits.
fn path_for(run_dir: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let Some((before, after)) = name.split_once(['*', '?']) else { return Some(run_dir.join(name)) };
    if !version.is_empty() {
        return Some(run_dir.join(format!("{before}{version}{after}")));
    }
    let (directory, before) = before.rsplit_once('/').unwrap_or(("", before));
    let directory = run_dir.join(directory);
    let mut fitting: Vec<String> = std::fs::read_dir(&directory)
        .ok()?
        .take(ENTRIES_MAX)
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|file| file.starts_with(before) && file.ends_with(after))
        .collect();
    fitting.sort_unstable();
    fitting.first().map(|file| directory.join(file))
}

/// The pid file that OpenRC's start-stop-daemon noted for the service (librc: `/run/openrc/daemons/NAME/001`).
fn openrc_note(run_dir: &Path, unit: &Unit) -> Option<PathBuf> {
    let note = read(&run_dir.join("openrc/daemons").join(unit.as_str()).join("001"))?;
    let path = Path::new(note.lines().find_map(|line| line.strip_prefix("pidfile="))?.trim());
    path.is_absolute().then(|| path.to_owned())
}

/// The first number in a pid file (PostgreSQL's has more lines).
fn read_pid(path: &Path) -> Option<u32> {
    read(path)?.split_ascii_whitespace().next()?.parse().ok().filter(|pid| *pid > 1)
}

fn read(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path).ok()?.take(READ_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use secmon_wire::{OperationId, operation};

    use super::*;

    fn find(run_dir: &Path, id: OperationId, name: &str) -> Option<u32> {
        let unit = Unit::new(name).expect("a unit");
        let pattern = operation(id).pattern(&unit).expect("a row");
        main_process(run_dir, &unit, pattern).map(|mark| mark.pid)
    }

    #[test]
    fn each_kind_of_name_in_the_table_finds_its_pid_file() {
        let us = std::process::id();
        for (file, id, unit) in [
            ("nginx.pid", OperationId::RestartWeb, "nginx"),
            ("apache2/apache2.pid", OperationId::RestartWeb, "apache2"),
            ("php/php8.2-fpm.pid", OperationId::RestartPhp, "php8.2-fpm"),
            ("postgresql/15-main.pid", OperationId::RestartDb, "postgresql@15-main"),
            ("postgresql/15-main.pid", OperationId::RestartDb, "postgresql"),
        ] {
            let dir = tempfile::tempdir().expect("a directory");
            assert_eq!(find(dir.path(), id, unit), None);
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(&path, format!("{us}\n/data\n")).expect("a pid file");
            assert_eq!(find(dir.path(), id, unit), Some(us), "{file}");
        }
    }

    #[test]
    fn openrc_says_itself_where_a_pid_file_is() {
        let dir = tempfile::tempdir().expect("a directory");
        let pid_file = dir.path().join("elsewhere.pid");
        std::fs::write(&pid_file, std::process::id().to_string()).expect("a pid file");
        let note = dir.path().join("openrc/daemons/nginx");
        std::fs::create_dir_all(&note).expect("a directory");
        std::fs::write(note.join("001"), format!("exec=/usr/sbin/nginx\npidfile={}\n", pid_file.display()))
            .expect("a note");
        assert_eq!(find(dir.path(), OperationId::RestartWeb, "nginx"), Some(std::process::id()));
    }

    #[test]
    fn a_pid_file_that_names_no_running_process_is_no_instance() {
        let dir = tempfile::tempdir().expect("a directory");
        for content in ["", "0", "1", "-5", "x", "4294967295", "99999999999999999999"] {
            std::fs::write(dir.path().join("nginx.pid"), content).expect("a pid file");
            assert_eq!(find(dir.path(), OperationId::RestartWeb, "nginx"), None, "{content:?}");
        }
        std::fs::write(dir.path().join("nginx.pid"), std::process::id().to_string()).expect("a pid file");
        assert!(find(dir.path(), OperationId::RestartWeb, "nginx").is_some());
    }
}
