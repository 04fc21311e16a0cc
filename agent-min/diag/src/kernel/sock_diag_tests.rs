use proptest::prelude::*;

use super::*;
use crate::kernel::sockets::state;

/// Made by a kernel 6.18 on x86-64 for a socket on 127.0.0.1:60137 with a backlog of 7 and one connection waiting.
const LISTENING: &str = "7c0000001400020001000000f5010000020a0000eae900007f0000010000000000000000000000000000000000000000\
    0000000000000000000000003a0200000000000000000000010000000700000000000000c8fb4d00050008000000000008000f0000\
    0000000c00150001000000000000000600160052000000";
/// A connection to it from port 34398 that has sent it five bytes, the beginning of it up to `tcpi_bytes_received`.
const CONNECTED: &str = "980100001400020001000000f501000002010000eae9865e7f0000010000000000000000000000007f00000100\
    0000000000000000000000000000003e0200000000000000000000050000000000000000000000cbfb4d000500\
    08000000000008000f00000000000c001500010000000000000006001600520000001c010200010000000007aa\
    01400d0300409c0000008000001802000000000000000000000000000000000000000000000000000000000000\
    0000000000000000ffff0000cbff00001a0000000d000000ffffff7f0a000000cbff00000300000000000000cb\
    ff00000000000062ced26208000000ffffffffffffffff00000000000000000500000000000000010000000300\
    0000000000001a00000001000000";
/// A local socket with a backlog of 5 and one connection waiting.
const LOCAL: &str = "4c0000001400020001000000f501000001010a00ccfb4d004b02000000000000150000002f72756e2f78782f7265632e736f\
    636b000000000c00040001000000050000000500060000000000";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex"))
        .collect()
}

#[cfg(target_endian = "little")]
#[test]
fn a_listening_socket_says_how_long_its_queue_is_and_may_be() {
    let socket = tcp_message(&bytes(LISTENING)).expect("an answer");
    assert_eq!(socket.local, "127.0.0.1:60137".parse().expect("an address"));
    assert_eq!((socket.state, socket.waiting, socket.backlog), (state::LISTEN, 1, Some(7)));
    assert_eq!((socket.uid, socket.cgroup, socket.traffic), (0, Some(1), None));
}

#[cfg(target_endian = "little")]
#[test]
fn a_connection_says_what_it_has_carried() {
    // The message was longer; what is cut off here is filled up.
    let mut message = bytes(CONNECTED);
    message.resize(0x198, 0);
    let socket = tcp_message(&message).expect("an answer");
    assert_eq!((socket.local.port(), socket.remote.port()), (60_137, 34_398));
    assert_eq!((socket.state, socket.backlog), (state::ESTABLISHED, None));
    assert_eq!(socket.traffic, Some((0, 5)));
}

#[cfg(target_endian = "little")]
#[test]
fn a_local_socket_says_how_long_its_queue_is_and_may_be() {
    let listener = unix_message(&bytes(LOCAL)).expect("an answer");
    assert_eq!(listener, UnixListener { path: "/run/xx/rec.sock".to_owned(), waiting: 1, backlog: 5 });
}

#[cfg(target_endian = "little")]
#[test]
fn other_messages_are_no_answers() {
    let mut done = bytes(LISTENING);
    done[4] = 3;
    assert_eq!(tcp_message(&done), None);
    let mut other_family = bytes(LISTENING);
    other_family[HEADER] = 17;
    assert_eq!(tcp_message(&other_family), None);
    let mut longer_than_it_is = bytes(LISTENING);
    longer_than_it_is[0] = 0x80;
    assert_eq!(tcp_message(&longer_than_it_is), None);
}

#[test]
fn requests_have_the_lengths_that_the_kernel_expects() {
    let tcp = tcp_request(Family::V6, bit(state::LISTEN), true);
    assert_eq!(tcp[..4], 72_u32.to_ne_bytes());
    assert_eq!(tcp[16..20], [10, 6, 2, 0]);
    assert_eq!(tcp[20..24], 0x400_u32.to_ne_bytes());
    let unix = unix_request();
    assert_eq!(unix[..4], 40_u32.to_ne_bytes());
    assert_eq!(unix[28..32], 0x11_u32.to_ne_bytes());
}

#[test]
fn an_attribute_of_no_length_ends_the_list() {
    assert_eq!(attributes(&[0; 64]).count(), 0);
    assert_eq!(attributes(&[4, 0, 4, 0].map(u8::to_le)).count(), usize::from(cfg!(target_endian = "little")));
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _read = (tcp_message(&bytes), unix_message(&bytes));
    }

    #[test]
    fn no_change_of_a_real_message_panics(at in 0..400_usize, to in any::<u8>(), cut in 0..400_usize) {
        for real in [LISTENING, CONNECTED, LOCAL] {
            let mut message = bytes(real);
            if let Some(byte) = message.get_mut(at) {
                *byte = to;
            }
            message.truncate(cut);
            let _read = (tcp_message(&message), unix_message(&message));
        }
    }
}
