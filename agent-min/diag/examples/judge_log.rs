//! Says what an access log shows: `judge_log FILE [FORMAT]`, for somebody who has a log and no agent.

use std::process::ExitCode;

use secmon_diag::flood::{Impact, Settings, judge_log};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(file) = args.next() else {
        eprintln!("usage: judge_log FILE [FORMAT]");
        return ExitCode::from(2);
    };
    let log = match std::fs::read(&file) {
        Ok(log) => log,
        Err(error) => {
            eprintln!("{file}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let impact = Impact::default();
    let settings = Settings { host: &file, ..Settings::new(&impact) };
    let judged = judge_log(&log, args.next().as_deref(), &settings);
    println!("{} lines, {} others", judged.lines, judged.junk);
    for finding in judged.findings {
        let action = finding.action.map_or("no action", |action| action.as_str());
        println!("{} {} {finding} [{action}]", finding.severity, finding.id);
        if let Some(flood) = finding.flood {
            let pattern = flood.pattern.map(|pattern| format!("{}={}", pattern.field, pattern.value));
            println!("    {} requests, pattern {pattern:?}, spared {}", flood.count, flood.spared);
            for source in flood.sources.iter().take(5) {
                println!("    {}/{} at least {}", source.address, source.bits, source.count);
            }
        }
    }
    ExitCode::SUCCESS
}
