//! `secmon-audit-verify`: flags in, words or JSON out, and an exit code.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use secmon_wire::Hash;
use serde_json::{Value, json};

use super::{BREAKS_MAX, Break, Report, verify_file, verify_stream};

const EXAMPLES: &str = "\
EXIT CODES:
  0  every chain is sound
  1  at least one chain is broken; every broken line was named
  2  a file can't be read, or the command line is wrong

EXAMPLES:
  secmon-audit-verify /var/lib/secmon/audit.jsonl
  secmon-audit-verify --json audit.jsonl | jq -r '.breaks[] | \"\\(.line) \\(.reason)\"'
  secmon-audit-verify --head 9f2c… audit.jsonl      the record with this hash must be there
  zcat audit.jsonl.gz | secmon-audit-verify -

A chain whose last lines were cut off is sound in itself. Only --head, with a hash that was kept
elsewhere (a checkpoint, the intent hash of an agent's receipt), finds that.";

/// A run of the bar starts to show after this long.
const PROGRESS_AFTER: Duration = Duration::from_secs(2);

/// Verify hash-chained audit logs, offline: name every broken line and why.
#[derive(Clone, Debug, Parser)]
#[command(name = "secmon-audit-verify", version, after_help = EXAMPLES)]
pub struct Args {
    /// Audit logs (JSONL), each a chain of its own; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Print one JSON object per file: {"ok":…,"records":…,"head":"…","breaks":[{"line":…,"reason":"…"}]};
    /// with several files, "file" comes first in it
    #[arg(long)]
    json: bool,

    /// Require that a record with this hash is in the chain (may be repeated; for a single FILE)
    #[arg(long = "head", visible_alias = "checkpoint", value_name = "HASH", value_parser = hash)]
    heads: Vec<Hash>,
}

/// The command line, for man pages and shell completions.
pub fn command() -> clap::Command {
    Args::command()
}

/// Reads the command line of this process, verifies, prints, and says how it went.
pub fn main() -> ExitCode {
    let args = Args::parse();
    if !args.heads.is_empty() && args.files.len() > 1 {
        Args::command()
            .error(
                clap::error::ErrorKind::ArgumentConflict,
                "--head needs a single FILE: a hash is in one chain only",
            )
            .exit();
    }
    ExitCode::from(run(&args, &mut io::stdout().lock(), &mut io::stderr().lock()))
}

/// Verifies every file; the exit code is the worst of all.
pub fn run(args: &Args, out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    let mut worst = 0;
    for path in &args.files {
        let name = if path.as_os_str() == "-" { "standard input".into() } else { path.to_string_lossy() };
        let code = match verify(path, &args.heads) {
            Ok(report) => {
                let named = (args.files.len() > 1).then_some(&*name);
                let printed =
                    if args.json { print_json(out, named, &report) } else { print(out, &name, &report) };
                if let Err(error) = printed.and_then(|()| out.flush()) {
                    // Whoever closed the pipe wants no more words, and the verdict stands without them.
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        let _lost = writeln!(err, "secmon-audit-verify: can't write the result: {error}");
                        return 2;
                    }
                }
                u8::from(!report.is_sound())
            }
            Err(error) => {
                let _lost = writeln!(err, "secmon-audit-verify: {name}: can't be read: {error}");
                2
            }
        };
        worst = worst.max(code);
    }
    worst
}

fn hash(text: &str) -> Result<Hash, String> {
    Hash::new(text).ok_or_else(|| "a record hash is 64 lower-case hex digits".to_owned())
}

fn verify(path: &Path, heads: &[Hash]) -> io::Result<Report> {
    if path.as_os_str() == "-" {
        let mut bar = Bar::new(None);
        return verify_stream(&mut io::stdin(), heads, &mut |bytes| bar.advance(bytes));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_file() {
        let mut bar = Bar::new(Some(metadata.len()));
        verify_file(&file, heads, &mut |bytes| bar.advance(bytes))
    } else {
        let mut bar = Bar::new(None);
        verify_stream(&mut &file, heads, &mut |bytes| bar.advance(bytes))
    }
}

fn print(out: &mut dyn Write, name: &str, report: &Report) -> io::Result<()> {
    let Report { records, head, breaks, .. } = report;
    if report.is_sound() {
        let head = if head.is_empty() { String::new() } else { format!(", head {head}") };
        return writeln!(out, "{name}: sound: {}{head}", counted(*records, "record"));
    }
    for Break { line, reason } in breaks.iter().take(BREAKS_MAX) {
        writeln!(out, "{name}:{line}: {reason}")?;
    }
    let total = total(breaks);
    let unlisted = total.saturating_sub(BREAKS_MAX as u64);
    let listed = if unlisted > 0 { format!(", of which {unlisted} are not listed") } else { String::new() };
    writeln!(out, "{name}: BROKEN: {} in {}{listed}", counted(total, "break"), counted(*records, "record"))
}

fn total(breaks: &[Break]) -> u64 {
    let count = |found: &Break| match found.reason {
        super::Reason::NotListed { count } => count,
        _ => 1,
    };
    breaks.iter().map(count).fold(0, u64::saturating_add)
}

fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// The members are written one by one because their order is part of the format.
fn print_json(out: &mut dyn Write, name: Option<&str>, report: &Report) -> io::Result<()> {
    let mut members = Vec::new();
    if let Some(name) = name {
        members.push(("file", json!(name)));
    }
    members.push(("ok", json!(report.is_sound())));
    members.push(("records", json!(report.records)));
    members.push(("head", json!(report.head)));
    for (position, (key, value)) in members.into_iter().enumerate() {
        write!(out, "{}\"{key}\":{value}", if position == 0 { '{' } else { ',' })?;
    }
    write!(out, ",\"breaks\":[")?;
    for (position, Break { line, reason }) in report.breaks.iter().enumerate() {
        let separator = if position == 0 { "" } else { "," };
        write!(out, "{separator}{{\"line\":{line},\"reason\":{}}}", Value::from(reason.to_string()))?;
    }
    writeln!(out, "]}}")
}

/// A progress bar that only a long run at a terminal sees. It measures from the start, so that its rate and
/// the time left are right when it shows.
struct Bar {
    started: Instant,
    bar: ProgressBar,
}

impl Bar {
    fn new(length: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
        let template = match length {
            Some(_) => "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
            None => "{spinner} {bytes} {bytes_per_sec}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { started: Instant::now(), bar }
    }

    fn advance(&mut self, bytes: u64) {
        self.bar.inc(bytes);
        if self.bar.is_hidden() && self.started.elapsed() > PROGRESS_AFTER && io::stderr().is_terminal() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
