//! Three namespaces: `sandbox` on a bridge of `host`, and `neighbour` on the host's network.

use std::{
    env,
    io::{self, Read, Write},
    net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::Path,
    process::{self, Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use nix::sched::{CloneFlags, setns};
use pcapsule::{
    model::{InterfaceAddress, LinkName},
    netmode::{Forward, Ownership, Proxy, Publications, Reach, Ruleset, forget_stale},
    sys::{netns::Namespace, nft::Nft},
};

/// How long something may take that works.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long is waited for what should not come: longer than the first repetition of a lost SYN.
const DOUBT: Duration = Duration::from_millis(1300);

pub(crate) const HOST: &str = "192.0.2.1";
pub(crate) const NEIGHBOUR: &str = "192.0.2.9";
pub(crate) const SANDBOX: &str = "10.88.0.2";
pub(crate) const GATEWAY: &str = "10.88.0.1";
pub(crate) const HOST6: &str = "2001:db8:1::1";
pub(crate) const NEIGHBOUR6: &str = "2001:db8:1::9";
pub(crate) const SANDBOX6: &str = "fd00:88::2";
const BRIDGE: &str = "pcapsule0";

static NEXT: AtomicU32 = AtomicU32::new(1);

/// The namespaces, removed on drop.
pub(crate) struct Lab {
    prefix: String,
}

/// A sandbox's ports as they are published: rules, and a proxy for what these do not take.
pub(crate) struct Published {
    _nft: Nft,
    pub(crate) forwards: Vec<Forward>,
    _proxy: Proxy,
}

/// Whether the sandbox has an address of IPv6.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    V4,
    Dual,
}

/// Does some work in the lab's host, on a thread of its own that stays there: what it starts lives as long.
pub(crate) fn on_host(work: impl FnOnce(&Lab) + Send) {
    let Some(lab) = Lab::build() else { return };
    let host = lab.namespace("host");
    thread::scope(|scope| {
        let keeper = scope.spawn(|| {
            setns(&host, CloneFlags::CLONE_NEWNET).unwrap();
            work(&lab);
        });
        if let Err(panicked) = keeper.join() {
            std::panic::resume_unwind(panicked);
        }
    });
}

impl Lab {
    fn build() -> Option<Self> {
        let required = env::var("PCAPSULE_REQUIRE").unwrap_or_default();
        let possible = Command::new("unshare").args(["--net", "nft", "list", "ruleset"]).output();
        if !possible.is_ok_and(|output| output.status.success()) {
            assert!(!required.split(',').any(|word| word == "netns"), "no namespaces or no nft here");
            eprintln!("skipped: namespaces with nftables cannot be made here");
            return None;
        }
        let lab = Self { prefix: format!("fw{:x}x{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)) };
        for name in ["host", "sandbox", "neighbour"] {
            run(&format!("ip netns add {}", lab.name(name)));
            lab.run(name, "ip link set lo up");
            lab.run(name, "sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
        }
        lab.run("host", "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
        lab.run("host", &format!("ip link add {BRIDGE} type bridge"));
        lab.cable("sandbox", "sandbox0");
        lab.cable("neighbour", "lan0");
        lab.run(
            "host",
            &format!("ip link set sandbox0 master {BRIDGE} && bridge link set dev sandbox0 hairpin on"),
        );
        let addresses = [
            ("host", BRIDGE, format!("{GATEWAY}/24"), "fd00:88::1/64"),
            ("host", "lan0", format!("{HOST}/24"), "2001:db8:1::1/64"),
            ("sandbox", "eth0", format!("{SANDBOX}/24"), "fd00:88::2/64"),
            ("neighbour", "eth0", format!("{NEIGHBOUR}/24"), "2001:db8:1::9/64"),
        ];
        for (name, link, v4, v6) in addresses {
            lab.run(name, &format!("ip addr add {v4} dev {link}"));
            lab.run(name, &format!("ip addr add {v6} dev {link} nodad"));
            lab.run(name, &format!("ip link set {link} up"));
        }
        lab.run("host", "ip link set sandbox0 up");
        lab.run("sandbox", &format!("ip route add default via {GATEWAY}"));
        lab.run("sandbox", "ip -6 route add default via fd00:88::1");
        // A neighbour who knows where sandboxes are.
        lab.run("neighbour", &format!("ip route add 10.88.0.0/24 via {HOST}"));
        lab.run("neighbour", &format!("ip -6 route add fd00:88::/64 via {HOST6}"));
        Some(lab)
    }

    fn cable(&self, name: &str, host_end: &str) {
        let far = self.name(name);
        self.run("host", &format!("ip link add {host_end} type veth peer name eth0 netns {far}"));
    }

    fn name(&self, suffix: &str) -> String {
        format!("{}-{suffix}", self.prefix)
    }

    pub(crate) fn namespace(&self, name: &str) -> Namespace {
        Namespace::open(&Path::new("/run/netns").join(self.name(name))).unwrap()
    }

    /// Runs a command line inside; it has to succeed.
    #[track_caller]
    pub(crate) fn run(&self, name: &str, line: &str) -> String {
        checked(line, &self.attempt(name, line))
    }

    pub(crate) fn attempt(&self, name: &str, line: &str) -> Output {
        let net = format!("--net=/run/netns/{}", self.name(name));
        Command::new("nsenter").arg(net).args(["sh", "-c", line]).output().unwrap()
    }

    /// Whether what is bridged meets the rules of IP in the host; false, aloud, where its kernel cannot have it so.
    pub(crate) fn call_rules_for_bridged(&self, called: bool) -> bool {
        let value = u8::from(called);
        let settings =
            ["iptables", "ip6tables"].map(|name| format!("net.bridge.bridge-nf-call-{name}={value}"));
        let set = self.attempt("host", &format!("sysctl -qw {}", settings.join(" "))).status.success();
        if !set && called {
            eprintln!("left out: this kernel has no br_netfilter");
        }
        set || !called
    }

    /// The path of the host's namespace.
    pub(crate) fn host_path(&self) -> String {
        format!("/run/netns/{}", self.name("host"))
    }

    /// A server of TCP that answers with the client's address and what it was told, once it was told everything.
    pub(crate) fn tcp_server(&self, name: &str, address: &str) {
        let address: SocketAddr = address.parse().unwrap();
        let listener = self.namespace(name).within(|| TcpListener::bind(address)).unwrap().unwrap();
        thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                thread::spawn(move || {
                    let peer = connection.peer_addr().unwrap().ip().to_canonical();
                    let mut told = Vec::new();
                    if connection.read_to_end(&mut told).is_ok() {
                        let _ = connection.write_all(&[peer.to_string().as_bytes(), b" ", &told].concat());
                    }
                });
            }
        });
    }

    /// A server of UDP that answers each datagram with the client's address and what it was told.
    pub(crate) fn udp_server(&self, name: &str, address: &str) {
        let socket = self.udp_socket(name, address);
        socket.set_read_timeout(None).unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            while let Ok((length, peer)) = socket.recv_from(&mut buffer) {
                let answer =
                    [peer.ip().to_canonical().to_string().as_bytes(), b" ", &buffer[..length]].concat();
                let _ = socket.send_to(&answer, peer);
            }
        });
    }

    pub(crate) fn udp_socket(&self, name: &str, address: &str) -> UdpSocket {
        let address: SocketAddr = address.parse().unwrap();
        let socket = self.namespace(name).within(|| UdpSocket::bind(address)).unwrap().unwrap();
        socket.set_read_timeout(Some(DOUBT)).unwrap();
        socket
    }

    /// What a server of TCP at that address says to a client in that namespace.
    pub(crate) fn ask(&self, from: &str, address: &str) -> io::Result<String> {
        self.ask_with(from, address, b"hello")
    }

    pub(crate) fn ask_with(&self, from: &str, address: &str, words: &[u8]) -> io::Result<String> {
        let address: SocketAddr = address.parse().unwrap();
        self.namespace(from)
            .within(|| {
                let mut connection = TcpStream::connect_timeout(&address, DOUBT)?;
                connection.set_read_timeout(Some(PATIENCE))?;
                connection.write_all(words)?;
                connection.shutdown(Shutdown::Write)?;
                let mut answer = Vec::new();
                connection.read_to_end(&mut answer)?;
                Ok(String::from_utf8(answer).unwrap())
            })
            .unwrap()
    }

    /// The same by UDP; the answer has to come from the address that was asked.
    pub(crate) fn ask_udp(&self, from: &str, address: &str) -> io::Result<String> {
        let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        ask_by(&self.udp_socket(from, any), address)
    }
}

/// Publishes ports of the sandbox; to be called on the host's thread.
pub(crate) fn publish(stack: Stack, ports: &[&str]) -> Published {
    let reserved = publications(ports).reserve().unwrap();
    let forwards = reserved.forwards().to_vec();
    let mut nft = Nft::start().unwrap();
    nft.commit(&ruleset(stack, Reach::Everywhere, &forwards)).unwrap();
    let addresses: Vec<IpAddr> = addresses(stack).iter().map(|address| address.address).collect();
    forget_stale(&forwards, &addresses).unwrap();
    let proxy = Proxy::start(reserved.open().unwrap(), &addresses).unwrap();
    Published { _nft: nft, forwards, _proxy: proxy }
}

/// Sends a datagram and reads the answer of that very address.
pub(crate) fn ask_by(socket: &UdpSocket, address: &str) -> io::Result<String> {
    let address: SocketAddr = address.parse().unwrap();
    socket.send_to(b"hello", address)?;
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer)?;
    assert_eq!(from, address, "answered by somebody else");
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

pub(crate) fn publications(ports: &[&str]) -> Publications {
    Publications::new(ports.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

pub(crate) fn addresses(stack: Stack) -> Vec<InterfaceAddress> {
    let v4 = InterfaceAddress { address: SANDBOX.parse().unwrap(), prefix: 24 };
    let v6 = InterfaceAddress { address: SANDBOX6.parse().unwrap(), prefix: 64 };
    match stack {
        Stack::V4 => vec![v4],
        Stack::Dual => vec![v4, v6],
    }
}

pub(crate) fn bridge() -> LinkName {
    BRIDGE.parse().unwrap()
}

pub(crate) fn ruleset(stack: Stack, reach: Reach, forwards: &[Forward]) -> String {
    let (bridge, addresses) = (bridge(), addresses(stack));
    let ownership = Ownership::Owned;
    Ruleset { id: "0a1b2c3d", ownership, bridge: &bridge, addresses: &addresses, reach, forwards }.to_string()
}

/// Polls until it is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[track_caller]
fn run(line: &str) -> String {
    checked(line, &Command::new("sh").args(["-c", line]).output().unwrap())
}

#[track_caller]
fn checked(line: &str, output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`{line}` ended with {}: {errors}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

impl Drop for Lab {
    fn drop(&mut self) {
        for name in ["host", "sandbox", "neighbour"] {
            let _ = Command::new("ip").args(["netns", "del", &self.name(name)]).output();
        }
    }
}
