//! Servers and clients as plain sockets, made inside a namespace on a thread of its own. A server answers with its name and
//! with whom it saw, so that a test knows who answered, and from which address the question seemed to come.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;

use super::inside;

/// How long a client waits that should get an answer, and one that should not.
const PATIENCE: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_millis(700);
/// How soon a server notices that it is to end.
const GLANCE_MS: u16 = 50;

/// The protocol of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

pub(crate) use Transport::{Tcp, Udp};

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The server's name.
    pub(crate) by: String,
    /// Whom the server saw.
    pub(crate) seen: IpAddr,
}

/// A server that answers until it is dropped.
pub(crate) struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers in that namespace, at that address.
    #[track_caller]
    pub(crate) fn start(net: &Path, transport: Transport, at: SocketAddr, name: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, name) = (Arc::clone(&stop), name.to_owned());
        let thread = match transport {
            Tcp => {
                let listener = inside(net, || TcpListener::bind(at)).expect("a free port inside");
                listener.set_nonblocking(true).expect("it is a socket");
                thread::spawn(move || serve_tcp(&listener, &name, &told))
            }
            Udp => {
                let socket = inside(net, || UdpSocket::bind(at)).expect("a free port inside");
                socket.set_nonblocking(true).expect("it is a socket");
                thread::spawn(move || serve_udp(&socket, &name, &told))
            }
        };
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn serve_tcp(listener: &TcpListener, name: &str, stop: &AtomicBool) {
    while wait_readable(listener, stop) {
        if let Ok((mut peer, from)) = listener.accept() {
            let _ = peer.write_all(format!("{name} {}", from.ip()).as_bytes());
        }
    }
}

fn serve_udp(socket: &UdpSocket, name: &str, stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    while wait_readable(socket, stop) {
        if let Ok((_, from)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(format!("{name} {}", from.ip()).as_bytes(), from);
        }
    }
}

fn wait_readable(socket: &impl AsFd, stop: &AtomicBool) -> bool {
    while !stop.load(Ordering::Relaxed) {
        let mut waited = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut waited, PollTimeout::from(GLANCE_MS)).is_ok_and(|ready| ready > 0) {
            return true;
        }
    }
    false
}

/// Asks from a namespace; none if nobody answers.
pub(crate) fn ask(net: &Path, transport: Transport, to: impl Into<SocketAddr>) -> Option<Answer> {
    let to = to.into();
    question(net, transport, to, PATIENCE).unwrap_or_else(|error| {
        eprintln!("{transport:?} {to}: {error}");
        None
    })
}

/// Whether a question is answered by nobody, be it refused or lost.
pub(crate) fn is_silent(net: &Path, transport: Transport, to: impl Into<SocketAddr>) -> bool {
    !matches!(question(net, transport, to.into(), SILENCE), Ok(Some(_)))
}

fn question(
    net: &Path,
    transport: Transport,
    to: SocketAddr,
    patience: Duration,
) -> io::Result<Option<Answer>> {
    let text = match transport {
        Tcp => {
            let mut peer = inside(net, || TcpStream::connect_timeout(&to, patience))?;
            peer.set_read_timeout(Some(patience))?;
            let mut text = String::new();
            peer.read_to_string(&mut text)?;
            text
        }
        Udp => datagram(&inside(net, || client(to))?, patience)?,
    };
    let parsed = text.split_once(' ').and_then(|(by, seen)| {
        let seen: IpAddr = seen.parse().ok()?;
        Some(Answer { by: by.to_owned(), seen: seen.to_canonical() })
    });
    Ok(parsed)
}

/// A UDP socket that hears only whom it asks: an answer from another address is none.
pub(crate) fn client(to: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr =
        if to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { (std::net::Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(to)?;
    Ok(socket)
}

/// One datagram there and one back; a refusal is an error.
pub(crate) fn datagram(socket: &UdpSocket, patience: Duration) -> io::Result<String> {
    socket.set_read_timeout(Some(patience))?;
    socket.send(b"who is there?")?;
    let mut buffer = [0; 2048];
    let length = loop {
        match socket.recv(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            received => break received?,
        }
    };
    String::from_utf8(buffer[..length].to_vec())
        .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}
