//! Writes classic BPF: instructions one after the other, with labels for the places to jump to.
//!
//! A test may lead only 255 instructions on, an unconditional jump anywhere. So each test to a label is a short one
//! over such a jump, and no program has to care about distances. Jumps lead forward: the kernel takes no others.

use libc::{
    BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ, BPF_JGE,
    BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_RET,
    BPF_RSH, BPF_ST, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X, sock_filter,
};

/// A place in a program, named before it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sys) struct Label(usize);

/// A question to the accumulator.
#[derive(Debug, Clone, Copy)]
pub(in crate::sys) enum Test {
    Equals(u32),
    Differs(u32),
    Above(u32),
    Below(u32),
    AnyBitOf(u32),
}

/// A program being written. `A` is the accumulator, `X` the index.
#[derive(Debug, Default)]
pub(in crate::sys) struct Assembly {
    code: Vec<sock_filter>,
    places: Vec<usize>,
    /// Jumps that do not know their distance, and where they lead.
    jumps: Vec<(usize, Label)>,
}

impl Assembly {
    /// A place yet to be found.
    pub(in crate::sys) fn label(&mut self) -> Label {
        self.places.push(0);
        Label(self.places.len() - 1)
    }

    /// `label` is here.
    pub(in crate::sys) fn place(&mut self, label: Label) {
        if let Some(place) = self.places.get_mut(label.0) {
            *place = self.code.len();
        }
    }

    /// The program, with every distance known.
    pub(in crate::sys) fn finish(mut self) -> Vec<sock_filter> {
        for (at, label) in self.jumps {
            if let (Some(jump), Some(place)) = (self.code.get_mut(at), self.places.get(label.0)) {
                jump.k = distance(at, *place);
            }
        }
        self.code
    }

    /// Goes on at `label`.
    pub(in crate::sys) fn go(&mut self, label: Label) {
        self.jumps.push((self.code.len(), label));
        self.emit(BPF_JMP | BPF_JA, 0);
    }

    /// Goes on at `label` if A passes the test.
    pub(in crate::sys) fn go_if(&mut self, test: Test, label: Label) {
        const OVER_THE_JUMP: (u8, u8) = (0, 1);
        let (operation, k, (jt, jf)) = match test {
            Test::Equals(k) => (BPF_JEQ, k, OVER_THE_JUMP),
            Test::Above(k) => (BPF_JGT, k, OVER_THE_JUMP),
            Test::Differs(k) => (BPF_JEQ, k, (1, 0)),
            Test::Below(k) => (BPF_JGE, k, (1, 0)),
            Test::AnyBitOf(k) => (BPF_JSET, k, OVER_THE_JUMP),
        };
        self.code.push(sock_filter { code: code(BPF_JMP | operation | BPF_K), jt, jf, k });
        self.go(label);
    }

    /// A = the length of the frame.
    pub(in crate::sys) fn load_length(&mut self) {
        self.emit(BPF_LD | BPF_W | BPF_LEN, 0);
    }

    /// A = the byte at X + `offset`.
    pub(in crate::sys) fn load_byte(&mut self, offset: u32) {
        self.emit(BPF_LD | BPF_B | BPF_IND, offset);
    }

    /// A = the two bytes at X + `offset`.
    pub(in crate::sys) fn load_half(&mut self, offset: u32) {
        self.emit(BPF_LD | BPF_H | BPF_IND, offset);
    }

    /// A = the byte at `offset`. The kernel compiles this in line, other than a load by X, which costs it a call.
    pub(in crate::sys) fn load_byte_at(&mut self, offset: u32) {
        self.emit(BPF_LD | BPF_B | BPF_ABS, offset);
    }

    /// A = the two bytes at `offset`, in the same way.
    pub(in crate::sys) fn load_half_at(&mut self, offset: u32) {
        self.emit(BPF_LD | BPF_H | BPF_ABS, offset);
    }

    /// A = that word of the scratch memory.
    pub(in crate::sys) fn recall(&mut self, word: u32) {
        self.emit(BPF_LD | BPF_MEM, word);
    }

    /// That word of the scratch memory = A.
    pub(in crate::sys) fn keep(&mut self, word: u32) {
        self.emit(BPF_ST, word);
    }

    /// X = `value`.
    pub(in crate::sys) fn set_x(&mut self, value: u32) {
        self.emit(BPF_LDX | BPF_IMM, value);
    }

    /// X = A.
    pub(in crate::sys) fn a_to_x(&mut self) {
        self.emit(BPF_MISC | BPF_TAX, 0);
    }

    /// A = X.
    pub(in crate::sys) fn x_to_a(&mut self) {
        self.emit(BPF_MISC | BPF_TXA, 0);
    }

    /// A = A + `value`.
    pub(in crate::sys) fn add(&mut self, value: u32) {
        self.emit(BPF_ALU | BPF_ADD | BPF_K, value);
    }

    /// A = A + X.
    pub(in crate::sys) fn add_x(&mut self) {
        self.emit(BPF_ALU | BPF_ADD | BPF_X, 0);
    }

    /// A = A - `value`.
    pub(in crate::sys) fn subtract(&mut self, value: u32) {
        self.emit(BPF_ALU | BPF_SUB | BPF_K, value);
    }

    /// A = A - X.
    pub(in crate::sys) fn subtract_x(&mut self) {
        self.emit(BPF_ALU | BPF_SUB | BPF_X, 0);
    }

    /// A = A & `mask`.
    pub(in crate::sys) fn and(&mut self, mask: u32) {
        self.emit(BPF_ALU | BPF_AND | BPF_K, mask);
    }

    /// A = A << `bits`.
    pub(in crate::sys) fn shift_left(&mut self, bits: u32) {
        self.emit(BPF_ALU | BPF_LSH | BPF_K, bits);
    }

    /// A = A >> `bits`.
    pub(in crate::sys) fn shift_right(&mut self, bits: u32) {
        self.emit(BPF_ALU | BPF_RSH | BPF_K, bits);
    }

    /// Ends: the frame passes, cut to A bytes.
    pub(in crate::sys) fn return_a(&mut self) {
        self.emit(BPF_RET | BPF_A, 0);
    }

    /// Ends: the frame passes, cut to `bytes`.
    pub(in crate::sys) fn return_constant(&mut self, bytes: u32) {
        self.emit(BPF_RET | BPF_K, bytes);
    }

    fn emit(&mut self, operation: u32, k: u32) {
        self.code.push(sock_filter { code: code(operation), jt: 0, jf: 0, k });
    }
}

/// How far a jump at `at` leads when it is to go on at `place`.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the kernel takes no program of more than 4,096 instructions"
)]
pub(super) fn distance(at: usize, place: usize) -> u32 {
    place.saturating_sub(at + 1) as u32
}

#[expect(clippy::cast_possible_truncation, reason = "an operation is a sum of constants below 0x100")]
const fn code(operation: u32) -> u16 {
    operation as u16
}
