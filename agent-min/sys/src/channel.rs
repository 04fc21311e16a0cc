//! One end of a pair of sockets between two processes of the agent, which keep messages apart.
//!
//! A message is the bytes of one call of [`Channel::send`]. Whoever holds the other end can send anything, of
//! any length, or nothing at all: lengths are checked here, contents by the reader. Descriptors that come
//! along are dropped by the kernel, because nobody takes them (unix(7)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::inherited;

/// One end.
#[derive(Debug)]
pub struct Channel(
    /// Not a datagram socket: the type is only borrowed for its calls, which are the same.
    UnixDatagram,
);

impl Channel {
    /// Two ends. Programs that are started don't get them unless they are given them.
    pub fn pair() -> io::Result<(Self, Self)> {
        let mut ends = [-1; 2];
        let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
        // SAFETY: `ends` has room for the two numbers that the kernel writes.
        if unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, ends.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just given these descriptors to us, and nobody else knows them.
        Ok(ends.map(|end| Self(unsafe { UnixDatagram::from_raw_fd(end) })).into())
    }

    /// The end that this process was given as descriptor `number` when it was started
    /// ([`start`](crate::role::start)). Each can be taken once; anything that is no such end is refused.
    pub fn inherited(number: RawFd) -> io::Result<Self> {
        for (option, expected) in [(libc::SO_DOMAIN, libc::AF_UNIX), (libc::SO_TYPE, libc::SOCK_SEQPACKET)] {
            if inherited::socket_option(number, option)? != expected {
                return Err(io::ErrorKind::InvalidInput.into());
            }
        }
        Ok(Self(inherited::descriptor(number)?.into()))
    }

    /// Whether [`send`](Self::send) and [`recv`](Self::recv) return at once, with `WouldBlock`.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.0.set_nonblocking(nonblocking)
    }

    /// How long [`send`](Self::send) waits for a reader that doesn't read, before `WouldBlock`.
    pub fn set_send_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.0.set_write_timeout(Some(timeout))
    }

    /// A limit for [`recv`](Self::recv) on a channel that waits.
    pub fn set_receive_timeout(&self, timeout: Duration) -> io::Result<()> {
        self.0.set_read_timeout(Some(timeout))
    }

    /// Sends one message, whole or not at all. An empty one can't be told from the end, and is refused.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        if message.is_empty() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: the bytes are there for the whole call, as many as are said.
        let sent = retried(|| unsafe {
            libc::send(self.0.as_raw_fd(), message.as_ptr().cast(), message.len(), libc::MSG_NOSIGNAL)
        })?;
        // The kernel takes such a message whole; this keeps it so should that change.
        if sent == message.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }

    /// Receives one message; its length. 0 means that the other end is closed, or that it sent an empty
    /// message, which no end of ours does. One that is longer than `buffer` is an error, and gone.
    pub fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        // SAFETY: the buffer is ours for the whole call, of the length that is said. MSG_TRUNC makes the
        // result the message's own length, but the kernel writes no more than there is room (recv(2)).
        let length = retried(|| unsafe {
            libc::recv(self.0.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), libc::MSG_TRUNC)
        })?;
        if length > buffer.len() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(length) }
    }
}

/// A pipe that takes `size` bytes without a reader. Where the kernel allows no more than its usual 64 KiB, a
/// writer of more waits for the reader.
pub fn pipe_for(size: usize) -> io::Result<(io::PipeReader, io::PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    let size = libc::c_int::try_from(size).map_err(|_| io::ErrorKind::InvalidInput)?;
    let _as_large_as_allowed = fcntl(&writer, FcntlArg::F_SETPIPE_SZ(size));
    Ok((reader, writer))
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Repeats a call that a signal interrupted.
fn retried(mut call: impl FnMut() -> libc::ssize_t) -> io::Result<usize> {
    loop {
        if let Ok(length) = usize::try_from(call()) {
            return Ok(length);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn messages_stay_apart_and_the_end_reads_as_nothing() {
        let (ours, theirs) = Channel::pair().expect("a pair");
        theirs.send(b"one").expect("sent");
        theirs.send(b"second").expect("sent");
        let mut buffer = [0; 16];
        assert_eq!(ours.recv(&mut buffer).expect("a message"), 3);
        assert_eq!(ours.recv(&mut buffer).expect("a message"), 6);
        assert_eq!(&buffer[..6], b"second");
        drop(theirs);
        assert_eq!(ours.recv(&mut buffer).expect("the end"), 0);
        assert_eq!(ours.send(b"late").expect_err("nobody").kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_message_that_is_too_long_is_an_error_and_the_next_one_is_whole() {
        let (ours, theirs) = Channel::pair().expect("a pair");
        for message in [b"12345".as_slice(), b"1234"] {
            theirs.send(message).expect("sent");
        }
        let mut buffer = [0; 4];
        assert_eq!(ours.recv(&mut buffer).expect_err("too long").kind(), io::ErrorKind::InvalidData);
        assert_eq!(ours.recv(&mut buffer).expect("exactly as long"), 4);
        assert_eq!(theirs.send(b"").expect_err("empty").kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn a_reader_that_does_not_read_holds_nobody_up() {
        let (ours, theirs) = Channel::pair().expect("a pair");
        ours.set_nonblocking(true).expect("set");
        assert_eq!(ours.recv(&mut [0; 4]).expect_err("nothing yet").kind(), io::ErrorKind::WouldBlock);
        theirs.set_send_timeout(Duration::from_millis(20)).expect("set");
        let begun = Instant::now();
        let error = (0..100_000).find_map(|_| theirs.send(&[0; 1024]).err()).expect("full at last");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_pipe_has_room_for_what_it_is_made_for() {
        use std::io::{Read, Write};
        let (mut reader, mut writer) = pipe_for(100_000).expect("a pipe");
        let written = std::thread::spawn(move || writer.write_all(&[7; 100_000]));
        written.join().expect("nobody reads yet").expect("written");
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("read");
        assert_eq!(all, [7; 100_000]);
    }

    #[test]
    fn only_a_channel_is_taken_as_inherited_and_only_once() {
        // Whatever the test's own low descriptors are, none of them is such a socket of ours to take twice.
        for number in [-1, 0, 2, 1_003] {
            assert!(Channel::inherited(number).is_err(), "{number}");
        }
    }
}
