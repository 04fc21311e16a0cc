//! The verifier's speed, on one core and on all, beside `openssl speed sha256`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use secmon_control::audit::{Head, Record, seal};

use super::stage::Stage;

const RECORDS: u64 = 1_000_000;

pub(crate) fn measure(stage: &Stage) -> Result<()> {
    println!("\nAudit verification ({RECORDS} records)");
    let log = stage.path("long.jsonl");
    write_log(&log)?;
    let megabytes = std::fs::metadata(&log)?.len() as f64 / 1e6;
    let sha = [256, 16384].map(sha256_speed);
    for (block, speed) in [256, 16384].iter().zip(&sha) {
        if let Ok(speed) = speed {
            println!("openssl speed sha256, {block}-byte pieces: {speed:.0} MB/s on one core");
        }
    }
    let [small, _] = sha;
    let small = small?;
    for (what, prefix) in [("one core", Some(["taskset", "-c", "0"])), ("all cores", None)] {
        let verifier = stage.programs.join("secmon-audit-verify");
        let mut command = match prefix {
            Some([program, args @ ..]) => {
                let mut command = Command::new(program);
                command.args(args).arg(&verifier);
                command
            }
            None => Command::new(&verifier),
        };
        let start = Instant::now();
        let output = command.arg(&log).output().context("secmon-audit-verify")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let speed = megabytes / start.elapsed().as_secs_f64();
        println!(
            "secmon-audit-verify, {what}: {megabytes:.0} MB at {speed:.0} MB/s = {:.2} x openssl's 256-byte rate",
            speed / small
        );
    }
    Ok(())
}

fn write_log(path: &std::path::Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(path)?);
    let mut head = Head::START;
    for round in 0..RECORDS {
        let record = Record::new(1_767_225_600 + round, "intent")
            .with("action", "restart-web")
            .with("agent", "web1")
            .with("client", "acme")
            .with("manifest", "9f2c41d07be83a559f2c41d07be83a559f2c41d07be83a559f2c41d07be83a55")
            .with("nonce", format!("{round:016x}"))
            .with("operator", 1001_i64)
            .with("unit", "nginx");
        let (line, sealed) = seal(head, record);
        head = sealed.head();
        out.write_all(&line)?;
    }
    Ok(out.flush()?)
}

/// MB/s that openssl says for pieces of this size.
fn sha256_speed(block: u32) -> Result<f64> {
    let output = Command::new("openssl")
        .args(["speed", "-mr", "-seconds", "1", "-bytes", &block.to_string(), "-evp", "sha256"])
        .output()
        .context("openssl")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // +F:22:sha256:1070000000.00
    let bytes = text
        .lines()
        .rev()
        .find_map(|line| line.starts_with("+F:").then(|| line.rsplit(':').next()).flatten());
    Ok(bytes.context("openssl speed printed no figure")?.trim().parse::<f64>()? / 1e6)
}
