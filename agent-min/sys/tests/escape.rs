//! Nothing that `examples/escape` tries gets out of the walls; its table is this test's output.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use secmon_sys::process::runs_as_root;

#[test]
fn no_way_leads_out_of_the_walls_around_either_process() {
    let output =
        Command::new(escape()).output().expect("the example, which `cargo test` builds without --test");
    let said = String::from_utf8_lossy(&output.stdout);
    // Past the test harness, which keeps what a test that passes prints by macro.
    std::io::stdout()
        .write_all(&[output.stdout.as_slice(), &output.stderr].concat())
        .expect("a standard output");
    // Without root, much that is tried fails outside too, and so says nothing.
    let good = if runs_as_root() { [0, 0] } else { [0, 2] };
    assert!(output.status.code().is_some_and(|code| good.contains(&code)), "{}", output.status);
    for tried in ["read /etc/shadow", "execve /bin/sh", "ptrace the monitor", "bpf: make a map"] {
        assert!(said.lines().any(|line| line.starts_with(tried)), "{tried} is not in the table");
    }
}

/// Built with this test.
fn escape() -> PathBuf {
    let test = std::env::current_exe().expect("a path of this program");
    test.ancestors().nth(2).expect("target/debug/deps/test").join("examples/escape")
}
