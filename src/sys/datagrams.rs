//! Many datagrams by one call (`sendmmsg(2)`, `recvmmsg(2)`), and many in one where the kernel cuts and joins them
//! (`udp(7)`, UDP_SEGMENT and UDP_GRO).
#![expect(unsafe_code, reason = "calls whose safe wrappers allocate for each batch")]

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd as _},
    ptr,
};

use nix::sys::socket::{setsockopt, sockopt};

/// Room for datagrams of one length each, sent or received together.
#[derive(Debug)]
pub struct Datagrams {
    bytes: Box<[u8]>,
    size: usize,
    /// How long each one was that was received.
    lengths: Box<[usize]>,
}

/// What the kernel takes of a batch at most (`UIO_MAXIOV`), and fits on a stack.
const MOST: usize = 64;

impl Datagrams {
    /// For up to `count` (64 at most) of `size` bytes.
    pub fn new(count: usize, size: usize) -> Self {
        let count = count.clamp(1, MOST);
        Self { bytes: vec![0; count * size].into(), size, lengths: vec![size; count].into() }
    }

    /// The datagrams that there is room for.
    pub fn each_mut(&mut self) -> impl Iterator<Item = &mut [u8]> {
        self.bytes.chunks_exact_mut(self.size)
    }

    /// The first `count` as they were received.
    pub fn received(&self, count: usize) -> impl Iterator<Item = &[u8]> {
        let whole = self.bytes.chunks_exact(self.size).zip(&self.lengths).take(count);
        whole.map(|(bytes, length)| &bytes[..(*length).min(bytes.len())])
    }

    /// Sends all of them over a connected socket; returns how many went.
    pub fn send(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.send_first(MOST, socket)
    }

    /// Sends the first `some` of them; returns how many went.
    pub fn send_first(&mut self, some: usize, socket: &impl AsFd) -> io::Result<usize> {
        self.call(|headers, count| {
            let count = count.min(u32::try_from(some).unwrap_or(u32::MAX));
            // SAFETY: the headers and what they point to live until the call returns.
            unsafe { libc::sendmmsg(socket.as_fd().as_raw_fd(), headers, count, 0) }
        })
    }

    /// Receives what is there, at least one; returns how many came.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.receive_with(libc::MSG_WAITFORONE, socket)
    }

    /// Receives what is there; fails (`EAGAIN`) where nothing is.
    pub fn receive_at_once(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.receive_with(libc::MSG_DONTWAIT, socket)
    }

    fn receive_with(&mut self, flags: libc::c_int, socket: &impl AsFd) -> io::Result<usize> {
        self.call(|headers, count| {
            // SAFETY: as for sending; the kernel writes into our own bytes and headers only.
            unsafe { libc::recvmmsg(socket.as_fd().as_raw_fd(), headers, count, flags, ptr::null_mut()) }
        })
    }

    fn call(&mut self, call: impl FnOnce(*mut libc::mmsghdr, u32) -> i32) -> io::Result<usize> {
        let count = self.lengths.len();
        // SAFETY: all zeroes is a value of both structures.
        let (mut vectors, mut headers): ([libc::iovec; MOST], [libc::mmsghdr; MOST]) =
            unsafe { (mem::zeroed(), mem::zeroed()) };
        let slots = self.bytes.chunks_exact_mut(self.size).zip(&mut vectors).zip(&mut headers);
        for ((bytes, vector), header) in slots {
            vector.iov_base = bytes.as_mut_ptr().cast();
            vector.iov_len = bytes.len();
            header.msg_hdr.msg_iov = ptr::from_mut(vector);
            header.msg_hdr.msg_iovlen = 1;
        }
        let done = call(headers.as_mut_ptr(), u32::try_from(count).unwrap_or(1));
        let done = usize::try_from(done).map_err(|_| io::Error::last_os_error())?;
        for (length, header) in self.lengths.iter_mut().zip(&headers).take(done) {
            *length = header.msg_len as usize;
        }
        Ok(done)
    }
}

/// Has the kernel cut what is sent into datagrams of `size` bytes.
pub fn cut_on_sending(socket: &impl AsFd, size: u16) -> io::Result<()> {
    Ok(setsockopt(&socket.as_fd(), sockopt::UdpGsoSegment, &i32::from(size))?)
}

/// Lets the kernel join datagrams of one sender before they are received.
pub fn join_on_receiving(socket: &impl AsFd) -> io::Result<()> {
    Ok(setsockopt(&socket.as_fd(), sockopt::UdpGroSegment, &true)?)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn a_batch_arrives_as_it_was_sent() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let mut out = Datagrams::new(3, 5);
        for (number, bytes) in (1_u8..).zip(out.each_mut()) {
            bytes.fill(number);
        }
        let mut seen = Datagrams::new(8, 9);
        assert_eq!(seen.receive_at_once(&receiver).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(out.send(&sender).unwrap(), 3);
        let count = seen.receive(&receiver).unwrap();
        let received: Vec<_> = seen.received(count).map(<[u8]>::to_vec).collect();
        assert_eq!(received, [[1; 5], [2; 5], [3; 5]]);
    }
}
