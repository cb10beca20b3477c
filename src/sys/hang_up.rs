//! Whether the other end of a pipe is gone, without writing to it.

use std::os::fd::BorrowedFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Whether nobody reads any more what is written there (`poll(2)`: POLLERR of a pipe, POLLHUP of a socket or terminal).
pub fn reader_is_gone(descriptor: BorrowedFd<'_>) -> bool {
    let mut asked = [PollFd::new(descriptor, PollFlags::empty())];
    let answered = poll(&mut asked, PollTimeout::ZERO).is_ok_and(|count| count > 0);
    let gone = PollFlags::POLLERR | PollFlags::POLLHUP;
    answered && asked[0].revents().is_some_and(|events| events.intersects(gone))
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsFd};

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
