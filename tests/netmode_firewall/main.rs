//! Published ports and firewall rules against the real kernel: a host of our own, a sandbox on its bridge, and a
//! neighbour on its network, each a namespace. Other people's tools (`nft`, `iptables`, `ip`) build what is around.
//!
//! Needs root. What a test makes has names of its own and goes when the test ends.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test that fails should say where, and why it skips"
)]

mod lab;

mod cost;
mod docker;
mod forwarding;
mod guards;
mod loopback;
mod ownership;
mod stale;
