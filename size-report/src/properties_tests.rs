//! Each property, kept and broken, on small ELF files.

use object::elf;

use super::*;
use crate::fixture::Fixture;

/// The names of the properties that a file breaks.
fn broken(fixture: &Fixture, pie: Pie) -> Vec<&'static str> {
    let image = Image::parse(&fixture.build()).unwrap();
    let judged = judge(&image, pie, &[]);
    judged.into_iter().filter(|property| property.verdict.is_broken()).map(|property| property.name).collect()
}

fn broken_pie(fixture: &Fixture) -> Vec<&'static str> {
    broken(fixture, Pie::Independent)
}

#[test]
fn a_released_binary_keeps_every_property_in_both_classes() {
    assert_eq!(broken_pie(&Fixture::default()), [""; 0]);
    let narrow = Fixture { is_64: false, machine: elf::EM_386, ..Fixture::default() };
    assert_eq!(broken_pie(&narrow), [""; 0]);
}

#[test]
fn an_interpreter_or_a_library_is_not_static() {
    assert_eq!(broken_pie(&Fixture { interpreter: true, ..Fixture::default() }), ["static"]);
    let needs = vec![(elf::DT_NEEDED, "libc.so.6")];
    assert_eq!(broken_pie(&Fixture { dynamic_strings: needs, ..Fixture::default() }), ["static"]);
}

#[test]
fn position_independence_is_as_the_table_says_it() {
    let fixed = Fixture { kind: elf::ET_EXEC, dynamic: None, ..Fixture::default() };
    assert_eq!(broken(&fixed, Pie::Fixed), [""; 0]);
    assert_eq!(broken(&fixed, Pie::Independent), ["pie"]);
    assert_eq!(broken(&Fixture::default(), Pie::Fixed), ["pie"]);
}

#[test]
fn a_library_and_an_object_file_are_no_programs() {
    let library = vec![(elf::DT_FLAGS_1, u64::from(elf::DF_1_NOW))];
    assert_eq!(broken_pie(&Fixture { dynamic: Some(library), ..Fixture::default() }), ["pie"]);
    assert_eq!(broken_pie(&Fixture { kind: elf::ET_REL, ..Fixture::default() }), ["pie"]);
}

#[test]
fn relro_is_full_when_everything_is_bound_at_start_or_nothing_is_to_bind() {
    let pie = (elf::DT_FLAGS_1, u64::from(elf::DF_1_PIE));
    let lazy = (elf::DT_PLTRELSZ, 48);
    let with = |entries: &[(i64, u64)]| {
        broken_pie(&Fixture { dynamic: Some(entries.to_vec()), ..Fixture::default() })
    };
    assert_eq!(with(&[pie]), [""; 0]);
    assert_eq!(with(&[pie, lazy]), ["relro"]);
    assert_eq!(with(&[pie, lazy, (elf::DT_FLAGS, u64::from(elf::DF_BIND_NOW))]), [""; 0]);
    assert_eq!(with(&[pie, lazy, (elf::DT_BIND_NOW, 0)]), [""; 0]);
    assert_eq!(broken_pie(&Fixture { relro: false, ..Fixture::default() }), ["relro"]);
}

#[test]
fn an_executable_or_undeclared_stack_and_writable_code_are_found() {
    let all = elf::PF_R | elf::PF_W | elf::PF_X;
    assert_eq!(broken_pie(&Fixture { stack: Some(all), ..Fixture::default() }), ["nx"]);
    assert_eq!(broken_pie(&Fixture { stack: None, ..Fixture::default() }), ["nx"]);
    assert_eq!(broken_pie(&Fixture { load: all, ..Fixture::default() }), ["nx"]);
}

#[test]
fn both_kinds_of_library_search_path_are_found() {
    for tag in [elf::DT_RPATH, elf::DT_RUNPATH] {
        let fixture = Fixture { dynamic_strings: vec![(tag, "/opt/lib")], ..Fixture::default() };
        assert_eq!(broken_pie(&fixture), ["rpath"]);
    }
}

#[test]
fn symbols_and_debug_sections_are_not_stripped() {
    assert_eq!(broken_pie(&Fixture { debug: true, ..Fixture::default() }), ["stripped"]);
    let functions = vec![("main", elf::STT_FUNC, false, 0, 8)];
    assert_eq!(broken_pie(&Fixture { functions, ..Fixture::default() }), ["stripped"]);
}

#[test]
fn a_missing_or_short_build_id_is_found() {
    assert_eq!(broken_pie(&Fixture { build_id: None, ..Fixture::default() }), ["build-id"]);
    assert_eq!(broken_pie(&Fixture { build_id: Some(vec![1; 4]), ..Fixture::default() }), ["build-id"]);
}

#[test]
fn a_host_path_breaks_the_file_and_is_named() {
    let image = Image::parse(&Fixture::default().build()).unwrap();
    let judged = judge(&image, Pie::Independent, &["/home/kim/x".into(), "/home/kim/y".into()]);
    let last = judged.last().unwrap();
    assert_eq!(last.verdict, Verdict::Broken("/home/kim/x and 1 more".into()));
}
