//! The control plane's command. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    secmon_control::cli::main()
}
