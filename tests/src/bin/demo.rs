//! `cargo demo`: builds agent and control plane, then hands over to `secmon demo`.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let error = match build() {
        Ok(directory) => Command::new(directory.join("secmon"))
            .args(["demo", "--agent"])
            .arg(directory.join("secmon-agent"))
            .args(std::env::args_os().skip(1))
            .exec()
            .to_string(),
        Err(error) => error,
    };
    eprintln!("demo: {error}");
    ExitCode::FAILURE
}

/// Builds both programs and returns the directory that they are in, which is this program's own.
fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--package", "secmon-agent", "--package", "secmon-control"])
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if !status.success() {
        return Err(format!("cargo build: {status}"));
    }
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    program.parent().map(PathBuf::from).ok_or_else(|| "this program has no directory".to_owned())
}
