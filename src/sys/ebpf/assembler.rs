//! Instructions of the kernel's machine (Documentation/bpf/standardization/instruction-set.rst), with names for
//! registers, conditions and helpers, and labels for jumps.

use std::os::fd::AsRawFd as _;

use super::Map;

// Instruction classes, and the parts of an operation code (linux/bpf_common.h, linux/bpf.h).
const LOAD_IMMEDIATE: u8 = 0x18;
const LOAD: u8 = 0x61;
const STORE_CONSTANT: u8 = 0x62;
const STORE: u8 = 0x63;
const ADD_ATOMICALLY: u8 = 0xdb;
const ALU_32: u8 = 0x04;
const ALU_64: u8 = 0x07;
const JUMP: u8 = 0x05;
const FROM_REGISTER: u8 = 0x08;
const TO_BIG_ENDIAN: u8 = 0xdc;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
/// The source of a 64-bit load that names a map by its descriptor, or the memory of an array's first value.
const MAP: u8 = 1;
const MAP_VALUE: u8 = 2;

/// A register: R0 holds results, R1 to R5 arguments (gone after a call), R6 to R9 outlive calls, R10 is the top of the
/// stack of 512 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Register {
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R9,
    R10,
}

impl Register {
    /// The memory that many bytes behind (or, negative, before) where it points to.
    pub const fn at(self, offset: i16) -> Address {
        Address { base: self, offset }
    }
}

/// A place in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    base: Register,
    offset: i16,
}

/// How many bytes are loaded or stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// One.
    Byte = 0x10,
    /// Two.
    Half = 0x08,
    /// Four.
    Word = 0x00,
    /// Eight.
    Double = 0x18,
}

/// The second argument of an operation or comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// What a register holds.
    Register(Register),
    /// A number, extended by its sign to 64 bits where the operation has as many.
    Constant(i32),
}

impl From<Register> for Operand {
    fn from(register: Register) -> Self {
        Self::Register(register)
    }
}

impl From<i32> for Operand {
    fn from(constant: i32) -> Self {
        Self::Constant(constant)
    }
}

/// What an arithmetic instruction does to its register. Division and remainder by zero are defined (0, unchanged).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Operation {
    Add = 0x00,
    Subtract = 0x10,
    Multiply = 0x20,
    Divide = 0x30,
    Or = 0x40,
    And = 0x50,
    ShiftLeft = 0x60,
    ShiftRight = 0x70,
    Negate = 0x80,
    Remainder = 0x90,
    Xor = 0xa0,
    Set = 0xb0,
}

/// When a jump is taken; numbers are unsigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Condition {
    Equal = 0x10,
    Above = 0x20,
    AtLeast = 0x30,
    AnyBit = 0x40,
    NotEqual = 0x50,
    Below = 0xa0,
    AtMost = 0xb0,
}

/// Functions of the kernel's that programs may call (`bpf-helpers(7)`), by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the manual describes each under this name")]
pub enum Helper {
    MapLookup = 1,
    MapUpdate = 2,
    MapDelete = 3,
    KtimeNs = 5,
    CurrentPidTgid = 14,
    CurrentComm = 16,
    SkbLoadBytes = 26,
    SocketCookie = 46,
    SockOpsCbFlagsSet = 59,
    SkbCgroupId = 79,
    CurrentCgroupId = 80,
    SkbAncestorCgroupId = 83,
    SkRelease = 86,
    SkFullsock = 95,
    SkcLookupTcp = 99,
    SkCgroupId = 128,
    RingbufReserve = 131,
    RingbufSubmit = 132,
    RingbufDiscard = 133,
    RingbufQuery = 134,
}

/// A place in a program that can be jumped to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label(usize);

/// A program being written, from top to bottom.
#[derive(Debug, Default)]
pub struct Code {
    instructions: Vec<Instruction>,
    /// Where each label is.
    places: Vec<Option<usize>>,
    /// Jumps, and where they lead.
    jumps: Vec<(usize, Label)>,
}

#[derive(Debug, Clone, Copy)]
struct Instruction {
    code: u8,
    to: u8,
    from: u8,
    offset: i16,
    constant: i32,
}

impl Code {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// A label, to be placed once.
    pub fn label(&mut self) -> Label {
        self.places.push(None);
        Label(self.places.len() - 1)
    }

    /// Here is where jumps to it lead.
    pub fn place(&mut self, label: Label) {
        self.places[label.0] = Some(self.instructions.len());
    }

    /// `to = value`
    pub fn set(&mut self, to: Register, value: impl Into<Operand>) {
        self.calculate(Operation::Set, to, value);
    }

    /// `to += value`
    pub fn add(&mut self, to: Register, value: impl Into<Operand>) {
        self.calculate(Operation::Add, to, value);
    }

    /// `to OPERATION= with`, in 64 bits.
    pub fn calculate(&mut self, operation: Operation, to: Register, with: impl Into<Operand>) {
        self.operate(ALU_64 | operation as u8, to, with.into(), 0);
    }

    /// The same in 32 bits; the upper half becomes zero.
    pub fn calculate_32(&mut self, operation: Operation, to: Register, with: impl Into<Operand>) {
        self.operate(ALU_32 | operation as u8, to, with.into(), 0);
    }

    /// Swaps the lowest 16, 32 or 64 bits into network order (or out of it), where the machine has another.
    pub fn big_endian(&mut self, bits: i32, register: Register) {
        self.push(TO_BIG_ENDIAN, register as u8, 0, 0, bits);
    }

    /// `to = *from`
    pub fn load(&mut self, width: Width, to: Register, from: Address) {
        self.push(LOAD | width as u8, to as u8, from.base as u8, from.offset, 0);
    }

    /// `*to = value`
    pub fn store(&mut self, width: Width, to: Address, value: impl Into<Operand>) {
        match value.into() {
            Operand::Register(from) => {
                self.push(STORE | width as u8, to.base as u8, from as u8, to.offset, 0);
            }
            Operand::Constant(constant) => {
                self.push(STORE_CONSTANT | width as u8, to.base as u8, 0, to.offset, constant);
            }
        }
    }

    /// `*to += value`, of eight bytes, undisturbed by other processors.
    pub fn add_atomically(&mut self, to: Address, value: Register) {
        self.push(ADD_ATOMICALLY, to.base as u8, value as u8, to.offset, 0);
    }

    /// `to = number`, of 64 bits.
    pub fn set_wide(&mut self, to: Register, number: u64) {
        let [low, high] = halves(number);
        self.wide(to, 0, low, high);
    }

    /// `to = map`, for helpers. The map must live until the program is loaded, and the kernel keeps it from then on.
    pub fn set_map(&mut self, to: Register, map: &Map) {
        self.wide(to, MAP, map.descriptor().as_raw_fd(), 0);
    }

    /// `to = &map[0]`, that many bytes into the only value of an array.
    pub fn set_value_of(&mut self, to: Register, map: &Map, offset: i32) {
        self.wide(to, MAP_VALUE, map.descriptor().as_raw_fd(), offset);
    }

    /// Goes on there.
    pub fn jump(&mut self, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.push(JUMP, 0, 0, 0, 0);
    }

    /// Goes on there if the comparison, of 64 bits, holds.
    pub fn jump_if(&mut self, left: Register, condition: Condition, right: impl Into<Operand>, label: Label) {
        self.jumps.push((self.instructions.len(), label));
        self.operate(JUMP | condition as u8, left, right.into(), 0);
    }

    /// `R0 = helper(R1, …)`
    pub fn call(&mut self, helper: Helper) {
        self.push(CALL, 0, 0, 0, helper as i32);
    }

    /// Ends with what R0 holds.
    pub fn exit(&mut self) {
        self.push(EXIT, 0, 0, 0, 0);
    }

    /// The program as the kernel takes it.
    ///
    /// # Panics
    /// If a label was not placed, or a jump is longer than 32,767 instructions.
    pub fn finish(mut self) -> Vec<[u8; 8]> {
        for (from, Label(label)) in &self.jumps {
            let target = self.places[*label].expect("a label that is jumped to is placed");
            let distance = target.cast_signed() - from.cast_signed() - 1;
            self.instructions[*from].offset = distance.try_into().expect("a program is short");
        }
        self.instructions.into_iter().map(Instruction::bytes).collect()
    }

    fn operate(&mut self, code: u8, to: Register, with: Operand, offset: i16) {
        match with {
            Operand::Register(from) => self.push(code | FROM_REGISTER, to as u8, from as u8, offset, 0),
            Operand::Constant(constant) => self.push(code, to as u8, 0, offset, constant),
        }
    }

    fn wide(&mut self, to: Register, kind: u8, low: i32, high: i32) {
        self.push(LOAD_IMMEDIATE, to as u8, kind, 0, low);
        self.push(0, 0, 0, 0, high);
    }

    fn push(&mut self, code: u8, to: u8, from: u8, offset: i16, constant: i32) {
        self.instructions.push(Instruction { code, to, from, offset, constant });
    }
}

impl Instruction {
    fn bytes(self) -> [u8; 8] {
        let registers =
            if cfg!(target_endian = "little") { self.from << 4 | self.to } else { self.to << 4 | self.from };
        let mut bytes = [self.code, registers, 0, 0, 0, 0, 0, 0];
        bytes[2..4].copy_from_slice(&self.offset.to_ne_bytes());
        bytes[4..].copy_from_slice(&self.constant.to_ne_bytes());
        bytes
    }
}

/// The lower and the upper half.
fn halves(number: u64) -> [i32; 2] {
    [(number & 0xffff_ffff) as u32, (number >> 32) as u32].map(u32::cast_signed)
}

#[cfg(test)]
mod tests {
    use super::{Register::*, *};

    fn hex(code: Code) -> Vec<String> {
        let text = |bytes: [u8; 8]| bytes.map(|byte| format!("{byte:02x}")).concat();
        code.finish().into_iter().map(text).collect()
    }

    /// As `bpftool prog dump xlated opcodes` shows the same instructions, on a little-endian machine.
    #[test]
    #[cfg(target_endian = "little")]
    fn instructions_are_laid_out_as_the_kernel_has_them() {
        let mut code = Code::new();
        code.set(R6, R1);
        code.load(Width::Word, R7, R6.at(0));
        code.load(Width::Double, R2, R10.at(-8));
        code.store(Width::Double, R10.at(-8), R7);
        code.store(Width::Half, R10.at(-2), 5);
        code.calculate_32(Operation::And, R7, 0xff);
        code.calculate(Operation::ShiftLeft, R7, R2);
        code.big_endian(16, R3);
        code.set_wide(R1, 0x1122_3344_5566_7788);
        code.add_atomically(R1.at(16), R2);
        code.call(Helper::KtimeNs);
        code.exit();
        let expected = [
            "bf16000000000000",
            "6167000000000000",
            "79a2f8ff00000000",
            "7b7af8ff00000000",
            "6a0afeff05000000",
            "54070000ff000000",
            "6f27000000000000",
            "dc03000010000000",
            "1801000088776655",
            "0000000044332211",
            "db21100000000000",
            "8500000005000000",
            "9500000000000000",
        ];
        assert_eq!(hex(code), expected);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn jumps_lead_to_their_labels_both_ways() {
        let mut code = Code::new();
        let (begin, end) = (code.label(), code.label());
        code.place(begin);
        code.jump_if(R1, Condition::Above, 9, end);
        code.jump_if(R1, Condition::NotEqual, R2, begin);
        code.jump(end);
        code.exit();
        code.place(end);
        code.exit();
        assert_eq!(
            hex(code),
            [
                "2501030009000000",
                "5d21feff00000000",
                "0500010000000000",
                "9500000000000000",
                "9500000000000000"
            ]
        );
    }
}
