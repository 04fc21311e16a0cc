//! What the diagnostics ask of the kernel beside files and TCP: connections that never wait, the list of
//! sockets, file systems, the clock's state. Everything reads; nothing here changes the host.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::statvfs::{FsFlags, statvfs};

use crate::wait::readable;

/// A file system, in bytes and inodes; what is left is what an ordinary user can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What is used, and what is left: without the blocks that are kept back for root.
    pub size: u64,
    /// What is left.
    pub free: u64,
    /// All inodes; 0 where they are not counted.
    pub inodes: u64,
    /// Inodes that are left.
    pub inodes_free: u64,
    /// Whether nothing can be written.
    pub readonly: bool,
}

/// What the kernel thinks of its clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockState {
    /// Whether something keeps it right.
    pub synchronized: bool,
    /// How wrong it may be.
    pub max_error_us: u64,
}

/// The file system that `path` is on.
pub fn space(path: &Path) -> io::Result<Space> {
    let stat = statvfs(path)?;
    #[cfg_attr(
        target_pointer_width = "64",
        expect(clippy::useless_conversion, reason = "narrower elsewhere")
    )]
    let block = u64::from(stat.fragment_size());
    let used = stat.blocks().saturating_sub(stat.blocks_free());
    Ok(Space {
        size: used.saturating_add(stat.blocks_available()).saturating_mul(block),
        free: stat.blocks_available().saturating_mul(block),
        inodes: stat.files(),
        inodes_free: stat.files_available(),
        readonly: stat.flags().contains(FsFlags::ST_RDONLY),
    })
}

/// How well the clock is kept (adjtimex(2)).
pub fn clock_state() -> io::Result<ClockState> {
    // SAFETY: all zeros is a value of this structure of numbers; no mode is set, so that the call only reads.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the structure is ours for the whole call.
    let answer = Errno::result(unsafe { libc::adjtimex(&raw mut state) })?;
    Ok(ClockState {
        synchronized: answer != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0,
        max_error_us: u64::try_from(state.maxerror).unwrap_or(u64::MAX),
    })
}

/// A connection to a local socket, made at once or not at all: `WouldBlock` where its queue is full. Reading
/// and writing end after `time`.
pub fn connect_local(path: &Path, time: Duration) -> io::Result<UnixStream> {
    let mut address = libc::sockaddr_un {
        sun_family: libc::AF_UNIX as libc::sa_family_t,
        // SAFETY: all zeros is a value of this array of bytes.
        sun_path: unsafe { std::mem::zeroed() },
    };
    let bytes = path.as_os_str().as_bytes();
    // With its zero at the end, and without an empty beginning, which would be another kind of name.
    if bytes.len() >= address.sun_path.len() || bytes.first().is_none_or(|first| *first == 0) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in address.sun_path.iter_mut().zip(bytes) {
        *to = *from as libc::c_char;
    }
    let socket = socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0)?;
    let length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the address is ours, of the length that is said, for the whole call.
    let connected = unsafe { libc::connect(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(connected)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(time))?;
    stream.set_write_timeout(Some(time))?;
    Ok(stream)
}

/// A socket whose datagrams go to `to` and come from nobody else. The kernel chooses its own address.
pub fn datagrams(to: SocketAddr) -> io::Result<UdpSocket> {
    let family = if to.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let socket = UdpSocket::from(socket(family, libc::SOCK_DGRAM, 0)?);
    socket.connect(to)?;
    Ok(socket)
}

/// Sends a dump request to sock_diag(7), and hands every datagram of the answer to `each` until it says that
/// it has seen the end.
pub fn sockets(request: &[u8], time: Duration, each: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<()> {
    /// linux/netlink.h
    const NETLINK_SOCK_DIAG: libc::c_int = 4;
    let socket = socket(libc::AF_NETLINK, libc::SOCK_DGRAM, NETLINK_SOCK_DIAG)?;
    // SAFETY: the bytes are there for the whole call, as many as are said. Without an address, it goes to the kernel.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    Errno::result(sent)?;
    let until = Instant::now() + time;
    let mut bytes = vec![0_u8; 32 * 1024];
    loop {
        if readable([Some(socket.as_fd())], Some(until)) == [false] && Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // SAFETY: the buffer is ours for the whole call, of the length that is said.
        let received = unsafe {
            libc::recv(socket.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT)
        };
        match Errno::result(received).map(|length| usize::try_from(length).unwrap_or(0)) {
            Ok(length) if each(bytes.get(..length).unwrap_or_default()) => return Ok(()),
            Ok(_) | Err(Errno::EINTR | Errno::EAGAIN) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: a plain system call.
    let socket = Errno::result(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: the kernel has just given it to us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(socket) })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::wait::Alone;

    #[test]
    fn a_file_system_has_a_size_and_a_missing_path_is_an_error() {
        let space = space(Path::new("/")).expect("a root");
        assert!(space.size > space.free);
        assert!(super::space(Path::new("/nowhere/at/all")).is_err());
    }

    #[test]
    fn the_clock_can_be_asked() {
        let state = clock_state().expect("a clock");
        assert!(state.max_error_us <= 16_000_000, "the kernel stops at 16 s: {state:?}");
    }

    #[test]
    fn a_local_socket_answers_is_refused_absent_or_full() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let moment = Duration::from_millis(50);
        let kind = |result: io::Result<UnixStream>| result.map(drop).map_err(|e| e.kind());
        assert_eq!(kind(connect_local(&path, moment)), Err(io::ErrorKind::NotFound));
        let listener = UnixListener::bind(&path).expect("a socket");
        let mut waiting = vec![connect_local(&path, moment).expect("a connection")];
        let full = loop {
            match connect_local(&path, moment) {
                Ok(stream) => waiting.push(stream),
                Err(e) => break e.kind(),
            }
            assert!(waiting.len() < 100_000);
        };
        assert_eq!(full, io::ErrorKind::WouldBlock);
        drop(listener);
        // A process that another test has just started has the listener for a moment, too.
        let refused = (0..1_000).any(|_| {
            let refused = kind(connect_local(&path, moment)) == Err(io::ErrorKind::ConnectionRefused);
            crate::wait::pause(Instant::now() + Duration::from_millis(5 * u64::from(!refused)), &mut Alone);
            refused
        });
        assert!(refused);
        assert_eq!(kind(connect_local(Path::new(""), moment)), Err(io::ErrorKind::InvalidInput));
        assert_eq!(
            kind(connect_local(Path::new(&"x".repeat(108)), moment)),
            Err(io::ErrorKind::InvalidInput)
        );
    }

    #[test]
    fn datagrams_go_to_one_address_and_come_from_it() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let socket = datagrams(server.local_addr().expect("an address")).expect("a socket");
        socket.send(b"question").expect("sent");
        let mut bytes = [0; 16];
        let (length, from) = server.recv_from(&mut bytes).expect("a question");
        assert_eq!(&bytes[..length], b"question");
        server.send_to(b"answer", from).expect("sent");
        assert_eq!(socket.recv(&mut bytes).expect("an answer"), 6);
    }

    #[test]
    fn the_kernel_lists_its_local_sockets() {
        // struct nlmsghdr and struct unix_diag_req: dump every local socket.
        let mut request = Vec::new();
        request.extend(40_u32.to_ne_bytes());
        request.extend(20_u16.to_ne_bytes()); // SOCK_DIAG_BY_FAMILY
        request.extend(0x301_u16.to_ne_bytes()); // NLM_F_REQUEST | NLM_F_DUMP
        request.extend([0; 8]);
        request.extend([1, 0, 0, 0]); // AF_UNIX
        request.extend(u32::MAX.to_ne_bytes());
        request.extend([0; 16]);
        assert_eq!(request.len(), 40);
        let mut seen = 0;
        let whole = sockets(&request, Duration::from_secs(5), &mut |bytes| {
            seen += bytes.len();
            let kind = bytes.get(4..6).map(|kind| u16::from_ne_bytes([kind[0], kind[1]]));
            matches!(kind, Some(2 | 3)) // NLMSG_ERROR, NLMSG_DONE
        });
        whole.expect("a list");
        assert!(seen > 16);
    }
}
