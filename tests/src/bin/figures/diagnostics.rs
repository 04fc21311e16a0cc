//! How long a look at a host takes, on it and over the control plane, and the memory that looking takes.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use secmon_tests::agent_host::text;
use secmon_tests::plane::{Plane, Totp};
use secmon_tests::testbed::{Guest, Testbed};

use super::percentile;
use super::stage::released_agent;

const LOOKS: usize = 20;
/// Looks whose memory is measured, as often as this machine can.
const MEASURED: usize = 5;

/// On a real host with nginx, PHP and MariaDB; says why and does without where there can be none.
pub(crate) fn measure(programs: &Path) -> Result<()> {
    println!("\nDiagnostics ({LOOKS} looks of each, at a host with nginx, PHP and MariaDB)");
    let Some(bed) = Testbed::boot(Guest::Systemd, "figures") else { return Ok(()) };
    let plane = Plane::new(Totp::Off);
    bed.install_agent(&plane, &[("restart-web", "nginx")]);
    bed.shell("mariadb -e \"CREATE USER 'secmon-diag'@localhost IDENTIFIED VIA unix_socket\"");
    if let Some(agent) = released_agent(programs) {
        println!("agent: {}", agent.display());
        bed.shell("systemctl stop secmon-agent");
        bed.push(&agent, "/usr/local/bin/secmon-agent", "755");
        bed.shell("systemctl start secmon-agent");
    }
    said("home page, by curl", &mut on_the_host(&bed, "curl -s -o /dev/null http://127.0.0.1/")?);
    let nothing = peak(&bed, LOOKS, &["secmon-agent", "check"])?;
    println!("memory at most of a process that looks at nothing: {nothing}");
    looks("its access log as it is", &bed, &plane, nothing)?;
    bed.shell(VISITS);
    let log = bed.shell("stat -c %s /var/log/nginx/access.log");
    looks(&format!("an access log of {log} bytes"), &bed, &plane, nothing)
}

/// 150,000 visits within the two hours of a log that are read, by visitors of whom none comes often.
const VISITS: &str = r#"php -r '
    for ($n = 150000, $now = time(); $n > 0; $n--)
        printf("10.%d.%d.%d - - [%s] \"GET /post-%d/ HTTP/1.1\" 200 %d \"https://example.org/\" \"%s\"\n",
            $n % 8, $n / 8 % 200, $n % 199, date("d/M/Y:H:i:s O", $now - intdiv($n, 30)), $n % 97, 1000 + $n % 60000,
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0");
' >>/var/log/nginx/access.log"#;

fn looks(what: &str, bed: &Testbed, plane: &Plane, nothing: Memory) -> Result<()> {
    println!("with {what}");
    // Its exit status is 1 where something is found.
    let line = "secmon-agent diag >/dev/null || [ $? = 1 ]";
    said("  secmon-agent diag, on the host", &mut on_the_host(bed, line)?);
    said("  secmon diag, over the control plane", &mut from_afar(plane)?);
    let look = peak(bed, MEASURED, &["secmon-agent", "diag"])?;
    let (rss, pss) = (look.rss.saturating_sub(nothing.rss), look.pss.saturating_sub(nothing.pss));
    println!("  memory at most: {look}; more than without looking: RSS {rss} kB, PSS {pss} kB");
    Ok(())
}

/// The times of runs of a line of shell, without what it takes to get into the host.
fn on_the_host(bed: &Testbed, line: &str) -> Result<Vec<Duration>> {
    let timed = format!("for n in $(seq {LOOKS}); do date +%s%N; {line}; date +%s%N; done");
    let moments = bed.shell(&timed);
    let moments: Vec<u64> =
        moments.lines().map(str::parse).collect::<Result<_, _>>().context(moments.clone())?;
    let times: Vec<Duration> = moments
        .as_chunks()
        .0
        .iter()
        .map(|[from, to]| Duration::from_nanos(to.saturating_sub(*from)))
        .collect();
    ensure!(times.len() == LOOKS, "{line}: {} of {LOOKS} times", times.len());
    Ok(times)
}

fn from_afar(plane: &Plane) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let start = Instant::now();
        let output = plane.attempt(&["diag", "acme"]);
        times.push(start.elapsed());
        let is_answer = matches!(output.status.code(), Some(0 | 1)) && !output.stdout.is_empty();
        ensure!(is_answer, "secmon diag: {}{}", text(&output.stdout), text(&output.stderr));
    }
    Ok(times)
}

fn said(what: &str, times: &mut [Duration]) {
    let (median, worst) = (percentile(times, 50), percentile(times, 100));
    println!("{what:<44} median {median:>9.1?}  worst {worst:>9.1?}");
}

/// What a process has of the memory, in kB.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    rss: u64,
    pss: u64,
}

impl std::fmt::Display for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RSS {} kB, PSS {} kB", self.rss, self.pss)
    }
}

impl Memory {
    /// Nothing once the process has ended.
    fn of(pid: u32) -> Option<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().trim_end_matches(" kB").parse().ok()
        };
        Some(Self { rss: field("Rss:")?, pss: field("Pss:")? })
    }

    fn max(self, other: Self) -> Self {
        Self { rss: self.rss.max(other.rss), pss: self.pss.max(other.pss) }
    }
}

/// The most that the diagnostics processes of these runs of a command had at any time that they were looked at.
fn peak(bed: &Testbed, runs: usize, command: &[&str]) -> Result<Memory> {
    let namespace = bed.shell("readlink /proc/self/ns/pid");
    let mut most = Memory::default();
    for _ in 0..runs {
        let before = processes();
        thread::scope(|scope| {
            let run = scope.spawn(|| bed.attempt(command));
            while !run.is_finished() {
                let new = processes().into_iter().filter(|pid| !before.contains(pid));
                let Some(pid) = new.into_iter().find(|pid| is_examiner(*pid, &namespace)) else { continue };
                while let Some(memory) = Memory::of(pid) {
                    most = most.max(memory);
                }
            }
        });
    }
    ensure!(most.rss > 0, "no diagnostics process was seen while {command:?} ran");
    Ok(most)
}

fn processes() -> BTreeSet<u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Whether it is a diagnostics process of this host's and not of another one's on this machine.
fn is_examiner(pid: u32, namespace: &str) -> bool {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let is_role = command.split(|byte| *byte == 0).nth(1) == Some(b"diagnostics".as_slice());
    let link = std::fs::read_link(format!("/proc/{pid}/ns/pid")).unwrap_or_default();
    is_role && link.to_str() == Some(namespace)
}
