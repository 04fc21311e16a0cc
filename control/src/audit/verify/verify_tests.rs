use std::io::Write;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::line::sealed_on;
use super::*;
use crate::audit::canonical::{write_object, write_value};
use crate::audit::chain::{Head, seal};
use crate::audit::record::Record;

/// How a foreign writer lays out a line: Python's defaults, in order of insertion.
fn spaced(members: &[(String, Value)]) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{}: {value}", json!(key))).collect();
    format!("{{{}}}", members.join(", "))
}

/// A chain by a foreign writer, without sequence numbers.
fn foreign(count: usize) -> Vec<String> {
    let mut previous: Link = None;
    (0..count)
        .map(|number| {
            let mut members = vec![
                ("when".to_owned(), json!(number)),
                ("Ereignis".to_owned(), json!(format!("über {number}"))),
                ("details".to_owned(), json!({"b": [1, null], "a": "x"})),
            ];
            let mut canonical = Vec::new();
            write_object(&mut canonical, &members.iter().cloned().collect::<Map<_, _>>());
            let hash = sealed_on(&previous, &canonical);
            let text = |link: &Link| String::from_utf8(link.map_or(Vec::new(), |t| t.to_vec())).expect("hex");
            members.push(("prev_hash".to_owned(), json!(text(&previous))));
            members.push(("record_hash".to_owned(), json!(text(&Some(hash)))));
            previous = Some(hash);
            spaced(&members)
        })
        .collect()
}

/// A chain of ours: canonical lines with sequence numbers.
fn ours(count: u64) -> Vec<String> {
    chain_of(count, "intent")
}

fn chain_of(count: u64, event: &str) -> Vec<String> {
    let mut head = Head::START;
    (1..=count)
        .map(|number| {
            let record = Record::new(1_767_225_600 + number, event)
                .with("text", format!("é\u{1f}{number}"))
                .with("ok", true);
            let (line, sealed) = seal(head, record);
            head = sealed.head();
            String::from_utf8(line).expect("UTF-8").trim_end().to_owned()
        })
        .collect()
}

/// The chain of canonical lines without sequence numbers: the naming has only the hashes.
fn unnumbered(count: u64) -> Vec<String> {
    let mut previous: Link = None;
    (1..=count).map(|number| resealed(&json!({"n": number, "x": "y"}), &mut previous)).collect()
}

/// A canonical line that follows `previous`, which it moves on.
fn resealed(record: &Value, previous: &mut Link) -> String {
    let mut canonical = Vec::new();
    write_value(&mut canonical, record);
    let hash = sealed_on(previous, &canonical);
    let text = |link: Link| String::from_utf8(link.map_or(Vec::new(), |t| t.to_vec())).expect("hex");
    let mut members = record.as_object().expect("an object").clone();
    members.insert("prev_hash".into(), json!(text(*previous)));
    members.insert("record_hash".into(), json!(text(Some(hash))));
    *previous = Some(hash);
    let mut line = Vec::new();
    write_object(&mut line, &members);
    String::from_utf8(line).expect("UTF-8")
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("written");
    file
}

fn verify(bytes: &[u8]) -> Report {
    verify_file(&file(bytes), &[], &mut |_| {}).expect("readable")
}

fn text<S: AsRef<str>>(lines: &[S]) -> String {
    lines.iter().map(|line| format!("{}\n", line.as_ref())).collect()
}

/// The breaks as `line: reason`.
fn breaks<S: AsRef<str>>(lines: &[S]) -> Vec<String> {
    breaks_of(text(lines).as_bytes())
}

fn breaks_of(bytes: &[u8]) -> Vec<String> {
    verify(bytes).breaks.iter().map(|found| format!("{}: {}", found.line, found.reason)).collect()
}

/// Asserts that the breaks are exactly these: line numbers and how their reasons start.
#[track_caller]
fn assert_breaks(found: &[String], expected: &[&str]) {
    let matches = found.len() == expected.len() && found.iter().zip(expected).all(|(f, e)| f.starts_with(e));
    assert!(matches, "found {found:#?}, expected {expected:#?}");
}

#[test]
fn sound_chains_of_any_writer_are_sound() {
    for lines in [ours(50), foreign(50), unnumbered(50), Vec::new()] {
        let report = verify(text(&lines).as_bytes());
        assert!(report.is_sound(), "{report:?}");
        assert_eq!(report.records, lines.len() as u64);
        let last = lines.last().map_or(String::new(), |line| {
            serde_json::from_str::<Value>(line).expect("JSON")["record_hash"]
                .as_str()
                .expect("text")
                .to_owned()
        });
        assert_eq!(report.head, last);
    }
}

#[test]
fn a_changed_record_is_one_break_at_its_line() {
    for lines in [ours(9), foreign(9), unnumbered(9)] {
        for at in 0..9 {
            let mut changed = lines.clone();
            for field in ["ts", "when", "n"] {
                changed[at] = changed[at].replace(&format!("\"{field}\":"), &format!("\"{field}\":1"));
                changed[at] = changed[at].replace(&format!("\"{field}\":1 "), &format!("\"{field}\": 1"));
            }
            let expected = format!("{}: record_hash does not match: the content was changed", at + 1);
            assert_breaks(&breaks(&changed), &[&expected]);
        }
    }
}

#[test]
fn a_changed_hash_is_named_as_such() {
    for lines in [ours(9), foreign(9)] {
        let hash = |line: &str, field: &str| {
            serde_json::from_str::<Value>(line).expect("JSON")[field].as_str().expect("text").to_owned()
        };
        let other = "0123456789abcdef".repeat(4);
        let mut changed = lines.clone();
        changed[3] = changed[3].replace(&hash(&lines[3], "record_hash"), &other);
        assert_breaks(&breaks(&changed), &["4: record_hash does not match: it was changed itself"]);
        let mut changed = lines.clone();
        changed[3] = changed[3].replace(&hash(&lines[3], "prev_hash"), &other);
        assert_breaks(&breaks(&changed), &["4: record_hash does not match: prev_hash was changed"]);
        let mut changed = lines.clone();
        changed[3] = changed[3].replace(&hash(&lines[3], "prev_hash"), "xyz");
        assert_breaks(&breaks(&changed), &["4: prev_hash is not 64 lower-case hex digits"]);
        let upper = hash(&lines[3], "record_hash").to_uppercase();
        let mut changed = lines.clone();
        changed[3] = changed[3].replace(&hash(&lines[3], "record_hash"), &upper);
        assert_breaks(&breaks(&changed), &["4: record_hash is not 64 lower-case hex digits"]);
        let mut changed = lines.clone();
        changed[3] = changed[3].replace("record_hash", "record_hush");
        assert_breaks(&breaks(&changed), &["4: missing record_hash"]);
        let mut changed = lines.clone();
        changed[3] = changed[3].replace("\"prev_hash", "\"prev_hush");
        assert_breaks(&breaks(&changed), &["4: missing prev_hash"]);
    }
}

#[test]
fn a_resealed_record_breaks_the_link_of_the_next_line() {
    let mut previous = None;
    let mut lines = unnumbered(9);
    for (number, line) in lines.iter_mut().enumerate().take(4) {
        let edited = if number == 3 { json!({"n": 4, "x": "z"}) } else { json!({"n": number + 1, "x": "y"}) };
        *line = resealed(&edited, &mut previous);
    }
    assert_breaks(&breaks(&lines), &["5: prev_hash does not match the line before: lines are missing"]);
    let mut lines = ours(9);
    let edited = chain_of(4, "other");
    lines[0] = edited[0].clone();
    assert_breaks(&breaks(&lines), &["2: prev_hash does not match the line before: that line was replaced"]);
}

#[test]
fn missing_lines_are_counted_where_the_records_count_themselves() {
    let without = |lines: Vec<String>, gap: std::ops::Range<usize>| {
        let kept = lines.into_iter().enumerate().filter(|(at, _)| !gap.contains(at));
        breaks(&kept.map(|(_, line)| line).collect::<Vec<_>>())
    };
    assert_breaks(&without(ours(9), 3..4), &["4: missing line: the record with seq 4"]);
    assert_breaks(&without(ours(9), 3..6), &["4: missing lines: the records with seq 4 to 6"]);
    assert_breaks(
        &without(ours(9), 0..1),
        &["1: head cut: the first line does not start a chain, 1 line is missing"],
    );
    assert_breaks(
        &without(ours(9), 0..3),
        &["1: head cut: the first line does not start a chain, 3 lines are missing"],
    );
    assert_breaks(
        &without(unnumbered(9), 0..3),
        &["1: head cut: the first line does not start a chain, its prev_hash"],
    );
    for lines in [unnumbered(9), foreign(9)] {
        assert_breaks(
            &without(lines, 3..4),
            &["4: prev_hash does not match the line before: lines are missing"],
        );
    }
    assert_breaks(&without(ours(9), 8..9), &[]);
}

#[test]
fn swapped_lines_name_each_other() {
    for lines in [ours(9), foreign(9), unnumbered(9)] {
        for (left, right) in [(0, 1), (3, 4), (7, 8), (0, 2), (2, 6), (0, 8)] {
            let mut swapped = lines.clone();
            swapped.swap(left, right);
            let (l, r) = (left + 1, right + 1);
            assert_breaks(
                &breaks(&swapped),
                &[&format!("{l}: swapped with line {r}"), &format!("{r}: swapped with line {l}")],
            );
        }
    }
}

#[test]
fn a_moved_line_is_out_of_order() {
    for lines in [ours(9), foreign(9)] {
        let mut moved = lines.clone();
        let line = moved.remove(2);
        moved.insert(6, line);
        assert_breaks(&breaks(&moved), &["7: out of order: belongs after line 2"]);
        let mut moved = lines.clone();
        let line = moved.remove(6);
        moved.insert(2, line);
        assert_breaks(&breaks(&moved), &["3: out of order: belongs after line 7"]);
    }
}

#[test]
fn duplicated_lines_name_their_original() {
    for lines in [ours(9), foreign(9), unnumbered(9)] {
        for (of, at) in [(0, 1), (3, 4), (8, 9), (0, 5), (2, 7), (0, 9), (5, 9)] {
            let mut doubled = lines.clone();
            doubled.insert(at, lines[of].clone());
            let expected = format!("{}: duplicated: the record of line {} once more", at + 1, of + 1);
            assert_breaks(&breaks(&doubled), &[&expected]);
        }
        let mut doubled = lines.clone();
        doubled.splice(6..6, lines[2..5].to_vec());
        assert_breaks(&breaks(&doubled), &["7: duplicated: the record of line 3 once more (through line 9)"]);
    }
}

#[test]
fn second_chains_are_told_from_joined_ones() {
    let (a, b) = (ours(4), chain_of(5, "other"));
    assert_breaks(
        &breaks(&[a.clone(), b.clone()].concat()),
        &["5: two chains joined: a second chain starts here"],
    );
    assert_breaks(
        &breaks(&[a.clone(), b[1..].to_vec()].concat()),
        &["5: two chains joined: this record's seq"],
    );
    let mut previous = None;
    let other: Vec<_> = (0..3).map(|n| resealed(&json!({"m": n}), &mut previous)).collect();
    assert_breaks(
        &breaks(&[unnumbered(4), other].concat()),
        &["5: second chain started in the middle: prev_hash is empty"],
    );
    let restarted = {
        let mut previous = None;
        vec![resealed(&json!({"seq": 5}), &mut previous), resealed(&json!({"seq": 6}), &mut previous)]
    };
    assert_breaks(&breaks(&[a.clone(), restarted].concat()), &["5: second chain started in the middle"]);
    let mut inserted = a.clone();
    inserted.splice(2..2, b[..3].to_vec());
    assert_breaks(
        &breaks(&inserted),
        &["3: second chain started in the middle: prev_hash is empty (through line 5)"],
    );
    let mut inserted = a;
    inserted.insert(2, b[3].clone());
    assert_breaks(&breaks(&inserted), &["3: inserted: does not belong here"]);
}

#[test]
fn a_fork_names_the_line_it_leaves() {
    let lines = unnumbered(6);
    let hash =
        serde_json::from_str::<Value>(&lines[2]).expect("JSON")["record_hash"].as_str().map(str::to_owned);
    let mut previous = hash.and_then(|hash| line::hash_text(&hash));
    let fork: Vec<_> = (0..2).map(|n| resealed(&json!({"fork": n}), &mut previous)).collect();
    assert_breaks(&breaks(&[lines, fork].concat()), &["7: forked: links to line 3"]);
}

#[test]
fn what_editors_and_crashes_leave_is_named() {
    let lines = ours(4);
    let good = text(&lines);
    assert_breaks(&breaks_of(good.trim_end().as_bytes()), &["4: torn last line: no newline"]);
    assert_breaks(
        &breaks_of(&good.as_bytes()[..good.len() - 9]),
        &["4: torn last line: it stops in the middle"],
    );
    assert_breaks(
        &breaks_of(format!("{}\n", &good[..good.len() - 9]).as_bytes()),
        &["4: torn last line: it stops"],
    );
    assert_breaks(&breaks_of(format!("{good}\0\0\0").as_bytes()), &["5: not JSON: only NUL bytes"]);
    assert_breaks(&breaks_of(format!("\u{feff}{good}").as_bytes()), &["1: byte order mark"]);
    assert_breaks(&breaks_of(format!("{good}\n").as_bytes()), &["5: empty line"]);
    assert_breaks(&breaks_of(good.replacen('\n', "\n\n", 1).as_bytes()), &["2: empty line"]);
    assert_breaks(&breaks_of(good.replacen('\n', "\r\n", 1).as_bytes()), &["1: CRLF"]);
    assert_breaks(
        &breaks_of(good.replace('\n', "\r\n").as_bytes()),
        &["1: CRLF", "2: CRLF", "3: CRLF", "4: CRLF"],
    );
    assert_breaks(&breaks_of(good.replacen('\n', "", 1).as_bytes()), &["1: not JSON: text after the record"]);
    assert_breaks(&breaks_of(&[lines[0].as_bytes(), b"\n\xff\n"].concat()), &["2: not JSON: not UTF-8"]);
    let doubled = lines[1].replacen("\"ok\":true", "\"ok\":true,\"ok\":true", 1);
    assert_breaks(&breaks(&[&lines[0], &doubled, &lines[2]]), &["2: duplicate key \"ok\""]);
    assert_breaks(&breaks(&[&lines[0], "garbage", &lines[1]]), &["2: not JSON: an object was expected"]);
}

#[test]
fn an_edit_that_changes_no_content_is_a_break_in_a_canonical_file() {
    let lines = ours(6);
    for (from, to) in
        [("\\u001f", "\\u001F"), (",\"ok", ", \"ok"), ("é", "\\u00e9"), ("\"text\"", "\"t\\u0065xt\"")]
    {
        for at in [0, 3, 5] {
            let mut edited = lines.clone();
            edited[at] = edited[at].replace(from, to);
            assert_breaks(&breaks(&edited), &[&format!("{}: not canonical while other lines are", at + 1)]);
        }
    }
    let ascii: Vec<_> = lines.iter().map(|line| line.replace('é', "\\u00e9")).collect();
    assert_breaks(&breaks(&ascii), &[]);
    let mut mixed = ascii;
    mixed[2] = lines[2].clone();
    assert_breaks(&breaks(&mixed), &["3: not canonical while other lines are"]);
}

#[test]
fn a_checkpoint_finds_a_tail_that_was_cut() {
    let lines = ours(9);
    let hash = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        Hash::new(value["record_hash"].as_str().expect("text")).expect("a hash")
    };
    let verify = |count: usize, checkpoint| {
        verify_file(&file(text(&lines[..count]).as_bytes()), &[checkpoint], &mut |_| {}).expect("readable")
    };
    assert!(verify(9, hash(&lines[6])).is_sound());
    assert!(verify(7, hash(&lines[6])).is_sound());
    let report = verify(6, hash(&lines[6]));
    assert!(
        matches!(&report.breaks[..], [Break { line: 6, reason: Reason::CheckpointMissing { .. } }]),
        "{report:?}"
    );
}

#[test]
fn a_line_that_is_too_long_is_a_break_and_the_lines_around_it_are_checked() {
    let lines = ours(4);
    for extra in [1, 3 << 20] {
        let long = format!("{{\"x\":\"{}\"}}", "y".repeat(LINE_MAX + extra - 8));
        let found = breaks(&[&lines[0], &lines[1], &long, &lines[2], &lines[3].replace("true", "false")]);
        assert_breaks(&found, &["3: line too long", "5: record_hash does not match"]);
        let last = format!("{}{long}", text(&lines));
        assert_breaks(&breaks_of(last.as_bytes()), &["5: line too long"]);
    }
    let mut previous = None;
    let fits = resealed(&json!({"x": "y".repeat(LINE_MAX - 200)}), &mut previous);
    assert_breaks(&breaks(&[fits, resealed(&json!({}), &mut previous)]), &[]);
}

#[test]
fn breaks_beyond_the_limit_are_counted() {
    let report = verify(&vec![b'\n'; 3 * BREAKS_MAX]);
    assert_eq!(report.breaks.len(), BREAKS_MAX + 1);
    let last = report.breaks.last().expect("breaks");
    assert_eq!(last.reason, Reason::NotListed { count: 2 * BREAKS_MAX as u64 });
    let alone = ours(1).remove(0);
    let report = verify(format!("{alone}\n").repeat(3 * BREAKS_MAX).as_bytes());
    let last = report.breaks.last().expect("breaks");
    assert_eq!(last.reason, Reason::NotListed { count: 2 * BREAKS_MAX as u64 - 1 });
}

#[test]
fn long_logs_are_linked_across_chunks() {
    let lines = ours(12_000);
    let good = text(&lines);
    assert!(good.len() > 2 << 20);
    assert!(verify(good.as_bytes()).is_sound());
    assert!(verify_stream(&mut good.as_bytes(), &[], &mut |_| {}).expect("readable").is_sound());
    let mut tampered = lines;
    tampered.swap(100, 11_000);
    tampered.remove(6000);
    assert_breaks(
        &breaks(&tampered),
        &[
            "101: swapped with line 11000",
            "6001: missing line: the record with seq 6001",
            "11000: swapped with line 101",
        ],
    );
}

/// The report, with the chunks cut at these lines.
fn in_stretches(bytes: &[u8], cuts: &[usize]) -> Report {
    let none = HashSet::new();
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut summary = summary::Summary::start();
    for cut in cuts {
        let after = lines.split_off(lines.len() - cut % (lines.len() + 1));
        summary.append(stretch::Checker::new(&none).sum_up(&lines.concat()));
        lines = after;
    }
    summary.append(stretch::Checker::new(&none).sum_up(&lines.concat()));
    report::make(summary, &Default::default(), &[])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_changed_byte_is_found_at_its_line_or_a_neighbour(count in 2_u64..6, at in any::<prop::sample::Index>(),
                                                            byte in any::<u8>()) {
        let mut bytes = text(&ours(count)).into_bytes();
        let index = at.index(bytes.len());
        prop_assume!(bytes[index] != byte);
        let line = 1 + bytes[..index].iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes[index] = byte;
        let report = verify(&bytes);
        prop_assert!(!report.is_sound());
        prop_assert!(report.breaks.iter().all(|found| found.line.abs_diff(line) <= 1), "{} {:?}", line, report);
        prop_assert!(report.breaks.len() <= if byte == b'\n' { 2 } else { 1 }, "{} {:?}", line, report);
    }

    #[test]
    fn chunks_make_no_difference(count in 1_u64..8, edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
                                 swap in any::<(prop::sample::Index, prop::sample::Index)>(),
                                 cuts in proptest::collection::vec(0_usize..9, 0..4)) {
        let mut lines = ours(count);
        lines.swap(swap.0.index(count as usize), swap.1.index(count as usize));
        let mut bytes = text(&lines).into_bytes();
        for (at, byte) in edits {
            let index = at.index(bytes.len());
            bytes[index] = byte;
        }
        prop_assert_eq!(in_stretches(&bytes, &cuts), in_stretches(&bytes, &[]));
    }

    #[test]
    fn arbitrary_bytes_are_a_verdict_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let report = verify(&bytes);
        prop_assert_eq!(report.is_sound(), bytes.is_empty());
    }
}
