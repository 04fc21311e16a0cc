//! A host made of tables, for tests. Time passes only while a check pauses, so a table can say what a file holds
//! before and after that.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use crate::host::{ClockState, Denied, Endpoint, Fetch, Filesystem, Host, Metadata, Page, Stream};

/// What something is from a moment on, until the next.
type Timeline<T> = Vec<(Duration, Result<T, Denied>)>;

/// The tables. What stands in none of them is absent.
#[derive(Debug)]
pub(crate) struct FakeHost {
    /// The wall clock at the beginning.
    pub(crate) clock: u64,
    /// How long the run may last.
    pub(crate) whole: Duration,
    read_most: usize,
    elapsed: Mutex<Duration>,
    files: BTreeMap<String, Timeline<Vec<u8>>>,
    links: BTreeMap<String, Timeline<String>>,
    metadata: BTreeMap<String, Timeline<Metadata>>,
    filesystems: BTreeMap<String, Filesystem>,
    listening: BTreeMap<String, Timeline<()>>,
    dumps: BTreeMap<Vec<u8>, Timeline<Vec<Vec<u8>>>>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self {
            clock: 1_700_000_000,
            whole: Duration::from_secs(3),
            read_most: usize::MAX,
            elapsed: Mutex::default(),
            files: BTreeMap::new(),
            links: BTreeMap::new(),
            metadata: BTreeMap::new(),
            filesystems: BTreeMap::new(),
            listening: BTreeMap::new(),
            dumps: BTreeMap::new(),
        }
    }
}

impl FakeHost {
    /// With reads that give no more than so many bytes, as the kernel's tables do.
    pub(crate) fn reading_at_most(mut self, most: usize) -> Self {
        self.read_most = most;
        self
    }

    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_from(0, path, Ok(content.as_ref()))
    }

    /// What a read of the file says from so many milliseconds on.
    pub(crate) fn file_from(mut self, from: u64, path: &str, content: Result<&[u8], Denied>) -> Self {
        let timeline = self.files.entry(path.to_owned()).or_default();
        timeline.push((Duration::from_millis(from), content.map(<[u8]>::to_vec)));
        self
    }

    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        self.link_from(0, path, Ok(target))
    }

    pub(crate) fn link_from(mut self, from: u64, path: &str, target: Result<&str, Denied>) -> Self {
        let timeline = self.links.entry(path.to_owned()).or_default();
        timeline.push((Duration::from_millis(from), target.map(str::to_owned)));
        self
    }

    pub(crate) fn stat(self, path: &str, metadata: Metadata) -> Self {
        self.stat_from(0, path, Ok(metadata))
    }

    pub(crate) fn stat_from(mut self, from: u64, path: &str, metadata: Result<Metadata, Denied>) -> Self {
        self.metadata.entry(path.to_owned()).or_default().push((Duration::from_millis(from), metadata));
        self
    }

    pub(crate) fn filesystem_at(mut self, path: &str, filesystem: Filesystem) -> Self {
        self.filesystems.insert(path.to_owned(), filesystem);
        self
    }

    /// What a connection to the socket or address (`/run/x.sock`, `127.0.0.1:80`) gives from then on. One to
    /// where nothing is said is refused.
    pub(crate) fn connection_from(mut self, from: u64, to: &str, outcome: Result<(), Denied>) -> Self {
        let timeline = self.listening.entry(to.to_owned()).or_default();
        timeline.push((Duration::from_millis(from), outcome));
        self
    }

    /// What the kernel answers to a dump request from then on. One that nothing is said of is not supported.
    pub(crate) fn dump_from(
        mut self,
        from: u64,
        request: &[u8],
        answer: Result<Vec<Vec<u8>>, Denied>,
    ) -> Self {
        self.dumps.entry(request.to_vec()).or_default().push((Duration::from_millis(from), answer));
        self
    }

    fn at<T: Clone>(&self, timeline: Option<&Timeline<T>>, otherwise: Denied) -> Result<T, Denied> {
        let now = *self.elapsed.lock().expect("no test panicked here");
        let so_far = timeline.into_iter().flatten().rfind(|(from, _)| *from <= now);
        so_far.map_or(Err(otherwise), |(_, what)| what.clone())
    }

    fn content(&self, path: &str) -> Result<Vec<u8>, Denied> {
        self.at(self.files.get(path), Denied::Absent)
    }
}

impl Host for FakeHost {
    fn clock(&self) -> u64 {
        self.clock + self.elapsed().as_secs()
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().expect("no test panicked here")
    }

    fn left(&self) -> Duration {
        self.whole.saturating_sub(self.elapsed())
    }

    fn pause(&self, time: Duration) {
        let time = time.min(self.left());
        *self.elapsed.lock().expect("no test panicked here") += time;
    }

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        let mut content = self.content(path)?;
        content.truncate(most);
        Ok(content)
    }

    fn read_at(&self, path: &str, offset: u64, out: &mut [u8]) -> Result<usize, Denied> {
        let content = self.content(path)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        let length = (content.len() - from).min(out.len()).min(self.read_most);
        out[..length].copy_from_slice(&content[from..from + length]);
        Ok(length)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        if let Some(timeline) = self.metadata.get(path) {
            return self.at(Some(timeline), Denied::Absent);
        }
        match self.content(path) {
            Ok(content) => Ok(Metadata {
                size: content.len() as u64,
                modified: self.clock,
                mode: 0o100_644,
                uid: 0,
                gid: 0,
                inode: 1,
                device: 1,
            }),
            Err(why) => {
                let directory = format!("{path}/");
                let inside = self.files.keys().chain(self.links.keys()).any(|p| p.starts_with(&directory));
                if !inside {
                    return Err(why);
                }
                let (mode, clock) = (0o040_755, self.clock);
                Ok(Metadata { size: 4096, modified: clock, mode, uid: 0, gid: 0, inode: 2, device: 1 })
            }
        }
    }

    fn read_link(&self, path: &str) -> Result<String, Denied> {
        self.at(self.links.get(path), Denied::Absent)
    }

    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied> {
        let directory = format!("{}/", path.trim_end_matches('/'));
        let known = self.files.keys().chain(self.links.keys()).chain(self.metadata.keys());
        let mut names: Vec<String> = known
            .filter_map(|known| known.strip_prefix(&directory))
            .filter_map(|rest| rest.split('/').next().map(str::to_owned))
            .collect();
        names.sort();
        names.dedup();
        names.truncate(most);
        if names.is_empty() { Err(Denied::Absent) } else { Ok(names) }
    }

    fn filesystem(&self, path: &str) -> Result<Filesystem, Denied> {
        self.filesystems.get(path).copied().ok_or(Denied::Absent)
    }

    fn connect(&self, to: &Endpoint, _time: Duration) -> Result<Box<dyn Stream>, Denied> {
        let name = match to {
            Endpoint::Unix(path) => path.clone(),
            Endpoint::Tcp(address) => address.to_string(),
        };
        self.at(self.listening.get(&name), Denied::Refused)?;
        Ok(Box::new(std::io::Cursor::new(Vec::new())))
    }

    fn ask(&self, _: SocketAddr, _: &[u8], _: &mut [u8], _: Duration) -> Result<usize, Denied> {
        Err(Denied::Unsupported)
    }

    fn sockets(&self, request: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        let messages = self.at(self.dumps.get(request), Denied::Unsupported)?;
        messages.iter().for_each(|message| each(message));
        Ok(())
    }

    fn fetch(&self, _: &Fetch<'_>, _: Duration) -> Result<Page, Denied> {
        Err(Denied::Unsupported)
    }

    fn certificates(&self, _: SocketAddr, _: &str, _: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        Err(Denied::Unsupported)
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        Err(Denied::Unsupported)
    }
}

/// The machine that the tests run on: what its kernel says is read for real.
#[derive(Debug, Default)]
pub(crate) struct ThisHost;

impl Host for ThisHost {
    fn clock(&self) -> u64 {
        std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
    }

    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }

    fn left(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn pause(&self, _: Duration) {}

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        let mut content = std::fs::read(path).map_err(|error| why(&error))?;
        content.truncate(most);
        Ok(content)
    }

    fn read_at(&self, path: &str, offset: u64, out: &mut [u8]) -> Result<usize, Denied> {
        let file = std::fs::File::open(path).map_err(|error| why(&error))?;
        std::os::unix::fs::FileExt::read_at(&file, out, offset).map_err(|error| why(&error))
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(path).map_err(|error| why(&error))?;
        Ok(Metadata {
            size: metadata.size(),
            modified: u64::try_from(metadata.mtime()).unwrap_or(0),
            mode: metadata.mode(),
            uid: metadata.uid(),
            gid: metadata.gid(),
            inode: metadata.ino(),
            device: metadata.dev(),
        })
    }

    fn read_link(&self, path: &str) -> Result<String, Denied> {
        let target = std::fs::read_link(path).map_err(|error| why(&error))?;
        target.into_os_string().into_string().map_err(|_| Denied::Failed)
    }

    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied> {
        let entries = std::fs::read_dir(path).map_err(|error| why(&error))?;
        Ok(entries.flatten().take(most).filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn filesystem(&self, _: &str) -> Result<Filesystem, Denied> {
        Err(Denied::Unsupported)
    }

    fn connect(&self, to: &Endpoint, time: Duration) -> Result<Box<dyn Stream>, Denied> {
        match to {
            Endpoint::Unix(path) => std::os::unix::net::UnixStream::connect(path)
                .map(|stream| Box::new(stream) as Box<dyn Stream>)
                .map_err(|error| why(&error)),
            Endpoint::Tcp(address) => std::net::TcpStream::connect_timeout(address, time)
                .map(|stream| Box::new(stream) as Box<dyn Stream>)
                .map_err(|error| why(&error)),
        }
    }

    fn ask(&self, _: SocketAddr, _: &[u8], _: &mut [u8], _: Duration) -> Result<usize, Denied> {
        Err(Denied::Unsupported)
    }

    fn sockets(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        Err(Denied::Unsupported)
    }

    fn fetch(&self, _: &Fetch<'_>, _: Duration) -> Result<Page, Denied> {
        Err(Denied::Unsupported)
    }

    fn certificates(&self, _: SocketAddr, _: &str, _: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        Err(Denied::Unsupported)
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        Err(Denied::Unsupported)
    }
}

fn why(error: &std::io::Error) -> Denied {
    match error.kind() {
        std::io::ErrorKind::NotFound => Denied::Absent,
        std::io::ErrorKind::PermissionDenied => Denied::Permission,
        std::io::ErrorKind::ConnectionRefused => Denied::Refused,
        _ => Denied::Failed,
    }
}

impl Stream for std::io::Cursor<Vec<u8>> {
    fn allow(&mut self, _: Duration) {}
}

impl Stream for std::net::TcpStream {
    fn allow(&mut self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("some time");
    }
}

impl Stream for std::os::unix::net::UnixStream {
    fn allow(&mut self, time: Duration) {
        self.set_read_timeout(Some(time)).expect("some time");
    }
}
