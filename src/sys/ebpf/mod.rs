//! Programs and maps inside the kernel (`bpf(2)`), put together as instructions: no compiler, no type information (BTF)
//! and no library, so that nothing but a kernel of 5.8 or later is needed.
//!
//! `assembler` writes programs, `classic` translates filters for them, `map` and `program` hand them to the kernel, `ring_buffer` reads what they tell. What
//! hangs on a [`Program`] by a [`ProgramLink`] goes with the last descriptor: nothing stays behind, even after SIGKILL.

mod assembler;
mod classic;
mod kernel;
mod map;
mod program;
mod ring_buffer;

use std::io;

pub use assembler::{Address, Code, Condition, Helper, Label, Operand, Operation, Register, Width};
pub use classic::Untranslatable;
pub(super) use classic::append_filter;
pub use map::{Map, MapKind, SharedWords, possible_cpus};
pub use program::{Program, ProgramKind, ProgramLink};
pub use ring_buffer::RingBuffer;

/// What the kernel refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A map.
    #[error("making the kernel map {name}")]
    Map {
        /// Its name.
        name: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A program; the verifier's last words say why.
    #[error("loading the kernel program {name}{}{words}", if words.is_empty() { "" } else { " (" })]
    Load {
        /// Its name.
        name: &'static str,
        /// The verifier's last lines, with a closing bracket; empty where it did not get that far.
        words: String,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Hanging a program on something.
    #[error("attaching the kernel program {name} to {target}")]
    Attach {
        /// Its name.
        name: &'static str,
        /// What it was to hang on.
        target: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    /// The kernel's answer.
    pub fn cause(&self) -> &io::Error {
        match self {
            Self::Map { source, .. } | Self::Load { source, .. } | Self::Attach { source, .. } => source,
        }
    }
}
