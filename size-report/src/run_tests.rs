//! The commands, on a small workspace with small binaries.

use std::process::Command as Process;

use clap::Parser;

use super::*;
use crate::fixture::Fixture;
use crate::workspace::{OWN_README, README as ROOT_README};

const TRIPLE: &str = "x86_64-unknown-linux-musl";
const OTHER: &str = "i686-unknown-linux-musl";

const README: &str =
    "before\n<!-- made by `cargo size-report baseline --update` -->\nold\n<!-- to here -->\nafter\n";

/// A checkout with a table of two targets, a list of dependencies and a first commit.
struct Checkout {
    directory: tempfile::TempDir,
    workspace: Workspace,
}

impl Checkout {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for name in ["cross", "agent-min", "size-report"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        let row = |triple| {
            format!(
                "[[target]]\ntriple = \"{triple}\"\nzig = \"\"\nuname = [\"x\"]\ncpu = \"any\"\nrust_cpu = \"\"\n\
                 zig_cpu = \"\"\nbudget = 100000\npie = true\nrun = \"native\"\n"
            )
        };
        let table = format!("rust = \"1\"\nzig = \"1\"\n{}{}", row(TRIPLE), row(OTHER));
        std::fs::write(root.join("cross/targets.toml"), table).unwrap();
        std::fs::write(root.join("agent-min/dependencies.txt"), "ring\n").unwrap();
        for name in [ROOT_README, OWN_README] {
            std::fs::write(root.join(name), README).unwrap();
        }
        let workspace = Workspace::find(root).unwrap();
        let checkout = Self { directory, workspace };
        checkout.git(&["init", "--quiet"]);
        checkout.commit();
        checkout
    }

    fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=test", "-c", "user.email=test@example.net"];
        let output =
            Process::new("git").current_dir(self.directory.path()).args(who).args(arguments).output();
        assert!(output.unwrap().status.success(), "git {arguments:?}");
    }

    fn commit(&self) {
        self.git(&["add", "cross", "agent-min", "size-report"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "a change"]);
    }

    /// Puts a binary with so many bytes of code where `cross/build` does.
    fn build(&self, text: usize) {
        let directory = self.workspace.artefacts().join(TRIPLE);
        std::fs::create_dir_all(&directory).unwrap();
        let bytes = Fixture { text, ..Fixture::default() }.build();
        std::fs::write(directory.join("secmon-agent"), bytes).unwrap();
        let functions = vec![
            ("_RNvCs1_12secmon_agent4main", object::elf::STT_FUNC, false, 0, 64),
            ("_RNvNtCs1_11secmon_diag5flood5check", object::elf::STT_FUNC, false, 64, 48),
        ];
        let bytes = Fixture { text, functions, ..Fixture::default() }.build();
        std::fs::write(directory.join("secmon-agent.symbols"), bytes).unwrap();
    }

    fn update(&self) {
        assert_eq!(self.run("baseline --update").unwrap().0, Outcome::Good);
    }

    fn run(&self, line: &str) -> Result<(Outcome, String), RunError> {
        let cli = Cli::try_parse_from(format!("size-report {line}").split_whitespace()).unwrap();
        let mut out = Vec::new();
        let outcome = perform(&self.workspace, cli, &mut out)?;
        Ok((outcome, String::from_utf8(out).unwrap()))
    }
}

#[test]
fn twenty_kilobytes_are_stopped_until_the_same_change_updates_the_baseline() {
    let checkout = Checkout::new();
    checkout.build(50_000);
    let (outcome, said) = checkout.run("gate").unwrap();
    assert_eq!(outcome, Outcome::Bad, "{said}");
    checkout.update();
    checkout.commit();
    assert_eq!(checkout.run("gate").unwrap().0, Outcome::Good);

    checkout.build(70_000);
    let (outcome, said) = checkout.run("gate").unwrap();
    assert_eq!(outcome, Outcome::Bad);
    assert!(said.contains("20,000 over the baseline") && said.contains("baseline --update"), "{said}");

    checkout.update();
    let (outcome, said) = checkout.run("gate").unwrap();
    assert_eq!(outcome, Outcome::Good);
    assert!(said.contains("grew by 20,000, which this change writes into the baseline"), "{said}");
}

#[test]
fn no_baseline_lifts_the_budget() {
    let checkout = Checkout::new();
    checkout.build(100_000);
    checkout.update();
    let (outcome, said) = checkout.run("gate").unwrap();
    assert_eq!(outcome, Outcome::Bad);
    assert!(said.contains("over its budget of 100,000"), "{said}");
}

#[test]
fn a_missing_target_is_said_and_is_an_error_when_it_was_named() {
    let checkout = Checkout::new();
    assert!(matches!(checkout.run("report"), Err(RunError::NothingBuilt(_))));
    checkout.build(1_000);
    let (_, said) = checkout.run("report").unwrap();
    assert!(said.contains(&format!("{OTHER}: not built")), "{said}");
    assert!(matches!(checkout.run(&format!("gate {OTHER}")), Err(RunError::NotBuilt(..))));
    assert!(matches!(checkout.run("report sparc"), Err(RunError::UnknownTarget(_))));
}

#[test]
fn every_format_names_the_target_its_bytes_and_its_crates() {
    let checkout = Checkout::new();
    checkout.build(50_000);
    checkout.update();
    for format in ["text", "json", "markdown", "svg"] {
        let (_, said) = checkout.run(&format!("--format {format}")).unwrap();
        assert!(said.contains(TRIPLE) && said.contains("secmon_agent"), "{format}: {said}");
    }
    for (format, row) in [
        ("text", "  flood                                            48         48          0\n"),
        ("markdown", "| flood | 48 | 48 | 0 |\n"),
        ("json", "\"name\": \"flood\","),
    ] {
        let (_, said) = checkout.run(&format!("--format {format}")).unwrap();
        assert!(said.contains(row), "{format}: {said}");
    }
    let (_, brief) = checkout.run("--format markdown --brief").unwrap();
    assert_eq!(brief.lines().count(), 3, "{brief}");
}

#[test]
fn the_json_is_what_the_readme_documents() {
    let checkout = Checkout::new();
    checkout.build(50_000);
    checkout.update();
    std::fs::write(checkout.directory.path().join("agent-min/dependencies.txt"), "rustls\n").unwrap();
    checkout.build(50_100);
    let (_, said) = checkout.run("--format json").unwrap();
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&report["v"], &report["aim"]), (&1.into(), &1_000_000.into()));
    assert_eq!(
        report["dependencies"],
        serde_json::json!({"count": 1, "added": ["rustls"], "removed": ["ring"]})
    );
    assert_eq!(report["missing"], serde_json::json!([OTHER]));
    let target = &report["targets"][0];
    let bytes = target["bytes"].as_i64().unwrap();
    assert_eq!(target["to_budget"].as_i64(), Some(bytes - 100_000));
    assert_eq!(
        target["baseline"]["change"].as_i64(),
        Some(bytes - target["baseline"]["bytes"].as_i64().unwrap())
    );
    let area = serde_json::json!([{"name": "flood", "code": 48, "data": 0, "bytes": 48}]);
    assert_eq!(target["areas"], area);
    let sum: i64 = target["parts"].as_array().unwrap().iter().filter_map(|part| part["bytes"].as_i64()).sum();
    assert_eq!(sum, bytes);
}

#[test]
fn check_says_each_property_and_fails_on_a_binary_with_symbols() {
    let checkout = Checkout::new();
    checkout.build(1_000);
    let stripped = checkout.workspace.artefacts().join(TRIPLE).join("secmon-agent");
    let (outcome, said) = checkout.run(&format!("check {}", stripped.display())).unwrap();
    assert_eq!((outcome, said.lines().count()), (Outcome::Good, 9), "{said}");
    let (outcome, said) = checkout.run(&format!("check {}.symbols", stripped.display())).unwrap();
    assert_eq!(outcome, Outcome::Bad);
    assert!(said.contains("BAD stripped"), "{said}");
}

#[test]
fn an_update_makes_the_readmes_tables_and_the_picture_once_all_targets_are_built() {
    let checkout = Checkout::new();
    let picture = checkout.directory.path().join("size-report/sizes.svg");
    checkout.build(50_000);
    checkout.update();
    let readme = checkout.workspace.text(ROOT_README).unwrap();
    let bytes = checkout.workspace.baseline().unwrap().targets[TRIPLE].bytes;
    assert!(
        readme.contains(&format!("| `{TRIPLE}` | `x` | any | {} | 100,000 |", grouped(bytes))),
        "{readme}"
    );
    assert!(
        readme.starts_with("before\n") && readme.ends_with("after\n") && !readme.contains("old"),
        "{readme}"
    );
    let own = checkout.workspace.text(OWN_README).unwrap();
    assert!(own.contains("| area | x86_64 |\n| --- | ---: |\n| flood | 48 |\n| together | 48 |\n"), "{own}");
    assert!(!picture.exists(), "a picture of half of them would mislead");

    let both = checkout.workspace.artefacts();
    std::fs::create_dir(both.join(OTHER)).unwrap();
    for file in ["secmon-agent", "secmon-agent.symbols"] {
        std::fs::copy(both.join(TRIPLE).join(file), both.join(OTHER).join(file)).unwrap();
    }
    checkout.update();
    let drawn = std::fs::read_to_string(&picture).unwrap();
    assert!(drawn.contains(TRIPLE) && drawn.contains(OTHER));

    std::fs::write(checkout.directory.path().join("README.md"), "no table").unwrap();
    let error = checkout.run("baseline --update").unwrap_err();
    assert!(matches!(error, RunError::Workspace(WorkspaceError::NoTable(_))), "{error}");
}

#[test]
fn the_readmes_tables_are_the_baselines() {
    let workspace = Workspace::find(env!("CARGO_MANIFEST_DIR").as_ref()).unwrap();
    let (targets, baseline) = (workspace.targets().unwrap(), workspace.baseline().unwrap());
    for target in &targets {
        assert!(baseline.targets.contains_key(&target.triple), "{} is not in the baseline", target.triple);
    }
    let table = markdown::baseline_table(&targets, &baseline).unwrap();
    let areas = markdown::areas_table(&targets, &baseline).unwrap();
    for (name, table) in [(ROOT_README, table), (OWN_README, areas)] {
        let readme = workspace.text(name).unwrap();
        let current = markdown::replace_table(&readme, &table).unwrap() == readme;
        assert!(
            current,
            "{name} shows other sizes than baseline.json; run `cargo size-report baseline --update`"
        );
    }
}
