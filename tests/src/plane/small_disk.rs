//! A disk that is soon full: a small tmpfs, where this user may mount one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::agent_host::text;

/// A mounted file system; dropping it unmounts it.
#[derive(Debug)]
pub struct SmallDisk {
    dir: PathBuf,
}

impl SmallDisk {
    /// Mounts one of this size at a new directory, or says on stderr why that can't be done here.
    pub fn mount(dir: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&dir).expect("a new directory");
        let size = format!("size={size}");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&dir).output();
        let reason = match mount {
            Ok(output) if output.status.success() => return Some(Self { dir }),
            Ok(output) => text(&output.stderr),
            Err(error) => error.to_string(),
        };
        eprintln!("skipped: a small file system can't be mounted here: {reason}");
        None
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Fills it to the last page.
    pub fn fill(&self) {
        fs::write(self.dir.join("filler"), vec![0; 64 << 20]).expect_err("the disk is full");
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.dir.join("filler")).expect("a removed file");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a failed test may leave processes that still use it.
        let _status = Command::new("umount").arg("--lazy").arg(&self.dir).stderr(Stdio::null()).status();
    }
}
