use std::sync::Mutex;

use super::super::testing::{Fake, Script, noted, sentences, skips};
use super::*;
use crate::host::Endpoint;

const SOCKET: &str = "/run/mysqld/mysqld.sock";
/// What MariaDB 10.11 on Debian 12 sends.
const GREETING: &[u8] =
    b"\n5.5.5-10.11.19-MariaDB-0+deb12u1\0\x08\0\0\0K8vm@4&]\0\xfe\xf7-\x02\0\xff\x81\x15\
    \0\0\0\0\0\0\x1d\0\0\0'Gp|Am%ifEeJ\0mysql_native_password\0";
const OK: &[u8] = b"\0\0\0\x02\0\0\0";
const DENIED: &[u8] = b"\xff\xa2\x06#28000Access denied for user 'secmon-diag'@'localhost'";
const SWITCH: &[u8] = b"\xfemysql_native_password\0(3f*:%H{Vxz|#2smJiQ:\0";
const COLUMN: &[u8] = b"\x03def\x12information_schema\x0eSESSION_STATUS\x0eSESSION_STATUS\rVariable_name\r\
    VARIABLE_NAME\x0c-\0\0\x01\0\0\xfd\x01\x10\0\0\0";
const END: &[u8] = b"\xfe\0\0\x22\0";

fn packet(number: usize, body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).expect("short");
    [&[length, 0, 0, u8::try_from(number).expect("few")], body].concat()
}

fn rows(numbers: &[(&str, u64)]) -> Vec<u8> {
    let mut bodies = vec![b"\x02".to_vec(), COLUMN.to_vec(), COLUMN.to_vec(), END.to_vec()];
    for (name, value) in numbers {
        let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
        bodies.push([text(name), text(&value.to_string())].concat());
    }
    bodies.push(END.to_vec());
    bodies.iter().zip(1..).flat_map(|(body, number)| packet(number, body)).collect()
}

fn database(kind: DatabaseKind, listen: &str) -> Database {
    Database {
        kind,
        unit: "mariadb".to_owned(),
        listen: Endpoint::Unix(listen.to_owned()),
        data: None,
        error_log: None,
        buffer_pool: 0,
    }
}

fn mariadb() -> Database {
    database(DatabaseKind::MariaDb, SOCKET)
}

fn run(host: &Fake, database: Database) -> Notes {
    noted(|notes| check(host, &Stack { databases: vec![database], ..Stack::default() }, notes))
}

/// A server that sends all of this, whatever it is asked.
fn sends(pieces: Vec<Vec<u8>>, silent: bool) -> Fake {
    let script = Script { pieces, silent };
    Fake { connect: Box::new(move |_, _| Ok(script.clone())), ..Fake::default() }
}

/// A server that lets us in and has these numbers, one list for each question.
fn serves(numbers: &[&[(&str, u64)]], limit: u64) -> Fake {
    let mut pieces = vec![packet(0, GREETING), packet(2, OK)];
    for (at, numbers) in numbers.iter().enumerate() {
        pieces.push(rows(numbers));
        if at == 0 {
            pieces.push(rows(&[("max_connections", limit)]));
        }
    }
    let mut host = sends(pieces, false);
    host.files.insert("/sys/devices/system/cpu/online", (Ok(b"0-1\n".to_vec()), 0));
    host
}

type List = &'static [(&'static str, u64)];

const CALM: List = &[
    ("Created_tmp_disk_tables", 3),
    ("Created_tmp_tables", 17),
    ("Innodb_row_lock_current_waits", 0),
    ("Slow_queries", 5),
    ("Threads_connected", 2),
    ("Threads_running", 1),
    ("Uptime", 105),
];

#[test]
fn a_server_that_is_well_is_counted_and_left_with_a_goodbye() {
    let host = serves(&[CALM], 151);
    let notes = run(&host, mariadb());
    assert_eq!((sentences(&notes), skips(&notes)), (vec![], vec![]));
    assert_eq!(notes.what_was_checked(), [Check::DbSocket, Check::DbStatus]);
    for (id, value) in [
        (CounterId::DbUptime, 105),
        (CounterId::DbSlowQueries, 5),
        (CounterId::DbTmpTables, 17),
        (CounterId::DbTmpDiskTables, 3),
    ] {
        assert_eq!(notes.counters().get(id, "MariaDB"), Some(value), "{id}");
    }
    let sent = host.sent.lock().expect("unpoisoned");
    // The login follows the greeting's number; a question begins anew.
    assert_eq!(
        &sent[..4],
        [u8::try_from(mysql::login(super::super::ACCOUNT).len()).expect("short"), 0, 0, 1]
    );
    assert!(sent.ends_with(b"\x01\0\0\0\x01"), "no goodbye: the server would log an aborted connection");
}

#[test]
fn without_an_account_the_server_still_counts_as_answering() {
    for login in [vec![packet(2, DENIED)], vec![packet(2, SWITCH), packet(4, DENIED)]] {
        let host = sends([vec![packet(0, GREETING)], login].concat(), false);
        let notes = run(&host, mariadb());
        assert_eq!(sentences(&notes), [""; 0]);
        assert_eq!(notes.what_was_checked(), [Check::DbSocket]);
        assert_eq!(skips(&notes), ["db-status permission mariadb"]);
    }
}

#[test]
fn a_short_line_stands_in_for_numbers_that_are_not_for_us() {
    let line = b"Uptime: 105  Threads: 9  Questions: 42  Slow queries: 7  Opens: 18  Open tables: 11";
    let refused = packet(1, b"\xff\x2c\x05#42000Access denied; you need some privilege");
    let pieces = vec![packet(0, GREETING), packet(2, OK), refused.clone(), packet(1, line), refused];
    let notes = run(&sends(pieces, false), mariadb());
    assert_eq!(notes.counters().get(CounterId::DbUptime, "MariaDB"), Some(105));
    assert_eq!(notes.counters().get(CounterId::DbSlowQueries, "MariaDB"), Some(7));
    assert_eq!(notes.what_was_checked(), [Check::DbSocket, Check::DbStatus]);
}

fn refuses(denied: Denied) -> Fake {
    Fake { connect: Box::new(move |_, _| Err(denied)), ..Fake::default() }
}

#[test]
fn mysql_is_understood_in_its_own_words() {
    // What MySQL 9.7 sends, whose greeting is that of MySQL 8, to an account that it doesn't know.
    let words: [&[u8]; 3] = [
        b"\n9.7.4-2\0\x09\0\0\0\"p\x01\x04&X\x0ea\0\xff\xff\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0\
            8a\x0eiI\x01#nyHXi\0caching_sha2_password\0",
        b"\xfesha256_password\0y\x18\x152YFKX\x1a;2Q~VoO}':`\0",
        b"\xff\x15\x04#28000Access denied for user 'secmon-diag'@'localhost' (using password: NO)",
    ];
    let mysql = || Database { unit: "mysql".to_owned(), ..database(DatabaseKind::MySql, SOCKET) };
    let pieces = words.iter().zip([0, 2, 4]).map(|(body, number)| packet(number, body)).collect();
    let notes = run(&sends(pieces, true), mysql());
    assert_eq!(
        (sentences(&notes), skips(&notes)),
        (Vec::new(), vec!["db-status permission mysql".to_owned()])
    );
    assert_eq!(notes.what_was_checked(), [Check::DbSocket]);
    let full = || sends(vec![packet(0, b"\xff\x10\x04Too many connections")], false);
    let said = ["db-too-many-conn critical: MySQL refuses connections: all are in use"];
    assert_eq!(sentences(&run(&full(), mysql())), said);
}

#[test]
fn a_host_without_a_database_has_none_to_ask() {
    let notes = noted(|notes| check(&Fake::default(), &Stack::default(), notes));
    assert_eq!((skips(&notes), sentences(&notes)), (vec!["db-socket absent ".to_owned()], Vec::new()));
}

#[test]
fn a_server_that_nobody_reaches_twice_is_down() {
    for denied in [Denied::Absent, Denied::Refused] {
        let notes = run(&refuses(denied), mariadb());
        assert_eq!(sentences(&notes), ["db-down critical: MariaDB is not running"]);
        assert_eq!(notes.findings()[0].action, Some(ActionId::RestartDb));
    }
    let restarting = Fake {
        connect: Box::new(|_, now| match now < AGAIN_AFTER {
            true => Err(Denied::Refused),
            false => Ok(Script { pieces: vec![packet(0, GREETING), packet(2, DENIED)], silent: false }),
        }),
        ..Fake::default()
    };
    assert_eq!(sentences(&run(&restarting, mariadb())), [""; 0]);
    assert_eq!(
        skips(&run(&refuses(Denied::Permission), mariadb())),
        [format!("db-socket permission {SOCKET}")]
    );
}

#[test]
fn a_server_that_is_switched_off_is_not_missed() {
    let with = |units: &[&str]| {
        let units = units.iter().copied().map(str::to_owned).collect();
        let stack = Stack { databases: vec![mariadb()], units, ..Stack::default() };
        sentences(&noted(|notes| check(&refuses(Denied::Absent), &stack, notes))).len()
    };
    assert_eq!(with(&["nginx.service"]), 0);
    assert_eq!(with(&["nginx.service", "mariadb.service"]), 1);
    assert_eq!(with(&["mariadb"]), 1);
    assert_eq!(with(&[]), 1);
}

#[test]
fn a_server_that_takes_connections_and_is_silent_hangs() {
    let line = "db-hung critical: MariaDB takes connections and does not answer";
    assert_eq!(sentences(&run(&sends(vec![], true), mariadb())), [line]);
    assert_eq!(sentences(&run(&sends(vec![b"\x60\0\0".to_vec()], true), mariadb())), [line]);
    assert_eq!(sentences(&run(&refuses(Denied::Full), mariadb())), [line]);
    // Without the time to wait, nothing is known.
    let hurried = Fake { whole: Duration::from_millis(500), ..sends(vec![], true) };
    let notes = run(&hurried, mariadb());
    assert_eq!(sentences(&notes), [""; 0]);
    assert_eq!(skips(&notes), [format!("db-socket timeout {SOCKET}")]);
}

#[test]
fn a_full_server_says_so_itself() {
    let full = packet(0, b"\xff\x10\x04Too many connections");
    let notes = run(&sends(vec![full.clone()], false), mariadb());
    // How many that is, it doesn't say: what the configuration says may have been changed since.
    let line = ["db-too-many-conn critical: MariaDB refuses connections: all are in use"];
    assert_eq!(sentences(&notes), line);
    assert_eq!(notes.findings()[0].action, Some(ActionId::RestartPhp));
    // It may be full only when the login is looked at.
    let late = packet(2, b"\xff\x10\x04#08004Too many connections");
    assert_eq!(sentences(&run(&sends(vec![packet(0, GREETING), late], false), mariadb())), line);
    let burst = Fake {
        connect: Box::new(move |_, now| {
            let free = vec![packet(0, GREETING), packet(2, DENIED)];
            Ok(Script { pieces: if now < AGAIN_AFTER { vec![full.clone()] } else { free }, silent: false })
        }),
        ..Fake::default()
    };
    assert_eq!(sentences(&run(&burst, mariadb())), [""; 0]);
    let blocked = packet(0, b"\xffi\x04Host '192.0.2.1' is blocked because of many connection errors");
    let line = "db-host-blocked critical: MariaDB refuses this host after too many broken connections";
    assert_eq!(sentences(&run(&sends(vec![blocked], false), mariadb())), [line]);
}

#[test]
fn what_is_no_database_is_not_checked() {
    for bytes in [&b"SSH-2.0-OpenSSH_9.2p1 Debian\r\n"[..], b"\x05\0\0\0\x09abcd", b"\xff\xff\xff\0\x0a", b""]
    {
        let notes = run(&sends(vec![bytes.to_vec()], false), mariadb());
        assert_eq!(sentences(&notes), [""; 0]);
        assert_eq!(skips(&notes), [format!("db-socket failed {SOCKET}")]);
    }
}

#[test]
fn connections_near_the_limit_are_counted_without_our_own() {
    let line = |severity, busy| {
        vec![format!("db-conn-near-limit {severity}: {busy} of 100 database connections are in use")]
    };
    for (connected, wanted) in
        [(70, vec![]), (71, line("warning", 70)), (90, line("warning", 89)), (91, line("critical", 90))]
    {
        assert_eq!(sentences(&run(&serves(&[&[("Threads_connected", connected)]], 100), mariadb())), wanted);
    }
    assert_eq!(sentences(&run(&serves(&[&[("Threads_connected", 9)]], 0), mariadb())), [""; 0]);
}

#[test]
fn what_piles_up_must_do_so_in_three_looks() {
    // Two processors: eight queries at once, and our own.
    let (pile, calm): (List, List) = (&[("Threads_running", 9)], &[("Threads_running", 8)]);
    let line = ["db-running-pile warning: 8 database queries run at once"];
    let more: List = &[("Threads_running", 30)];
    assert_eq!(sentences(&run(&serves(&[more, pile, more], 151), mariadb())), line);
    assert_eq!(sentences(&run(&serves(&[pile, pile, calm], 151), mariadb())), [""; 0]);
    assert_eq!(sentences(&run(&serves(&[calm], 151), mariadb())), [""; 0]);
    // Whoever hangs up before has not been seen three times.
    assert_eq!(sentences(&run(&serves(&[pile, pile], 151), mariadb())), [""; 0]);
    let (waits, fewer): (List, List) =
        (&[("Innodb_row_lock_current_waits", 5)], &[("Innodb_row_lock_current_waits", 4)]);
    let line = ["db-lock-wait warning: 5 database queries wait for locks"];
    assert_eq!(sentences(&run(&serves(&[waits, waits, waits], 151), mariadb())), line);
    assert_eq!(sentences(&run(&serves(&[waits, fewer, waits], 151), mariadb())), [""; 0]);
}

/// The kernel's message about a connection from 192.0.2.1 to this port that has brought so many bytes.
fn connection(port: u16, received: u64) -> Vec<u8> {
    let mut info = [0; 136];
    info[128..].copy_from_slice(&received.to_ne_bytes());
    let mut body = vec![2, state::ESTABLISHED, 0, 0];
    body.extend(port.to_be_bytes());
    body.resize(72, 0);
    body.extend([140_u16.to_ne_bytes(), 2_u16.to_ne_bytes()].concat());
    body.extend(info);
    let length = u32::try_from(16 + body.len()).expect("short");
    [&length.to_ne_bytes()[..], &20_u16.to_ne_bytes(), &[0; 10], &body].concat()
}

#[test]
fn who_connects_and_says_nothing_asks_nothing() {
    let pile: List = &[("Threads_running", 30)];
    let with = |port, received| Fake {
        sockets: vec![connection(port, received); 22],
        ..serves(&[pile, pile, pile], 151)
    };
    let line = |count| format!("db-running-pile warning: {count} database queries run at once");
    assert_eq!(sentences(&run(&with(3306, 0), mariadb())), [""; 0]);
    // Those who have said something may well be what runs; and other services are none of its business.
    for host in [with(3306, 60), with(3307, 0)] {
        assert_eq!(sentences(&run(&host, mariadb())), [line(29)]);
    }
}

fn postgres() -> Database {
    Database {
        unit: "postgresql".to_owned(),
        ..database(DatabaseKind::Postgres, "/run/postgresql/.s.PGSQL.5433")
    }
}

/// A PostgreSQL that answers this over TCP and that over its local socket.
fn answers(tcp: Result<&'static [u8], Denied>, unix: Result<&'static [u8], Denied>) -> Fake {
    let script = |bytes: &[u8]| match bytes {
        [] => Script { pieces: vec![], silent: true },
        bytes => Script { pieces: vec![bytes.to_vec()], silent: false },
    };
    Fake {
        connect: Box::new(move |to, _| match to {
            Endpoint::Tcp(address) => {
                assert_eq!(address.to_string(), "127.0.0.1:5433");
                tcp.map(script)
            }
            Endpoint::Unix(_) => unix.map(script),
        }),
        ..Fake::default()
    }
}

#[test]
fn postgresql_says_over_tcp_how_it_is() {
    let ask = |tcp| run(&answers(Ok(tcp), Err(Denied::Refused)), postgres());
    let well = ask(b"R\0\0\0\x17\0\0\0\nSCRAM-SHA-256\0\0");
    assert_eq!(sentences(&well), [""; 0]);
    assert_eq!(skips(&well), ["db-status unsupported postgresql"]);
    let full = ask(b"E\0\0\0USFATAL\0VFATAL\0C53300\0Msorry, too many clients already\0\0");
    assert_eq!(
        sentences(&full),
        ["db-too-many-conn critical: PostgreSQL refuses connections: all are in use"]
    );
    let starting = ask(b"E\0\0\0USFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0");
    assert_eq!(
        sentences(&starting),
        ["db-recovering warning: PostgreSQL repairs itself after a crash: wait"]
    );
    let silent = ask(b"");
    assert_eq!(sentences(&silent), ["db-hung critical: PostgreSQL takes connections and does not answer"]);
    let other = ask(b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(skips(&other), ["db-socket failed /run/postgresql/.s.PGSQL.5433"]);
}

#[test]
fn postgresql_without_tcp_is_only_asked_whether_it_answers() {
    let host = answers(Err(Denied::Refused), Ok(b"N"));
    let notes = run(&host, postgres());
    assert_eq!((sentences(&notes), notes.what_was_checked()), (vec![], &[Check::DbSocket][..]));
    assert_eq!(*host.sent.lock().expect("unpoisoned"), super::super::postgres_packets::TLS_REQUEST);
    let down = run(&answers(Err(Denied::Refused), Err(Denied::Absent)), postgres());
    assert_eq!(sentences(&down), ["db-down critical: PostgreSQL is not running"]);
}

#[test]
fn a_slow_second_look_does_not_hide_what_the_first_has_seen() {
    let looks = Mutex::new(0);
    let host = Fake {
        connect: Box::new(move |_, _| {
            *looks.lock().expect("unpoisoned") += 1;
            if *looks.lock().expect("unpoisoned") == 1 {
                Err(Denied::Refused)
            } else {
                Err(Denied::Unsupported)
            }
        }),
        ..Fake::default()
    };
    assert_eq!(sentences(&run(&host, mariadb())), ["db-down critical: MariaDB is not running"]);
}

#[test]
fn processors_are_counted_as_the_kernel_lists_them() {
    for (list, count) in [
        (&b"0\n"[..], Some(1)),
        (b"0-3\n", Some(4)),
        (b"0-3,8,10-11", Some(7)),
        (b"", None),
        (b"3-0", None),
        (b"0-18446744073709551615", None),
        (b"0-99999", None),
    ] {
        assert_eq!(processors(list), count);
    }
}

#[test]
fn a_packet_that_is_longer_than_any_answer_is_not_taken() {
    let run_with = |length: usize| {
        let [low, high, ..] = u32::try_from(length).expect("short").to_le_bytes();
        let mut greeting = [&[low, high, 0, 0], GREETING].concat();
        greeting.resize(mysql::HEADER + length, 0);
        skips(&run(&sends(vec![greeting, packet(2, DENIED)], false), mariadb()))
    };
    assert_eq!(run_with(mysql::PACKET_MAX), ["db-status permission mariadb"]);
    assert_eq!(run_with(mysql::PACKET_MAX + 1), [format!("db-socket failed {SOCKET}")]);
}
