use proptest::prelude::*;

use super::super::fake::{FakeHost, T, hit, log, visitor};
use super::*;

const LOG: &str = "/log";

fn host(bytes: Vec<u8>) -> FakeHost {
    FakeHost::default().file(LOG, bytes, T)
}

fn lines(host: &FakeHost, piece: &Piece, buffer: usize) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    each_line(host, piece, &mut vec![0; buffer], &mut |line| {
        out.push(line.to_vec());
        true
    })
    .expect("readable");
    out
}

#[test]
fn a_long_log_is_read_from_shortly_before_the_time() {
    let bytes = log((0..40_000).map(|n| hit(n, visitor(n), "/")).collect());
    let size = bytes.len() as u64;
    let host = host(bytes);
    for begin in [0, T, T + 1, T + 100, T + 20_000, T + 39_990, T + 50_000] {
        let [piece] = pieces(&host, LOG, &Format::Guess, begin).expect("readable").try_into().expect("one");
        assert_eq!(piece.to, size);
        let found = lines(&host, &piece, BUFFER);
        let first = found.first().map(|line| {
            Format::Guess.read(line, &mut Clock::default(), &mut Rewritten::new()).expect("a line").time
        });
        // Nothing since then is missing, and little before it is there.
        assert!(first.is_none_or(|first| first <= begin.max(T)), "{begin}: {first:?}");
        let before = begin.saturating_sub(first.unwrap_or(begin));
        assert!(begin < T || before <= 200 || begin > T + 40_000, "{begin}: {before} s before");
    }
}

#[test]
fn a_line_longer_than_the_buffer_is_dropped_to_its_end() {
    let text = format!("short\n{}\nafter\n{}", "x".repeat(300), "y".repeat(40));
    let host = host(text.into_bytes());
    let whole = Piece { path: LOG.into(), from: 0, to: 1_000 };
    assert_eq!(lines(&host, &whole, 64), [b"short".to_vec(), b"after".to_vec(), vec![b'y'; 40]]);
}

#[test]
fn what_is_written_while_it_is_read_waits_for_the_next_time() {
    let host = host(b"one\ntwo\nthree\n".to_vec());
    let piece = Piece { path: LOG.into(), from: 0, to: 8 };
    assert_eq!(lines(&host, &piece, 64), [b"one".to_vec(), b"two".to_vec()]);
    let later = Piece { path: LOG.into(), from: 2, to: 14 };
    assert_eq!(lines(&host, &later, 64), [b"two".to_vec(), b"three".to_vec()]);
}

proptest! {
    #[test]
    fn lines_are_the_same_however_large_the_buffer_is(
        text in "[a-c\n]{0,200}", buffer in 16_usize..64
    ) {
        let expected: Vec<Vec<u8>> = text.as_bytes().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        prop_assume!(expected.iter().all(|line| line.len() < buffer));
        let mut expected = expected;
        if expected.last().is_some_and(Vec::is_empty) {
            expected.pop();
        }
        let piece = Piece { path: LOG.into(), from: 0, to: text.len() as u64 };
        prop_assert_eq!(lines(&host(text.into_bytes()), &piece, buffer), expected);
    }
}
