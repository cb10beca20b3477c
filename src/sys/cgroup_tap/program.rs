//! The program that sees each packet of a cgroup's sockets, and hands it over as a record.
//!
//! On the way it remembers what other packets are told by: connections that are being closed (see `afterlife`), and echo
//! requests, because a raw socket is given the replies to everybody's.

use libc::sock_filter;

use crate::sys::ebpf::{
    Code, Condition, Helper, Label, Map, Operation,
    Register::{self, R0, R1, R2, R3, R4, R6, R7, R8, R9, R10},
    Untranslatable, Width, append_filter,
};

use super::{
    afterlife::load,
    echo,
    record::{self, LONGEST, ROOMS},
    tables::{ANY_CLOSING, AT_ONCE, IF_PRESSED, LOST, PASSED, Tables, WAKE, WOKEN, offset_of},
};

/// The program's argument: `struct __sk_buff` (linux/bpf.h).
pub(super) const CONTEXT: Register = R6;
/// How long the packet is, then how much of it is kept.
const LENGTH: Register = R7;
const KEPT: Register = R8;
const RECORD: Register = R9;

// Fields of `struct __sk_buff`.
pub(super) const SKB_LEN: i16 = 0;
const SKB_IFINDEX: i16 = 40;
const SKB_SK: i16 = 168;
// Fields of `struct bpf_sock`.
const SOCK_FAMILY: i16 = 4;
const SOCK_TYPE: i16 = 8;
const SOCK_PROTOCOL: i16 = 12;
const SOCK_IP4: i16 = 24;
const SOCK_IP6: i16 = 28;
const SOCK_PORT: i16 = 44;
const SOCK_PEER_PORT: i16 = 48;
const SOCK_PEER_IP4: i16 = 52;
const SOCK_PEER_IP6: i16 = 56;
pub(super) const SOCK_STATE: i16 = 72;

/// What the kernel goes on with after a cgroup's program: the packet is let through.
const LET_THROUGH: i32 = 1;
/// `BPF_RB_NO_WAKEUP`, `BPF_RB_FORCE_WAKEUP`, `BPF_RB_AVAIL_DATA`.
const NO_WAKE_UP: i32 = 1;
const FORCE_WAKE_UP: i32 = 2;
const WAITING_BYTES: i32 = 0;
/// The reader is woken when the ring is full to this part.
const PRESSED_PART: usize = 4;

/// Where a connection is put together on the stack.
pub(super) const CONNECTION: i16 = -48;
/// The second word of an IPv4 address written as IPv6.
const MAPPED: i32 = 0xffff;
const IPV6_HEADER: i32 = 40;

/// Which way packets go that a program sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

/// What is kept of which packets.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    /// At most so much of any packet.
    pub(super) snaplen: u32,
    /// Classic instructions for IP packets, which return how much is kept; none: all pass.
    pub(super) filter: Option<&'a [sock_filter]>,
}

/// The program for one way.
pub(super) fn capture(way: Way, tables: &Tables, view: View<'_>) -> Result<Code, Untranslatable> {
    let mut code = Code::new();
    let ignore = code.label();
    code.set(CONTEXT, R1);
    remember(&mut code, way, tables, ignore);
    if let Some(filter) = view.filter {
        append_filter(&mut code, &knowing_the_way(filter, way), 0, ignore)?;
    }
    code.load(Width::Word, LENGTH, CONTEXT.at(SKB_LEN));
    let teller = Teller { tables, view, skipped: 0, way, owner: Owner::Socket };
    teller.tell(&mut code, ignore);
    code.place(ignore);
    code.set(R0, LET_THROUGH);
    code.exit();
    Ok(code)
}

/// A filter in which `inbound` and `outbound` are answered beforehand: they load what a packet socket knows of a frame
/// (linux/filter.h, `SKF_AD_PKTTYPE`).
pub(super) fn knowing_the_way(filter: &[sock_filter], way: Way) -> Vec<sock_filter> {
    const LOAD: u16 = 0x20;
    const ANY_SIZE: u16 = 0x18;
    const LOAD_NUMBER: u16 = 0x00;
    const PACKET_TYPE: u32 = 0xffff_f004;
    let packet_type = if way == Way::Out { libc::PACKET_OUTGOING } else { libc::PACKET_HOST };
    let answered = |instruction: &sock_filter| match instruction {
        sock_filter { code, k: PACKET_TYPE, .. } if code & !ANY_SIZE == LOAD => {
            sock_filter { code: LOAD_NUMBER, jt: 0, jf: 0, k: packet_type.into() }
        }
        other => *other,
    };
    filter.iter().map(answered).collect()
}

/// Whose packet it is, and where that is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The packet's own socket.
    Socket,
    /// What was remembered of a connection: cookie and cgroup are on the stack, there.
    Remembered(i16),
}

/// Writes records.
pub(super) struct Teller<'a> {
    pub(super) tables: &'a Tables,
    pub(super) view: View<'a>,
    /// How many bytes of a link header are before the packet.
    pub(super) skipped: u32,
    pub(super) way: Way,
    pub(super) owner: Owner,
}

impl Teller<'_> {
    /// Hands the packet over, whose length is in R7, and in R8 what the filter keeps of it; goes to `done` or falls through
    /// to it.
    pub(super) fn tell(&self, code: &mut Code, done: Label) {
        let (no_room, broken, reserved) = (code.label(), code.label(), code.label());
        self.cut(code, done);
        count(code, self.tables, PASSED);
        self.reserve(code, reserved, no_room);
        code.place(reserved);
        code.jump_if(R0, Condition::Equal, 0, no_room);
        code.set(RECORD, R0);
        self.describe(code);
        self.copy(code, broken);
        self.submit(code);
        code.jump(done);
        code.place(broken);
        code.set(R1, RECORD);
        code.set(R2, 0);
        code.call(Helper::RingbufDiscard);
        code.place(no_room);
        count(code, self.tables, LOST);
    }

    /// R8 = how much is kept.
    fn cut(&self, code: &mut Code, empty: Label) {
        let (whole, short) = (code.label(), code.label());
        let within = self.view.snaplen.min(LONGEST).cast_signed();
        if self.view.filter.is_some() {
            code.jump_if(KEPT, Condition::AtMost, LENGTH, whole);
        }
        code.set(KEPT, LENGTH);
        code.place(whole);
        code.jump_if(KEPT, Condition::AtMost, within, short);
        code.set(KEPT, within);
        code.place(short);
        code.jump_if(KEPT, Condition::Below, 1, empty);
    }

    /// R0 = a record with room for R8 bytes, or zero.
    fn reserve(&self, code: &mut Code, reserved: Label, no_room: Label) {
        for room in ROOMS {
            let larger = code.label();
            code.jump_if(KEPT, Condition::Above, room.cast_signed(), larger);
            code.set_map(R1, self.tables.ring.map());
            code.set(R2, i32::from(record::PACKET) + room.cast_signed());
            code.set(R3, 0);
            code.call(Helper::RingbufReserve);
            code.jump(reserved);
            code.place(larger);
        }
        code.jump(no_room);
    }

    fn describe(&self, code: &mut Code) {
        let way = if self.way == Way::Out { record::OUT } else { record::IN };
        code.call(Helper::KtimeNs);
        code.store(Width::Double, RECORD.at(record::TIME), R0);
        code.store(Width::Word, RECORD.at(record::LENGTH), LENGTH);
        code.store(Width::Word, RECORD.at(record::CAPTURED), KEPT);
        code.store(Width::Word, RECORD.at(record::DIRECTION), way);
        code.load(Width::Word, R1, CONTEXT.at(SKB_IFINDEX));
        code.store(Width::Word, RECORD.at(record::INTERFACE), R1);
        code.set_value_of(R1, self.tables.words.map(), offset_of(LOST));
        code.load(Width::Double, R1, R1.at(0));
        code.store(Width::Double, RECORD.at(record::LOST), R1);
        match self.owner {
            Owner::Socket => {
                code.set(R1, CONTEXT);
                code.call(Helper::SkbCgroupId);
                code.store(Width::Double, RECORD.at(record::CGROUP), R0);
                code.set(R1, CONTEXT);
                code.call(Helper::SocketCookie);
            }
            Owner::Remembered(at) => {
                code.load(Width::Double, R0, R10.at(at + 8));
                code.store(Width::Double, RECORD.at(record::CGROUP), R0);
                code.load(Width::Double, R0, R10.at(at));
            }
        }
        code.store(Width::Double, RECORD.at(record::COOKIE), R0);
        code.store(Width::Double, R10.at(-8), R0);
        self.name_maker(code);
    }

    /// Who made the socket whose cookie is on top of the stack.
    fn name_maker(&self, code: &mut Code) {
        let (unknown, named) = (code.label(), code.label());
        look_up(code, &self.tables.makers, -8);
        code.jump_if(R0, Condition::Equal, 0, unknown);
        for part in [0, 8, 16] {
            code.load(Width::Double, R1, R0.at(part));
            code.store(Width::Double, RECORD.at(record::PROCESS + part), R1);
        }
        code.jump(named);
        code.place(unknown);
        for part in [0, 8, 16] {
            code.store(Width::Double, RECORD.at(record::PROCESS + part), 0);
        }
        code.place(named);
    }

    fn copy(&self, code: &mut Code, broken: Label) {
        code.set(R1, CONTEXT);
        code.set(R2, self.skipped.cast_signed());
        code.set(R3, RECORD);
        code.add(R3, i32::from(record::PACKET));
        code.set(R4, KEPT);
        code.call(Helper::SkbLoadBytes);
        code.jump_if(R0, Condition::NotEqual, 0, broken);
    }

    /// Wakes the reader if it waits for the next packet, or if the ring fills up and it does not know yet.
    fn submit(&self, code: &mut Code) {
        let (submit, quiet) = (code.label(), code.label());
        let pressed = self.tables.ring.size() / PRESSED_PART;
        code.set_value_of(R8, self.tables.words.map(), offset_of(WAKE));
        code.load(Width::Double, R7, R8.at(0));
        code.set(R2, 0);
        code.jump_if(R7, Condition::Equal, small(AT_ONCE), submit);
        code.set(R2, NO_WAKE_UP);
        code.jump_if(R7, Condition::NotEqual, small(IF_PRESSED), submit);
        code.set_map(R1, self.tables.ring.map());
        code.set(R2, WAITING_BYTES);
        code.call(Helper::RingbufQuery);
        code.jump_if(R0, Condition::Below, i32::try_from(pressed).unwrap_or(i32::MAX), quiet);
        code.store(Width::Double, R8.at(0), small(WOKEN));
        code.set(R2, FORCE_WAKE_UP);
        code.jump(submit);
        code.place(quiet);
        code.set(R2, NO_WAKE_UP);
        code.place(submit);
        code.set(R1, RECORD);
        code.call(Helper::RingbufSubmit);
    }
}

/// Notes what the socket of this packet is about to leave behind, and passes by what a raw socket only overhears.
fn remember(code: &mut Code, way: Way, tables: &Tables, ignore: Label) {
    let (raw, done) = (code.label(), code.label());
    code.load(Width::Double, R1, CONTEXT.at(SKB_SK));
    code.jump_if(R1, Condition::Equal, 0, done);
    code.call(Helper::SkFullsock);
    code.jump_if(R0, Condition::Equal, 0, done);
    code.set(R7, R0);
    code.load(Width::Word, R1, R7.at(SOCK_TYPE));
    code.jump_if(R1, Condition::Equal, libc::SOCK_RAW, raw);
    code.jump_if(R1, Condition::NotEqual, libc::SOCK_STREAM, done);
    code.load(Width::Word, R1, R7.at(SOCK_PROTOCOL));
    code.jump_if(R1, Condition::NotEqual, libc::IPPROTO_TCP, done);
    remember_connection(code, way, tables, done);
    code.jump(done);
    code.place(raw);
    echo::append(code, way, tables, done, ignore);
    code.place(done);
}

/// Notes a connection that has been made and is not open any more, of the socket in R7.
fn remember_connection(code: &mut Code, way: Way, tables: &Tables, done: Label) {
    const SYN_RECEIVED: i32 = 3;
    const LISTEN: i32 = 10;
    const CLOSING: i16 = CONNECTION - 24;
    code.load(Width::Word, R1, R7.at(SOCK_STATE));
    code.jump_if(R1, Condition::AtMost, SYN_RECEIVED, done);
    code.jump_if(R1, Condition::Equal, LISTEN, done);
    connection_of_socket(code, way, done);
    code.set(R1, CONTEXT);
    code.call(Helper::SocketCookie);
    code.store(Width::Double, R10.at(CLOSING), R0);
    code.set(R1, CONTEXT);
    code.call(Helper::SkbCgroupId);
    code.store(Width::Double, R10.at(CLOSING + 8), R0);
    code.call(Helper::KtimeNs);
    code.store(Width::Double, R10.at(CLOSING + 16), R0);
    set(code, &tables.closing, CONNECTION, CLOSING);
    code.set_value_of(R1, tables.words.map(), offset_of(ANY_CLOSING));
    code.store(Width::Double, R1.at(0), 1);
}

/// The connection of the socket in R7, on the stack at [`CONNECTION`]; off to `neither` if it is of no version of IP.
fn connection_of_socket(code: &mut Code, way: Way, neither: Label) {
    let (version_6, ports) = (code.label(), code.label());
    code.load(Width::Word, R1, R7.at(SOCK_FAMILY));
    code.jump_if(R1, Condition::Equal, libc::AF_INET6, version_6);
    code.jump_if(R1, Condition::NotEqual, libc::AF_INET, neither);
    for (at, from) in [(CONNECTION, SOCK_IP4), (CONNECTION + 16, SOCK_PEER_IP4)] {
        code.load(Width::Word, R1, R7.at(from));
        map_address(code, at, R1);
    }
    code.jump(ports);
    code.place(version_6);
    for (at, from) in [(CONNECTION, SOCK_IP6), (CONNECTION + 16, SOCK_PEER_IP6)] {
        for word in [0, 4, 8, 12] {
            code.load(Width::Word, R1, R7.at(from + word));
            code.store(Width::Word, R10.at(at + word), R1);
        }
    }
    code.place(ports);
    own_port(code, way, neither);
    code.load(Width::Half, R1, R7.at(SOCK_PEER_PORT));
    code.store(Width::Half, R10.at(CONNECTION + 34), R1);
    code.store(Width::Word, R10.at(CONNECTION + 36), 0);
}

/// The port of the socket in R7. One that ends with a reset has given its port back before it sends that (net/ipv4/tcp.c,
/// `tcp_set_state`), unless it was bound to it: then only the packet still has it.
fn own_port(code: &mut Code, way: Way, unknown: Label) {
    const OWN_PORT: i16 = CONNECTION + 32;
    const FIRST_BYTE: i16 = CONNECTION + 36;
    let (known, version_6, behind, done) = (code.label(), code.label(), code.label(), code.label());
    code.load(Width::Word, R1, R7.at(SOCK_PORT));
    code.jump_if(R1, Condition::NotEqual, 0, known);
    if way == Way::In {
        code.jump(unknown);
    } else {
        code.load(Width::Word, R1, R7.at(SOCK_FAMILY));
        code.jump_if(R1, Condition::Equal, libc::AF_INET6, version_6);
        load(code, 0, None, FIRST_BYTE, 1, unknown);
        code.load(Width::Byte, R8, R10.at(FIRST_BYTE));
        code.calculate(Operation::And, R8, 0x0f);
        code.calculate(Operation::ShiftLeft, R8, 2);
        code.jump(behind);
        code.place(version_6);
        code.set(R8, IPV6_HEADER);
        code.place(behind);
        load(code, 0, Some(R8), OWN_PORT, 2, unknown);
        code.jump(done);
    }
    code.place(known);
    code.big_endian(16, R1);
    code.store(Width::Half, R10.at(OWN_PORT), R1);
    code.place(done);
}

/// Writes an IPv4 address as IPv6 onto the stack.
pub(super) fn map_address(code: &mut Code, at: i16, address: Register) {
    code.store(Width::Double, R10.at(at), 0);
    code.store(Width::Word, R10.at(at + 8), MAPPED.to_be());
    code.store(Width::Word, R10.at(at + 12), address);
}

/// `R0 = &map[key]`, zero where there is none; the key is on the stack.
pub(super) fn look_up(code: &mut Code, map: &Map, key: i16) {
    code.set_map(R1, map);
    code.set(R2, R10);
    code.add(R2, i32::from(key));
    code.call(Helper::MapLookup);
}

/// `map[key] = value`, both on the stack.
pub(super) fn set(code: &mut Code, map: &Map, key: i16, value: i16) {
    code.set_map(R1, map);
    code.set(R2, R10);
    code.add(R2, i32::from(key));
    code.set(R3, R10);
    code.add(R3, i32::from(value));
    code.set(R4, 0);
    code.call(Helper::MapUpdate);
}

fn count(code: &mut Code, tables: &Tables, word: usize) {
    code.set_value_of(R1, tables.words.map(), offset_of(word));
    code.set(R2, 1);
    code.add_atomically(R1.at(0), R2);
}

fn small(number: u64) -> i32 {
    i32::try_from(number).expect("the words hold small numbers")
}
