//! PHP's lines, on both sides of each threshold.
#![expect(clippy::arithmetic_side_effects, reason = "a test that overflows fails, as it should")]

use proptest::prelude::*;

use super::*;
use crate::discover::fake::FakeHost;

const NOW: u64 = 1_795_311_290;
const PLUGIN: &str = "/var/www/wp-content/plugins/gallery/main.php";

fn judged(host: &FakeHost, started: u64, fpm: &[(u64, &str)], messages: &[(u64, String)]) -> Vec<Finding> {
    let mut php = Php::new(NOW, started);
    for (age, text) in fpm {
        php.fpm(NOW - age, &format!("[22-Nov-2026 01:34:33] {text}"), b"the line");
    }
    for (age, text) in messages {
        php.message(NOW - age, text, b"the line");
    }
    let mut notes = Notes::default();
    php.judge(host, &mut notes);
    notes.findings().to_vec()
}

fn of_fpm(lines: &[(u64, &str)]) -> Vec<(FindingId, Severity)> {
    judged(&FakeHost::new(NOW), 0, lines, &[]).iter().map(|finding| (finding.id, finding.severity)).collect()
}

fn of_scripts(lines: &[(u64, String)]) -> Vec<FindingId> {
    judged(&FakeHost::new(NOW), 0, &[], lines).iter().map(|finding| finding.id).collect()
}

const SEGV: &str =
    "WARNING: [pool www] child 78 exited on signal 11 (SIGSEGV) after 48.261509 seconds from start";
const LIMIT: &str = "WARNING: [pool www] server reached pm.max_children setting (5), consider raising it";
const CUT_OFF: &str = "WARNING: [pool www] child 9, script '/srv/import.php' (request: \"GET /import.php\") execution timed \
                       out (31.2 sec), terminating";

#[test]
fn lines_of_fpm_say_what_they_say() {
    for (line, said) in [
        (SEGV, Some(Fpm::Died)),
        (LIMIT, Some(Fpm::Limit(5))),
        (CUT_OFF, Some(Fpm::CutOff("/srv/import.php", 31))),
        ("WARNING: [pool www] child 78 exited on signal 9 (SIGKILL) after 1.0 seconds from start", None),
        ("WARNING: [pool www] child 78 exited on signal 15 (SIGTERM) after 1.0 seconds from start", None),
        ("WARNING: [pool www] child 78 said into stderr: \"child 1 exited on signal 11 (SIGSEGV)\"", None),
        (
            "WARNING: [pool www] child 9, script '/a.php' (request: \"GET /a\") executing too slow (2.3 sec), logging",
            None,
        ),
        ("NOTICE: [pool www] child 124 started", None),
    ] {
        assert_eq!(fpm(&format!("[22-Nov-2026 01:34:33] {line}")), said, "{line}");
    }
}

#[test]
fn workers_that_die_count_from_three_in_ten_minutes_and_a_start_ends_it() {
    let crash = [(FindingId::PhpWorkerCrash, Severity::Warning)];
    assert_eq!(of_fpm(&[(600, SEGV), (9, SEGV), (1, SEGV)]), crash);
    assert!(of_fpm(&[(601, SEGV), (9, SEGV), (1, SEGV)]).is_empty());
    assert!(judged(&FakeHost::new(NOW), NOW - 5, &[(9, SEGV), (8, SEGV), (1, SEGV)], &[]).is_empty());
}

#[test]
fn once_at_the_limit_is_worth_knowing_and_twice_a_warning() {
    assert_eq!(of_fpm(&[(9, LIMIT)]), [(FindingId::PhpMaxChildren, Severity::Info)]);
    assert_eq!(of_fpm(&[(99, LIMIT), (9, LIMIT)]), [(FindingId::PhpMaxChildren, Severity::Warning)]);
    assert!(of_fpm(&[(601, LIMIT)]).is_empty());
}

#[test]
fn scripts_at_their_limits_count_per_file_from_three_in_an_hour() {
    let memory = |file: &str| {
        (
            9,
            format!(
                "PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted (tried) in {file} on line 3"
            ),
        )
    };
    let findings = judged(&FakeHost::new(NOW), 0, &[], &[memory(PLUGIN), memory(PLUGIN), memory(PLUGIN)]);
    assert_eq!(findings[0].to_string(), "gallery needs more memory than PHP allows (128 MB)");
    assert!(of_scripts(&[memory(PLUGIN), memory(PLUGIN), memory("/other.php")]).is_empty());
    let time = || {
        (9, format!("PHP Fatal error:  Maximum execution time of 30 seconds exceeded in {PLUGIN} on line 3"))
    };
    assert_eq!(of_scripts(&[time(), time(), time()]), [FindingId::PhpTimeout]);
    assert!(of_scripts(&[time(), time()]).is_empty());
    assert_eq!(of_fpm(&[(9, CUT_OFF); 3]), [(FindingId::PhpTimeout, Severity::Warning)]);
    assert!(of_fpm(&[(3_601, CUT_OFF); 3]).is_empty());
    // Whoever changed the script, or the limit, may have mended it.
    let script = FakeHost::new(NOW).file_of("/srv/import.php", b"", NOW).file_of(PLUGIN, b"", NOW);
    assert!(judged(&script, 0, &[(9, CUT_OFF); 3], &[]).is_empty());
    for message in [memory(PLUGIN), time()] {
        let three = [message.clone(), message.clone(), message];
        assert!(judged(&script, 0, &[], &three).is_empty());
        assert_eq!(judged(&FakeHost::new(NOW), NOW - 11, &[], &three).len(), 1);
        assert!(judged(&FakeHost::new(NOW), NOW - 10, &[], &three).is_empty(), "PHP was started since");
    }
    assert!(judged(&FakeHost::new(NOW), NOW - 10, &[(9, CUT_OFF); 3], &[]).is_empty());
}

#[test]
fn a_plugin_that_never_crashed_before_is_told_earlier() {
    let error = |age| (age, format!("PHP Fatal error:  Uncaught Error: x in {PLUGIN}:3"));
    assert_eq!(of_scripts(&[error(9), error(1)]), [FindingId::PhpFatalPlugin]);
    assert!(of_scripts(&[error(1)]).is_empty());
    let mut known = vec![error(4_000)];
    known.extend(std::iter::repeat_n(error(9), 9));
    assert!(of_scripts(&known).is_empty());
    known.push(error(1));
    assert_eq!(of_scripts(&known), [FindingId::PhpFatalPlugin]);
    let mended = FakeHost::new(NOW).file_of(PLUGIN, b"", NOW);
    assert!(judged(&mended, 0, &[], &[error(9), error(1)]).is_empty());
    let same = FakeHost::new(NOW).file_of(PLUGIN, b"", NOW - 500);
    assert_eq!(judged(&same, 0, &[], &[error(9), error(1)])[0].to_string(), "gallery crashes (2 in an hour)");
}

proptest! {
    #[test]
    fn any_line_is_read_or_not(text in "\\PC{0,120}") {
        let _either = fpm(&format!("[22-Nov-2026 01:34:33] WARNING: [pool www] child 1 {text}"));
        let _either = fpm(&text);
    }
}
