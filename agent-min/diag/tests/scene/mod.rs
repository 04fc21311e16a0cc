//! Access logs as sites have them, made by a program: what happens on a site, and how a server writes it down.

use std::fmt::Write as _;

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Seconds since the scene began.
    pub(crate) at: u64,
    pub(crate) from: String,
    pub(crate) method: &'static str,
    pub(crate) target: String,
    pub(crate) status: u16,
    pub(crate) size: u64,
    pub(crate) referer: String,
    pub(crate) agent: String,
}

/// When scenes begin: a morning.
pub(crate) const BEGIN: u64 = 1_795_330_800;
pub(crate) const BROWSERS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile",
];

/// Numbers without a pattern, the same in every run.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Below `n`.
    pub(crate) fn roll(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// A public address that stands in no list: one of many thousand.
pub(crate) fn somebody(n: u64) -> String {
    format!("{}.{}.{}.{}", 80 + n % 10, n / 10 % 200 + 20, n / 2_000 % 250, 1 + n * 7 % 250)
}

pub(crate) fn browser(n: u64) -> String {
    BROWSERS[n as usize % BROWSERS.len()].to_owned()
}

pub(crate) fn get(at: u64, from: impl Into<String>, target: impl Into<String>) -> Request {
    Request {
        at,
        from: from.into(),
        method: "GET",
        target: target.into(),
        status: 200,
        size: 28_000,
        referer: String::new(),
        agent: browser(0),
    }
}

pub(crate) fn post(at: u64, from: impl Into<String>, target: impl Into<String>) -> Request {
    Request { method: "POST", ..get(at, from, target) }
}

/// Somebody looks at a page: the page, and as many files as `files`.
pub(crate) fn view(at: u64, who: u64, target: impl Into<String>, files: u64) -> Vec<Request> {
    let page = Request { agent: browser(who), ..get(at, somebody(who), target) };
    let url = format!("https://example.org{}", page.target);
    let kinds = ["css", "js", "jpg", "woff2", "png", "webp"];
    let files = (0..files).map(|n| {
        let ending = kinds[n as usize % kinds.len()];
        let status = if (who + n).is_multiple_of(4) { 304 } else { 200 };
        let file =
            get(at + 1, somebody(who), format!("/wp-content/themes/a/{}-{n}.{ending}?ver=6.5", who % 5));
        Request { status, size: 9_000, referer: url.clone(), agent: browser(who), ..file }
    });
    let files: Vec<Request> = files.collect();
    std::iter::once(page).chain(files).collect()
}

/// Visitors who come and look at some pages each, for so many minutes.
pub(crate) fn visitors(minutes: std::ops::Range<u64>, each_minute: u64, files: u64) -> Vec<Request> {
    let mut dice = Dice::new(minutes.start + each_minute);
    let mut all = Vec::new();
    for minute in minutes {
        for n in 0..each_minute {
            let who = 50_000 + (minute / 3) * each_minute + n;
            let at = minute * 60 + dice.roll(60);
            let page = match dice.roll(8) {
                0 => "/".to_owned(),
                1 => format!("/category/news/page/{}/", 1 + dice.roll(4)),
                2 => format!("/?p={}", dice.roll(500)),
                _ => format!("/2026/11/post-{}/", dice.roll(60)),
            };
            all.extend(view(at, who, page, files));
        }
    }
    all
}

/// In the order of time.
pub(crate) fn sorted(mut requests: Vec<Request>) -> Vec<Request> {
    requests.sort_by_key(|request| request.at);
    requests
}

pub(crate) fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

/// The combined format, in the time of a zone so many hours east.
pub(crate) fn combined_in(request: &Request, hours: i64) -> String {
    let Request { from, method, target, status, size, referer, agent, .. } = request;
    let time = stamp(BEGIN + request.at, hours);
    let (referer, agent) = (or_dash(referer), or_dash(agent));
    format!("{from} - - [{time}] \"{method} {target} HTTP/1.1\" {status} {size} \"{referer}\" \"{agent}\"\n")
}

pub(crate) fn combined(requests: &[Request]) -> Vec<u8> {
    requests.iter().map(|request| combined_in(request, 0)).collect::<String>().into_bytes()
}

/// `22/Nov/2026:08:00:00 +0100`; scenes last a day at most, and begin on the 22nd.
pub(crate) fn stamp(time: u64, hours: i64) -> String {
    let local = time.checked_add_signed(hours * 3_600).expect("after 1970");
    let (day, of_day) = (local / 86_400 - BEGIN / 86_400 + 22, local % 86_400);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let sign = if hours < 0 { '-' } else { '+' };
    let mut out = String::new();
    let fits = write!(out, "{day:02}/Nov/2026:{hour:02}:{minute:02}:{second:02} {sign}{:02}00", hours.abs());
    assert!(fits.is_ok(), "a string takes all");
    out
}
