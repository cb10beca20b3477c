//! How much each container sends and receives: counters of the kernel, read again and again, and what they grew by.
//!
//! `plan` says by which counters a container is measured, `growth` what two readings of them mean, `ledger` what a
//! socket after the other adds up to, `order` who comes first, `total` what all do together: all pure. `gauge` holds counters open, `follow` keeps
//! up with the containers that come and go.

mod follow;
mod gauge;
mod growth;
mod ledger;
mod order;
mod plan;
mod total;

pub use follow::{Meter, Metered, Subject};
pub use gauge::Error;
pub use growth::{Interval, PerSecond, Traffic};
pub use order::{SortKey, sort};
pub use plan::{Counting, shares_its_namespace};
pub use total::{Total, total};
