//! A host for tests: files from a table, on top of a directory that stands for `/`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::{ClockState, Denied, Endpoint, Fetch, Filesystem, Host, Metadata, Page, Stream};

#[derive(Clone, Debug)]
struct File {
    bytes: Vec<u8>,
    modified: u64,
    mode: u32,
}

/// Whatever isn't told is absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeHost {
    now: u64,
    files: BTreeMap<String, File>,
    refused: Vec<String>,
    sockets: BTreeMap<String, Denied>,
    tree: Option<PathBuf>,
    pub(crate) free: Option<u64>,
    pub(crate) status: Option<u16>,
}

impl FakeHost {
    pub(crate) fn new(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    /// With a directory's content, links in it as a process inside it would follow them.
    pub(crate) fn tree(mut self, tree: &Path) -> Self {
        self.tree = Some(tree.to_owned());
        self
    }

    /// A file that was changed just now.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let now = self.now;
        self.file_of(path, text.as_bytes(), now)
    }

    /// A file that was changed then.
    pub(crate) fn file_of(mut self, path: &str, bytes: &[u8], modified: u64) -> Self {
        let _ =
            self.files.insert(path.to_owned(), File { bytes: bytes.to_owned(), modified, mode: 0o100_644 });
        self
    }

    /// Without this file.
    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.files.remove(path).is_some(), "{path}");
        self
    }

    /// A file that may not be read.
    pub(crate) fn refuse(mut self, path: &str) -> Self {
        self.refused.push(path.to_owned());
        self
    }

    /// A socket whose connections fail so; it has a file in the table if it is there.
    pub(crate) fn socket(mut self, path: &str, denied: Denied) -> Self {
        let _ = self.sockets.insert(path.to_owned(), denied);
        self
    }

    fn get(&self, path: &str) -> Result<&File, Denied> {
        if self.refused.iter().any(|refused| refused == path) {
            return Err(Denied::Permission);
        }
        self.files.get(path).ok_or(Denied::Absent)
    }

    /// The path in the tree, with links followed inside it.
    fn real(&self, path: &str) -> Option<PathBuf> {
        let tree = self.tree.as_ref()?;
        let mut waiting: Vec<String> = path.split('/').rev().map(str::to_owned).collect();
        let mut inside: Vec<String> = Vec::new();
        let mut links = 0;
        while let Some(part) = waiting.pop() {
            match part.as_str() {
                "" | "." => continue,
                ".." => {
                    let _parent = inside.pop();
                    continue;
                }
                _ => {}
            }
            let at = tree.join(inside.join("/")).join(&part);
            match std::fs::read_link(&at) {
                Ok(target) if links < 40 => {
                    links += 1;
                    if target.is_absolute() {
                        inside.clear();
                    }
                    waiting.extend(target.to_str()?.split('/').rev().map(str::to_owned));
                }
                _ => inside.push(part),
            }
        }
        Some(tree.join(inside.join("/")))
    }

    fn bytes(&self, path: &str) -> Result<Vec<u8>, Denied> {
        match self.get(path) {
            Ok(file) => Ok(file.bytes.clone()),
            Err(Denied::Absent) => {
                let real = self.real(path).ok_or(Denied::Absent)?;
                std::fs::read(real).map_err(|_| Denied::Absent)
            }
            Err(denied) => Err(denied),
        }
    }
}

impl Host for FakeHost {
    fn clock(&self) -> u64 {
        self.now
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn left(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn pause(&self, _time: Duration) {}

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        let mut bytes = self.bytes(path)?;
        bytes.truncate(most);
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, out: &mut [u8]) -> Result<usize, Denied> {
        let bytes = self.bytes(path)?;
        let offset = usize::try_from(offset).expect("small").min(bytes.len());
        let some = &bytes[offset..];
        let count = some.len().min(out.len());
        out[..count].copy_from_slice(&some[..count]);
        Ok(count)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        let of = |size: usize, modified, mode| Metadata {
            size: size as u64,
            modified,
            mode,
            uid: 0,
            gid: 0,
            inode: 1,
            device: 1,
        };
        // What may not be read can still be looked at, unless its directory forbids that, too.
        if let Some(file) = self.files.get(path) {
            return Ok(of(file.bytes.len(), file.modified, file.mode));
        }
        if self.refused.iter().any(|refused| refused == path) {
            return Err(Denied::Permission);
        }
        let prefix = format!("{path}/");
        if self.files.keys().any(|known| known.starts_with(&prefix)) {
            return Ok(of(0, self.now, 0o040_755));
        }
        let metadata = self.real(path).and_then(|real| std::fs::metadata(real).ok()).ok_or(Denied::Absent)?;
        let mode = if metadata.is_dir() { 0o040_755 } else { 0o100_644 };
        Ok(of(usize::try_from(metadata.len()).expect("small"), 0, mode))
    }

    fn read_link(&self, path: &str) -> Result<String, Denied> {
        self.get(path).map(|file| String::from_utf8_lossy(&file.bytes).into_owned())
    }

    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied> {
        let prefix = format!("{}/", path.trim_end_matches('/'));
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|known| known.strip_prefix(&prefix))
            .map(|rest| rest.split('/').next().unwrap_or(rest).to_owned())
            .collect();
        if let Some(real) = self.real(path) {
            let entries = std::fs::read_dir(real).into_iter().flatten().flatten();
            names.extend(entries.map(|entry| entry.file_name().to_string_lossy().into_owned()));
        }
        names.sort();
        names.dedup();
        // Real directories have no order.
        names.reverse();
        names.truncate(most);
        if names.is_empty() { Err(Denied::Absent) } else { Ok(names) }
    }

    fn filesystem(&self, _path: &str) -> Result<Filesystem, Denied> {
        let free = self.free.ok_or(Denied::Absent)?;
        let size = 100_000_000_000;
        Ok(Filesystem { size, free, inodes: 0, inodes_free: 0, readonly: false })
    }

    fn connect(&self, to: &Endpoint, _time: Duration) -> Result<Box<dyn Stream>, Denied> {
        let name = match to {
            Endpoint::Unix(path) => path.clone(),
            Endpoint::Tcp(address) => address.to_string(),
        };
        match self.sockets.get(&name) {
            Some(denied) => Err(*denied),
            None if self.files.contains_key(&name) => Ok(Box::new(std::io::Cursor::new(Vec::new()))),
            None => Err(Denied::Absent),
        }
    }

    fn ask(&self, _: SocketAddr, _: &[u8], _: &mut [u8], _: Duration) -> Result<usize, Denied> {
        Err(Denied::Unsupported)
    }

    fn sockets(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        Err(Denied::Unsupported)
    }

    fn fetch(&self, _: &Fetch<'_>, _: Duration) -> Result<Page, Denied> {
        let status = self.status.ok_or(Denied::Refused)?;
        Ok(Page { status, ..Page::default() })
    }

    fn certificates(&self, _: SocketAddr, _: &str, _: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        Err(Denied::Unsupported)
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        Err(Denied::Unsupported)
    }
}
