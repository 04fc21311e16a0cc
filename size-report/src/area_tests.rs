//! The table has every module that there is, and each function finds its row.

use std::path::{Path, PathBuf};

use super::*;

fn of(name: &str) -> Option<&'static str> {
    area(name, "core")
}

#[test]
fn a_function_counts_for_the_longest_row_of_the_first_module_in_its_name() {
    assert_eq!(of("secmon_diag::flood::pass::Pass::line"), Some(FLOOD));
    assert_eq!(of("secmon_diag::probe::mariadb::look::{closure#0}"), Some(DB));
    assert_eq!(of("secmon_diag::kernel::system"), Some(SYSTEM));
    assert_eq!(of("secmon_diag::kernel::read_pressure"), Some(KERNEL));
    assert_eq!(of("secmon_diag::errors::php_message::whose"), Some(PHP));
    assert_eq!(of("<secmon_diag::probe::url::Url>::parse::<secmon_diag::flood::Kept>"), Some(HTTP));
    assert_eq!(of("<core::slice::Iter<secmon_diag::kernel::mounts::Mount>>::next"), Some(DISK));
}

#[test]
fn what_has_no_row_is_called_other_and_what_is_not_of_the_diagnostics_is_left_out() {
    assert_eq!(of("secmon_diag::new::check"), Some(OTHER));
    assert_eq!(area("outlined", "secmon_diag"), Some(OTHER));
    assert_eq!(of("secmon_diag::floods::check"), Some(OTHER), "a longer word is another module");
    assert_eq!(of("my_secmon_diag::flood::check"), Some(OTHER));
    assert_eq!(of("secmon_agent::net::tls::accept"), None);
    assert_eq!(of("memcpy"), None);
}

#[test]
fn areas_add_up_and_the_heaviest_is_first() {
    let symbol = |name: &str, code, bytes| Named {
        name: name.into(),
        owner: "secmon_diag".into(),
        code,
        bytes,
        instances: 1,
    };
    let sizes = divide(&[
        symbol("secmon_diag::kernel::disk", true, 10),
        symbol("secmon_diag::flood::check", true, 20),
        symbol("secmon_diag::flood::LIST", false, 5),
        Named { owner: "rustls".into(), ..symbol("rustls::client", true, 1000) },
    ]);
    let expected = [
        AreaSize { name: FLOOD, code: 20, data: 5, bytes: 25 },
        AreaSize { name: DISK, code: 10, data: 0, bytes: 10 },
    ];
    assert_eq!(sizes, expected);
}

/// Where the sources of each crate of the table are.
const SOURCES: [(&str, &str); 3] = [
    ("secmon_agent::", "../agent-min/src"),
    ("secmon_diag::", "../agent-min/diag/src"),
    ("secmon_wire::", "../agent-min/wire/src"),
];

fn sources(directory: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)
}

/// The modules below a directory, as paths; those of tests are not linked.
fn modules(directory: &Path, path: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_for_tests = name.ends_with("_tests") || ["testing", "fake"].contains(&name.as_str());
        if is_for_tests || ["lib", "mod"].contains(&name.as_str()) {
            continue;
        }
        let module = format!("{path}::{name}");
        if file.is_dir() {
            modules(&file, &module, found);
        }
        found.push(module);
    }
}

#[test]
fn every_module_of_the_diagnostics_has_a_row() {
    let mut found = Vec::new();
    modules(&sources("../agent-min/diag/src"), "secmon_diag", &mut found);
    assert!(found.len() > 100, "{found:?}");
    let has_row = |module: &str| ROWS.iter().any(|(row, _)| *row == module);
    for module in &found {
        // A directory has one row for all, or one for each of its files.
        let parent = module.rsplit_once("::").unwrap().0;
        let is_divided = ROWS.iter().any(|(row, _)| row.starts_with(&format!("{parent}::")));
        assert!(has_row(module) || (has_row(parent) && !is_divided), "{module} has no row in src/area.rs");
    }
}

#[test]
fn every_row_is_of_something_that_exists() {
    for (row, _) in ROWS {
        let (krate, directory) = SOURCES.iter().find(|(krate, _)| row.starts_with(krate)).unwrap();
        let path = sources(directory).join(row.strip_prefix(krate).unwrap().replace("::", "/"));
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_function = || {
            let root = std::fs::read_to_string(path.with_file_name("mod.rs")).unwrap_or_default();
            ['(', '<'].iter().any(|after| root.contains(&format!("pub fn {name}{after}")))
        };
        assert!(path.is_dir() || path.with_extension("rs").is_file() || is_function(), "{row}");
    }
}

#[test]
fn rows_are_sorted_and_none_is_there_twice() {
    assert!(ROWS.is_sorted_by(|a, b| a.0 < b.0));
}
