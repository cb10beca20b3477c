//! Maps: tables that programs and we share.
#![expect(unsafe_code, reason = "an array can be mapped into memory, and the kernel writes there")]

use std::{
    fs, io,
    num::NonZeroUsize,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{
    Error,
    kernel::{self, MapShape},
};

/// The array can be mapped into memory (linux/bpf.h, `BPF_F_MMAPABLE`).
const MAPPABLE: u32 = 1 << 10;

/// How a map finds its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// By any bytes.
    Hash,
    /// By any bytes; when it is full, the entry that was not used for longest goes.
    LruHash,
    /// By a number of four bytes; all entries are there from the start, as zeros.
    Array,
    /// The same, with a value for each processor.
    PerCpuArray,
    /// By any bytes, with a value for each processor.
    PerCpuHash,
    /// None: a queue of records, see [`RingBuffer`](super::RingBuffer).
    RingBuffer,
}

impl MapKind {
    /// linux/bpf.h, `enum bpf_map_type`.
    fn number(self) -> u32 {
        match self {
            Self::Hash => 1,
            Self::Array => 2,
            Self::PerCpuHash => 5,
            Self::PerCpuArray => 6,
            Self::LruHash => 9,
            Self::RingBuffer => 27,
        }
    }

    fn is_per_cpu(self) -> bool {
        matches!(self, Self::PerCpuArray | Self::PerCpuHash)
    }
}

/// A table in the kernel, for as long as this value or a program that names it lives.
#[derive(Debug)]
pub struct Map {
    descriptor: OwnedFd,
    key_bytes: usize,
    /// As seen from here: with values of all processors, where it has one for each.
    value_bytes: usize,
}

impl Map {
    /// Makes one with keys and values of so many bytes, and room for so many entries.
    pub fn create(
        name: &'static str,
        kind: MapKind,
        key_bytes: u32,
        value_bytes: u32,
        entries: u32,
    ) -> Result<Self, Error> {
        Self::shaped(name, kind, MapShape { kind: kind.number(), key_bytes, value_bytes, entries, flags: 0 })
    }

    fn shaped(name: &'static str, kind: MapKind, shape: MapShape) -> Result<Self, Error> {
        raise_locked_memory();
        let descriptor = kernel::create_map(name, shape).map_err(|source| Error::Map { name, source })?;
        let value_bytes = shape.value_bytes as usize;
        let value_bytes =
            if kind.is_per_cpu() { value_bytes.next_multiple_of(8) * possible_cpus() } else { value_bytes };
        Ok(Self { descriptor, key_bytes: shape.key_bytes as usize, value_bytes })
    }

    /// Names it in the kernel's structures.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// The value of a key; of a map with a value for each processor all of them, each padded to eight bytes.
    ///
    /// # Panics
    /// If the key is not as long as the map's keys.
    pub fn lookup(&self, key: &[u8]) -> io::Result<Option<Vec<u8>>> {
        assert_eq!(key.len(), self.key_bytes, "a key is as long as the map says");
        let mut value = vec![0; self.value_bytes];
        Ok(kernel::lookup(self.descriptor(), key, &mut value)?.then_some(value))
    }

    /// Sets the value of a key.
    ///
    /// # Panics
    /// If key or value are not as long as the map says.
    pub fn update(&self, key: &[u8], value: &[u8]) -> io::Result<()> {
        let lengths = (key.len(), value.len());
        assert_eq!(lengths, (self.key_bytes, self.value_bytes), "both are as long as the map says");
        kernel::update(self.descriptor(), key, value)
    }

    /// Takes a key out; false where there is none.
    ///
    /// # Panics
    /// If the key is not as long as the map's keys.
    pub fn delete(&self, key: &[u8]) -> io::Result<bool> {
        assert_eq!(key.len(), self.key_bytes, "a key is as long as the map says");
        kernel::delete(self.descriptor(), key)
    }

    /// All entries, each at some moment of the walk. One that is added or taken out meanwhile may be missing, and the
    /// walk may begin anew: the same key can come twice.
    pub fn entries(&self) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
        let mut entries = Vec::new();
        let mut key: Option<Vec<u8>> = None;
        loop {
            let mut next = vec![0; self.key_bytes];
            if !kernel::next_key(self.descriptor(), key.as_deref(), &mut next)? {
                return Ok(entries);
            }
            entries.extend(self.lookup(&next)?.map(|value| (next.clone(), value)));
            key = Some(next);
        }
    }
}

/// Numbers of 64 bits in memory that a program and we share. Reading one costs no system call.
#[derive(Debug)]
pub struct SharedWords {
    map: Map,
    memory: NonNull<AtomicU64>,
    count: usize,
}

// SAFETY: the mapping belongs to this value alone, is not tied to a thread, and is only accessed atomically.
unsafe impl Send for SharedWords {}
// SAFETY: likewise.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// That many, all zero.
    pub fn create(name: &'static str, count: usize) -> Result<Self, Error> {
        let failed = |source| Error::Map { name, source };
        let value_bytes = u32::try_from(count * size_of::<u64>())
            .map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        let kind = MapKind::Array;
        let shape = MapShape { kind: kind.number(), key_bytes: 4, value_bytes, entries: 1, flags: MAPPABLE };
        let map = Map::shaped(name, kind, shape)?;
        let bytes = NonZeroUsize::new(count * size_of::<u64>())
            .ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        // SAFETY: a fresh mapping at an address of the kernel's choice; it is unmapped only when `self` is dropped.
        let memory = unsafe {
            let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            mmap(None, bytes, protection, MapFlags::MAP_SHARED, map.descriptor(), 0)
        };
        let memory = memory.map_err(|error| failed(error.into()))?.cast();
        Ok(Self { map, memory, count })
    }

    /// The array whose only value they are, for [`Code::set_value_of`](super::Code::set_value_of).
    pub fn map(&self) -> &Map {
        &self.map
    }

    /// One of them.
    pub fn load(&self, index: usize) -> u64 {
        self.word(index).load(Ordering::SeqCst)
    }

    /// Sets one of them.
    pub fn store(&self, index: usize, value: u64) {
        self.word(index).store(value, Ordering::SeqCst);
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < self.count, "there are as many words as were asked for");
        // SAFETY: the index is within the mapping, which lives as long as `self`; the kernel's programs write there
        // with instructions that do not tear.
        unsafe { self.memory.add(index).as_ref() }
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: start and length are those of the mapping, and no borrow of it outlives `self`.
        let unmapped = unsafe { munmap(self.memory.cast(), self.count * size_of::<u64>()) };
        debug_assert!(unmapped.is_ok());
    }
}

/// How many values an entry of a map with one for each processor has: those that the machine could have.
pub fn possible_cpus() -> usize {
    let listed = fs::read_to_string("/sys/devices/system/cpu/possible");
    // `0-3`, or with gaps `0,2-3`: the values are numbered to the last one.
    let last = listed.ok().and_then(|text| text.trim().rsplit([',', '-']).next()?.parse::<usize>().ok());
    last.map_or(1, |last| last + 1)
}

/// Kernels before 5.11 count maps as locked memory. Where the limit is a hard one, making the map says so.
fn raise_locked_memory() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard);
    }
}
