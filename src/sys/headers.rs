//! A program that keeps every frame's headers and drops its payload: it returns the length to keep, frame by frame.
//!
//! Ethernet with VLAN tags in the frame, IPv4 with options, IPv6 with extension headers, TCP with options, UDP, SCTP,
//! ICMP; and the same once more inside a tunnel (VXLAN, GRE, IP in IP). Where it meets something else it keeps some more
//! bytes; ARP and its like are whole. A load behind the end of a frame would make the kernel drop the frame, so each one
//! follows a look at the length.

use libc::sock_filter;

use crate::model::MediaType;

use super::bpf::{Assembly, Label, Test};

/// What is kept behind the last header that is understood.
const UNKNOWN: u32 = 128;
/// Tags inside a frame, besides the one that the kernel has taken out.
const MAX_TAGS: usize = 3;
/// As many as our own decoder reads.
const MAX_EXTENSIONS: usize = 8;

const ETHERNET: u32 = 14;
const TAG: u32 = 4;
const IPV4: u32 = 20;
const IPV6: u32 = 40;
const TCP: u32 = 20;
const UDP: u32 = 8;
/// The common header and that of the first chunk, if it holds data (RFC 9260, 3.3.1).
const SCTP: u32 = 12 + 16;
const ICMP: u32 = 8;
/// An error, and of the packet it quotes the headers without options.
const ICMP_ERROR: u32 = ICMP + IPV4 + TCP;
const ICMPV6_ERROR: u32 = ICMP + IPV6 + TCP;
const VXLAN: u32 = UDP + 8;
/// IANA's and the one Linux took before there was one.
const VXLAN_PORTS: [u32; 2] = [4789, 8472];

// Words of the scratch memory.
const PROTOCOL: u32 = 0;
const LENGTH: u32 = 1;

/// The program for frames of that kind; none is kept longer than `snaplen`.
pub(super) fn keep_headers(media: MediaType, snaplen: u32) -> Vec<sock_filter> {
    let mut code = Assembly::default();
    let ends = Ends { unknown: code.label(), finish: code.label() };
    let outer = Layers::new(&mut code);
    let inner = Layers::new(&mut code);
    let mut writer = Writer { code, ends };
    if media != MediaType::RawIp {
        writer.most_packets();
    }
    writer.code.set_x(0);
    if media == MediaType::RawIp {
        writer.either_ip(outer);
    }
    writer.layers(outer, Some(inner));
    writer.layers(inner, None);
    writer.ends(snaplen);
    writer.code.finish()
}

/// Where the program ends.
#[derive(Clone, Copy)]
struct Ends {
    /// X is where understanding ends.
    unknown: Label,
    /// A is how much is kept.
    finish: Label,
}

/// Where the headers of one packet are looked at, which begin at X.
#[derive(Clone, Copy)]
struct Layers {
    ethernet: Label,
    ipv4: Label,
    ipv6: Label,
    /// Here and below the protocol is in the scratch memory.
    extensions: Label,
    transport: Label,
}

impl Layers {
    fn new(code: &mut Assembly) -> Self {
        Self {
            ethernet: code.label(),
            ipv4: code.label(),
            ipv6: code.label(),
            extensions: code.label(),
            transport: code.label(),
        }
    }
}

struct Writer {
    code: Assembly,
    ends: Ends,
}

impl Writer {
    /// One packet's headers, each layer leading to the next; what lies in a tunnel is looked at in `inner`.
    fn layers(&mut self, here: Layers, inner: Option<Layers>) {
        self.ethernet(here);
        self.ipv4(here);
        self.ipv6(here);
        self.extensions(here);
        self.transport(here, inner);
    }

    /// Goes on only if so many bytes are there at X. X may be behind the end: then the difference is negative.
    fn need(&mut self, bytes: u32) {
        const SIGN: u32 = 1 << 31;
        self.code.load_length();
        self.code.subtract_x();
        self.code.subtract(bytes);
        self.code.go_if(Test::AnyBitOf(SIGN), self.ends.unknown);
    }

    fn advance(&mut self, bytes: u32) {
        self.code.x_to_a();
        self.code.add(bytes);
        self.code.a_to_x();
    }

    /// Keeps what lies before X and so many bytes.
    fn keep_here(&mut self, bytes: u32) {
        self.code.x_to_a();
        self.code.add(bytes);
        self.code.go(self.ends.finish);
    }

    fn ends(&mut self, snaplen: u32) {
        self.code.place(self.ends.unknown);
        self.code.x_to_a();
        self.code.add(UNKNOWN);
        self.code.place(self.ends.finish);
        let too_long = self.code.label();
        self.code.go_if(Test::Above(snaplen), too_long);
        self.code.return_a();
        self.code.place(too_long);
        self.code.return_constant(snaplen);
    }

    /// TCP in plain IP on Ethernet, where every offset is known: by far the most, and so they take a short way.
    fn most_packets(&mut self) {
        let [ipv6, long_way] = [(); 2].map(|()| self.code.label());
        self.code.load_length();
        self.code.go_if(Test::Below(ETHERNET + IPV4 + TCP), long_way);
        self.code.load_half_at(12);
        self.code.go_if(Test::Equals(0x86dd), ipv6);
        self.code.go_if(Test::Differs(0x0800), long_way);
        self.code.load_byte_at(ETHERNET);
        self.code.go_if(Test::Differs(0x45), long_way);
        self.code.load_half_at(ETHERNET + 6);
        self.code.go_if(Test::AnyBitOf(0x1fff), long_way);
        self.code.load_byte_at(ETHERNET + 9);
        self.code.go_if(Test::Differs(6), long_way);
        self.tcp_at(ETHERNET + IPV4, long_way);
        self.code.place(ipv6);
        self.code.load_length();
        self.code.go_if(Test::Below(ETHERNET + IPV6 + TCP), long_way);
        self.code.load_byte_at(ETHERNET + 6);
        self.code.go_if(Test::Differs(6), long_way);
        self.tcp_at(ETHERNET + IPV6, long_way);
        self.code.place(long_way);
    }

    fn tcp_at(&mut self, offset: u32, long_way: Label) {
        self.code.load_byte_at(offset + 12);
        self.code.shift_right(4);
        self.code.shift_left(2);
        self.code.go_if(Test::Below(TCP), long_way);
        self.code.add(offset);
        self.code.go(self.ends.finish);
    }

    fn ethernet(&mut self, here: Layers) {
        let tagless = self.code.label();
        self.code.place(here.ethernet);
        for _ in 0..MAX_TAGS {
            let tagged = self.code.label();
            self.need(ETHERNET);
            self.code.load_half(12);
            for ether_type in [0x8100, 0x88a8, 0x9100] {
                self.code.go_if(Test::Equals(ether_type), tagged);
            }
            self.code.go(tagless);
            self.code.place(tagged);
            self.advance(TAG);
        }
        self.need(ETHERNET);
        self.code.load_half(12);
        self.code.place(tagless);
        self.code.keep(PROTOCOL);
        self.advance(ETHERNET);
        self.code.recall(PROTOCOL);
        self.code.go_if(Test::Equals(0x0800), here.ipv4);
        self.code.go_if(Test::Equals(0x86dd), here.ipv6);
        self.code.go(self.ends.unknown);
    }

    /// Without a link layer, the first four bits tell.
    fn either_ip(&mut self, here: Layers) {
        self.need(1);
        self.code.load_byte(0);
        self.code.shift_right(4);
        self.code.go_if(Test::Equals(4), here.ipv4);
        self.code.go_if(Test::Equals(6), here.ipv6);
        self.code.go(self.ends.unknown);
    }

    fn ipv4(&mut self, here: Layers) {
        let later_fragment = self.code.label();
        self.code.place(here.ipv4);
        self.need(IPV4);
        self.code.load_byte(0);
        self.code.and(0x0f);
        self.code.shift_left(2);
        self.code.go_if(Test::Below(IPV4), self.ends.unknown);
        self.code.keep(LENGTH);
        self.code.load_half(6);
        self.code.go_if(Test::AnyBitOf(0x1fff), later_fragment);
        self.code.load_byte(9);
        self.code.keep(PROTOCOL);
        self.code.recall(LENGTH);
        self.code.add_x();
        self.code.a_to_x();
        self.code.recall(PROTOCOL);
        self.code.go_if(Test::Equals(51), here.extensions);
        self.code.go(here.transport);
        self.code.place(later_fragment);
        self.code.recall(LENGTH);
        self.code.add_x();
        self.code.go(self.ends.finish);
    }

    fn ipv6(&mut self, here: Layers) {
        self.code.place(here.ipv6);
        self.need(IPV6);
        self.code.load_byte(6);
        self.code.keep(PROTOCOL);
        self.advance(IPV6);
    }

    fn extensions(&mut self, here: Layers) {
        self.code.place(here.extensions);
        for _ in 0..MAX_EXTENSIONS {
            self.extension(here);
        }
    }

    /// One extension header (RFC 8200, 4; RFC 4302, 2); or, if it is none, on to the transport layer.
    fn extension(&mut self, here: Layers) {
        let [options, fragment, authentication, known] = [(); 4].map(|()| self.code.label());
        self.code.recall(PROTOCOL);
        for protocol in [0, 43, 60] {
            self.code.go_if(Test::Equals(protocol), options);
        }
        self.code.go_if(Test::Equals(44), fragment);
        self.code.go_if(Test::Equals(51), authentication);
        self.code.go(here.transport);

        self.code.place(fragment);
        self.need(8);
        self.code.load_half(2);
        let first = self.code.label();
        self.code.go_if(Test::Below(8), first);
        self.keep_here(8);
        self.code.place(first);
        self.code.and(0);
        self.code.add(8);
        self.code.go(known);

        self.code.place(authentication);
        self.need(8);
        self.code.load_byte(1);
        self.code.add(2);
        self.code.shift_left(2);
        self.code.go(known);

        self.code.place(options);
        self.need(8);
        self.code.load_byte(1);
        self.code.add(1);
        self.code.shift_left(3);

        self.code.place(known);
        self.code.keep(LENGTH);
        self.code.load_byte(0);
        self.code.keep(PROTOCOL);
        self.code.recall(LENGTH);
        self.code.add_x();
        self.code.a_to_x();
    }

    fn transport(&mut self, here: Layers, inner: Option<Layers>) {
        let [tcp, udp, sctp, icmp, icmpv6, gre] = [(); 6].map(|()| self.code.label());
        self.code.place(here.transport);
        self.code.recall(PROTOCOL);
        for (protocol, label) in [(6, tcp), (17, udp), (136, udp), (132, sctp), (1, icmp), (58, icmpv6)] {
            self.code.go_if(Test::Equals(protocol), label);
        }
        if let Some(inner) = inner {
            self.code.go_if(Test::Equals(4), inner.ipv4);
            self.code.go_if(Test::Equals(41), inner.ipv6);
            self.code.go_if(Test::Equals(47), gre);
        }
        self.code.go(self.ends.unknown);

        self.code.place(tcp);
        self.tcp();
        self.code.place(udp);
        self.udp(inner);
        self.code.place(sctp);
        self.keep_here(SCTP);
        self.code.place(icmp);
        self.icmp();
        self.code.place(icmpv6);
        self.icmpv6();
        if let Some(inner) = inner {
            self.code.place(gre);
            self.gre(inner);
        }
    }

    fn tcp(&mut self) {
        self.need(TCP);
        self.code.load_byte(12);
        self.code.shift_right(4);
        self.code.shift_left(2);
        self.code.go_if(Test::Below(TCP), self.ends.unknown);
        self.code.add_x();
        self.code.go(self.ends.finish);
    }

    fn udp(&mut self, inner: Option<Layers>) {
        let Some(inner) = inner else { return self.keep_here(UDP) };
        let vxlan = self.code.label();
        self.need(UDP);
        self.code.load_half(2);
        for port in VXLAN_PORTS {
            self.code.go_if(Test::Equals(port), vxlan);
        }
        self.keep_here(UDP);
        self.code.place(vxlan);
        self.advance(VXLAN);
        self.code.go(inner.ethernet);
    }

    /// Echoes carry payload; errors quote some; the rest is short and about the network itself.
    fn icmp(&mut self) {
        let [echo, error] = [(); 2].map(|()| self.code.label());
        self.need(1);
        self.code.load_byte(0);
        for (number, label) in
            [(0, echo), (8, echo), (3, error), (4, error), (5, error), (11, error), (12, error)]
        {
            self.code.go_if(Test::Equals(number), label);
        }
        self.code.go(self.ends.unknown);
        self.code.place(echo);
        self.keep_here(ICMP);
        self.code.place(error);
        self.keep_here(ICMP_ERROR);
    }

    /// The types below 128 are errors (RFC 4443, 2.1).
    fn icmpv6(&mut self) {
        let [echo, error] = [(); 2].map(|()| self.code.label());
        self.need(1);
        self.code.load_byte(0);
        self.code.go_if(Test::Below(128), error);
        self.code.go_if(Test::Below(130), echo);
        self.code.go(self.ends.unknown);
        self.code.place(echo);
        self.keep_here(ICMP);
        self.code.place(error);
        self.keep_here(ICMPV6_ERROR);
    }

    /// Version 0 without a source route (RFC 2784; RFC 2890: checksum, key and number take four bytes each).
    fn gre(&mut self, inner: Layers) {
        const ROUTING_AND_VERSION: u32 = 0x4007;
        self.need(4);
        self.code.load_half(2);
        self.code.keep(PROTOCOL);
        self.code.load_half(0);
        self.code.keep(LENGTH);
        self.code.go_if(Test::AnyBitOf(ROUTING_AND_VERSION), self.ends.unknown);
        self.advance(4);
        for flag in [0x8000, 0x2000, 0x1000] {
            let [set, next] = [(); 2].map(|()| self.code.label());
            self.code.recall(LENGTH);
            self.code.go_if(Test::AnyBitOf(flag), set);
            self.code.go(next);
            self.code.place(set);
            self.advance(4);
            self.code.place(next);
        }
        self.code.recall(PROTOCOL);
        self.code.go_if(Test::Equals(0x0800), inner.ipv4);
        self.code.go_if(Test::Equals(0x86dd), inner.ipv6);
        self.code.go_if(Test::Equals(0x6558), inner.ethernet);
        self.code.go(self.ends.unknown);
    }
}

#[cfg(test)]
mod tests;
