//! Whether the other end of a pipe is gone, without writing to it.

use std::{
    fs::{File, OpenOptions},
    os::{
        fd::BorrowedFd,
        unix::fs::{FileTypeExt as _, OpenOptionsExt as _},
    },
    path::Path,
};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Whether nobody reads any more what is written there (`poll(2)`: POLLERR of a pipe, POLLHUP of a socket or terminal).
pub fn reader_is_gone(descriptor: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(descriptor, PollFlags::empty())];
    let answered = poll(&mut asked, PollTimeout::ZERO).is_ok_and(|count| count > 0);
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    answered && asked[0].revents().is_some_and(|events| events.intersects(gone))
}

/// Opens a named pipe that somebody reads, for looking whether that stays so. None for anything else.
pub fn open_pipe(path: &Path) -> Option<File> {
    let is_pipe = path.metadata().is_ok_and(|found| found.file_type().is_fifo());
    let open = || OpenOptions::new().write(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).ok();
    if is_pipe { open() } else { None }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_pipe_tells_when_its_reader_has_gone() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!reader_is_gone(writer.as_fd()));
        drop(reader);
        assert!(reader_is_gone(writer.as_fd()));
        assert!(!reader_is_gone(File::create("/dev/null").unwrap().as_fd()));
    }
}
