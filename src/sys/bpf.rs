//! Classic BPF: a program as libpcap compiles it, handed to a socket or run here on frames in memory.
//!
//! Running it here follows libpcap's own `bpf_filter.c`: a load behind the captured bytes rejects the frame. Frames and
//! programs may be hostile: nothing panics, and a program that jumps back (`ip6 protochain`) has to come to an end.

mod assembly;

pub(super) use assembly::{Assembly, Label, Test};

use libc::{
    BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_DIV, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ,
    BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC,
    BPF_MOD, BPF_MSH, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA,
    BPF_W, BPF_X, BPF_XOR, sock_filter,
};

/// `BPF_RET | BPF_K`: let so many bytes pass, or none (linux/bpf_common.h).
pub(super) const RET_CONSTANT: u16 = 0x06;
/// `BPF_JMP | BPF_JA`.
const JUMP: u16 = 0x05;
const SCRATCH_WORDS: usize = 16;
/// A loop over extension headers takes some thirty steps for each, and each has at least eight bytes.
const STEPS_PER_BYTE: usize = 16;

/// Instructions.
#[derive(Debug, Clone)]
pub(super) struct Program(Vec<sock_filter>);

impl Program {
    /// The crate shows instructions only as text: code, jump if true, jump if false, constant.
    pub(super) fn of(compiled: &pcap::BpfProgram) -> Option<Self> {
        let instructions = compiled.get_instructions().iter().map(|instruction| {
            let text = instruction.to_string();
            let mut words = text.split_whitespace();
            let mut next = || words.next()?.parse::<u32>().ok();
            Some(sock_filter {
                code: u16::try_from(next()?).ok()?,
                jt: u8::try_from(next()?).ok()?,
                jf: u8::try_from(next()?).ok()?,
                k: next()?,
            })
        });
        instructions.collect::<Option<_>>().map(Self)
    }

    /// The same for a socket where `next` decides how much is kept of what passes.
    pub(super) fn followed_by(&self, next: &[sock_filter]) -> Vec<sock_filter> {
        let end = self.0.len();
        let jump = |at| sock_filter { code: JUMP, jt: 0, jf: 0, k: assembly::distance(at, end) };
        let instructions = self.0.iter().enumerate().map(|(at, instruction)| {
            if instruction.code == RET_CONSTANT && instruction.k != 0 { jump(at) } else { *instruction }
        });
        instructions.chain(next.iter().copied()).collect()
    }

    /// Whether a frame passes of which these bytes were captured and which had `original_len` on the wire.
    pub(super) fn passes(&self, frame: &[u8], original_len: u32) -> bool {
        self.run(frame, original_len) > 0
    }

    /// How many bytes of such a frame the program lets pass; it may say more than there are.
    pub(super) fn run(&self, frame: &[u8], original_len: u32) -> u32 {
        self.verdict(frame, original_len).unwrap_or(0)
    }

    /// The same; none where it goes round and round: libpcap's for `ip6 protochain` does, if one authentication header
    /// leads to another.
    fn verdict(&self, frame: &[u8], original_len: u32) -> Option<u32> {
        let mut machine = Machine { frame, original_len, a: 0, x: 0, scratch: [0; SCRATCH_WORDS] };
        let mut place = 0_usize;
        for _ in 0..self.0.len() + STEPS_PER_BYTE * frame.len() {
            let Some(&instruction) = self.0.get(place) else { return Some(0) };
            match machine.step(instruction) {
                Some(Step::Skip(distance)) => {
                    let Some(next) =
                        place.checked_add_signed(distance).and_then(|place| place.checked_add(1))
                    else {
                        return Some(0);
                    };
                    place = next;
                }
                Some(Step::Return(bytes)) => return Some(bytes),
                None => return Some(0),
            }
        }
        None
    }
}

#[cfg(test)]
impl From<Vec<sock_filter>> for Program {
    fn from(instructions: Vec<sock_filter>) -> Self {
        Self(instructions)
    }
}

/// What follows an instruction.
enum Step {
    /// The next one but so many.
    Skip(isize),
    Return(u32),
}

/// Registers, scratch memory, and the frame.
struct Machine<'a> {
    frame: &'a [u8],
    original_len: u32,
    a: u32,
    x: u32,
    scratch: [u32; SCRATCH_WORDS],
}

impl Machine<'_> {
    /// None: the frame is rejected, or there is no such instruction.
    fn step(&mut self, instruction: sock_filter) -> Option<Step> {
        let code = u32::from(instruction.code);
        let k = instruction.k;
        match code & 0x07 {
            BPF_LD => self.a = self.load(code, k)?,
            BPF_LDX => self.x = self.load(code, k)?,
            BPF_ST => *self.scratch.get_mut(k as usize)? = self.a,
            BPF_STX => *self.scratch.get_mut(k as usize)? = self.x,
            BPF_ALU => self.a = calculated(code & 0xf0, self.a, self.operand(code, k))?,
            BPF_JMP => return self.jump(instruction).map(Step::Skip),
            BPF_RET => {
                return match code & 0x18 {
                    BPF_K => Some(Step::Return(k)),
                    BPF_A => Some(Step::Return(self.a)),
                    _ => None,
                };
            }
            BPF_MISC => match code & 0xf8 {
                BPF_TAX => self.x = self.a,
                BPF_TXA => self.a = self.x,
                _ => return None,
            },
            _ => return None,
        }
        Some(Step::Skip(0))
    }

    fn operand(&self, code: u32, k: u32) -> u32 {
        if code & 0x08 == BPF_X { self.x } else { k }
    }

    fn load(&self, code: u32, k: u32) -> Option<u32> {
        match code & 0xe0 {
            BPF_IMM => Some(k),
            BPF_ABS => self.fetch(code & 0x18, k),
            BPF_IND => self.fetch(code & 0x18, self.x.checked_add(k)?),
            BPF_MEM => self.scratch.get(k as usize).copied(),
            BPF_LEN => Some(self.original_len),
            // The length of an IPv4 header, from its first byte.
            BPF_MSH => self.fetch(BPF_B, k).map(|byte| (byte & 0x0f) << 2),
            _ => None,
        }
    }

    fn fetch(&self, size: u32, offset: u32) -> Option<u32> {
        let rest = self.frame.get(offset as usize..)?;
        match size {
            BPF_W => rest.first_chunk().map(|bytes| u32::from_be_bytes(*bytes)),
            BPF_H => rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes).into()),
            BPF_B => rest.first().map(|byte| u32::from(*byte)),
            _ => None,
        }
    }

    fn jump(&self, instruction: sock_filter) -> Option<isize> {
        let code = u32::from(instruction.code);
        let operand = self.operand(code, instruction.k);
        let holds = match code & 0xf0 {
            // Signed: the one jump that may lead back.
            BPF_JA => return isize::try_from(instruction.k.cast_signed()).ok(),
            BPF_JEQ => self.a == operand,
            BPF_JGT => self.a > operand,
            BPF_JGE => self.a >= operand,
            BPF_JSET => self.a & operand != 0,
            _ => return None,
        };
        Some(isize::from(if holds { instruction.jt } else { instruction.jf }))
    }
}

fn calculated(operation: u32, a: u32, operand: u32) -> Option<u32> {
    match operation {
        BPF_ADD => Some(a.wrapping_add(operand)),
        BPF_SUB => Some(a.wrapping_sub(operand)),
        BPF_MUL => Some(a.wrapping_mul(operand)),
        BPF_DIV => a.checked_div(operand),
        BPF_MOD => a.checked_rem(operand),
        BPF_OR => Some(a | operand),
        BPF_AND => Some(a & operand),
        BPF_XOR => Some(a ^ operand),
        BPF_LSH => Some(a.checked_shl(operand).unwrap_or(0)),
        BPF_RSH => Some(a.checked_shr(operand).unwrap_or(0)),
        BPF_NEG => Some(a.wrapping_neg()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use pcap::{Capture, Linktype};
    use proptest::prelude::*;

    use super::*;

    const EXPRESSIONS: [&str; 24] = [
        "",
        "ip",
        "arp",
        "ip6",
        "tcp",
        "udp port 53",
        "tcp dst port 80",
        "portrange 1000-40000",
        "host 10.0.0.1",
        "net 10.0.0.0/8 and not port 22",
        "ip6 host 2001:db8::1",
        "ip6 protochain 6",
        "ip protochain 17",
        "vlan",
        "vlan 42 and arp",
        "vlan and vlan and ip",
        "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
        "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
        "ip[2:2] - ((ip[0] & 0xf) << 2) > 8",
        "ether[0] & 1 = 1 or ether broadcast",
        "ip[8] / 2 = 32 or ip[8] % 7 = 1 or ip[8] * 3 < 10",
        "len / ether[14] > 1",
        "greater 60 and less 200",
        "icmp[icmptype] = icmp-echo or icmp6 or mpls",
    ];

    fn compiled(expression: &str) -> pcap::BpfProgram {
        Capture::dead(Linktype::ETHERNET).unwrap().compile(expression, true).unwrap()
    }

    /// Frames that get past the first checks: an Ethernet header of a likely type, and bytes behind it.
    fn frames() -> impl Strategy<Value = Vec<u8>> {
        let likely: [&[u8]; 8] = [
            &[8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
            &[8, 0, 0x46, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 1, 1, 1, 0],
            &[8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 8, 0],
            &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, 0, 64],
            &[0x86, 0xdd, 0x60, 0, 0, 0, 0, 40, 6, 64],
            &[8, 6, 0, 1],
            &[0x81, 0, 0, 42, 8, 6],
            &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 42, 8, 0, 0x45],
        ];
        let start = prop_oneof![Just(vec![0xff; 12]), prop::collection::vec(any::<u8>(), 0..13)];
        let rest = prop::collection::vec(prop_oneof![Just(0_u8), Just(60), Just(51), any::<u8>()], 0..120);
        (start, prop::sample::select(likely.to_vec()), rest)
            .prop_map(|(start, middle, rest)| [&start, middle, &rest].concat())
    }

    proptest! {
        // Each case has many frames: compiling takes the time.
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_frame_is_judged_as_libpcap_judges_it(frames in prop::collection::vec(frames(), 64)) {
            for expression in EXPRESSIONS {
                let theirs = compiled(expression);
                let ours = Program::of(&theirs).unwrap();
                for frame in &frames {
                    let len = u32::try_from(frame.len()).unwrap();
                    // libpcap would go round and round as well, and never come back.
                    if ours.verdict(frame, len).is_none() {
                        prop_assert!(expression.contains("protochain"), "{} on {:02x?}", expression, frame);
                        continue;
                    }
                    prop_assert_eq!(ours.passes(frame, len), theirs.filter(frame), "{} on {:02x?}", expression, frame);
                }
            }
        }

    }

    proptest! {
        #[test]
        fn no_program_makes_it_panic_or_run_for_ever(
            code in prop::collection::vec((0_u16..0x100, any::<(u8, u8)>(), prop_oneof![0_u32..32, any::<u32>()]), 0..64),
            frame in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            let code = code.into_iter().map(|(code, (jt, jf), k)| sock_filter { code, jt: jt % 8, jf: jf % 8, k });
            Program(code.collect()).passes(&frame, 64);
        }
    }

    #[test]
    fn the_length_is_that_on_the_wire() {
        let passes = |expression, original_len| {
            Program::of(&compiled(expression)).unwrap().passes(&[0; 60], original_len)
        };
        assert!(passes("greater 500", 1500) && !passes("greater 500", 60));
        assert!(passes("len = 1500", 1500) && !passes("less 500", 1500));
    }

    /// Behind an authentication header libpcap's program forgets where it was, and may come back there.
    #[test]
    fn authentication_headers_in_a_circle_end() {
        let mut frame = [0; 60];
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        for next_header in [20, 22, 54] {
            frame[next_header] = 51;
        }
        let program = Program::of(&compiled("ip6 protochain 6")).unwrap();
        assert_eq!(program.verdict(&frame, 60), None);
        assert!(!program.passes(&frame, 60));
    }

    #[test]
    fn a_loop_ends() {
        let back = sock_filter { code: 0x05, jt: 0, jf: 0, k: u32::MAX };
        assert!(!Program(vec![back]).passes(&[0; 60], 60));
    }
}
