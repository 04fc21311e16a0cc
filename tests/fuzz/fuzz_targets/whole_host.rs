//! A host of which everything is made up: its files, its services' answers, the kernel's messages. Whatever it says,
//! finding out and every check end after a bounded number of questions, and come to a report that reads back.
//!
//! The input is sections with 0x1e between them, each a name, 0x1f and a content: a file's path, a socket's path or
//! address, `dns`, `page`, `tls`,
//! `tls above`, `filesystem`, `clock` or `netlink`.
#![no_main]

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use secmon_diag::host::{ClockState, Denied, Endpoint, Fetch, Filesystem, Host, Metadata, Page, Stream};
use secmon_diag::stack::Stack;
use secmon_diag::{Notes, Run, discover, errors, flood, kernel, netlink, probe};
use secmon_wire::Area;
use secmon_wire::diag::{Report, conclude};
use secmon_wire::limits::REPORT_MAX;

/// Questions to the host of one whole look. A host of four thousand bytes that takes more has found a loop.
const QUESTIONS: u64 = 100_000;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let sections = bytes.split(|byte| *byte == 0x1e).filter_map(|section| {
        let at = section.iter().position(|byte| *byte == 0x1f)?;
        Some((std::str::from_utf8(&section[..at]).ok()?, &section[at + 1..]))
    });
    let host = MadeUp { sections: sections.collect(), asked: AtomicU64::new(0), micros: AtomicU64::new(0) };
    let mut notes = Notes::default();
    let stack = discover::discover(&host, &mut notes);
    for check in CHECKS {
        host.micros.store(0, Ordering::Relaxed);
        check(&host, &stack, &mut notes);
    }
    let asked = host.asked.load(Ordering::Relaxed);
    assert!(asked < QUESTIONS, "{asked} questions");
    let run = Run { areas: &[Area::Http], boot: [0; 16], clock: host.clock(), duration_ms: 0 };
    let mut out = Box::new([0; REPORT_MAX]);
    let report = notes.write(&run, &mut out).expect("a report that has room");
    let report = Report::read(report).expect("a report");
    let findings: Vec<_> = report.findings().collect();
    assert_eq!(findings, notes.findings());
    for (finding, conclusion) in findings.iter().zip(conclude(&findings)) {
        let line = finding.to_string();
        assert!(line.len() < 1_000 && line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{line}");
        assert!(findings.iter().any(|cause| conclusion.explained_by.is_none_or(|by| by == cause.id)));
    }
});

/// Every check that an agent makes.
const CHECKS: [fn(&dyn Host, &Stack, &mut Notes); 19] = [
    errors::check,
    |host, stack, notes| flood::check(host, stack, &flood::impact(host, stack), notes),
    kernel::connections,
    kernel::disk,
    |host, _, notes| kernel::network(host, notes),
    kernel::php_sockets,
    kernel::queues,
    kernel::sample,
    kernel::site_files,
    kernel::system,
    kernel::units,
    kernel::web,
    probe::certificates::check,
    |host, _, notes| probe::clock::check(host, notes),
    probe::databases::check,
    probe::edge::check,
    probe::fpm::check,
    probe::names::check,
    probe::origin::check,
];

struct MadeUp<'f> {
    sections: BTreeMap<&'f str, &'f [u8]>,
    asked: AtomicU64,
    micros: AtomicU64,
}

impl MadeUp<'_> {
    /// Each question takes a moment.
    fn get(&self, name: &str) -> Result<&[u8], Denied> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(20, Ordering::Relaxed);
        match self.sections.get(name).copied() {
            Some(b"\x01") => Err(Denied::Permission),
            Some(b"\x02") => Err(Denied::Timeout),
            Some(b"\x03") => Err(Denied::Full),
            Some(content) => Ok(content),
            None => Err(Denied::Absent),
        }
    }
}

impl Host for MadeUp<'_> {
    fn clock(&self) -> u64 {
        1_795_311_290 + self.elapsed().as_secs()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }

    fn left(&self) -> Duration {
        Duration::from_secs(3).saturating_sub(self.elapsed())
    }

    fn pause(&self, time: Duration) {
        let micros = u64::try_from(time.min(self.left()).as_micros()).expect("a pause");
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        self.get(path).map(|content| content[..content.len().min(most)].to_vec())
    }

    fn read_at(&self, path: &str, offset: u64, mut out: &mut [u8]) -> Result<usize, Denied> {
        let content = self.get(path)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.len());
        Ok(out.write(&content[from..]).expect("memory"))
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        let content = self.get(path)?;
        let (size, first) = (content.len() as u64, u64::from(content.first().copied().unwrap_or(0)));
        let modified = self.clock().saturating_sub(first * 61);
        Ok(Metadata { size, modified, mode: 0o100_644, uid: 33, gid: 33, inode: first, device: 1 })
    }

    fn read_link(&self, path: &str) -> Result<String, Denied> {
        self.get(path).map(|content| String::from_utf8_lossy(content).into_owned())
    }

    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied> {
        let _counted = self.get(path);
        let directory = format!("{}/", path.trim_end_matches('/'));
        let inside = self.sections.keys().filter_map(|known| known.strip_prefix(&directory));
        let mut names: Vec<_> = inside.filter_map(|rest| rest.split('/').next()).map(str::to_owned).collect();
        names.dedup();
        names.truncate(most);
        if names.is_empty() { Err(Denied::Absent) } else { Ok(names) }
    }

    fn filesystem(&self, path: &str) -> Result<Filesystem, Denied> {
        let mut bytes = [0; 34];
        let _as_many_as_there_are = self.get("filesystem").or_else(|_| self.get(path))?.read(&mut bytes);
        let at = |n: usize| u64::from_le_bytes(*bytes[n * 8..].first_chunk().expect("room"));
        Ok(Filesystem {
            size: at(0),
            free: at(1),
            inodes: at(2),
            inodes_free: at(3),
            readonly: bytes[32] & 1 == 1,
        })
    }

    fn connect(&self, to: &Endpoint, _: Duration) -> Result<Box<dyn Stream>, Denied> {
        let content = match to {
            Endpoint::Unix(path) => self.get(path),
            Endpoint::Tcp(address) => self.get(&address.to_string()),
        };
        Ok(Box::new(Said { answer: Cursor::new(content?.to_vec()) }))
    }

    fn ask(
        &self,
        _: SocketAddr,
        question: &[u8],
        mut answer: &mut [u8],
        _: Duration,
    ) -> Result<usize, Denied> {
        let [code, count, records @ ..] = self.get("dns")? else { return Err(Denied::Timeout) };
        let (id, asked) = (&question[..2], &question[12..]);
        let message = [id, &[0x81, *code, 0, 1, 0, *count, 0, 0, 0, 0], asked, records].concat();
        Ok(answer.write(&message).expect("memory"))
    }

    fn sockets(&self, _: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), Denied> {
        let _end = netlink::walk(self.get("netlink")?, each);
        Ok(())
    }

    fn fetch(&self, _: &Fetch<'_>, _: Duration) -> Result<Page, Denied> {
        let [status, content @ ..] = self.get("page")? else { return Err(Denied::Failed) };
        let text = String::from_utf8_lossy(content);
        let (head, body) = text.split_once("\n\n").unwrap_or(("", &text));
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        Ok(Page {
            status: [200, 301, 302, 404, 500, 502, 503, 504, 521, 526][usize::from(status % 10)],
            headers: fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            first_byte: Duration::ZERO,
        })
    }

    fn certificates(&self, _: SocketAddr, _: &str, _: Duration) -> Result<Vec<Vec<u8>>, Denied> {
        let leaf = self.get("tls")?.to_vec();
        Ok(std::iter::once(leaf).chain(self.get("tls above").ok().map(<[u8]>::to_vec)).collect())
    }

    fn clock_state(&self) -> Result<ClockState, Denied> {
        Ok(ClockState { synchronized: self.get("clock").is_ok(), max_error_us: 1_000 })
    }
}

/// A service that says what it says, whatever it is told.
struct Said {
    answer: Cursor<Vec<u8>>,
}

impl Stream for Said {
    fn allow(&mut self, _: Duration) {}
}

impl std::io::Read for Said {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.answer.read(out)
    }
}

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
