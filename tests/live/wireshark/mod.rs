//! Wireshark's plug-in protocol, with the tshark and dumpcap of this machine, and call by call where those do not go.

mod calls;
mod containers;
mod elsewhere;
mod ending;
mod engines;
mod listing;
mod rootless;
mod stage;
mod streams;
mod toolbar;
