//! Results as tables, text and JSON, into any writer; one file per format.
//!
//! `table` and `links` are what `ls` prints, `way` and `inspect` what `inspect` prints, `json` and `inspect_json` the
//! documents of both, `changes` the lines of a watch. Nothing here looks at the host or knows stdout.

mod changes;
mod ends;
#[cfg(test)]
pub(crate) mod fixture;
mod grid;
mod inspect;
mod inspect_json;
mod json;
mod links;
mod ports;
mod table;
mod way;

pub use changes::Changes;
pub use grid::{Headings, Layout, Width};
pub use inspect::{Inspection, NameResolution, Route, inspection};
pub use inspect_json::inspection_json;
pub use json::listing_json;
pub use table::{Listing, StateColumn, listing, names};
