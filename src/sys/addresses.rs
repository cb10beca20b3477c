//! The addresses of the host itself, as its own sockets may use them.

use std::{io, net::IpAddr, net::Ipv4Addr, net::Ipv6Addr};

use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrIn, sys::socket::SockaddrIn6};

/// Those of every interface in the calling thread's namespace.
pub fn own_addresses() -> io::Result<Vec<IpAddr>> {
    let of_interface = |found: nix::ifaddrs::InterfaceAddress| {
        let address = found.address?;
        let v4 = address.as_sockaddr_in().map(SockaddrIn::ip).map(|ip: Ipv4Addr| IpAddr::V4(ip));
        v4.or_else(|| address.as_sockaddr_in6().map(SockaddrIn6::ip).map(|ip: Ipv6Addr| IpAddr::V6(ip)))
    };
    Ok(getifaddrs()?.filter_map(of_interface).collect())
}
