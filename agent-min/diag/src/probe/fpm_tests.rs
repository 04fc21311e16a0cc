use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use proptest::prelude::*;

use super::super::testing::{Fake, Loopback, Script, noted, sentences, skips};
use super::*;

/// What PHP-FPM 8.2 sends.
const STATUS: &[u8] = b"\x01\x06\x00\x01\x01\xa9\x07\x00Expires: Thu, 01 Jan 1970 00:00:00 GMT\r\n\
    Cache-Control: no-cache, no-store, must-revalidate, max-age=0\r\nContent-Type: application/json\r\n\r\n\
    {\"pool\":\"www\",\"process manager\":\"static\",\"start time\":1795341970,\"start since\":106,\
    \"accepted conn\":1,\"listen queue\":0,\"max listen queue\":0,\"listen queue len\":0,\"idle processes\":1,\
    \"active processes\":1,\"total processes\":2,\"max active processes\":1,\"max children reached\":3,\
    \"slow requests\":0}\x00\x00\x00\x00\x00\x00\x00\
    \x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
const NOT_FOUND: &[u8] = b"\x01\x07\x00\x01\x00\x16\x02\x00Primary script unknown\x00\x00\
    \x01\x06\x00\x01\x00Q\x07\x00Status: 404 Not Found\r\nContent-type: text/html; charset=UTF-8\r\n\r\n\
    File not found.\n\x00\x00\x00\x00\x00\x00\x00\x01\x03\x00\x01\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";

fn pool() -> Pool {
    Pool {
        name: "www".to_owned(),
        version: "8.2".to_owned(),
        unit: "php8.2-fpm".to_owned(),
        listen: Endpoint::Unix("/run/php/php8.2-fpm.sock".to_owned()),
        status_listen: None,
        status_path: Some("/status".to_owned()),
        max_children: 5,
        error_logs: vec![],
    }
}

fn run(host: &dyn Host, pool: Pool) -> Notes {
    noted(|notes| check(host, &Stack { pools: vec![pool], ..Stack::default() }, notes))
}

fn sends(bytes: &'static [u8], size: usize) -> Fake {
    let pieces: Vec<Vec<u8>> = bytes.chunks(size).map(<[u8]>::to_vec).collect();
    Fake {
        connect: Box::new(move |_, _| Ok(Script { pieces: pieces.clone(), silent: false })),
        ..Fake::default()
    }
}

#[test]
fn a_status_page_is_counted_however_it_is_cut() {
    for size in [1, 7, 8, 9, 1_000] {
        let host = sends(STATUS, size);
        let notes = run(&host, pool());
        assert_eq!(notes.counters().get(CounterId::FpmMaxChildren, "8.2/www"), Some(3));
        assert_eq!(notes.what_was_checked(), [Check::PhpStatus]);
        assert_eq!((sentences(&notes), skips(&notes)), (vec![], vec![]));
        assert_eq!(*host.sent.lock().expect("unpoisoned"), get("/status", "json").expect("short"));
    }
}

#[test]
fn a_page_that_is_none_or_no_status_is_not_checked() {
    let skipped = |host: &Fake| skips(&run(host, pool()));
    assert_eq!(skipped(&sends(NOT_FOUND, 99)), ["php-status absent /run/php/php8.2-fpm.sock"]);
    for cut in [0, 1, 8, 100, STATUS.len() - 10] {
        assert_eq!(
            skipped(&sends(&STATUS[..cut], 99)),
            ["php-status failed /run/php/php8.2-fpm.sock"],
            "{cut}"
        );
    }
    assert_eq!(
        skipped(&sends(b"HTTP/1.1 400 Bad Request", 99)),
        ["php-status failed /run/php/php8.2-fpm.sock"]
    );
    let refuses = |denied| Fake { connect: Box::new(move |_, _| Err(denied)), ..Fake::default() };
    assert_eq!(skipped(&refuses(Denied::Permission)), ["php-status permission /run/php/php8.2-fpm.sock"]);
    assert_eq!(skipped(&refuses(Denied::Refused)), ["php-status failed /run/php/php8.2-fpm.sock"]);
    let unset = run(&Fake::default(), Pool { status_path: None, ..pool() });
    assert_eq!(skips(&unset), ["php-status absent pm.status_path of www"]);
}

#[test]
fn an_answer_without_an_end_is_given_up() {
    let mut endless = Vec::new();
    for _ in 0..20 {
        endless.extend([1, 6, 0, 1, 0x10, 0, 0, 0]);
        endless.extend([b'x'; 0x1000]);
    }
    let host = Fake {
        connect: Box::new(move |_, _| Ok(Script { pieces: vec![endless.clone()], silent: true })),
        ..Fake::default()
    };
    assert_eq!(skips(&run(&host, pool())), ["php-status failed /run/php/php8.2-fpm.sock"]);
}

#[test]
fn a_status_page_that_waits_with_the_visitors_says_so() {
    let silent =
        || Fake { connect: Box::new(|_, _| Ok(Script { pieces: vec![], silent: true })), ..Fake::default() };
    let line = "php-status warning: PHP's own status page waits behind the requests";
    assert_eq!(sentences(&run(&silent(), pool())), [line]);
    // With less time than that, nothing is proved.
    let hurried = Fake { whole: Duration::from_millis(1_900), ..silent() };
    let notes = run(&hurried, pool());
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(skips(&notes), ["php-status timeout /run/php/php8.2-fpm.sock"]);
}

#[test]
fn a_full_queue_must_be_full_twice() {
    let full_until = |until| Fake {
        connect: Box::new(move |_, now| match now < until {
            true => Err(Denied::Full),
            false => Ok(Script { pieces: vec![STATUS.to_vec()], silent: false }),
        }),
        ..Fake::default()
    };
    let line = "php-backlog-full critical: PHP's queue is full: visitors get 502";
    assert_eq!(sentences(&run(&full_until(Duration::MAX), pool())), [line]);
    assert_eq!(sentences(&run(&full_until(AGAIN_AFTER), pool())), [""; 0]);
}

#[test]
fn a_socket_for_the_status_alone_is_preferred() {
    let host = Fake {
        connect: Box::new(|to, _| {
            assert_eq!(*to, Endpoint::Tcp(([127, 0, 0, 1], 9001).into()));
            Ok(Script { pieces: vec![STATUS.to_vec()], silent: false })
        }),
        ..Fake::default()
    };
    let own = Pool { status_listen: Some(Endpoint::Tcp(([127, 0, 0, 1], 9001).into())), ..pool() };
    assert_eq!(run(&host, own).what_was_checked(), [Check::PhpStatus]);
}

/// A server on a real socket that answers each connection by `serve`.
fn serve(
    serve: impl FnOnce(std::os::unix::net::UnixStream) + Send + 'static,
) -> (tempfile::TempDir, Endpoint) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("fpm.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || serve(listener.accept().expect("a connection").0));
    (directory, Endpoint::Unix(path.to_str().expect("a name").to_owned()))
}

#[test]
fn a_status_page_is_read_over_a_real_socket() {
    let (_directory, listen) = serve(|mut stream| {
        let mut request = vec![0; get("/status", "json").expect("short").len()];
        stream.read_exact(&mut request).expect("a request");
        stream.write_all(STATUS).expect("sent");
    });
    let notes = run(&Loopback::new(), Pool { listen, ..pool() });
    assert_eq!(notes.counters().get(CounterId::FpmMaxChildren, "8.2/www"), Some(3));
}

#[test]
fn an_answer_in_drops_ends_when_its_time_is_over() {
    let host = Fake { each_piece: Duration::from_millis(10), ..sends(STATUS, 1) };
    let fill = |time| {
        let mut exchange = Exchange::open(&host, &pool().listen, time).expect("connected");
        exchange.fill(&mut [0; 50])
    };
    assert_eq!(fill(Duration::from_millis(490)), Err(Denied::Timeout));
    assert_eq!(fill(Duration::from_millis(491)), Ok(()));
}

proptest! {
    #[test]
    fn no_status_page_is_too_strange(json in proptest::collection::vec(any::<u8>(), 0..99), text in ".{0,60}") {
        let _any = (status(&json), status(text.as_bytes()));
    }
}
