//! Traffic whose every frame is counted: sockets in the namespaces themselves, one question and one answer at a time.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    thread,
    time::Duration,
};

use super::Namespace;

/// Opens the stretch of a capture that is compared.
pub(crate) const BEGIN: &[u8] = b"pcs-begin";
/// Closes it.
pub(crate) const END: &[u8] = b"pcs-end";

/// Two namespaces that can talk: who asks, who answers and where.
pub(crate) struct Conversation {
    client: Namespace,
    server: Namespace,
    address: IpAddr,
}

impl Conversation {
    /// `address` is the server's as the client sees it.
    pub(crate) fn new(client: Namespace, server: Namespace, address: impl Into<IpAddr>) -> Self {
        Self { client, server, address: address.into() }
    }

    /// One datagram there and the same back, on that port.
    pub(crate) fn ask(&self, port: u16, payload: &[u8]) {
        let server = self.server.inside(|| udp(self.anywhere(port)));
        let client = self.client.inside(|| udp(self.anywhere(0)));
        client.send_to(payload, (self.address, port)).expect("the question leaves");
        let mut buffer = [0; 2048];
        let (length, asker) = server.recv_from(&mut buffer).expect("the question arrives");
        server.send_to(&buffer[..length], asker).expect("the answer leaves");
        client.recv(&mut buffer).expect("the answer arrives");
    }

    /// One connection on that port, the bytes there and back.
    pub(crate) fn stream(&self, port: u16, bytes: &[u8]) {
        let listener = self.server.inside(|| TcpListener::bind(self.anywhere(port)).expect("a free port"));
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut peer, _) = listener.accept().expect("the client comes");
                let mut received = Vec::new();
                peer.read_to_end(&mut received).expect("the bytes arrive");
                peer.write_all(&received).expect("the bytes leave");
            });
            let mut client =
                self.client.inside(|| TcpStream::connect((self.address, port)).expect("the server listens"));
            client.write_all(bytes).expect("the bytes leave");
            client.shutdown(Shutdown::Write).expect("half closed");
            let mut echoed = Vec::new();
            client.read_to_end(&mut echoed).expect("the bytes arrive");
            assert_eq!(echoed.len(), bytes.len());
        });
    }

    /// That many datagrams of that size one way, as fast as they go.
    pub(crate) fn flood(&self, port: u16, count: usize, size: usize) {
        self.send(port, std::iter::repeat_n(vec![b'x'; size], count));
    }

    /// These datagrams one way. The server's socket exists, so that nobody complains.
    pub(crate) fn send(&self, port: u16, payloads: impl IntoIterator<Item = Vec<u8>>) {
        let _server = self.server.inside(|| udp(self.anywhere(port)));
        let client = self.client.inside(|| udp(self.anywhere(0)));
        for payload in payloads {
            client.send_to(&payload, (self.address, port)).expect("the datagram leaves");
        }
    }

    /// Any address of the family that is spoken.
    fn anywhere(&self, port: u16) -> SocketAddr {
        let any: IpAddr =
            if self.address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        (any, port).into()
    }
}

fn udp(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("a free port");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout can be set");
    socket
}
