//! The tests that need the real thing: a Docker engine, network namespaces, and other people's tools as oracles.
//!
//! Run them through `scripts/test`, which installs the tools and names in `PCAPSULE_REQUIRE` what must not be
//! skipped. Each file proves one topic; `lab` holds what the tests stand on.

#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod lab;

mod cgroups;
mod contents;
mod crowd;
mod disk;
mod ending;
mod filter;
mod follow;
mod headers;
mod host_mode;
mod joining;
mod keylog;
mod limits;
mod listing;
mod loss;
mod overload;
mod places;
mod privileges;
mod recording;
mod remote;
mod rotation;
mod scale;
mod selection;
mod silence;
mod sockets;
mod stdout;
mod tags;
mod top;
mod truth;
mod watching;
mod wireshark;
