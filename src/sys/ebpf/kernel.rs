//! `bpf(2)` and the arguments of its commands, each a structure of its own (linux/bpf.h, `union bpf_attr`).
#![expect(unsafe_code, reason = "no safe wrapper knows this system call")]

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP: libc::c_int = 1;
const MAP_UPDATE: libc::c_int = 2;
const MAP_DELETE: libc::c_int = 3;
const MAP_NEXT_KEY: libc::c_int = 4;
const PROGRAM_LOAD: libc::c_int = 5;
const LINK_CREATE: libc::c_int = 28;
/// As long as a name may be, with the zero behind it.
const NAME_BYTES: usize = 16;

#[repr(C)]
#[derive(Default)]
struct MapCreate {
    kind: u32,
    key_bytes: u32,
    value_bytes: u32,
    entries: u32,
    flags: u32,
    inner: u32,
    numa_node: u32,
    name: [u8; NAME_BYTES],
}

#[repr(C)]
#[derive(Default)]
struct MapElement {
    map: u32,
    _gap: u32,
    key: u64,
    value: u64,
    flags: u64,
}

#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    kind: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log_level: u32,
    log_bytes: u32,
    log: u64,
    kernel_version: u32,
    flags: u32,
    name: [u8; NAME_BYTES],
    ifindex: u32,
    expected_attach_type: u32,
}

#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    program: u32,
    target: u32,
    attach_type: u32,
    flags: u32,
    /// Of TCX: which program to stand before or behind, and at which revision of the list; zero: no matter.
    relative: u64,
    revision: u64,
}

/// What a map is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct MapShape {
    pub(super) kind: u32,
    pub(super) key_bytes: u32,
    pub(super) value_bytes: u32,
    pub(super) entries: u32,
    pub(super) flags: u32,
}

pub(super) fn create_map(name: &str, shape: MapShape) -> io::Result<OwnedFd> {
    let MapShape { kind, key_bytes, value_bytes, entries, flags } = shape;
    let name = short(name);
    let mut arguments =
        MapCreate { kind, key_bytes, value_bytes, entries, flags, name, ..MapCreate::default() };
    descriptor(MAP_CREATE, &mut arguments)
}

/// Fills `value`; false where there is no such key. The caller vouches that both are as long as the map says.
pub(super) fn lookup(map: BorrowedFd<'_>, key: &[u8], value: &mut [u8]) -> io::Result<bool> {
    let mut arguments = MapElement {
        map: number(map),
        key: key.as_ptr() as u64,
        value: value.as_mut_ptr() as u64,
        ..MapElement::default()
    };
    found(call(MAP_LOOKUP, &mut arguments))
}

pub(super) fn update(map: BorrowedFd<'_>, key: &[u8], value: &[u8]) -> io::Result<()> {
    let mut arguments = MapElement {
        map: number(map),
        key: key.as_ptr() as u64,
        value: value.as_ptr() as u64,
        ..MapElement::default()
    };
    call(MAP_UPDATE, &mut arguments).map(drop)
}

pub(super) fn delete(map: BorrowedFd<'_>, key: &[u8]) -> io::Result<bool> {
    let mut arguments = MapElement { map: number(map), key: key.as_ptr() as u64, ..MapElement::default() };
    found(call(MAP_DELETE, &mut arguments))
}

/// Replaces `key` by the one behind it, or by the first one; false at the end.
pub(super) fn next_key(map: BorrowedFd<'_>, key: Option<&[u8]>, next: &mut [u8]) -> io::Result<bool> {
    let mut arguments = MapElement {
        map: number(map),
        key: key.map_or(0, |key| key.as_ptr() as u64),
        value: next.as_mut_ptr() as u64,
        ..MapElement::default()
    };
    found(call(MAP_NEXT_KEY, &mut arguments))
}

/// Loads a program; the verifier explains itself in `log` if that is not empty.
pub(super) fn load_program(
    name: &str,
    kind: u32,
    attach_type: u32,
    code: &[[u8; 8]],
    log: &mut [u8],
) -> io::Result<OwnedFd> {
    let length = |count: usize| u32::try_from(count).map_err(|_| io::ErrorKind::InvalidInput);
    let mut arguments = ProgramLoad {
        kind,
        instructions: length(code.len())?,
        code: code.as_ptr() as u64,
        // Some helpers are for programs under the GPL alone; both of our licenses agree with it.
        license: c"Dual MIT/GPL".as_ptr() as u64,
        log_level: u32::from(!log.is_empty()),
        log_bytes: length(log.len())?,
        log: if log.is_empty() { 0 } else { log.as_mut_ptr() as u64 },
        name: short(name),
        expected_attach_type: attach_type,
        ..ProgramLoad::default()
    };
    descriptor(PROGRAM_LOAD, &mut arguments)
}

/// Hangs a program on a cgroup (its descriptor) or an interface (its index).
pub(super) fn create_link(program: BorrowedFd<'_>, target: u32, attach_type: u32) -> io::Result<OwnedFd> {
    let mut arguments = LinkCreate { program: number(program), target, attach_type, ..LinkCreate::default() };
    descriptor(LINK_CREATE, &mut arguments)
}

/// A descriptor as the kernel's structures have it.
pub(super) fn number(descriptor: BorrowedFd<'_>) -> u32 {
    descriptor.as_raw_fd().cast_unsigned()
}

fn found(answer: io::Result<libc::c_int>) -> io::Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Names are for whoever lists programs and maps: letters, digits, `_` and `.`, at most 15.
fn short(name: &str) -> [u8; NAME_BYTES] {
    let mut field = [0; NAME_BYTES];
    let length = name.len().min(NAME_BYTES - 1);
    field[..length].copy_from_slice(&name.as_bytes()[..length]);
    field
}

fn descriptor<T>(command: libc::c_int, arguments: &mut T) -> io::Result<OwnedFd> {
    let fd = call(command, arguments)?;
    // SAFETY: commands that make something answer with a new descriptor, closed on exec, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn call<T>(command: libc::c_int, arguments: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: `arguments` is one of the structures above, whose layout the kernel knows by its size; the pointers in it
    // are those of live borrows of the callers, at least as long as the kernel was told or the map's shape says.
    let answer =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(arguments), size_of::<T>()) };
    libc::c_int::try_from(answer).ok().filter(|answer| *answer >= 0).ok_or_else(io::Error::last_os_error)
}
