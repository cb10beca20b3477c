//! Memory that the processor is to fetch before it is needed. On processors other than x86-64 nothing is done.
#![expect(unsafe_code, reason = "prefetches are instructions that Rust has no safe words for")]

use std::ptr::NonNull;

/// A line of the processor's caches (bytes).
const LINE: usize = 64;
/// So far behind the next byte to be written it pays to fetch, and so much at once (bytes).
const AHEAD: usize = 512;
const MOST: usize = 512;

/// Fetches a frame, its header and what is most read of it.
#[inline]
pub(super) fn prefetch_frame(frame: NonNull<u8>) {
    #[cfg(target_arch = "x86_64")]
    for line in [0, LINE, 2 * LINE] {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that could be seen, and does not fault, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(frame.as_ptr().wrapping_add(line).cast_const().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = frame;
}

/// Fetches as many bytes, a bit ahead in memory that is being filled from its start on, as were just written, and for this
/// processor alone: after a disk has read them they are shared, and each write would wait until they no longer are.
#[inline]
pub fn prefetch_room(room: &[u8], written: usize) {
    let Some(ahead) = room.get(AHEAD..AHEAD + MOST) else { return };
    #[cfg(target_arch = "x86_64")]
    if *HAS_PREFETCHW {
        for line in ahead[..=written.min(MOST - 1)].chunks(LINE) {
            // SAFETY: the processor has the instruction, which changes nothing that could be seen.
            unsafe {
                std::arch::asm!(
                    "prefetchw [{0}]", in(reg) line.as_ptr(), options(nostack, readonly, preserves_flags)
                );
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (ahead, written);
}

/// AMD's manual, volume 3, `PREFETCHW`: bit 8 of ECX. Intel's have had it since Broadwell.
#[cfg(target_arch = "x86_64")]
static HAS_PREFETCHW: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
    const EXTENDED: u32 = 0x8000_0000;
    let ask = std::arch::x86_64::__cpuid;
    ask(EXTENDED).eax > EXTENDED && ask(EXTENDED + 1).ecx & 1 << 8 != 0
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_of_any_size_can_be_fetched() {
        let room = [0; AHEAD + 2 * MOST];
        for length in [0, 1, AHEAD, AHEAD + MOST, room.len()] {
            for written in [0, 1, LINE, MOST - 1, MOST, 1 << 20] {
                prefetch_room(&room[..length], written);
            }
        }
    }
}
