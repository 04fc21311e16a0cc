//! What git says of the baseline. Reads only.

use std::path::Path;
use std::process::{Command, Output};

use crate::baseline::{Baseline, BaselineError};
use crate::workspace::BASELINE;

/// Why git couldn't say it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    #[error("git can't be started: {0}")]
    Start(#[from] std::io::Error),
    #[error("git {command}: {message}; fetch the base with its history, or name another --base")]
    Failed { command: &'static str, message: String },
    #[error("{BASELINE} at the base: {0}")]
    Baseline(#[from] BaselineError),
}

/// The baseline before the change.
#[derive(Debug)]
pub(crate) enum Earlier {
    /// The change leaves the baseline alone.
    Unchanged,
    /// The change updates it; this is what it said before, if it was there.
    Updated(Option<Baseline>),
}

/// Compares the baseline in the working tree with the one where the change began.
pub(crate) fn earlier(root: &Path, base: &str) -> Result<Earlier, GitError> {
    // Not `base` itself: what others did there since is no part of this change.
    let start = text(run(root, "merge-base", &["merge-base", base, "HEAD"])?);
    let difference = run(root, "diff", &["diff", "--quiet", &start, "--", BASELINE])?;
    match difference.status.code() {
        Some(0) => return Ok(Earlier::Unchanged),
        Some(1) => {}
        _ => return Err(failed("diff", &difference)),
    }
    // A file that isn't listed there is new, which is no error.
    let listed = run(root, "ls-tree", &["ls-tree", "--name-only", &start, "--", BASELINE])?;
    if listed.stdout.is_empty() {
        return Ok(Earlier::Updated(None));
    }
    let shown = run(root, "show", &["show", &format!("{start}:./{BASELINE}")])?;
    Ok(Earlier::Updated(Some(Baseline::parse(&text(shown))?)))
}

/// Runs git; only `diff` may say something by its exit code.
fn run(root: &Path, command: &'static str, arguments: &[&str]) -> Result<Output, GitError> {
    let output = Command::new("git").current_dir(root).args(arguments).output()?;
    if output.status.success() || command == "diff" { Ok(output) } else { Err(failed(command, &output)) }
}

fn failed(command: &'static str, output: &Output) -> GitError {
    let message = String::from_utf8_lossy(&output.stderr);
    let message = message.lines().next().unwrap_or("no common history");
    GitError::Failed { command, message: message.into() }
}

fn text(output: Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir(repository.0.path().join("size-report")).unwrap();
            repository.git(&["init", "--quiet", "--initial-branch", "main"]);
            repository
        }

        fn git(&self, arguments: &[&str]) {
            let who = ["-c", "user.name=test", "-c", "user.email=test@example.net"];
            let output = Command::new("git").current_dir(self.0.path()).args(who).args(arguments).output();
            assert!(output.unwrap().status.success(), "git {arguments:?}");
        }

        fn commit(&self, text: &str) {
            std::fs::write(self.0.path().join(BASELINE), text).unwrap();
            self.git(&["add", "."]);
            self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
        }
    }

    fn sizes(bytes: u64) -> String {
        format!(r#"{{"v":1,"dependencies":[],"targets":{{"a":{{"bytes":{bytes},"parts":{{}}}}}}}}"#)
    }

    fn bytes(earlier: Earlier) -> Option<u64> {
        match earlier {
            Earlier::Updated(Some(baseline)) => Some(baseline.targets["a"].bytes),
            Earlier::Updated(None) | Earlier::Unchanged => None,
        }
    }

    #[test]
    fn an_update_is_seen_in_the_working_tree_and_in_a_commit_of_the_branch() {
        let repository = Repository::new();
        repository.commit(&sizes(1));
        let root = repository.0.path();
        assert!(matches!(earlier(root, "main"), Ok(Earlier::Unchanged)));
        std::fs::write(root.join(BASELINE), sizes(2)).unwrap();
        assert_eq!(bytes(earlier(root, "HEAD").unwrap()), Some(1));
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        repository.commit(&sizes(2));
        assert!(matches!(earlier(root, "HEAD"), Ok(Earlier::Unchanged)));
        assert_eq!(bytes(earlier(root, "main").unwrap()), Some(1));
    }

    #[test]
    fn what_others_did_on_the_base_since_is_no_update_of_this_change() {
        let repository = Repository::new();
        repository.commit(&sizes(1));
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        repository.git(&["checkout", "--quiet", "main"]);
        repository.commit(&sizes(9));
        repository.git(&["checkout", "--quiet", "change"]);
        assert!(matches!(earlier(repository.0.path(), "main"), Ok(Earlier::Unchanged)));
    }

    #[test]
    fn a_new_baseline_has_no_earlier_one_and_an_unknown_base_is_an_error() {
        let repository = Repository::new();
        repository.git(&["commit", "--quiet", "--allow-empty", "--message", "nothing"]);
        repository.git(&["checkout", "--quiet", "-b", "change"]);
        repository.commit(&sizes(1));
        assert!(matches!(earlier(repository.0.path(), "main"), Ok(Earlier::Updated(None))));
        assert!(matches!(earlier(repository.0.path(), "no-such"), Err(GitError::Failed { .. })));
    }
}
