//! A grace period of the kernel's read-copy-update (`membarrier(2)`): it is done with what it was just doing.
#![expect(unsafe_code, reason = "the C library has no function for this call")]

use std::io;

use nix::errno::Errno;

/// `MEMBARRIER_CMD_GLOBAL`: include/uapi/linux/membarrier.h.
const GLOBAL: libc::c_int = 1;

/// Waits until no processor is still in a section of the kernel that it had entered before this call, such as the one that
/// puts a frame into the rings: `synchronize_rcu` in kernel/sched/membarrier.c. That takes some 10 to 50 ms. Refused where
/// the kernel has processors without a tick (`nohz_full`).
pub fn wait_for_grace_period() -> io::Result<()> {
    let nothing: libc::c_uint = 0;
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, nothing, nothing) };
    Errno::result(result)?;
    Ok(())
}
