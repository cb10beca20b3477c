//! The network modes from outside: what a sandbox gets, who reaches what, and that nothing of it stays.
//!
//! Each test has two machines of its own made of namespaces (`lab`): the host on which pcapsule runs, and its neighbour on
//! the LAN. Every test compares the host before and after. Which published case each test holds, and which cases cannot be
//! held here, is listed in `docs/design/network-modes-cases.md`.

#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod lab;

mod addresses;
mod basics;
mod crowd;
mod death;
mod discovery;
mod exposure;
mod faults;
mod foreground;
mod modes;
mod neighbours;
mod ports;
mod reach;
