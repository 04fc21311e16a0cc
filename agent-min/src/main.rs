//! `secmon-agent`: see `secmon-agent --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    secmon_agent::main(std::env::args_os().skip(1))
}
