//! The tests that need the real thing: a Docker engine, network namespaces, and other people's tools as oracles.
//!
//! Run them through `scripts/test`, which installs the tools and names in `PCAPSULE_REQUIRE` what must not be
//! skipped. Each file proves one topic; `lab` holds what the tests stand on.

#![expect(clippy::print_stderr, reason = "a skipped test says why")]

mod lab;

mod truth;
