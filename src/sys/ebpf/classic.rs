//! A classic filter as instructions of the kernel's present machine, for programs that cannot be given a classic one.
//!
//! Means the same as [`bpf::Program::passes`](crate::sys::bpf): a load behind the packet's end rejects it, and so does a
//! division by zero; shifts by 32 and more leave nothing.

use libc::{
    BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_B, BPF_DIV, BPF_H, BPF_IMM, BPF_IND, BPF_JA, BPF_JEQ,
    BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC,
    BPF_MOD, BPF_MSH, BPF_MUL, BPF_NEG, BPF_OR, BPF_RET, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA,
    BPF_W, BPF_X, BPF_XOR, sock_filter,
};

use super::{
    Code, Condition, Helper, Label, Operation,
    Register::{self, R0, R1, R2, R3, R4, R6, R7, R8, R10},
    Width,
};

/// Where the packet's context is, the accumulator and the index register.
const CONTEXT: Register = R6;
const A: Register = R7;
const X: Register = R8;
/// At the end, what is returned.
const KEPT: Register = R8;
/// What a load fetches lands here, on the stack.
const FETCHED: i16 = -8;
/// The first scratch word; the others are below it.
const SCRATCH: i16 = -16;
/// Zero, which the verifier takes for any number; see [`Translation::veil`].
const VEIL: i16 = -144;
/// The kernel takes no offset above it.
const LAST_OFFSET: u32 = i32::MAX.cast_unsigned();
const SKB_LEN: i16 = 0;

/// Why a filter cannot run there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Untranslatable {
    #[error("it walks through headers in a loop, which the kernel does not run")]
    Loop,
    #[error("it has an instruction that only libpcap knows")]
    Unknown,
    #[error("it asks for something that only an interface knows")]
    OfInterface,
}

/// Appends the filter to a program that keeps its context in R6. Falls through when a packet passes, with how much of it is
/// to be kept in R8, and goes to `rejected` otherwise. Uses R0 to R5, R7 and the top 144 bytes of the stack. `skipped`
/// bytes before the packet itself (a link header) are not seen by the filter.
pub(in crate::sys) fn append_filter(
    code: &mut Code,
    filter: &[sock_filter],
    skipped: u32,
    rejected: Label,
) -> Result<(), Untranslatable> {
    let passed = code.label();
    let places = filter.iter().map(|_| code.label()).collect();
    let mut translation = Translation { code, places, passed, rejected, skipped };
    translation.begin(filter);
    let reached = reached(filter);
    // The kernel runs no program with instructions in it that nothing leads to.
    for (number, instruction) in filter.iter().enumerate().filter(|(number, _)| reached[*number]) {
        let place = translation.places[number];
        translation.code.place(place);
        translation.step(number, *instruction)?;
    }
    code.place(passed);
    Ok(())
}

struct Translation<'a> {
    code: &'a mut Code,
    places: Vec<Label>,
    passed: Label,
    rejected: Label,
    skipped: u32,
}

impl Translation<'_> {
    /// The verifier wants everything that may be read to have been written.
    fn begin(&mut self, filter: &[sock_filter]) {
        self.code.load(Width::Word, R1, CONTEXT.at(SKB_LEN));
        self.code.load(Width::Word, R2, CONTEXT.at(SKB_LEN));
        self.code.calculate_32(Operation::Xor, R1, R2);
        self.code.store(Width::Double, R10.at(VEIL), R1);
        self.code.set(A, 0);
        self.code.set(X, 0);
        let reads = filter.iter().filter(|instruction| {
            let code = u32::from(instruction.code);
            matches!(code & 0x07, BPF_LD | BPF_LDX) && code & 0xe0 == BPF_MEM
        });
        let mut words: Vec<u32> = reads.map(|instruction| instruction.k).collect();
        words.sort_unstable();
        words.dedup();
        for word in words {
            self.code.store(Width::Double, R10.at(scratch(word)), 0);
        }
    }

    /// Makes the verifier forget what it knows of a number. It walks every path, and two that meet are one from there on
    /// only if nothing it has concluded from on the way differs, such as where a header begins: in a program that walks
    /// through headers that would be more paths than it has patience for (a million instructions).
    fn veil(&mut self, register: Register) {
        self.code.load(Width::Double, R1, R10.at(VEIL));
        self.code.calculate_32(Operation::Add, register, R1);
    }

    fn step(&mut self, number: usize, instruction: sock_filter) -> Result<(), Untranslatable> {
        let (code, k) = (u32::from(instruction.code), instruction.k);
        match code & 0x07 {
            BPF_LD => self.load(A, code, k)?,
            BPF_LDX => self.load(X, code, k)?,
            BPF_ST => self.code.store(Width::Double, R10.at(scratch(k)), A),
            BPF_STX => self.code.store(Width::Double, R10.at(scratch(k)), X),
            BPF_ALU => self.calculate(code, k)?,
            BPF_JMP => self.jump(number, instruction)?,
            BPF_RET => match code & 0x18 {
                BPF_K if k == 0 => self.code.jump(self.rejected),
                BPF_K => {
                    self.code.calculate_32(Operation::Set, KEPT, k.cast_signed());
                    self.code.jump(self.passed);
                }
                BPF_A => {
                    self.code.jump_if(A, Condition::Equal, 0, self.rejected);
                    self.code.set(KEPT, A);
                    self.code.jump(self.passed);
                }
                _ => return Err(Untranslatable::Unknown),
            },
            BPF_MISC => match code & 0xf8 {
                BPF_TAX => {
                    self.code.set(X, A);
                    self.veil(X);
                }
                BPF_TXA => {
                    self.code.set(A, X);
                    self.veil(A);
                }
                _ => return Err(Untranslatable::Unknown),
            },
            _ => return Err(Untranslatable::Unknown),
        }
        Ok(())
    }

    fn load(&mut self, to: Register, code: u32, k: u32) -> Result<(), Untranslatable> {
        match code & 0xe0 {
            BPF_IMM => {
                self.code.calculate_32(Operation::Set, to, k.cast_signed());
                self.veil(to);
            }
            // Beyond that, it is not the packet that is loaded from (linux/filter.h, `SKF_AD_OFF` and the like).
            BPF_ABS if k > LAST_OFFSET => return Err(Untranslatable::OfInterface),
            BPF_ABS => self.fetch(to, code & 0x18, None, k)?,
            BPF_IND => self.fetch(to, code & 0x18, Some(X), k)?,
            BPF_MEM => {
                self.code.load(Width::Double, to, R10.at(scratch(k)));
                self.veil(to);
            }
            BPF_LEN => {
                self.code.load(Width::Word, to, CONTEXT.at(SKB_LEN));
                self.code.calculate_32(Operation::Subtract, to, self.skipped.cast_signed());
            }
            BPF_MSH => {
                self.fetch(to, BPF_B, None, k)?;
                self.code.calculate_32(Operation::And, to, 0x0f);
                self.code.calculate_32(Operation::ShiftLeft, to, 2);
            }
            _ => return Err(Untranslatable::Unknown),
        }
        Ok(())
    }

    /// `to` = the number at `index` + `k`, or off to where packets are rejected.
    fn fetch(
        &mut self,
        to: Register,
        size: u32,
        index: Option<Register>,
        k: u32,
    ) -> Result<(), Untranslatable> {
        let (bytes, bits, width) = match size {
            BPF_W => (4, 32, Width::Word),
            BPF_H => (2, 16, Width::Half),
            BPF_B => (1, 0, Width::Byte),
            _ => return Err(Untranslatable::Unknown),
        };
        let offset = k.saturating_add(self.skipped).min(LAST_OFFSET).cast_signed();
        self.code.set(R2, offset);
        if let Some(index) = index {
            self.code.add(R2, index);
            self.code.jump_if(R2, Condition::Above, LAST_OFFSET.cast_signed(), self.rejected);
        }
        self.code.set(R1, CONTEXT);
        self.code.set(R3, R10);
        self.code.add(R3, i32::from(FETCHED));
        self.code.set(R4, bytes);
        self.code.call(Helper::SkbLoadBytes);
        self.code.jump_if(R0, Condition::NotEqual, 0, self.rejected);
        self.code.load(width, to, R10.at(FETCHED));
        if bits > 0 {
            self.code.big_endian(bits, to);
        }
        Ok(())
    }

    fn calculate(&mut self, code: u32, k: u32) -> Result<(), Untranslatable> {
        let operation = match code & 0xf0 {
            BPF_ADD => Operation::Add,
            BPF_SUB => Operation::Subtract,
            BPF_MUL => Operation::Multiply,
            BPF_DIV => Operation::Divide,
            BPF_MOD => Operation::Remainder,
            BPF_OR => Operation::Or,
            BPF_AND => Operation::And,
            BPF_XOR => Operation::Xor,
            BPF_LSH => Operation::ShiftLeft,
            BPF_RSH => Operation::ShiftRight,
            BPF_NEG => {
                self.code.calculate_32(Operation::Negate, A, 0);
                return Ok(());
            }
            _ => return Err(Untranslatable::Unknown),
        };
        if code & 0x08 == BPF_X {
            self.code.set(R1, X);
        } else {
            self.code.calculate_32(Operation::Set, R1, k.cast_signed());
        }
        match operation {
            Operation::Divide | Operation::Remainder => {
                self.code.jump_if(R1, Condition::Equal, 0, self.rejected);
                self.code.calculate_32(operation, A, R1);
            }
            Operation::ShiftLeft | Operation::ShiftRight => {
                let (far, done) = (self.code.label(), self.code.label());
                self.code.jump_if(R1, Condition::Above, 31, far);
                self.code.calculate_32(operation, A, R1);
                self.code.jump(done);
                self.code.place(far);
                self.code.set(A, 0);
                self.code.place(done);
            }
            _ => self.code.calculate_32(operation, A, R1),
        }
        Ok(())
    }

    fn jump(&mut self, number: usize, instruction: sock_filter) -> Result<(), Untranslatable> {
        let code = u32::from(instruction.code);
        let condition = match code & 0xf0 {
            BPF_JA => {
                let target = self.target(number, instruction.k)?;
                self.code.jump(target);
                return Ok(());
            }
            BPF_JEQ => Condition::Equal,
            BPF_JGT => Condition::Above,
            BPF_JGE => Condition::AtLeast,
            BPF_JSET => Condition::AnyBit,
            _ => return Err(Untranslatable::Unknown),
        };
        let holds = self.target(number, instruction.jt.into())?;
        let fails = self.target(number, instruction.jf.into())?;
        // As a constant of the comparison it would be extended by its sign.
        self.code.calculate_32(Operation::Set, R1, instruction.k.cast_signed());
        let operand = if code & 0x08 == BPF_X { X } else { R1 };
        self.code.jump_if(A, condition, operand, holds);
        self.code.jump(fails);
        Ok(())
    }

    /// The instruction so many behind the next one. A distance that is negative as a signed number leads back.
    fn target(&self, number: usize, distance: u32) -> Result<Label, Untranslatable> {
        let behind = self.places.get(number + 1..).unwrap_or_default();
        behind.get(distance as usize).copied().ok_or(Untranslatable::Loop)
    }
}

/// Which instructions something leads to. Jumps lead forward; others are refused when they are translated.
fn reached(filter: &[sock_filter]) -> Vec<bool> {
    let mut reached = vec![false; filter.len()];
    reached.iter_mut().take(1).for_each(|first| *first = true);
    for (number, instruction) in filter.iter().enumerate() {
        if !reached[number] {
            continue;
        }
        let code = u32::from(instruction.code);
        let distances = match (code & 0x07, code & 0xf0) {
            (BPF_RET, _) => vec![],
            (BPF_JMP, BPF_JA) => vec![instruction.k],
            (BPF_JMP, _) => vec![instruction.jt.into(), instruction.jf.into()],
            _ => vec![0],
        };
        let behind = &mut reached[number + 1..];
        for distance in distances {
            behind.iter_mut().skip(distance as usize).take(1).for_each(|place| *place = true);
        }
    }
    reached
}

/// Where a scratch word is on the stack.
fn scratch(word: u32) -> i16 {
    // libpcap has sixteen; no more can be asked for.
    SCRATCH - 8 * i16::try_from(word & 15).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(filter: &[sock_filter]) -> Vec<[u8; 8]> {
        let mut code = Code::new();
        let rejected = code.label();
        append_filter(&mut code, filter, 0, rejected).unwrap();
        code.place(rejected);
        code.finish()
    }

    #[test]
    fn what_no_packet_leads_to_is_left_out() {
        let instruction = |code: u32, jt, jf, k| sock_filter { code: code.try_into().unwrap(), jt, jf, k };
        let length = instruction(BPF_LD | BPF_W | BPF_LEN, 0, 0, 0);
        let [keep, reject] = [100, 0].map(|k| instruction(BPF_RET | BPF_K, 0, 0, k));
        let choice = |jt| instruction(BPF_JMP | BPF_JGT | BPF_K, jt, 0, 60);
        let skip = |k| instruction(BPF_JMP | BPF_JA, 0, 0, k);
        let plain = translated(&[length, choice(1), reject, keep]);
        assert_eq!(translated(&[length, choice(2), reject, length, keep, reject]), plain);
        // What follows a jump is reached by others at most.
        let jumping = translated(&[skip(0), length, choice(1), reject, keep]);
        assert_eq!(translated(&[skip(2), reject, keep, length, choice(1), reject, keep]), jumping);
    }
}
