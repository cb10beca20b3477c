//! Pings: a raw ICMP socket is given every ICMP packet of its namespace, so the replies to other people's requests too.
//!
//! A cgroup's requests are remembered, and of what its raw sockets receive only that is shown which answers one. Requests
//! are answered by the kernel; a raw socket only overhears them. Other messages (router discovery, say) are shown: who
//! sets no filter on his socket wants them.

use crate::sys::ebpf::{
    Code, Condition, Helper, Label, Operation,
    Register::{R0, R1, R2, R3, R4, R7, R8, R10},
    Width,
};

use super::{
    program::{CONTEXT, Way, look_up, set},
    tables::Tables,
};

const SOCK_PROTOCOL: i16 = 12;
const IPV6_HEADER: i32 = 40;
/// ICMP's header, before what it carries.
const HEADER: i16 = 8;

/// The message on the stack; its first four bytes make room for the family, and then it is the key.
const MESSAGE: i16 = -64;
const MESSAGE_BYTES: i16 = 16;
const NOTHING: i16 = -72;

/// What a version of ICMP calls its messages.
struct Version {
    family: i32,
    request: i32,
    reply: i32,
    /// Errors quote the packet they are about.
    errors: &'static [i32],
}

const VERSIONS: [Version; 2] = [
    Version { family: libc::AF_INET, request: 8, reply: 0, errors: &[3, 4, 5, 11, 12] },
    Version { family: libc::AF_INET6, request: 128, reply: 129, errors: &[1, 2, 3, 4] },
];

/// For a packet of the raw socket in R7. Goes to `mine` or to `ignore`.
pub(super) fn append(code: &mut Code, way: Way, tables: &Tables, mine: Label, ignore: Label) {
    let (icmp, icmpv6) = (code.label(), code.label());
    code.store(Width::Double, R10.at(NOTHING), 0);
    code.load(Width::Word, R1, R7.at(SOCK_PROTOCOL));
    code.jump_if(R1, Condition::Equal, libc::IPPROTO_ICMP, icmp);
    code.jump_if(R1, Condition::Equal, libc::IPPROTO_ICMPV6, icmpv6);
    code.jump(mine);
    for (start, version) in [icmp, icmpv6].into_iter().zip(&VERSIONS) {
        code.place(start);
        // Behind the headers of IPv6 there may be others; a ping does without.
        if version.family == libc::AF_INET {
            code.set(R8, 0);
            pass_header(code, mine);
        } else {
            code.set(R8, IPV6_HEADER);
        }
        fetch_message(code, mine);
        match way {
            Way::Out => note_request(code, version, tables, mine),
            Way::In => recognise(code, version, tables, mine, ignore),
        }
        code.jump(mine);
    }
}

/// R8 += the length of the IPv4 header that begins there, or to `short`.
fn pass_header(code: &mut Code, short: Label) {
    code.set(R2, R8);
    load(code, MESSAGE, 1, short);
    code.load(Width::Byte, R1, R10.at(MESSAGE));
    code.calculate(Operation::And, R1, 0x0f);
    code.calculate(Operation::ShiftLeft, R1, 2);
    code.add(R8, R1);
}

/// The message at R8, on the stack; what it carries may be missing and is zero then.
fn fetch_message(code: &mut Code, short: Label) {
    let (bare, done) = (code.label(), code.label());
    code.set(R2, R8);
    load(code, MESSAGE, i32::from(MESSAGE_BYTES), bare);
    code.jump(done);
    code.place(bare);
    code.set(R2, R8);
    load(code, MESSAGE, i32::from(HEADER), short);
    code.store(Width::Double, R10.at(MESSAGE + HEADER), 0);
    code.place(done);
}

/// Remembers an echo request: with what it carries for the reply, which carries the same, and without for an error, which
/// quotes no more than the header for sure.
fn note_request(code: &mut Code, version: &Version, tables: &Tables, other: Label) {
    code.load(Width::Byte, R1, R10.at(MESSAGE));
    code.jump_if(R1, Condition::NotEqual, version.request, other);
    code.store(Width::Word, R10.at(MESSAGE), version.family);
    set(code, &tables.echoes, MESSAGE, NOTHING);
    code.store(Width::Double, R10.at(MESSAGE + HEADER), 0);
    set(code, &tables.echoes, MESSAGE, NOTHING);
}

fn recognise(code: &mut Code, version: &Version, tables: &Tables, mine: Label, ignore: Label) {
    let (reply, error) = (code.label(), code.label());
    code.load(Width::Byte, R1, R10.at(MESSAGE));
    code.jump_if(R1, Condition::Equal, version.request, ignore);
    code.jump_if(R1, Condition::Equal, version.reply, reply);
    for number in version.errors {
        code.jump_if(R1, Condition::Equal, *number, error);
    }
    code.jump(mine);
    code.place(error);
    code.add(R8, i32::from(HEADER));
    if version.family == libc::AF_INET {
        pass_header(code, ignore);
    } else {
        code.add(R8, IPV6_HEADER);
    }
    code.set(R2, R8);
    load(code, MESSAGE, i32::from(HEADER), ignore);
    code.store(Width::Double, R10.at(MESSAGE + HEADER), 0);
    code.load(Width::Byte, R1, R10.at(MESSAGE));
    code.jump_if(R1, Condition::NotEqual, version.request, ignore);
    code.place(reply);
    code.store(Width::Word, R10.at(MESSAGE), version.family);
    look_up(code, &tables.echoes, MESSAGE);
    code.jump_if(R0, Condition::Equal, 0, ignore);
}

/// So many bytes from R2 of the packet, or to `short`.
fn load(code: &mut Code, to: i16, bytes: i32, short: Label) {
    code.set(R1, CONTEXT);
    code.set(R3, R10);
    code.add(R3, i32::from(to));
    code.set(R4, bytes);
    code.call(Helper::SkbLoadBytes);
    code.jump_if(R0, Condition::NotEqual, 0, short);
}
