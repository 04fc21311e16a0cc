//! Verifies audit logs offline. Everything it does is `audit::verify`.

use std::process::ExitCode;

fn main() -> ExitCode {
    secmon_control::audit::verify::cli::main()
}
