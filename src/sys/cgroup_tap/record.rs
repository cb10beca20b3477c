//! What a program tells of one packet: numbers at fixed places in the machine's byte order, then the packet.

use crate::model::Direction;

// Where each number is.
pub(super) const TIME: i16 = 0;
pub(super) const COOKIE: i16 = 8;
pub(super) const CGROUP: i16 = 16;
pub(super) const LOST: i16 = 24;
pub(super) const LENGTH: i16 = 32;
pub(super) const CAPTURED: i16 = 36;
pub(super) const INTERFACE: i16 = 40;
pub(super) const DIRECTION: i16 = 44;
pub(super) const PROCESS: i16 = 48;
pub(super) const THREAD: i16 = 52;
pub(super) const COMMAND: i16 = 56;
/// Where the packet begins.
pub(super) const PACKET: i16 = 72;

/// How much of a command's name the kernel keeps, with the zero behind it.
pub(super) const COMMAND_BYTES: usize = 16;
/// The longest packet that fits a record.
pub(super) const LONGEST: u32 = 65_536;
/// Room for a packet is reserved in one of these sizes, because the verifier wants to know it beforehand.
pub(super) const ROOMS: [u32; 11] = [64, 128, 256, 512, 1024, 1536, 3072, 6144, 16_384, 32_768, LONGEST];

/// What is known of the maker, in the place of the zero behind his command.
pub(super) const CREATED: u8 = 1;
pub(super) const CONNECTED: u8 = 2;

pub(super) const IN: i32 = 1;
pub(super) const OUT: i32 = 2;

/// A record, read where it lies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// None where it is too short to be one.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        (bytes.len() >= PACKET.unsigned_abs().into()).then_some(Self(bytes))
    }

    /// Nanoseconds of the monotonic clock.
    pub(super) fn time(self) -> u64 {
        self.double(TIME)
    }

    /// The socket's number; zero where it is not known.
    pub(super) fn cookie(self) -> u64 {
        self.double(COOKIE)
    }

    /// How many packets were lost since the beginning.
    pub(super) fn lost(self) -> u64 {
        self.double(LOST)
    }

    /// The packet's length before it was cut.
    pub(super) fn length(self) -> u32 {
        self.word(LENGTH)
    }

    pub(super) fn direction(self) -> Direction {
        if self.word(DIRECTION) == OUT.cast_unsigned() { Direction::Out } else { Direction::In }
    }

    /// Who made or connected the socket, by number and thread; zeros where that is not known.
    pub(super) fn maker(self) -> (u32, u32) {
        (self.word(PROCESS), self.word(THREAD))
    }

    /// The maker's command, as the kernel has it: zeros behind it.
    pub(super) fn command(self) -> [u8; COMMAND_BYTES] {
        self.array(COMMAND)
    }

    /// What was captured of the packet.
    pub(super) fn packet(self) -> &'a [u8] {
        let rest = self.0.get(PACKET.unsigned_abs().into()..).unwrap_or_default();
        rest.get(..self.word(CAPTURED) as usize).unwrap_or(rest)
    }

    fn word(self, at: i16) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }

    fn double(self, at: i16) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }

    fn array<const N: usize>(self, at: i16) -> [u8; N] {
        let rest = self.0.get(at.unsigned_abs().into()..).unwrap_or_default();
        rest.first_chunk().copied().unwrap_or([0; N])
    }
}
