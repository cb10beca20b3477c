//! Programs: loaded, checked by the kernel's verifier, and hung on a cgroup or an interface.

use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
};

use crate::model::LinkIndex;

use super::{Code, Error, kernel};

/// What is kept of the verifier's explanation, in the end.
const LAST_LINES: usize = 3;
const LOG_BYTES: usize = 1 << 20;

/// What a program is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgramKind {
    /// Each packet that a socket of the cgroup receives.
    CgroupIngress,
    /// Each packet that a socket of the cgroup sends.
    CgroupEgress,
    /// Each socket that a process of the cgroup makes.
    SocketCreate,
    /// Each `connect(2)` of the cgroup over IPv4.
    Connect4,
    /// Each `connect(2)` of the cgroup over IPv6.
    Connect6,
    /// What happens to the TCP sockets of the cgroup.
    SocketOps,
    /// Each packet that comes in by an interface.
    InterfaceIngress,
    /// Each packet that goes out by an interface.
    InterfaceEgress,
}

impl ProgramKind {
    /// linux/bpf.h, `enum bpf_prog_type` and `enum bpf_attach_type`.
    fn numbers(self) -> (u32, u32) {
        match self {
            Self::CgroupIngress => (8, 0),
            Self::CgroupEgress => (8, 1),
            Self::SocketCreate => (9, 2),
            Self::SocketOps => (13, 3),
            Self::Connect4 => (18, 10),
            Self::Connect6 => (18, 11),
            Self::InterfaceIngress => (3, 46),
            Self::InterfaceEgress => (3, 47),
        }
    }
}

/// A program in the kernel, for as long as this value or a link of it lives.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    kind: ProgramKind,
    descriptor: OwnedFd,
}

/// A program that hangs on something, for as long as this value lives. Programs of others there go on running.
#[derive(Debug)]
pub struct ProgramLink(#[expect(dead_code, reason = "the kernel watches for its end")] OwnedFd);

impl Program {
    /// Hands a program to the kernel's verifier.
    pub fn load(name: &'static str, kind: ProgramKind, code: Code) -> Result<Self, Error> {
        let (number, attach_type) = kind.numbers();
        let code = code.finish();
        let load = |log: &mut [u8]| kernel::load_program(name, number, attach_type, &code, log);
        // Explaining takes time: only whoever is refused asks for it.
        let descriptor = load(&mut []).map_err(|source| {
            let mut log = vec![0; LOG_BYTES];
            let _ = load(&mut log);
            Error::Load { name, words: last_words(&log), source }
        })?;
        Ok(Self { name, kind, descriptor })
    }

    /// Hangs it on a cgroup (an open directory of the version 2 hierarchy), beside others.
    pub fn attach_to_cgroup(&self, cgroup: BorrowedFd<'_>, path: &str) -> Result<ProgramLink, Error> {
        self.attach(kernel::number(cgroup), || format!("the cgroup {path}"))
    }

    /// Hangs it on an interface of the calling thread's namespace, beside others (kernel 6.6).
    pub fn attach_to_interface(&self, index: LinkIndex) -> Result<ProgramLink, Error> {
        self.attach(index.number(), || format!("interface {index}"))
    }

    fn attach(&self, target: u32, named: impl Fn() -> String) -> Result<ProgramLink, Error> {
        let (_, attach_type) = self.kind.numbers();
        let refused = |source: io::Error| Error::Attach { name: self.name, target: named(), source };
        kernel::create_link(self.descriptor.as_fd(), target, attach_type).map(ProgramLink).map_err(refused)
    }
}

/// The last lines of the verifier's text but its statistics, in one.
fn last_words(log: &[u8]) -> String {
    let text = log.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> =
        text.lines().filter(|line| !line.is_empty() && !line.starts_with("processed ")).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    if last.is_empty() { String::new() } else { format!("{})", last.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verifier_is_quoted_without_its_statistics() {
        let log = b"0: (95) exit\nR0 !read_ok\nprocessed 1 insns (limit 1000000)\n\0\0\0";
        assert_eq!(last_words(log), "0: (95) exit; R0 !read_ok)");
        assert_eq!(last_words(b"\0"), "");
    }
}
