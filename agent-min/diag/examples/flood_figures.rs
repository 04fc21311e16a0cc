//! How fast a log is judged, beside what memchr, `wc -l` and `awk` need for counting the same lines, and the memory that the
//! pass keeps: `cargo run --release -p secmon-diag --example flood_figures -- [MEGABYTES] [DIRECTORY]`.
//!
//! All times are times of the processor, so that what else runs on the machine disturbs little.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use secmon_diag::flood::{Impact, Settings, judge_log};

/// Each figure is the best of so many.
const RUNS: usize = 3;
/// Lines in a second of the log.
const LINES_A_SECOND: u64 = 2_000;
const BEGIN: u64 = 1_795_309_000;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let megabytes = args.next().and_then(|text| text.parse().ok()).unwrap_or(256);
    let directory = args.next().unwrap_or_else(|| std::env::temp_dir().display().to_string());
    println!("{:<44} {:>8} {:>9} {:>9}", "", "MB/s", "ns/line", "KiB");
    for (name, kind) in [("visitors", Kind::Visitors), ("a flood, each request from another", Kind::Flood)] {
        let log = generate(kind, megabytes * 1_000_000);
        let lines = log.iter().filter(|byte| **byte == b'\n').count();
        let path = Path::new(&directory).join(format!("flood-figures-{}.log", std::process::id()));
        if let Err(error) = std::fs::write(&path, &log) {
            eprintln!("{}: {error}", path.display());
            return ExitCode::FAILURE;
        }
        println!("{name}: {} MB, {lines} lines", log.len() / 1_000_000);
        let show = |what: &str, seconds: f64, memory: Option<usize>| {
            let rate = log.len() as f64 / 1e6 / seconds;
            let memory = memory.map_or(String::new(), |bytes| (bytes / 1024).to_string());
            println!("  {what:<42} {rate:>8.0} {:>9.0} {memory:>9}", seconds * 1e9 / lines as f64);
        };
        let mut memory = 0;
        let seconds = best(|| {
            let judged = judge_log(&log, None, &Settings::new(&Impact::default()));
            assert_eq!(judged.lines, lines as u64, "every line is one");
            memory = judged.memory;
        });
        show("judged, in memory", seconds, Some(memory));
        let count = || assert_eq!(memchr::memchr_iter(b'\n', &log).count(), lines, "the same lines");
        show("lines found by memchr, in memory", best(count), None);
        show("read in pieces of 64 KiB, not looked at", best(|| read_only(&path)), None);
        show("wc -l", best(|| run(Command::new("wc").arg("-l").arg(&path))), None);
        let count = "{ n[$1]++ } END { for (k in n) if (n[k] > m) m = n[k]; print m }";
        show("awk, requests by address", best(|| run(Command::new("awk").arg(count).arg(&path))), None);
        let _left_behind_if_it_fails = std::fs::remove_file(&path);
    }
    ExitCode::SUCCESS
}

fn best(mut run: impl FnMut()) -> f64 {
    let times = (0..RUNS).map(|_| {
        let start = spent();
        run();
        spent() - start
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Seconds of the processor so far: this process' own to the nanosecond, its children's to the hundredth.
fn spent() -> f64 {
    let own = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let own = own.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0) / 1e9;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let children: f64 = fields.skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    own + children / 100.0
}

fn run(command: &mut Command) {
    let status = command.env("LC_ALL", "C").stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "{command:?}");
}

fn read_only(path: &Path) {
    let mut file = std::fs::File::open(path).expect("it was written just now");
    let mut buffer = vec![0; 64 * 1024];
    while file.read(&mut buffer).expect("a file") > 0 {}
}

#[derive(Clone, Copy)]
enum Kind {
    Visitors,
    Flood,
}

fn generate(kind: Kind, bytes: usize) -> Vec<u8> {
    const AGENTS: [&str; 8] = [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    ];
    let mut out = String::with_capacity(bytes + 1024);
    let (mut state, mut line) = (1_u64, 0_u64);
    while out.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = state >> 33;
        let (host, target) = match kind {
            Kind::Flood => (dice % 1_000_000, format!("/?{}", dice % 10_000_000_000)),
            Kind::Visitors if dice % 6 == 0 => (dice / 6 % 2_000, format!("/post-{}/", dice % 97)),
            Kind::Visitors => {
                (dice / 6 % 2_000, format!("/wp-includes/js/part-{}.min.js?ver=6.1.9", dice % 31))
            }
        };
        let second = BEGIN + line / LINES_A_SECOND;
        let (day, hour, minute) = (1 + second / 86_400 % 28, second / 3_600 % 24, second / 60 % 60);
        let agent = AGENTS[(dice / 7 % AGENTS.len() as u64) as usize];
        let written = writeln!(
            out,
            "198.{}.{}.{} - - [{day:02}/Nov/2026:{hour:02}:{minute:02}:{:02} +0000] \"GET {target} HTTP/1.1\" 200 {} \"https://example.org/\" \"{agent}\"",
            18 + host / 65_536,
            host / 256 % 256,
            host % 256,
            second % 60,
            1_000 + dice % 60_000,
        );
        assert!(written.is_ok(), "a string takes all");
        line += 1;
    }
    out.into_bytes()
}
