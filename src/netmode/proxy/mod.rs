//! What the kernel cannot forward itself, by one thread for all ports of a sandbox: what comes over loopback, and what
//! comes by IPv6 for a sandbox that has none.
//!
//! Connections to the sandbox are made from the host, so it sees the bridge's address as that of the client.

mod tcp;
mod udp;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    thread::{self, JoinHandle},
};

use tokio::{runtime, sync::oneshot};

use crate::sys::host_port::OpenPort;
use crate::sys::netns::raise_open_file_limit;

use super::reservation::OpenPorts;

/// A running proxy; dropping it closes its ports and ends what it passes on.
#[derive(Debug)]
pub struct Proxy {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The addresses of a sandbox, at most one a family.
#[derive(Debug, Clone)]
struct Sandbox(Arc<[IpAddr]>);

impl Proxy {
    /// Starts it in the namespace of the calling thread, which is the host's.
    pub fn start(ports: OpenPorts, sandbox: &[IpAddr]) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_io().enable_time().build()?;
        // A connection takes six. Without more, fewer can be open.
        let _ = raise_open_file_limit();
        let sandbox = Sandbox(sandbox.into());
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            runtime.block_on(async {
                serve(ports, &sandbox);
                // That nobody is left to stop it is the same.
                let _ = stopped.await;
            });
        };
        let thread = thread::Builder::new().name("proxy".to_owned()).spawn(work)?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there was told by its hook; there is nothing to undo.
            let _ = thread.join();
        }
    }
}

impl Sandbox {
    /// Where to reach a port of it, by the client's own family first.
    fn at(&self, port: u16, client: IpAddr) -> impl Iterator<Item = SocketAddr> {
        let is_v4 = client.to_canonical().is_ipv4();
        let (first, second): (Vec<IpAddr>, Vec<IpAddr>) =
            self.0.iter().partition(|address| address.is_ipv4() == is_v4);
        first.into_iter().chain(second).map(move |address| SocketAddr::new(address, port))
    }
}

fn serve(ports: OpenPorts, sandbox: &Sandbox) {
    let room = udp::Room::default();
    for (forward, port) in ports.into_pairs() {
        let sandbox = sandbox.clone();
        let started = match port {
            OpenPort::Tcp(socket) => tcp::serve(socket, forward.sandbox_port, sandbox),
            OpenPort::Udp(socket) => udp::serve(socket, forward.sandbox_port, sandbox, room.clone()),
        };
        if let Err(error) = started {
            tracing::warn!("port {} is not served over loopback: {error}", forward.host_port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_led_to_its_own_family_first() {
        let sandbox = Sandbox(["10.88.0.2", "fd00::2"].map(|text| text.parse().unwrap()).into());
        for (client, first) in
            [("127.0.0.1", "10.88.0.2:80"), ("::ffff:127.0.0.1", "10.88.0.2:80"), ("::1", "[fd00::2]:80")]
        {
            let found: Vec<_> = sandbox.at(80, client.parse().unwrap()).collect();
            assert_eq!((found.len(), found[0].to_string().as_str()), (2, first), "{client}");
        }
    }
}
