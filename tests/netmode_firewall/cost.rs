//! A thousand ports cost about what one costs: by count, and, to look at, by time.

use std::{
    io::{self, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Instant,
};

use pcapsule::{
    netmode::{Proxy, Reach, obstacles},
    sys::{iptables::Family, nft::Nft},
};

use crate::lab::{HOST, SANDBOX, Stack, on_host, publications, publish, ruleset};

#[test]
fn a_thousand_ports_are_published_by_as_many_rules_as_one() {
    on_host(|lab| {
        let rules = |ports: &str| {
            let _published = publish(Stack::Dual, &[ports]);
            let listed = lab.run("host", "nft -a list table inet pcapsule_0a1b2c3d");
            listed.matches(" # handle ").count()
        };
        assert_eq!(rules("10000-10999:20000-20999"), rules("10000:20000"));
        lab.tcp_server("sandbox", "[::]:20999");
        let _published = publish(Stack::Dual, &["10000-10999:20000-20999"]);
        assert!(lab.ask("neighbour", &format!("{HOST}:10999")).is_ok());
        assert!(lab.ask("host", "127.0.0.1:10999").is_ok());
    });
}

/// Prints medians in microseconds: `cargo test --release --test netmode_firewall cost -- --ignored --nocapture`.
#[test]
#[ignore = "measures, to be looked at"]
fn what_it_takes() {
    on_host(|_| {
        for ports in ["8080:80", "8000-8999:8000-8999", "8000-8999:80-1079", "8000-8999:80-1079/udp"] {
            let mut samples: Vec<[u128; 6]> = (0..11).map(|_| once(ports)).collect();
            let median = |at: usize, samples: &mut Vec<[u128; 6]>| {
                samples.sort_by_key(|sample| sample[at]);
                samples[samples.len() / 2][at]
            };
            let [reserve, start, commit, open, stop, look] =
                std::array::from_fn(|at| median(at, &mut samples));
            eprintln!(
                "{ports}: reserve {reserve}, start {start}, commit {commit}, open {open}, stop {stop}, look {look}"
            );
        }
    });
}

fn once(ports: &str) -> [u128; 6] {
    let mut last = Instant::now();
    let mut lap = || {
        let now = Instant::now();
        let took = now.duration_since(std::mem::replace(&mut last, now));
        took.as_micros()
    };
    let mut nft = Nft::start().unwrap();
    let start = lap();
    let reserved = publications(&[ports]).reserve().unwrap();
    let reserve = lap();
    nft.commit(&ruleset(Stack::V4, Reach::Everywhere, reserved.forwards())).unwrap();
    let commit = lap();
    let proxy = Proxy::start(reserved.open().unwrap(), &[SANDBOX.parse().unwrap()]).unwrap();
    let open = lap();
    nft.begin_end();
    drop((proxy, nft));
    let stop = lap();
    obstacles(&[Family::V4]).unwrap();
    [reserve, start, commit, open, stop, lap()]
}

/// Prints the rate of one connection over the proxy.
#[test]
#[ignore = "measures, to be looked at"]
fn what_the_proxy_carries() {
    const BYTES: u32 = 2 << 30;
    on_host(|lab| {
        let listener = lab.namespace("sandbox").within(|| TcpListener::bind("0.0.0.0:80")).unwrap().unwrap();
        for (name, address) in
            [("direct", format!("{SANDBOX}:80")), ("over the proxy", "127.0.0.1:8080".to_owned())]
        {
            let _published = publish(Stack::V4, &["127.0.0.1:8080:80"]);
            let mut client = TcpStream::connect(address).unwrap();
            let (mut server, _) = listener.accept().unwrap();
            let reader = thread::spawn(move || io::copy(&mut server, &mut io::sink()).unwrap());
            let (began, piece) = (Instant::now(), vec![0; 128 << 10]);
            for _ in 0..BYTES as usize / piece.len() {
                client.write_all(&piece).unwrap();
            }
            drop(client);
            assert_eq!(reader.join().unwrap(), u64::from(BYTES));
            let rate = f64::from(BYTES) * 8.0 / began.elapsed().as_secs_f64() / 1e9;
            eprintln!("{name}: {rate:.1} Gbit/s");
        }
    });
}
