//! The few packets that settle a doubt: questions to name servers, first packets of connections.

mod lookup;

pub use lookup::lookup;
