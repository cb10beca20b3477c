//! What the user types and sees: one file per command, and the only room that knows stdout and exit codes.
//!
//! `args` and `capture_args` parse, `look` looks at the host, `select` finds what the words mean, `advice` what they may
//! have meant, `failure` turns an
//! error into a line, a hint and an exit code; `extcap` answers Wireshark instead of people. Nothing here decodes, joins or captures.

mod advice;
mod args;
mod bench;
mod bench_args;
mod capture;
mod capture_args;
mod completions;
pub mod exit;
mod extcap;
mod failure;
mod gather;
mod inspect;
mod list;
mod look;
mod man;
mod net;
mod offer;
mod printer;
mod read;
mod remote;
mod run;
mod run_command;
mod sandbox;
mod sandbox_args;
mod sandbox_failure;
mod screen;
mod select;
mod terminal;
mod top;
mod units;
mod why;
mod why_args;
mod wireshark;
mod wireshark_args;

pub use run::run;
