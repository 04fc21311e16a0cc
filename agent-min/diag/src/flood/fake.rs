//! Logs and a host for the tests of this module.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::host::{ClockState, Denied, Endpoint, Fetch, Filesystem, Host, Metadata, Page, Stream};

/// When every test's log begins.
pub(super) const T: u64 = 1_795_309_200;
pub(super) const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) at: u64,
    pub(super) from: String,
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) status: u16,
    pub(super) size: u64,
    pub(super) referer: &'static str,
    pub(super) agent: String,
}

/// A page view at a second after the beginning.
pub(super) fn hit(at: u64, from: impl Into<String>, target: impl Into<String>) -> Hit {
    Hit {
        at: T + at,
        from: from.into(),
        method: "GET",
        target: target.into(),
        status: 200,
        size: 30_000,
        referer: "-",
        agent: BROWSER.into(),
    }
}

pub(super) fn post(at: u64, from: impl Into<String>, target: impl Into<String>) -> Hit {
    Hit { method: "POST", ..hit(at, from, target) }
}

/// A visitor of the site, one of many.
pub(super) fn visitor(n: u64) -> String {
    format!("198.18.{}.{}", n / 250 % 250, n % 250)
}

/// Quiet minutes: six visitors each, who look at a page and its pictures.
pub(super) fn quiet(minutes: std::ops::Range<u64>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for minute in minutes {
        for n in 0..6 {
            let (at, from) = (minute * 60 + n * 9, visitor(10_000 + minute * 6 + n));
            hits.push(hit(at, from.clone(), format!("/post-{n}/")));
            hits.extend((0..5).map(|file| hit(at + 1, from.clone(), format!("/img/{n}-{file}.jpg"))));
        }
    }
    hits
}

pub(super) fn common(hit: &Hit) -> String {
    let Hit { from, method, target, status, size, referer, agent, .. } = hit;
    format!(
        "{from} - - [{}] \"{method} {target} HTTP/1.1\" {status} {size} \"{referer}\" \"{agent}\"\n",
        stamp(hit.at)
    )
}

pub(super) fn json(hit: &Hit) -> String {
    let Hit { at, from, method, target, status, size, referer, agent } = hit;
    format!(
        "{{\"ts\":{at}.5,\"remote_ip\":\"{from}\",\"method\":\"{method}\",\"uri\":\"{target}\",\"status\":{status},\"size\":{size},\"referer\":\"{referer}\",\"user_agent\":\"{agent}\"}}\n"
    )
}

pub(super) const CUSTOM: &str = r#"[$time_iso8601] $host $status $body_bytes_sent "$request_uri" $request_method $remote_addr "$http_user_agent" "$http_referer" $request_time"#;

pub(super) fn custom(hit: &Hit) -> String {
    let Hit { from, method, target, status, size, referer, agent, .. } = hit;
    let time = iso(hit.at);
    format!(
        "[{time}] example.org {status} {size} \"{target}\" {method} {from} \"{agent}\" \"{referer}\" 0.120\n"
    )
}

/// All tests play on one day.
fn stamp(time: u64) -> String {
    let of_day = time % 86_400;
    format!("22/Nov/2026:{:02}:{:02}:{:02} +0000", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

fn iso(time: u64) -> String {
    let of_day = time % 86_400;
    format!("2026-11-22T{:02}:{:02}:{:02}+00:00", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// In the order of time, as a server writes them.
pub(super) fn log(mut hits: Vec<Hit>) -> Vec<u8> {
    hits.sort_by_key(|hit| hit.at);
    hits.iter().map(common).collect::<String>().into_bytes()
}

/// Answers to questions for names: address, name that is said of it, address that the name leads to.
type Name = (&'static str, &'static str, &'static str);

/// A host with files and names.
#[derive(Debug, Default)]
pub(super) struct FakeHost {
    pub(super) clock: u64,
    pub(super) files: BTreeMap<String, (Vec<u8>, u64)>,
    pub(super) denied: BTreeMap<String, Denied>,
    pub(super) names: Vec<Name>,
    pub(super) left: Option<Duration>,
}

impl FakeHost {
    pub(super) fn file(mut self, path: &str, bytes: impl Into<Vec<u8>>, modified: u64) -> Self {
        self.files.insert(path.into(), (bytes.into(), modified));
        self
    }

    fn get(&self, path: &str) -> Result<&(Vec<u8>, u64), Denied> {
        match self.denied.get(path) {
            Some(denied) => Err(*denied),
            None => self.files.get(path).ok_or(Denied::Absent),
        }
    }
}

impl Host for FakeHost {
    fn clock(&self) -> u64 {
        self.clock
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(5)
    }

    fn left(&self) -> Duration {
        self.left.unwrap_or(Duration::from_secs(3))
    }

    fn pause(&self, _: Duration) {}

    fn read(&self, path: &str, most: usize) -> Result<Vec<u8>, Denied> {
        self.get(path).map(|(bytes, _)| bytes.iter().take(most).copied().collect())
    }

    fn read_at(&self, path: &str, offset: u64, out: &mut [u8]) -> Result<usize, Denied> {
        let (bytes, _) = self.get(path)?;
        let rest = bytes.get(usize::try_from(offset).expect("small")..).unwrap_or_default();
        // The kernel may give less than there is room for.
        let n = rest.len().min(out.len()).min(10_007);
        out[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }

    fn metadata(&self, path: &str) -> Result<Metadata, Denied> {
        let (bytes, modified) = self.get(path)?;
        Ok(Metadata {
            size: bytes.len() as u64,
            modified: *modified,
            mode: 0o100_640,
            uid: 0,
            gid: 4,
            inode: 1,
            device: 1,
        })
    }

    fn read_link(&self, _: &str) -> Result<String, Denied> {
        Err(Denied::Absent)
    }

    fn list(&self, path: &str, most: usize) -> Result<Vec<String>, Denied> {
        let within = |name: &String| name.strip_prefix(path)?.strip_prefix('/').map(str::to_owned);
        Ok(self.files.keys().filter_map(within).take(most).collect())
    }

    fn filesystem(&self, _: &str) -> Result<Filesystem, Denied> {
        Err(Denied::Unsupported)
    }

    fn connect(&self, _: &Endpoint, _: Duration) -> Result<Box<dyn Stream>, Denied> {
        Err(Denied::Unsupported)
    }

    fn ask(&self, _: SocketAddr, question: &[u8], answer: &mut [u8], _: Duration) -> Result<usize, Denied> {
        let asked = &question[12..question.len() - 4];
        let in_labels = |name: &str| -> Vec<u8> {
            let labels = name.split('.').flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
            labels.chain([0]).collect()
        };
        let reversed = |address: &str| {
            let octets: Vec<&str> = address.split('.').rev().collect();
            in_labels(&format!("{}.in-addr.arpa", octets.join(".")))
        };
        let is_reverse = question[question.len() - 3] == 12;
        let known = self.names.iter().find(|(address, name, _)| {
            if is_reverse { reversed(address) == asked } else { in_labels(name) == asked }
        });
        let record = match known {
            Some((_, name, _)) if is_reverse && !name.is_empty() => in_labels(name),
            Some((_, _, to)) if !is_reverse && !to.is_empty() => {
                to.split('.').map(|octet| octet.parse().expect("an octet")).collect()
            }
            None if is_reverse => return Err(Denied::Timeout),
            _ => Vec::new(),
        };
        let mut out = question.to_vec();
        (out[2], out[3]) = (0x81, if record.is_empty() { 0x83 } else { 0x80 });
        if !record.is_empty() {
            out[7] = 1;
            let kind = question[question.len() - 3];
            out.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60, 0, record.len() as u8]);
            out.extend(record);
        }
        answer[..out.len()].copy_from_slice(&out);
        Ok(out.len())
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
