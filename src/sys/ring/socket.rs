//! A packet socket (`packet(7)`) and the options a ring needs, in our words.
#![expect(unsafe_code, reason = "packet sockets have options that no safe wrapper knows")]
#![expect(
    clippy::cast_possible_truncation,
    reason = "constants and sizes of the kernel's own structures fit"
)]

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use crate::model::LinkIndex;

use super::SourceCounters;

/// A packet socket, in the namespace of the thread that opened it.
pub(super) struct PacketSocket(OwnedFd);

impl PacketSocket {
    /// Opens one that receives nothing yet: protocol 0 until [`PacketSocket::bind`].
    pub(super) fn open() -> io::Result<Self> {
        // SAFETY: no pointers are passed; the returned descriptor is owned by nobody else.
        unsafe {
            let fd =
                libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
            checked(fd).map(|fd| Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }

    pub(super) fn use_version_3(&self) -> io::Result<()> {
        let version = libc::tpacket_versions::TPACKET_V3 as libc::c_int;
        self.set(libc::SOL_PACKET, libc::PACKET_VERSION, &version)
    }

    pub(super) fn request_ring(&self, request: &libc::tpacket_req3) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, request)
    }

    /// Also sees frames for others, for as long as the socket is open.
    pub(super) fn be_promiscuous(&self, index: LinkIndex) -> io::Result<()> {
        let request = libc::packet_mreq {
            mr_ifindex: index.number().cast_signed(),
            mr_type: libc::PACKET_MR_PROMISC as libc::c_ushort,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)
    }

    /// Arms it: from here on every frame of the interface, both ways.
    pub(super) fn bind(&self, index: LinkIndex) -> io::Result<()> {
        // SAFETY: sockaddr_ll is plain data; all zero is a value of it. The pointer and length given to bind are those
        // of a live local.
        unsafe {
            let mut address: libc::sockaddr_ll = mem::zeroed();
            address.sll_family = libc::AF_PACKET as libc::c_ushort;
            address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            address.sll_ifindex = index.number().cast_signed();
            let size = mem::size_of_val(&address) as libc::socklen_t;
            checked(libc::bind(self.0.as_raw_fd(), (&raw const address).cast(), size)).map(drop)
        }
    }

    /// What was counted since the last call: the kernel starts again at zero each time.
    pub(super) fn take_statistics(&self) -> io::Result<SourceCounters> {
        let mut statistics = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        let mut size = mem::size_of_val(&statistics) as libc::socklen_t;
        // SAFETY: the buffer is a live local and `size` its length; the kernel writes at most that.
        checked(unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                (&raw mut statistics).cast(),
                &raw mut size,
            )
        })?;
        Ok(SourceCounters { passed: statistics.tp_packets.into(), lost: statistics.tp_drops.into() })
    }

    fn set<T>(&self, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
        set(self.descriptor(), level, name, value)
    }
}

/// Runs `program` on each frame of that packet socket from now on.
pub(in crate::sys) fn attach_filter(
    socket: BorrowedFd<'_>,
    program: &mut [libc::sock_filter],
) -> io::Result<()> {
    let len = program.len().try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
}

/// Whether the interface that a packet socket listens on is still there, up or down. The kernel forgets its index when
/// it unregisters (net/packet/af_packet.c, `packet_notifier`); one that comes later is another, even under that index.
///
/// Reads and so clears the pending error, which otherwise keeps the descriptor readable for ever.
pub(in crate::sys) fn has_interface(socket: BorrowedFd<'_>) -> bool {
    const UNREGISTERED: libc::c_int = -1;
    let mut error: libc::c_int = 0;
    let mut error_size = mem::size_of_val(&error) as libc::socklen_t;
    // SAFETY: sockaddr_ll is plain data; all zero is a value of it. The buffers are live locals given with their
    // lengths, and the kernel writes at most that.
    unsafe {
        let (level, name) = (libc::SOL_SOCKET, libc::SO_ERROR);
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut error).cast(), &raw mut error_size);
        let mut address: libc::sockaddr_ll = mem::zeroed();
        let mut size = mem::size_of_val(&address) as libc::socklen_t;
        let answer = libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut size);
        answer == 0 && address.sll_ifindex != UNREGISTERED
    }
}

fn set<T>(socket: BorrowedFd<'_>, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    let size = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length describe `value`, which outlives the call; the kernel only reads.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), size) };
    checked(result).map(drop)
}

fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
