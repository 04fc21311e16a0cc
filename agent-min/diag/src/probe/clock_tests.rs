use super::super::testing::{Fake, noted, sentences, skips};
use super::*;
use crate::host::{ClockState, Denied};

fn dated(date: &str) -> Page {
    Page { headers: vec![("date".to_owned(), date.to_owned())], ..Page::default() }
}

/// 2026-11-22 10:07:01.
const AT: u64 = 1_795_342_021;

#[test]
fn a_skew_is_what_lies_beyond_all_doubt() {
    for (date, before, after, skew) in [
        ("Sun, 22 Nov 2026 10:07:01 GMT", AT, AT, Some(0)),
        // It may have been written at the end of its second.
        ("Sun, 22 Nov 2026 10:07:01 GMT", AT + 1, AT + 2, Some(0)),
        ("Sun, 22 Nov 2026 10:07:01 GMT", AT + 2, AT + 2, Some(1)),
        ("Sun, 22 Nov 2026 10:07:01 GMT", AT - 3, AT - 1, Some(1)),
        ("Sun, 22 Nov 2026 10:07:01 GMT", AT + 3_601, AT + 3_602, Some(3_600)),
        ("Sun, 22 Nov 2026 10:07:01 GMT", AT - 3_700, AT - 3_600, Some(3_600)),
        ("yesterday", AT, AT, None),
    ] {
        assert_eq!(super::skew(&dated(date), before, after), skew, "{date} {before}");
    }
}

#[test]
fn five_seconds_are_bad_and_a_minute_is_worse() {
    let line = |wrong| sentences(&noted(|notes| report(wrong, notes)));
    assert_eq!(line(5), [""; 0]);
    assert_eq!(line(6), ["clock-skew warning: The clock is wrong by 6 s"]);
    assert_eq!(line(60), ["clock-skew warning: The clock is wrong by 60 s"]);
    assert_eq!(line(61), ["clock-skew critical: The clock is wrong by 61 s"]);
}

#[test]
fn a_clock_that_nobody_keeps_is_unknown_and_not_wrong() {
    let host = |synchronized, max_error_us, uptime: &str| {
        let mut host = Fake { clock_state: Ok(ClockState { synchronized, max_error_us }), ..Fake::default() };
        host.files.insert("/proc/uptime", (Ok(uptime.as_bytes().to_vec()), 0));
        noted(|notes| check(&host, notes))
    };
    let kept = host(true, 15_999_999, "9999.01 1.00\n");
    assert_eq!((kept.what_was_checked(), skips(&kept)), (&[Check::Clock][..], vec![]));
    for (synchronized, error) in [(false, 0), (true, 16_000_000)] {
        let notes = host(synchronized, error, "1020.01 1.00\n");
        assert_eq!(skips(&notes), ["clock absent nothing keeps the clock right"]);
        assert_eq!(sentences(&notes), [""; 0]);
        assert_eq!(notes.what_was_checked(), []);
        // It has just been started.
        assert_eq!(skips(&host(synchronized, error, "1019.99 1.00\n")), [""; 0]);
    }
    let no_kernel = Fake { clock_state: Err(Denied::Unsupported), ..Fake::default() };
    assert_eq!(skips(&noted(|notes| check(&no_kernel, notes))), ["clock unsupported "]);
}
