//! The server as a program, for tests and people that are not written in Rust.

use secmon_fake_telegram::{FakeTelegram, Options};
use std::process::ExitCode;

const USAGE: &str = "usage: fake-telegram [--port PORT] [--token TOKEN] [--spec FILE]";

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("fake-telegram: {what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match FakeTelegram::try_start(options) {
        Ok(server) => {
            println!("listening on {}", server.url());
            // Only a signal ends it; parking may return early, so it is repeated.
            loop {
                std::thread::park();
            }
        }
        Err(error) => {
            eprintln!("fake-telegram: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The options, or `None` when help is wanted.
fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(flag) = words.next() {
        if matches!(flag.as_str(), "-h" | "--help") {
            return Ok(None);
        }
        let value = words.next().ok_or_else(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--port" => {
                let port = value?;
                options.port = port.parse().map_err(|_| format!("{port:?} is no port"))?;
            }
            "--token" => options.token = value?,
            "--spec" => options.spec = Some(value?.into()),
            _ => return Err(format!("{flag:?} is no option")),
        }
    }
    Ok(Some(options))
}
