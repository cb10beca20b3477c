//! What the ways of a container to others cost against host mode: measured side by side, in rounds, with intervals.
//!
//! `scenario` is what to measure, `path` builds the ways (a `Lab` of namespaces and sandboxes of our own) and proves which
//! one was taken, `endpoint` is the data path, `schedule` the order, `measure` runs it all, `outcome` keeps every sample and
//! `stats` says what they mean. Plain threads and blocking calls: a measurement is not one of a scheduler of ours. Nothing
//! here prints or knows the command line.

mod compare;
mod condition;
mod doubt;
mod endpoint;
mod environment;
mod error;
mod explain;
mod measure;
mod outcome;
mod path;
mod random;
mod scenario;
mod schedule;
pub mod stats;
mod summary;
mod times;
mod word;

pub use compare::{Change, InvalidRun, Run, RunComparison, ToHost, compare_runs};
pub use condition::{Answer, Condition, InvalidCondition, Ruling};
pub use environment::Environment;
pub use error::Error;
pub use explain::{Bridged, Finding, Kind, Quantity, Step, Waterfall, rungs};
pub use measure::{Progress, measure};
pub use outcome::{CellOutcome, Figure, Outcome, PathOutcome, Sample};
pub use path::{Goal, Lab, NoWay, Path, Seen, SetUp, Skipped, Visit, Way, shows_bridged_packets};
pub use scenario::{Cell, Method, Placement, Scenario, Test};
pub use summary::{Comparison, Cost, Summary, summarize};
pub use times::{Percentiles, Times};
pub use word::UnknownWord;
