//! The audit log, judged by the offline verifier and by a second one in Python.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::agent_host::{binary, text};

/// Both verifiers find the chain sound, and agree on its head.
pub fn assert_sound_chain(log: &Path) {
    let (output, report) = verify_audit(log);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert_eq!(report["ok"], true, "{report}");
    let python = Command::new("python3").args(["-c", include_str!("chain.py")]).arg(log).output();
    let python = python.expect("python3 runs");
    assert!(python.status.success(), "{}", text(&python.stderr));
    assert_eq!(report["head"], text(&python.stdout).trim());
}

/// What `secmon-audit-verify --json` says of a log.
pub fn verify_audit(log: &Path) -> (Output, Value) {
    let output = Command::new(binary("secmon-audit-verify")).arg("--json").arg(log).output();
    let output = output.expect("the verifier runs");
    let report = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    (output, report)
}
