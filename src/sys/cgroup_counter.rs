//! What the sockets of a cgroup send, receive and send again, counted inside the kernel: programs add to numbers that are
//! read without a system call. No packet is copied, and nothing stays behind: the programs go with us.
//!
//! A packet is counted where its socket meets the network layer (`cgroup_skb`): without link header, whole before it
//! is cut for the wire (GSO) or after it was put together (GRO), and loopback like any other.

use std::os::fd::BorrowedFd;

use super::ebpf::{
    Code, Condition, Error, Helper, Operation, Program, ProgramKind, ProgramLink,
    Register::{R0, R1, R2, R3, R4},
    SharedWords, Width,
};

/// Packets and bytes one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes, those of headers included.
    pub bytes: u64,
}

/// Which pair of numbers a packet is added to; they are on cache lines of their own.
#[derive(Debug, Clone, Copy)]
enum Way {
    In = 0,
    Out = 8,
}

/// The segments sent again, on the cache line of what comes in: a segment that is lost is told by one that comes.
const RETRANSMITTED: i16 = 2;
const WORDS: usize = 16;
const WORD_BYTES: i16 = 8;
/// The programs let every packet pass.
const PASS: i32 = 1;

/// A running count.
#[derive(Debug)]
pub struct CgroupCounter {
    words: SharedWords,
    _links: [ProgramLink; 3],
}

impl CgroupCounter {
    /// Counts from now on, groups inside this one included. `path` is for messages.
    pub fn attach(cgroup: BorrowedFd<'_>, path: &str) -> Result<Self, Error> {
        let words = SharedWords::create("pcapsule_count", WORDS)?;
        let attach = |name, kind, code| Program::load(name, kind, code)?.attach_to_cgroup(cgroup, path);
        let links = [
            attach("pcapsule_again", ProgramKind::SocketOps, count_again(&words))?,
            attach("pcapsule_in", ProgramKind::CgroupIngress, count(&words, Way::In))?,
            attach("pcapsule_out", ProgramKind::CgroupEgress, count(&words, Way::Out))?,
        ];
        Ok(Self { words, _links: links })
    }

    /// What was received so far.
    pub fn received(&self) -> Volume {
        self.volume(Way::In)
    }

    /// What was sent so far.
    pub fn sent(&self) -> Volume {
        self.volume(Way::Out)
    }

    /// The TCP segments that were sent again so far by sockets whose connection began since counting did.
    pub fn retransmitted(&self) -> u64 {
        self.words.load(RETRANSMITTED.unsigned_abs().into())
    }

    fn volume(&self, way: Way) -> Volume {
        Volume { packets: self.words.load(way as usize), bytes: self.words.load(way as usize + 1) }
    }
}

fn count(words: &SharedWords, way: Way) -> Code {
    /// `len` of `struct __sk_buff`.
    const LENGTH: i16 = 0;
    let mut code = Code::new();
    code.load(Width::Word, R2, R1.at(LENGTH));
    code.set_value_of(R3, words.map(), way as i32 * i32::from(WORD_BYTES));
    code.set(R4, 1);
    code.add_atomically(R3.at(0), R4);
    code.add_atomically(R3.at(WORD_BYTES), R2);
    code.set(R0, PASS);
    code.exit();
    code
}

/// A socket says that it sends something again if it was asked to, which is done when its connection begins. What others
/// have asked of it is left as it is.
fn count_again(words: &SharedWords) -> Code {
    // `struct bpf_sock_ops`, and what its `op` may be.
    const OPERATION: i16 = 0;
    const SECOND_ARGUMENT: i16 = 8;
    const ASKED: i16 = 84;
    const CONNECTING: i32 = 3;
    const ACCEPTED: i32 = 5;
    const SENT_AGAIN: i32 = 9;
    /// `BPF_SOCK_OPS_RETRANS_CB_FLAG`
    const SAY_WHEN_SENT_AGAIN: i32 = 1 << 1;
    let mut code = Code::new();
    let (ask, sent_again, done) = (code.label(), code.label(), code.label());
    code.load(Width::Word, R2, R1.at(OPERATION));
    code.jump_if(R2, Condition::Equal, SENT_AGAIN, sent_again);
    code.jump_if(R2, Condition::Equal, CONNECTING, ask);
    code.jump_if(R2, Condition::NotEqual, ACCEPTED, done);
    code.place(ask);
    code.load(Width::Word, R2, R1.at(ASKED));
    code.calculate(Operation::Or, R2, SAY_WHEN_SENT_AGAIN);
    code.call(Helper::SockOpsCbFlagsSet);
    code.jump(done);
    code.place(sent_again);
    code.load(Width::Word, R2, R1.at(SECOND_ARGUMENT));
    code.set_value_of(R3, words.map(), i32::from(RETRANSMITTED * WORD_BYTES));
    code.add_atomically(R3.at(0), R2);
    code.place(done);
    code.set(R0, PASS);
    code.exit();
    code
}
