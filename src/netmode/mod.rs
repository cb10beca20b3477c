//! Our own network modes: a command or a sandbox on a bridge of ours, on a macvlan, alone, in a container's namespace or
//! the host's.
//!
//! A `spec` is what a user asks for, checked; `plan` makes steps of it, each with its undo, from the `facts`; `keeper`
//! has them done by `apply` and undone at the end. `record` is what is written down meanwhile, and what another one
//! undoes a dead run from. `publication` reads what `-p` asks for, `reservation` takes the ports, `ruleset` writes the
//! rules, `proxy` serves what the kernel cannot, `coexist` gets past the firewalls of others. Nothing here prints or
//! knows the command line.

mod address;
mod apply;
mod coexist;
mod facts;
mod flows;
mod holdings;
mod infant;
mod keeper;
mod plan;
mod proxy;
mod publication;
mod record;
mod reservation;
mod resolver;
mod ruleset;
mod shared;
mod site;
mod spec;
mod step;
mod subnet;

pub use address::{Error as AddressError, Taken};
pub use apply::{Fault, SetUpError, collect, collect_gone, collect_one};
pub use coexist::{Accepts, Dropping, Error as CoexistError, Obstacle, obstacles, remove_by_comment};
pub use facts::{Cgroups, Error as FactsError, Facts, Forwarding, Identity};
pub use flows::{forget_sandbox, forget_stale};
pub use infant::{Infant, Inside, Onset, Starter, Way, bear};
pub use keeper::{Commission, Error as KeeperError, Life, READY, finish_for, keep};
pub use plan::{Error as PlanError, Plan, plan};
pub use proxy::Proxy;
pub use publication::{
    HostAddress, HostPorts, InvalidPublication, Overlap, PortRange, Publication, Publications,
};
pub use record::{Error as RecordError, Exclusive, Journal, Record, RunId, State};
pub use reservation::{Error as ReservationError, Forward, OpenPorts, Reservation, Wanted};
pub use ruleset::{Ownership, Reach, Ruleset, removal, table_name};
pub use site::{Error as StepError, Words};
pub use spec::{
    BridgeSpec, DEFAULT_BRIDGE, InvalidName, InvalidNetWord, InvalidSpec, Ipv6, MacvlanSpec, Mode, Name,
    NetWord, Options, Spec,
};
pub use step::{Share, Step};
pub use subnet::{InvalidSubnet, Subnet};
