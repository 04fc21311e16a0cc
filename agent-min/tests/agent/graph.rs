//! The agent's dependency graph is a decision, so it is a checked-in list.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// A crate that comes in or goes is a reviewed change of `dependencies.txt`.
#[test]
fn the_agent_depends_on_the_checked_in_list_and_on_nothing_else() {
    let agent = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "-p",
            "secmon-agent",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--offline",
        ])
        .args(["--target", "x86_64-unknown-linux-musl"])
        .current_dir(agent)
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("text");
    // The name alone: versions are the lock file's business.
    let found: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let listed = std::fs::read_to_string(agent.join("dependencies.txt")).expect("the list");
    let listed: BTreeSet<&str> = listed.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(found, listed);
}
