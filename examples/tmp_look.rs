//! tmp
use pcapsule::discovery::{scan, Topology};
#[tokio::main]
async fn main() {
    for _ in 0..3 {
    let t = std::time::Instant::now();
    let s = scan().await.unwrap();
    let a = t.elapsed();
    let topo = Topology::join(&s.facts);
    println!("scan {:?} join {:?} ns {} procs {} containers {}", a, t.elapsed()-a, s.facts.namespaces.len(), s.facts.processes.len(), topo.containers.len());
    println!("{:?}", topo.warnings);
    if topo.containers.len() < 30 { for c in &topo.containers { println!("{} {} {} {:?} {:?} {:?} shares {:?}", c.name, c.engine, c.mode, c.pid, c.namespace, c.namespace_paths, c.shares_with); for e in &c.endpoints { println!("    {} {:?} {:?} {:?}", e.link.name, e.link.addresses, e.host_side, e.network) } } }
    }
    let mut n = pcapsule::sys::netlink::Netlink::open().unwrap();
    println!("{:?}\n{:?}\n{:?}", n.routes().await, n.neighbours().await, n.forwarding().await);
}
