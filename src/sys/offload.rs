//! What an interface leaves to the kernel or its hardware to cut and to join (`ethtool -k`), read and changed.
#![expect(unsafe_code, reason = "an ioctl without a safe wrapper")]

use std::{io, net::UdpSocket, os::fd::AsRawFd as _, ptr};

use serde::Serialize;

use crate::model::LinkName;

use super::netns::{self, Namespace};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("entering the namespace of the interface {0}")]
    Enter(LinkName, #[source] netns::Error),
    #[error("asking which offloads the interface {0} has")]
    Read(LinkName, #[source] io::Error),
    #[error("changing the offloads of the interface {0}")]
    Write(LinkName, #[source] io::Error),
}

/// Whether packets are cut late and joined early; a small MTU costs much more where they are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Offloads {
    /// TCP segmentation by the device.
    pub tso: bool,
    /// Segmentation just before the device.
    pub gso: bool,
    /// Joining of what arrives.
    pub gro: bool,
}

impl Offloads {
    /// None of them.
    pub const NONE: Self = Self { tso: false, gso: false, gro: false };
}

// linux/ethtool.h
const GET_TSO: u32 = 0x1e;
const SET_TSO: u32 = 0x1f;
const GET_GSO: u32 = 0x23;
const SET_GSO: u32 = 0x24;
const GET_GRO: u32 = 0x2b;
const SET_GRO: u32 = 0x2c;

/// `struct ethtool_value`.
#[repr(C)]
struct Value {
    command: u32,
    value: u32,
}

/// Reads those of an interface.
pub fn read(namespace: &Namespace, link: &LinkName) -> Result<Offloads, Error> {
    let ask = || -> io::Result<Offloads> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        let get = |command| Ok::<_, io::Error>(call(&socket, link, Value { command, value: 0 })? != 0);
        Ok(Offloads { tso: get(GET_TSO)?, gso: get(GET_GSO)?, gro: get(GET_GRO)? })
    };
    let entered = namespace.within(ask).map_err(|source| Error::Enter(link.clone(), source))?;
    entered.map_err(|source| Error::Read(link.clone(), source))
}

/// Sets those of an interface.
pub fn set(namespace: &Namespace, link: &LinkName, wanted: Offloads) -> Result<(), Error> {
    let order = || -> io::Result<()> {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for (command, on) in [(SET_TSO, wanted.tso), (SET_GSO, wanted.gso), (SET_GRO, wanted.gro)] {
            call(&socket, link, Value { command, value: u32::from(on) })?;
        }
        Ok(())
    };
    let entered = namespace.within(order).map_err(|source| Error::Enter(link.clone(), source))?;
    entered.map_err(|source| Error::Write(link.clone(), source))
}

/// One question or order (`netdevice(7)`, SIOCETHTOOL); any socket of the namespace will do.
fn call(socket: &UdpSocket, link: &LinkName, mut value: Value) -> io::Result<u32> {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    // SAFETY: all zeroes is a value of this structure.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // A name is at most 15 bytes, so that its end is marked by what is zero.
    for (place, byte) in request.ifr_name.iter_mut().zip(link.as_str().bytes()) {
        *place = byte.cast_signed();
    }
    request.ifr_ifru.ifru_data = ptr::from_mut(&mut value).cast();
    // SAFETY: the request and the value it points to live until the call returns; the kernel reads and writes no more
    // than `struct ethtool_value` for these commands.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, ptr::from_mut(&mut request)) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(value.value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_leaves_packets_whole() {
        let own = Namespace::current().unwrap();
        let found = read(&own, &"lo".parse().unwrap()).unwrap();
        assert!(found.tso && found.gso, "{found:?}");
        assert!(matches!(read(&own, &"none-such".parse().unwrap()), Err(Error::Read(..))));
    }
}
