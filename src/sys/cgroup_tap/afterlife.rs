//! Packets of connections whose socket is gone: a cgroup's programs run for whole sockets only, and what the kernel keeps
//! of a closed connection (`TIME_WAIT`) is none. The peer's last packets and our answers to them would be missing.
//!
//! Programs on the interfaces look every TCP packet up among the connections that were being closed. Only for those they
//! ask whether there is a whole socket again; its own cgroup's program sees the packet then. Needs TCX (kernel 6.6).

use crate::sys::ebpf::{
    Code, Condition, Helper, Label, Operation,
    Register::{self, R0, R1, R2, R3, R4, R5, R6, R7, R8, R10},
    Untranslatable, Width, append_filter,
};

use super::{
    program::{
        CONNECTION, CONTEXT, Owner, SKB_LEN, SOCK_STATE, Teller, View, Way, knowing_the_way, look_up,
        map_address,
    },
    tables::{ANY_CLOSING, Tables, offset_of},
};
use crate::sys::CgroupId;

/// `TCX_NEXT`: whatever else there is decides on the packet.
const UNDECIDED: i32 = -1;
const SKB_PROTOCOL: i16 = 16;
const SKB_VLAN_PRESENT: i16 = 20;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const IPV4_HEADER: i16 = 20;
const IPV6_HEADER: i16 = 40;
/// Ports and flags are among the first fourteen bytes of a TCP header.
const TCP_BYTES: i32 = 14;
const TCP_FLAGS: i16 = 13;
const SYN_ACK: i32 = 0x12;
const SYN: i32 = 0x02;
const TIME_WAIT: i32 = 6;
/// As long as the kernel keeps a closed connection in mind (net/tcp.h, `TCP_TIMEWAIT_LEN`).
const TIME_WAIT_NS: u64 = 60_000_000_000;

// The stack. A filter writes to its top 144 bytes, so what is needed behind it stands further down.
const IP: i16 = -88;
const TCP: i16 = -104;
const TUPLE: i16 = -144;
const TOTAL: i16 = -152;
const OWNER: i16 = -168;

/// Where such a program hangs, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Post<'a> {
    pub(super) way: Way,
    /// How long the header of the link layer is.
    pub(super) skipped: u32,
    pub(super) cgroup: CgroupId,
    pub(super) depth: i32,
    pub(super) view: View<'a>,
}

/// The program for one way.
pub(super) fn program(post: Post<'_>, tables: &Tables) -> Result<Code, Untranslatable> {
    let mut code = Code::new();
    let ignore = code.label();
    code.set(CONTEXT, R1);
    code.set_value_of(R1, tables.words.map(), offset_of(ANY_CLOSING));
    code.load(Width::Double, R1, R1.at(0));
    code.jump_if(R1, Condition::Equal, 0, ignore);
    connection_of_packet(&mut code, post, ignore);
    let (version_4, take) = (code.label(), code.label());
    recall_owner(&mut code, tables, ignore);
    forget_at_beginning(&mut code, tables, ignore);
    if post.way == Way::Out {
        pass_by_seen(&mut code, post, ignore);
    }
    code.load(Width::Word, R1, CONTEXT.at(SKB_PROTOCOL));
    code.jump_if(R1, Condition::Equal, i32::from(IPV4.to_be()), version_4);
    find_socket(&mut code, 16, take, ignore);
    code.place(version_4);
    find_socket(&mut code, 4, take, ignore);
    code.place(take);
    if let Some(filter) = post.view.filter {
        append_filter(&mut code, &knowing_the_way(filter, post.way), post.skipped, ignore)?;
    }
    code.load(Width::Double, R7, R10.at(TOTAL));
    let teller = Teller {
        tables,
        view: post.view,
        skipped: post.skipped,
        way: post.way,
        owner: Owner::Remembered(OWNER),
    };
    teller.tell(&mut code, ignore);
    code.place(ignore);
    code.set(R0, UNDECIDED);
    code.exit();
    Ok(code)
}

/// The packet's connection as our end sees it, at [`CONNECTION`], and its length at [`TOTAL`]; off to `other` for what is
/// no whole TCP packet, or has a VLAN tag: then the VLAN's own interface sees it too.
fn connection_of_packet(code: &mut Code, post: Post<'_>, other: Label) {
    let (version_4, ports) = (code.label(), code.label());
    // Where the sender's and the receiver's end belong: ours is the first.
    let ends = if post.way == Way::Out { [0, 1] } else { [1, 0] };
    code.load(Width::Word, R1, CONTEXT.at(SKB_VLAN_PRESENT));
    code.jump_if(R1, Condition::NotEqual, 0, other);
    code.load(Width::Word, R1, CONTEXT.at(SKB_PROTOCOL));
    code.jump_if(R1, Condition::Equal, i32::from(IPV4.to_be()), version_4);
    code.jump_if(R1, Condition::NotEqual, i32::from(IPV6.to_be()), other);
    read_version_6(code, post.skipped, ends, other);
    code.jump(ports);
    code.place(version_4);
    read_version_4(code, post.skipped, ends, other);
    code.place(ports);
    load(code, post.skipped, Some(R8), TCP, TCP_BYTES, other);
    for (end, from) in ends.into_iter().zip([TCP, TCP + 2]) {
        code.load(Width::Half, R1, R10.at(from));
        code.store(Width::Half, R10.at(CONNECTION + 32 + 2 * end), R1);
    }
    code.store(Width::Word, R10.at(CONNECTION + 36), 0);
    note_total(code, post.skipped);
}

/// Addresses of an IPv6 packet; R7 = how long it is, R8 = how long its header.
fn read_version_6(code: &mut Code, skipped: u32, ends: [i16; 2], other: Label) {
    load(code, skipped, None, IP, i32::from(IPV6_HEADER), other);
    code.load(Width::Byte, R1, R10.at(IP + 6));
    code.jump_if(R1, Condition::NotEqual, libc::IPPROTO_TCP, other);
    for (end, from) in ends.into_iter().zip([IP + 8, IP + 24]) {
        for half in [0, 8] {
            code.load(Width::Double, R1, R10.at(from + half));
            code.store(Width::Double, R10.at(CONNECTION + 16 * end + half), R1);
        }
    }
    code.load(Width::Half, R7, R10.at(IP + 4));
    code.big_endian(16, R7);
    code.add(R7, i32::from(IPV6_HEADER));
    code.set(R8, i32::from(IPV6_HEADER));
}

/// The same of an IPv4 packet that is no later fragment.
fn read_version_4(code: &mut Code, skipped: u32, ends: [i16; 2], other: Label) {
    const FRAGMENT_OFFSET: u16 = 0x1fff;
    load(code, skipped, None, IP, i32::from(IPV4_HEADER), other);
    code.load(Width::Byte, R1, R10.at(IP + 9));
    code.jump_if(R1, Condition::NotEqual, libc::IPPROTO_TCP, other);
    code.load(Width::Half, R1, R10.at(IP + 6));
    code.jump_if(R1, Condition::AnyBit, i32::from(FRAGMENT_OFFSET.to_be()), other);
    for (end, from) in ends.into_iter().zip([IP + 12, IP + 16]) {
        code.load(Width::Word, R1, R10.at(from));
        map_address(code, CONNECTION + 16 * end, R1);
    }
    code.load(Width::Half, R7, R10.at(IP + 2));
    code.big_endian(16, R7);
    code.load(Width::Byte, R8, R10.at(IP));
    code.calculate(Operation::And, R8, 0x0f);
    code.calculate(Operation::ShiftLeft, R8, 2);
}

/// What the header says, but no more than there is: small Ethernet frames are padded, and very large packets say zero.
fn note_total(code: &mut Code, skipped: u32) {
    let (whole, done) = (code.label(), code.label());
    code.load(Width::Word, R1, CONTEXT.at(SKB_LEN));
    code.calculate(Operation::Subtract, R1, skipped.cast_signed());
    code.jump_if(R7, Condition::Above, R1, whole);
    code.jump_if(R7, Condition::AtLeast, i32::from(IPV4_HEADER), done);
    code.place(whole);
    code.set(R7, R1);
    code.place(done);
    code.store(Width::Double, R10.at(TOTAL), R7);
}

/// What was noted of the connection: cookie and cgroup at [`OWNER`], and R8 = when it was last seen. Off to `stranger` if
/// there is none.
fn recall_owner(code: &mut Code, tables: &Tables, stranger: Label) {
    look_up(code, &tables.closing, CONNECTION);
    code.jump_if(R0, Condition::Equal, 0, stranger);
    for half in [0, 8] {
        code.load(Width::Double, R1, R0.at(half));
        code.store(Width::Double, R10.at(OWNER + half), R1);
    }
    code.load(Width::Double, R8, R0.at(16));
}

/// A connection that begins between the same addresses and ports is another one, and may be anybody's: what was noted of
/// the one before must not be said of it when it ends.
fn forget_at_beginning(code: &mut Code, tables: &Tables, done: Label) {
    let goes_on = code.label();
    code.load(Width::Byte, R1, R10.at(TCP + TCP_FLAGS));
    code.calculate(Operation::And, R1, SYN_ACK);
    code.jump_if(R1, Condition::NotEqual, SYN, goes_on);
    code.set_map(R1, &tables.closing);
    code.set(R2, R10);
    code.add(R2, i32::from(CONNECTION));
    code.call(Helper::MapDelete);
    code.jump(done);
    code.place(goes_on);
}

/// A packet that a whole socket of the cgroup sends has been seen by the cgroup's own program.
fn pass_by_seen(code: &mut Code, post: Post<'_>, seen: Label) {
    code.set(R1, CONTEXT);
    code.set(R2, post.depth);
    code.call(Helper::SkbAncestorCgroupId);
    code.set_wide(R1, post.cgroup.0);
    code.jump_if(R0, Condition::Equal, R1, seen);
}

/// Whether the connection, with addresses of so many bytes, has no whole socket: goes to `take` then, else to `other`.
/// In R8 is when it was last seen.
fn find_socket(code: &mut Code, address: i16, take: Label, other: Label) {
    let (orphan, tuple_bytes) = (code.label(), 2 * address + 4);
    let skip = 16 - address;
    let copies = [(CONNECTION + 16 + skip, TUPLE), (CONNECTION + skip, TUPLE + address)];
    for (from, to) in copies {
        for word in (0..address).step_by(4) {
            code.load(Width::Word, R1, R10.at(from + word));
            code.store(Width::Word, R10.at(to + word), R1);
        }
    }
    code.load(Width::Half, R1, R10.at(CONNECTION + 34));
    code.store(Width::Half, R10.at(TUPLE + 2 * address), R1);
    code.load(Width::Half, R1, R10.at(CONNECTION + 32));
    code.store(Width::Half, R10.at(TUPLE + 2 * address + 2), R1);
    code.set(R1, CONTEXT);
    code.set(R2, R10);
    code.add(R2, i32::from(TUPLE));
    code.set(R3, i32::from(tuple_bytes));
    // BPF_F_CURRENT_NETNS
    code.set(R4, -1);
    code.set(R5, 0);
    code.call(Helper::SkcLookupTcp);
    code.jump_if(R0, Condition::Equal, 0, orphan);
    code.load(Width::Word, R7, R0.at(SOCK_STATE));
    code.set(R1, R0);
    code.call(Helper::SkRelease);
    code.jump_if(R7, Condition::NotEqual, TIME_WAIT, other);
    code.jump(take);
    // Forgotten by the kernel, as after a reset, while the other end goes on for a moment.
    code.place(orphan);
    code.call(Helper::KtimeNs);
    code.calculate(Operation::Subtract, R0, R8);
    code.set_wide(R1, TIME_WAIT_NS);
    code.jump_if(R0, Condition::Above, R1, other);
    code.jump(take);
}

/// So many bytes of the packet, from that offset or so far behind it, onto the stack; or to `short`.
pub(super) fn load(code: &mut Code, from: u32, behind: Option<Register>, to: i16, bytes: i32, short: Label) {
    code.set(R1, R6);
    code.set(R2, from.cast_signed());
    if let Some(distance) = behind {
        code.add(R2, distance);
    }
    code.set(R3, R10);
    code.add(R3, i32::from(to));
    code.set(R4, bytes);
    code.call(Helper::SkbLoadBytes);
    code.jump_if(R0, Condition::NotEqual, 0, short);
}
