//! The server as a program, for tests and people that are not written in Rust.

use std::process::ExitCode;

use secmon_fake_cloudflare::{FakeCloudflare, Options, RateLimit};

const USAGE: &str =
    "usage: fake-cloudflare [--port PORT] [--edge-port PORT] [--spec FILE] [--empty] [--limit-rate]";

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(what) => {
            eprintln!("fake-cloudflare: {what}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match FakeCloudflare::try_start(options) {
        Ok(server) => {
            println!("listening on {} edge {}", server.url(), server.edge_url());
            // Only a signal ends it; parking may return early, so it is repeated.
            loop {
                std::thread::park();
            }
        }
        Err(error) => {
            eprintln!("fake-cloudflare: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The options, or `None` when help is wanted.
fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    while let Some(flag) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{flag} needs a value"));
        let port = |text: String| text.parse().map_err(|_| format!("{text:?} is no port"));
        match flag.as_str() {
            "-h" | "--help" => return Ok(None),
            "--port" => options.port = port(value()?)?,
            "--edge-port" => options.edge_port = port(value()?)?,
            "--spec" => options.spec = Some(value()?.into()),
            "--empty" => (options.zones, options.tokens) = (Vec::new(), Vec::new()),
            "--limit-rate" => options.rate_limit = Some(RateLimit::PUBLISHED),
            _ => return Err(format!("{flag:?} is no option")),
        }
    }
    Ok(Some(options))
}
