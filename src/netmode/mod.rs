//! Our own network modes: a command or a sandbox on a bridge of ours, with the ports it publishes.

mod publication;
mod reservation;
mod ruleset;

pub use publication::{
    HostAddress, HostPorts, InvalidPublication, Overlap, PortRange, Publication, Publications,
};
pub use reservation::{Error as ReservationError, Forward, OpenPorts, Reservation, Wanted};
pub use ruleset::{Ownership, Reach, Ruleset, removal, table_name};
