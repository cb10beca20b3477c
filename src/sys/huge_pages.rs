//! Memory in huge pages (`MADV_HUGEPAGE`, madvise(2)).
#![expect(unsafe_code, reason = "advice is given by address")]

use std::ptr::NonNull;

use nix::sys::mman::{MmapAdvise, madvise};

/// Huge pages begin where a page does, and advice is given for whole pages only (bytes).
const PAGE: usize = 4096;

/// Asks for huge pages behind memory that has not been used yet. A disk that takes data from such memory is given it in
/// one piece rather than page by page. Where there are none to be had, nothing changes.
pub fn prefer_huge_pages(memory: &mut [u8]) {
    advise(memory, MmapAdvise::MADV_HUGEPAGE);
}

/// Has the memory provided now instead of when it is first used: at no time when packets wait. Before Linux 5.14 nothing
/// changes.
pub fn provide(memory: &mut [u8]) {
    advise(memory, MmapAdvise::MADV_POPULATE_WRITE);
}

/// Advises of the whole pages in there.
fn advise(memory: &mut [u8], advice: MmapAdvise) {
    let whole = memory.as_ptr().align_offset(PAGE);
    let Some(pages) = memory.get_mut(whole..).filter(|pages| pages.len() >= PAGE) else { return };
    let length = pages.len() / PAGE * PAGE;
    // SAFETY: neither advice changes contents or rights of the pages, which lie inside the borrowed memory.
    let _ = unsafe { madvise(NonNull::from(pages).cast(), length, advice) };
}
