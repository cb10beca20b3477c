//! Our own network modes: a command or a sandbox on a bridge of ours, with the ports it publishes.

mod coexist;
mod flows;
mod proxy;
mod publication;
mod reservation;
mod ruleset;

pub use coexist::{Accepts, Dropping, Error as CoexistError, Obstacle, obstacles, remove_by_comment};
pub use flows::{forget_sandbox, forget_stale};
pub use proxy::Proxy;
pub use publication::{
    HostAddress, HostPorts, InvalidPublication, Overlap, PortRange, Publication, Publications,
};
pub use reservation::{Error as ReservationError, Forward, OpenPorts, Reservation, Wanted};
pub use ruleset::{Ownership, Reach, Ruleset, removal, table_name};
