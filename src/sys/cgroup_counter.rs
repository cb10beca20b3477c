//! What the sockets of a cgroup send and receive, counted inside the kernel: two programs add each packet to four
//! numbers that are read without a system call. No packet is copied, and nothing stays behind: the programs go with us.
//!
//! A packet is counted where its socket meets the network layer (`cgroup_skb`): without link header, whole before it
//! is cut for the wire (GSO) or after it was put together (GRO), and loopback like any other.

use std::os::fd::BorrowedFd;

use super::ebpf::{
    Code, Error, Program, ProgramKind, ProgramLink,
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

const WORDS: usize = 16;
const WORD_BYTES: i16 = 8;
/// The programs let every packet pass.
const PASS: i32 = 1;

/// A running count.
#[derive(Debug)]
pub struct CgroupCounter {
    words: SharedWords,
    _links: [ProgramLink; 2],
}

impl CgroupCounter {
    /// Counts from now on, groups inside this one included. `path` is for messages.
    pub fn attach(cgroup: BorrowedFd<'_>, path: &str) -> Result<Self, Error> {
        let words = SharedWords::create("pcapsule_count", WORDS)?;
        let attach =
            |name, kind, way| Program::load(name, kind, count(&words, way))?.attach_to_cgroup(cgroup, path);
        let links = [
            attach("pcapsule_in", ProgramKind::CgroupIngress, Way::In)?,
            attach("pcapsule_out", ProgramKind::CgroupEgress, Way::Out)?,
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
