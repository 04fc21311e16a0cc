//! The kernel's own files and messages, in which processes and containers have a say: two readers of a file agree,
//! limits hold, and what lies behind a message's length isn't in it.
#![no_main]

use std::net::SocketAddr;

use secmon_diag::discover::{boot_time, process_stat};
use secmon_diag::errors::listening::listening;
use secmon_diag::kernel::{busy, last_ran, upgrading, user};
use secmon_diag::kernel::{cpu, memory, mounts, net, pressure, processes, sock_diag, sockets, units};
use secmon_diag::netlink;
use secmon_diag::probe::databases::processors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    of_processes(bytes);
    of_the_host(bytes);
    of_disks(bytes);
    bytes.split(|byte| *byte == b'\n').for_each(of_sockets);
    messages(bytes);
});

fn of_processes(bytes: &[u8]) {
    if let Some(process) = processes::stat(bytes) {
        let second = process_stat(bytes).expect("the same line");
        assert_eq!((second.name, second.parent, second.ticks), (process.comm, process.parent, process.start));
    }
    if let Some(status) = processes::status(bytes) {
        assert!(status.groups.len() <= 64);
    }
    if let Some(pool) = processes::pool_of(bytes) {
        assert!(!pool.contains('\0') && !pool.starts_with(' ') && !pool.ends_with(' '));
    }
    let _any_number = (processes::threads(bytes), last_ran(bytes), upgrading(bytes));
    if let Some(name) = user(bytes, 33) {
        assert!(!name.contains([':', '\n']));
    }
}

fn of_the_host(bytes: &[u8]) {
    if let Some(pressure) = pressure::pressure(bytes) {
        for stalled in [pressure.some, pressure.full] {
            assert!(stalled.avg60.max(stalled.avg300) <= 100 * pressure::PER_CENT);
        }
    }
    if let Some(memory) = memory::meminfo(bytes) {
        assert!(memory.total > 0);
    }
    let once = |word: &[u8]| bytes.windows(word.len()).filter(|window| *window == word).count() == 1;
    if let (Some(cpu), Some(boot)) = (cpu::stat(bytes), boot_time(bytes)) {
        assert!(cpu.processors > 0 && cpu.idle <= cpu.total && cpu.steal <= cpu.total);
        assert!(!once(b"btime") || bytes.contains(&b'+') || cpu.boot == boot);
    }
    for device in net::devices(bytes) {
        assert!(!device.name.starts_with("lo") && !device.name.contains(':'));
    }
    assert!(net::devices(bytes).len() <= 32);
    let _any_number =
        (net::tcp_pages(bytes), net::counter(bytes, "TcpExt", "ListenDrops"), net::swapped(bytes));
    assert!(processors(bytes).is_none_or(|count| (1..=4_096).contains(&count)));
    let prefix = units::prefix(bytes);
    assert!(!prefix.ends_with('/') && !prefix.contains('\n'));
}

fn of_disks(bytes: &[u8]) {
    let mounts = mounts::mountinfo(bytes);
    assert!(
        mounts.len() <= mounts::MOUNTS_MAX && mounts::writable_by_fstab(bytes).len() <= mounts::MOUNTS_MAX
    );
    for mount in &mounts {
        let path = format!("{}/x", mount.point.trim_end_matches('/'));
        let on = mounts::mount_of(&mounts, &path).expect("itself at least");
        assert!(on.point.len() >= mount.point.len() && path.starts_with(on.point.trim_end_matches('/')));
    }
    assert!(busy(bytes).len() <= 64);
}

fn of_sockets(line: &[u8]) {
    if let Some(socket) = sockets::tcp_row(line) {
        let address = |address: SocketAddr| match address {
            SocketAddr::V4(v4) => format!("{:08X}:{:X}", u32::from_ne_bytes(v4.ip().octets()), v4.port()),
            SocketAddr::V6(v6) => {
                let octets = v6.ip().octets();
                let words =
                    octets.as_chunks::<4>().0.iter().map(|word| format!("{:08X}", u32::from_ne_bytes(*word)));
                format!("{}:{:X}", words.collect::<String>(), v6.port())
            }
        };
        let again = format!(
            "0: {} {} {:02X} 0:{:08X} 00:0 0 {} 0 1",
            address(socket.local),
            address(socket.remote),
            socket.state,
            socket.waiting,
            socket.uid
        );
        assert_eq!(sockets::tcp_row(again.as_bytes()), Some(socket), "{again}");
    }
    let _anything = sockets::unix_row(line);
    // The two readers of the list of local sockets, on a row whose path is anything.
    let path: String = String::from_utf8_lossy(line).chars().filter(|c| !c.is_whitespace()).collect();
    for (flags, listens) in [("00010000", true), ("00000000", false)] {
        let row = format!("0000000000000000: 00000002 00000000 {flags} 0001 01 20093 /{path}");
        let read = sockets::unix_row(row.as_bytes()).expect("a row");
        assert_eq!((read.path.strip_prefix('/'), read.listens), (Some(path.as_str()), listens));
        assert_eq!(listening(row.as_bytes()).contains(&read.path), listens);
    }
}

fn messages(bytes: &[u8]) {
    let mut count = 0;
    let _end = netlink::walk(bytes, &mut |message| {
        count += 1;
        let length = message.len();
        assert!(bytes.as_ptr_range().contains(&message.as_ptr()) && length <= bytes.len());
        one_message(message);
    });
    assert!(count <= bytes.len() / 16 + 1);
    one_message(bytes);
}

fn one_message(message: &[u8]) {
    let with_more = [message, &[0xa5; 40]].concat();
    if let Some(socket) = sock_diag::tcp_message(message) {
        assert_eq!(sock_diag::tcp_message(&with_more), Some(socket));
    }
    if let Some(listener) = sock_diag::unix_message(message) {
        assert!(listener.path.starts_with('/') && !listener.path.contains('\0'));
        assert_eq!(sock_diag::unix_message(&with_more), Some(listener));
    }
}
