//! Bytes into and out of a TCP socket by the ways the kernel has, from the plain copy to those that spare it.
#![expect(unsafe_code, reason = "pages lent to a pipe, and the kernel's figures on a connection")]

use std::{
    fs::{File, OpenOptions},
    io::{self, IoSlice},
    mem,
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
};

use nix::{
    fcntl::{FcntlArg, SpliceFFlags, fcntl, splice, vmsplice},
    sys::{
        memfd::{MFdFlags, memfd_create},
        sendfile::sendfile,
        socket::{MsgFlags, recv, send},
    },
    unistd::pipe,
};

/// How bytes get into a socket.
#[derive(Debug)]
pub enum Source {
    /// `send(2)` from memory.
    Copy(Vec<u8>),
    /// `sendfile(2)` from a file in memory of that many bytes.
    File(File, usize),
    /// `vmsplice(2)` of our own pages into a pipe, and `splice(2)` from there.
    Pages(Vec<u8>, Pipe),
}

/// How bytes get out of a socket.
#[derive(Debug)]
pub enum Drain {
    /// `recv(2)` into memory.
    Copy(Vec<u8>),
    /// `recv(2)` with `MSG_TRUNC`: counted and thrown away by the kernel (`tcp(7)`); so many at once.
    Discard(usize),
    /// `splice(2)` by a pipe to /dev/null; so many at once.
    Null(File, Pipe, usize),
}

/// A pipe as large as is allowed.
#[derive(Debug)]
pub struct Pipe {
    read: OwnedFd,
    write: OwnedFd,
    size: usize,
}

impl Pipe {
    /// Of `size` bytes, or fewer where the kernel has a lower limit.
    pub fn new(size: usize) -> io::Result<Self> {
        let (read, write) = pipe()?;
        let wanted = i32::try_from(size).unwrap_or(i32::MAX);
        let got = fcntl(&write, FcntlArg::F_SETPIPE_SZ(wanted))
            .or_else(|_| fcntl(&write, FcntlArg::F_GETPIPE_SZ))?;
        Ok(Self { read, write, size: usize::try_from(got).unwrap_or(4096).min(size) })
    }
}

impl Source {
    /// `send(2)` of `size` bytes at once.
    pub fn copy(size: usize) -> Self {
        Self::Copy(vec![0x55; size])
    }

    /// `sendfile(2)` of `size` bytes at once.
    pub fn file(size: usize) -> io::Result<Self> {
        let file = File::from(memfd_create("pcapsule-bench", MFdFlags::MFD_CLOEXEC)?);
        io::copy(&mut io::Read::take(io::repeat(0x55), size as u64), &mut &file)?;
        Ok(Self::File(file, size))
    }

    /// `vmsplice(2)` of `size` bytes at once.
    pub fn pages(size: usize) -> io::Result<Self> {
        let pipe = Pipe::new(size)?;
        Ok(Self::Pages(vec![0x55; pipe.size], pipe))
    }

    /// Sends once; returns how many bytes went.
    pub fn send(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        match self {
            Self::Copy(bytes) => Ok(send(socket.as_raw_fd(), bytes, MsgFlags::MSG_NOSIGNAL)?),
            Self::File(file, size) => {
                let mut offset = 0;
                Ok(sendfile(socket, file.as_fd(), Some(&mut offset), *size)?)
            }
            Self::Pages(bytes, pipe) => {
                let lent = [IoSlice::new(bytes)];
                // The pages are only ever read, and stay as long as the pipe: nobody can see them change.
                let lent = vmsplice(&pipe.write, &lent, SpliceFFlags::empty())?;
                move_all(pipe, socket, lent)?;
                Ok(lent)
            }
        }
    }
}

impl Drain {
    /// `recv(2)` of up to `size` bytes at once.
    pub fn copy(size: usize) -> Self {
        Self::Copy(vec![0; size])
    }

    /// `splice(2)` of up to `size` bytes at once.
    pub fn null(size: usize) -> io::Result<Self> {
        let null = OpenOptions::new().write(true).open("/dev/null")?;
        Ok(Self::Null(null, Pipe::new(size)?, size))
    }

    /// Receives once; 0 is the end of the stream.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        match self {
            Self::Copy(bytes) => Ok(recv(socket.as_raw_fd(), bytes, MsgFlags::empty())?),
            Self::Discard(size) => discard(socket, *size),
            Self::Null(null, pipe, size) => {
                let got = splice(socket, None, &pipe.write, None, *size, SpliceFFlags::SPLICE_F_MOVE)?;
                move_all(pipe, null.as_fd(), got)?;
                Ok(got)
            }
        }
    }
}

fn move_all(pipe: &Pipe, to: BorrowedFd<'_>, mut left: usize) -> io::Result<()> {
    while left > 0 {
        match splice(&pipe.read, None, to, None, left, SpliceFFlags::SPLICE_F_MOVE)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            moved => left -= moved,
        }
    }
    Ok(())
}

fn discard(socket: BorrowedFd<'_>, size: usize) -> io::Result<usize> {
    // SAFETY: with MSG_TRUNC on a TCP socket the kernel writes nothing, so that no memory is needed (tcp(7)).
    let got = unsafe { libc::recv(socket.as_raw_fd(), std::ptr::null_mut(), size, libc::MSG_TRUNC) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// What TCP says of one connection (`tcp(7)`, TCP_INFO).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Connection {
    /// Segments sent again so far.
    pub retransmissions: u32,
    /// Segments that may be on their way.
    pub congestion_window: u32,
    /// Smoothed round trip, in µs.
    pub round_trip_us: u32,
    /// Bytes in a segment.
    pub segment: u32,
}

/// Asks TCP about a connection.
pub fn connection(socket: &impl AsFd) -> io::Result<Connection> {
    // SAFETY: all zeroes is a value of the structure.
    let mut info: libc::tcp_info = unsafe { mem::zeroed() };
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&info)).unwrap_or(0);
    // SAFETY: the kernel writes `length` bytes at most, which is what the structure has.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    if asked != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Connection {
        retransmissions: info.tcpi_total_retrans,
        congestion_window: info.tcpi_snd_cwnd,
        round_trip_us: info.tcpi_rtt,
        segment: info.tcpi_snd_mss,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn every_way_in_and_out_moves_all_bytes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        let sources = [Source::copy(9000), Source::file(9000).unwrap(), Source::pages(8192).unwrap()];
        for mut source in sources {
            for mut drain in [Drain::copy(4096), Drain::Discard(4096), Drain::null(4096).unwrap()] {
                let sent = source.send(client.as_fd()).unwrap();
                let mut received = 0;
                while received < sent {
                    received += drain.receive(server.as_fd()).unwrap();
                }
                assert_eq!(received, sent);
            }
        }
        assert!(connection(&client).unwrap().segment > 500);
    }
}
