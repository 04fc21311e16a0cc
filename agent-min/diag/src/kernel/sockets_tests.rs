use proptest::prelude::*;

use super::*;
use crate::testing::{FakeHost, ThisHost};

const LISTENING: &[u8] = b"   3: 0100007F:EAE9 00000000:0000 0A 00000000:00000001 00:00000000 00000000    33        0 5110728 2 00000000b94f8acf 100 0 0 10 0                   ";
const SIXTH: &[u8] = b"   0: 00000000000000000000000001000000:A241 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5110739 1 00000000815d7255 100 0 0 10 0";

#[cfg(target_endian = "little")]
#[test]
fn a_listening_socket_has_a_queue() {
    let row = tcp_row(LISTENING).expect("a row");
    assert_eq!(row.local, "127.0.0.1:60137".parse().expect("an address"));
    assert_eq!((row.state, row.waiting, row.uid), (state::LISTEN, 1, 33));
    let sixth = tcp_row(SIXTH).expect("a row");
    assert_eq!(sixth.local, "[::1]:41537".parse().expect("an address"));
}

#[cfg(target_endian = "little")]
#[test]
fn an_ipv4_peer_of_an_ipv6_socket_is_an_ipv4_address() {
    let line = b" 1: 0000000000000000FFFF00000100000A:01BB 0000000000000000FFFF00000200000A:C000 01 \
                 00000000:00000000 00:00000000 00000000 0 0 1 1 0 0";
    let row = tcp_row(line).expect("a row");
    assert_eq!(row.remote, "10.0.0.2:49152".parse().expect("an address"));
}

#[test]
fn a_half_open_connection_is_a_row_without_an_inode() {
    let line =
        b" 9: 0100007F:0050 0200007F:C35A 03 00000000:00000000 01:0000005A 00000001     0        0 0 1 0";
    assert_eq!(tcp_row(line).map(|row| row.state), Some(state::SYN_RECEIVED));
}

#[test]
fn heads_and_broken_rows_are_none() {
    for line in [
        &b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
            [..],
        b"",
        b"3: 0100007F:EAE9 00000000:0000 0A",
        b"3: 0100007F 00000000:0000 0A 00000000:00000001 00:00000000 00000000 33 0 5110728",
        b"3: 0100007FFF:EAE9 00000000:0000 0A 00000000:00000001 00:00000000 00000000 33 0 5110728",
        b"3: 0100007F:EAE9F 00000000:0000 0A 00000000:00000001 00:00000000 00000000 33 0 5110728",
    ] {
        assert_eq!(tcp_row(line), None, "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn a_local_socket_listens_or_waits() {
    let listens =
        unix_row(b"000000008cfc8979: 00000002 00000000 00010000 0001 01 5110732 /run/php/php8.2-fpm.sock");
    let waits =
        unix_row(b"0000000030167c3d: 00000003 00000000 00000000 0001 02     0 /run/php/php8.2-fpm.sock");
    let path = || "/run/php/php8.2-fpm.sock".to_owned();
    assert_eq!(listens, Some(UnixRow { path: path(), listens: true, waits: false, taken: false }));
    assert_eq!(waits, Some(UnixRow { path: path(), listens: false, waits: true, taken: false }));
    for none in [
        &b"Num       RefCount Protocol Flags    Type St Inode Path"[..],
        b"00000000933b6dcc: 00000003 00000000 00000000 0001 03 4306577",
        b"00000000933b6dcc: 00000003 00000000 00000000 0001 03 4306577 @/tmp/.X11-unix/X0",
    ] {
        assert_eq!(unix_row(none), None);
    }
}

#[test]
fn lines_are_whole_however_the_table_is_cut() {
    let content: String = (0..400).map(|n| format!("line {n} {}\n", "x".repeat(n % 90))).collect();
    let whole: Vec<String> = content.lines().map(str::to_owned).collect();
    for piece in [1, 2, 7, 64, 1_000, 1_000_000] {
        let mut seen = Vec::new();
        let host = FakeHost::default().file("/t", &content).reading_at_most(piece);
        let all = table(&host, "/t", &mut |line| seen.push(String::from_utf8_lossy(line).into_owned()));
        assert_eq!(all, Ok(true));
        assert_eq!(seen.pop().as_deref(), Some(""), "what follows the last line's end");
        assert_eq!(seen, whole, "{piece}");
    }
}

#[test]
fn a_table_has_an_end_and_a_line_a_length() {
    let endless = vec![b'x'; usize::try_from(TABLE_MAX).expect("fits") + 10];
    let mut longest = 0;
    let host = FakeHost::default().file("/t", &endless);
    let all = table(&host, "/t", &mut |line| longest = longest.max(line.len()));
    assert_eq!((all, longest), (Ok(false), 0));
    assert_eq!(table(&FakeHost::default(), "/t", &mut |_| {}), Err(Denied::Absent));
}

#[test]
fn this_machines_tables_are_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let _waiting = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    let (mut rows, mut broken) = (Vec::new(), 0);
    let all = table(&ThisHost, "/proc/net/tcp", &mut |line| match tcp_row(line) {
        Some(row) => rows.push(row),
        None => broken += 1,
    });
    assert_eq!((all, broken), (Ok(true), 2), "the head, and the end");
    let local = listener.local_addr().expect("bound");
    let own = rows.iter().find(|row| row.local == local && row.state == state::LISTEN).expect("our own");
    assert_eq!(own.waiting, 1);
    let mut paths = 0;
    table(&ThisHost, "/proc/net/unix", &mut |line| paths += u32::from(unix_row(line).is_some()))
        .expect("procfs");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _read = (tcp_row(&bytes), unix_row(&bytes));
    }
}
