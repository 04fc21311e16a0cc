use std::fs;

use super::*;
use crate::audit::chain::{Head, seal};

const NOW: u64 = 1_767_225_999;

fn chain(count: u64) -> String {
    let mut head = Head::START;
    let mut text = String::new();
    for number in 0..count {
        let (line, sealed) = seal(head, Record::new(1_767_225_600 + number, "intent").with("number", number));
        text.push_str(std::str::from_utf8(&line).expect("UTF-8"));
        head = sealed.head();
    }
    text
}

fn log(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("audit.jsonl");
    fs::write(&path, text).expect("written");
    (directory, path)
}

fn verified(path: &Path) -> Report {
    verify_file(&fs::File::open(path).expect("exists"), &[], &mut |_| {}).expect("readable")
}

#[test]
fn a_torn_tail_is_kept_aside_and_named_in_the_chain() {
    let good = chain(3);
    let next = chain(4)[good.len()..].to_owned();
    let torn: [&[u8]; 6] = [
        b"{",
        &next.as_bytes()[..next.len() - 1],
        &next.as_bytes()[..100],
        b"\0\0\0\0",
        b"{\"a\":1\n",
        b"\xff\xfe\n",
    ];
    for tail in torn {
        let (_directory, path) = log(&[good.as_bytes(), tail].concat());
        let Recovered::Cut { bytes, sha256, kept, recorded } = recover(&path, NOW).expect("recovers") else {
            panic!("{tail:?} was not seen");
        };
        assert_eq!((bytes, recorded.seq), (tail.len() as u64, 4));
        assert_eq!(kept.file_name().expect("a name"), "audit.jsonl.torn-1767225999");
        assert_eq!(fs::read(&kept).expect("kept"), tail);
        let report = verified(&path);
        assert!(report.is_sound() && report.records == 4, "{report:?}");
        let text = fs::read_to_string(&path).expect("text");
        let last: serde_json::Value =
            serde_json::from_str(text.lines().last().expect("lines")).expect("JSON");
        assert_eq!(last["event"], "audit-recovered");
        assert_eq!(last["cut_bytes"], bytes);
        assert_eq!(last["cut_sha256"], sha256);
        assert_eq!(last["kept"], "audit.jsonl.torn-1767225999");
        assert!(matches!(recover(&path, NOW), Ok(Recovered::Sound { records: 4 })));
    }
}

#[test]
fn a_log_of_nothing_but_a_torn_line_starts_with_its_recovery() {
    let (_directory, path) = log(b"{\"event\":\"in");
    assert!(matches!(recover(&path, NOW), Ok(Recovered::Cut { bytes: 12, .. })));
    assert_eq!(verified(&path).records, 1);
}

#[test]
fn tampering_is_not_recovered_from() {
    let good = chain(4);
    let lines: Vec<&str> = good.lines().collect();
    let tampered = [
        good.replace("\"number\":3", "\"number\":5"),
        good.replace("\"number\":1", "\"number\":5"),
        good.replacen('{', "", 1),
        format!("{}\n{}\n{}\n{{", lines[0], lines[2], lines[3]),
        format!("{}{{\n", good.replace("\"number\":1", "\"number\":5")),
        format!("{good}{{\n{}\n", lines[3]),
        good.replace('\n', "\r\n"),
    ];
    for text in tampered {
        let (directory, path) = log(text.as_bytes());
        let error = recover(&path, NOW).expect_err("refused");
        assert!(matches!(error, RecoverError::Chain(AuditChainError::NotTorn { .. })), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("text"), text, "the log stays as it was");
        assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 1, "nothing was kept aside");
    }
}

#[test]
fn a_log_is_not_touched_when_its_tail_can_not_be_kept() {
    let text = format!("{}{{", chain(2));
    let (directory, path) = log(text.as_bytes());
    fs::write(directory.path().join("audit.jsonl.torn-1767225999"), "an earlier one").expect("written");
    assert!(matches!(recover(&path, NOW), Err(RecoverError::Keep { .. })));
    assert_eq!(fs::read_to_string(&path).expect("text"), text);
    assert!(matches!(recover(&path, NOW + 1), Ok(Recovered::Cut { .. })));
}

#[test]
fn a_log_that_is_being_written_is_not_recovered() {
    let (_directory, path) = log(format!("{}{{", chain(2)).as_bytes());
    let _held = DiskFile::open(&path, Create::Never).expect("opens");
    assert!(matches!(recover(&path, NOW), Err(RecoverError::Chain(AuditChainError::Locked { .. }))));
}
