//! Results as tables, text and JSON, into any writer; one file per format.
//!
//! `table` and `links` are what `ls` prints, `way` and `inspect` what `inspect` prints, `json` and `inspect_json` the
//! documents of both, `rates` and `rates_json` what `top` prints,
//! `why` and `why_json` what `why` prints,
//! `bench`, `waterfall`, `bench_compare`, `bench_json` and `bench_html` what `bench` prints (`bench_charts` and `svg` draw its
//! plots), `changes` the lines of a watch, `packet_line`, `line` and `hex_dump` what is printed of a packet, `wireshark` what
//! `wireshark status` prints. Nothing here looks at the host or knows stdout.

mod bench;
mod bench_charts;
mod bench_compare;
#[cfg(test)]
pub(crate) mod bench_fixture;
mod bench_html;
mod bench_json;
mod changes;
mod ends;
mod figures;
#[cfg(test)]
pub(crate) mod fixture;
mod grid;
mod hex_dump;
mod inspect;
mod inspect_json;
mod json;
mod line;
mod links;
mod packet_line;
mod ports;
mod rates;
#[cfg(test)]
pub(crate) mod rates_fixture;
mod rates_json;
mod sandboxes;
mod svg;
mod table;
mod waterfall;
mod way;
mod why;
mod why_json;
mod wireshark;

pub use bench::bench;
pub use bench_compare::{comparison, comparison_json};
pub use bench_html::bench_html;
pub use bench_json::bench_json;
pub use changes::Changes;
pub use grid::{Headings, Layout, Width};
pub use hex_dump::{DumpFrom, HexDump};
pub use inspect::{Forwarding, Inspection, NameResolution, Neighbour, Route, inspection};
pub use inspect_json::inspection_json;
pub use json::listing_json;
pub use packet_line::{LineStyle, PacketLines, SequenceNumbers, TimeStyle};
pub use ports::published;
pub use rates::{RATE_HEADINGS, Rates, rate_cells, rates_summary, rates_table};
pub use rates_json::rates_json;
pub use sandboxes::{plan, plan_json, sandboxes, sandboxes_json};
pub use table::{Listing, Scope, StateColumn, listing, names};
pub use why::{Answer, why};
pub use why_json::why_json;
pub use wireshark::{Check, Verdict, checks, checks_json};
