//! The kernel's sockets, as it tells of them over netlink: `sock_diag(7)`, linux/inet_diag.h.
//!
//! `query` asks for those of one namespace, `endings` hears of those that end, `holders` finds out by /proc whose they
//! are. `wire` writes and reads the messages.

mod endings;
mod error;
mod holders;
mod query;
mod wire;

pub use endings::{Ending, Endings};
pub use error::Error;
pub use holders::{Holder, holders};
pub use query::{Query, SockDiag, States};
pub use wire::{Cookie, Detail, InetSocket, SocketState, Transport};
