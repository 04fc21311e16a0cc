//! Sockets: the network process has the connections that its listener accepts, the diagnostics are clients of this
//! host's services; neither has more.

use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

use crate::call::Argument::{Memory, Number};
use crate::call::done;
use crate::captive::Place;
use crate::scene::Scene;
use crate::table::{Of, Probe};

const OF_NETWORK: Of = Of::Only(Place::Network);
const OF_DIAGNOSTICS: Of = Of::Only(Place::Diagnostics);
/// linux/netlink.h
const NETLINK_SOCK_DIAG: c_int = 4;

pub(crate) const PROBES: &[Probe] = &[
    Probe::new("socket: TCP", |_| socket(libc::AF_INET, libc::SOCK_STREAM, 0)).of(OF_NETWORK),
    Probe::new("socket: TCP over IPv6", |_| socket(libc::AF_INET6, libc::SOCK_STREAM, 0)).of(OF_NETWORK),
    Probe::new("socket: local", |_| socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)).of(OF_NETWORK),
    Probe::new("socket: the list of sockets", |_| {
        socket(libc::AF_NETLINK, libc::SOCK_DGRAM, NETLINK_SOCK_DIAG)
    })
    .of(OF_NETWORK),
    Probe::new("socket: UDP", |_| socket(libc::AF_INET, libc::SOCK_DGRAM, 0)).of(OF_NETWORK),
    Probe::new("socket: local datagrams", |_| socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0)),
    Probe::new("socket: raw IP", |_| socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP)),
    Probe::new("socket: packets", |_| socket(libc::AF_PACKET, libc::SOCK_RAW, 0)),
    Probe::new("socket: routes", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)),
    Probe::new("socketpair", |_| {
        let (family, kind) = (Number(libc::AF_UNIX.into()), Number(libc::SOCK_STREAM.into()));
        done(libc::SYS_socketpair, &mut [family, kind, Number(0), Memory(&mut [0])])
    }),
    Probe::new("connect", |scene| {
        let mut address = address_of(scene)?;
        done(libc::SYS_connect, &mut [spare(scene), Memory(&mut address), Number(16)])
    })
    .of(OF_NETWORK),
    Probe::new("connect by sending (MSG_FASTOPEN)", fast_open).of(OF_NETWORK),
    Probe::new("make the listener a fresh socket", |scene| {
        done(libc::SYS_shutdown, &mut [listener(scene), Number(libc::SHUT_RD.into())])
    })
    .of(OF_NETWORK),
    Probe::new("accept", |scene| {
        done(libc::SYS_accept4, &mut [listener(scene), Number(0), Number(0), Number(0)])
    })
    .of(OF_DIAGNOSTICS)
    .allowed(&[Errno::EAGAIN]),
    Probe::new("bind", |scene| {
        let mut any_port = [libc::AF_INET as u64, 0];
        done(libc::SYS_bind, &mut [spare(scene), Memory(&mut any_port), Number(16)])
    }),
    Probe::new("listen", |scene| done(libc::SYS_listen, &mut [spare(scene), Number(1)])),
    Probe::new("sendmsg", |scene| {
        let mut nothing = [0; 8];
        let flags = Number(libc::MSG_NOSIGNAL.into());
        done(libc::SYS_sendmsg, &mut [spare(scene), Memory(&mut nothing), flags])
    })
    .allowed(&[Errno::EPIPE, Errno::ENOTCONN]),
    Probe::new("set a socket's mark", |scene| {
        let (level, option) = (Number(libc::SOL_SOCKET.into()), Number(libc::SO_MARK.into()));
        done(libc::SYS_setsockopt, &mut [spare(scene), level, option, Memory(&mut [7]), Number(4)])
    }),
];

fn socket(family: c_int, kind: c_int, protocol: c_int) -> Result<(), Errno> {
    done(libc::SYS_socket, &mut [Number(family.into()), Number(kind.into()), Number(protocol.into())])
}

fn fast_open(scene: &Scene) -> Result<(), Errno> {
    let (mut byte, mut address) = ([0], address_of(scene)?);
    let flags = Number((libc::MSG_FASTOPEN | libc::MSG_NOSIGNAL).into());
    let arguments = [spare(scene), Memory(&mut byte), Number(1), flags, Memory(&mut address), Number(16)];
    done(libc::SYS_sendto, &mut { arguments })
}

fn spare<'a>(scene: &Scene) -> crate::call::Argument<'a> {
    Number(scene.spare.as_raw_fd().into())
}

fn listener<'a>(scene: &Scene) -> crate::call::Argument<'a> {
    Number(scene.listener.as_raw_fd().into())
}

/// `struct sockaddr_in` of the listener: the family, then port and address in the network's order.
fn address_of(scene: &Scene) -> Result<[u64; 2], Errno> {
    let address = scene.listener.local_addr().map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))?;
    let [high, low] = address.port().to_be_bytes();
    let family = (libc::AF_INET as u16).to_le_bytes();
    Ok([u64::from_le_bytes([family[0], family[1], high, low, 127, 0, 0, 1]), 0])
}

const _: () = assert!(cfg!(target_endian = "little") && size_of::<c_long>() >= size_of::<c_int>());
