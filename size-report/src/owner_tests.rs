//! Who owns which symbol: both manglings, C, assembler.

use super::*;

fn owners() -> Owners {
    Owners::new(["ring", "rustls", "rustls-webpki", "libc", "secmon-agent"].into_iter())
}

fn label(symbol: &str) -> String {
    owners().of(symbol, None).label().into()
}

#[test]
fn legacy_names_belong_to_the_crate_of_their_path() {
    assert_eq!(label("_ZN12secmon_agent4main17h65036a4529f07ba8E"), "secmon_agent");
    assert_eq!(label("_ZN6webpki11verify_cert11build_chain17h2f31c8d1791bc1b5E"), "webpki");
    assert_eq!(label("_ZN4core3fmt5write17h0123456789abcdefE"), "std/core/alloc");
}

/// A symbol of the legacy mangling.
fn legacy(segments: &[&str]) -> String {
    let path: String = segments.iter().map(|segment| format!("{}{segment}", segment.len())).collect();
    format!("_ZN{path}17h9c4c7e6d269f826bE")
}

#[test]
fn legacy_implementations_belong_to_the_side_that_is_not_std() {
    for (segment, owner) in [
        ("_$LT$rustls..ServerExtensions$u20$as$u20$core..fmt..Debug$GT$", "rustls"),
        ("_$LT$$RF$rustls..ServerExtensions$u20$as$u20$core..fmt..Debug$GT$", "rustls"),
        ("_$LT$alloc..vec..Vec$LT$u8$GT$$u20$as$u20$rustls..msgs..codec..Codec$GT$", "rustls"),
        ("_$LT$alloc..vec..Vec$LT$T$GT$$u20$as$u20$core..ops..drop..Drop$GT$", "std/core/alloc"),
    ] {
        assert_eq!(label(&legacy(&[segment, "method"])), owner, "{segment}");
    }
}

#[test]
fn v0_names_belong_to_the_crate_that_defines_them() {
    assert_eq!(label("_RNvMs4_NtNtCsduwmD7cSIQq_5gimli4read5dwarfNtB5_4Unit3new"), "std/core/alloc");
    assert_eq!(label("_RNvNtCs1234_12secmon_agent3run3run"), "secmon_agent");
    assert_eq!(label("_RNvCs1234_7___rustc12___rust_alloc"), "std/core/alloc");
}

#[test]
fn drop_glue_belongs_to_what_is_dropped() {
    let glue = "drop_in_place$LT$alloc..vec..Vec$LT$rustls..conn..Session$GT$$GT$";
    assert_eq!(label(&legacy(&["core", "ptr", glue])), "rustls");
    let v0 = "_RINvNtCs1_4core3ptr13drop_in_placeNtNtCs2_6rustls4conn7SessionECs3_12secmon_agent";
    assert_eq!(label(v0), "rustls");
    let plain = "_RINvNtCs1_4core3ptr13drop_in_placehECs3_12secmon_agent";
    assert_eq!(label(plain), "std/core/alloc");
}

#[test]
fn a_crate_that_std_brings_counts_as_ours_only_when_the_agent_lists_it() {
    assert_eq!(label("_RNvCs1_4libc4read"), "libc");
    assert_eq!(Owners::default().of("_RNvCs1_4libc4read", None), Owner::Std);
}

#[test]
fn c_and_assembler_of_ring_are_told_from_the_c_library() {
    assert_eq!(label("ring_core_0_17_14__ChaCha20_ctr32_avx2"), "ring (C/asm)");
    assert_eq!(label("ecp_nistz256_precomputed"), "ring (C/asm)");
    assert_eq!(owners().of("table_select", Some("curve25519.c")).label(), "ring (C/asm)");
    assert_eq!(owners().of("table_select", Some("qsort.c")).label(), "libc (C)");
    assert_eq!(label("memcpy"), "libc (C)");
    assert_eq!(label("__bn_post4x_internal"), "ring (C/asm)");
}

#[test]
fn pieces_that_the_compiler_shares_are_not_laid_to_the_c_library() {
    // It follows whatever file the symbol table named last.
    assert_eq!(owners().of("OUTLINED_FUNCTION_87", Some("lib.rs")), Owner::Outlined);
}

#[test]
fn names_of_nobody_are_unknown_and_the_runtime_is_std() {
    for symbol in ["", ".Lanon.1", "anon.0123.4", "switch.table.main", "str.3"] {
        assert_eq!(label(symbol), "unknown", "{symbol}");
    }
    for symbol in ["rust_eh_personality", "_Unwind_Resume", "__rust_alloc"] {
        assert_eq!(label(symbol), "std/core/alloc", "{symbol}");
    }
}

#[test]
fn the_as_of_the_outer_brackets_splits_a_type_from_its_trait() {
    assert_eq!(
        split_as("a::B<<c::D as e::F>::G> as h::I>::j"),
        ("a::B<<c::D as e::F>::G>", Some("h::I>::j"))
    );
    assert_eq!(split_as("fn(u8) -> u8 as a::B>::c"), ("fn(u8) -> u8", Some("a::B>::c")));
    assert_eq!(split_as("a::B>::c"), ("a::B", None));
}
