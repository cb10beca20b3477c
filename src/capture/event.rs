//! Something that happened to a container or a tap during a capture, to be kept beside the packets.

/// How bad it is (`syslog(3)` levels, as the journal writes them).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Priority {
    /// Worth a look: a container died, a tap was lost.
    Warning = 4,
    /// The normal course of things.
    Info = 6,
}

/// One event, written as a row of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, in nanoseconds since the epoch.
    pub time_ns: u64,
    /// How bad.
    pub priority: Priority,
    /// One sentence: `container web started`.
    pub message: String,
    /// Further journal fields, names in capitals: `CONTAINER_NAME`, `CONTAINER_ID`, `PCAPSULE_EVENT` …
    pub fields: Vec<(String, String)>,
}
