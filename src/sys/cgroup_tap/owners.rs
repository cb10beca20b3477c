//! Whose a socket is: known from who made it, or else from who holds it, or else from the listener that the connection
//! came to. What is not known is said to be unknown.
//!
//! What is to be said of a socket is put together once and kept; a packet costs a look-up. Asking the kernel for holders
//! is the business of a thread beside the packets' path (see `holding`).

use std::collections::HashMap;

use crate::model::{Direction, Owner, OwnerProcess};

use super::{
    connection::Connection,
    holding::{Holding, Watcher},
    record::{COMMAND_BYTES, CONNECTED, CREATED, Record},
};

/// How many sockets are kept in mind; a busy server has fewer that send anything.
const MOST_SOCKETS: usize = 1 << 16;
/// A socket that nobody holds yet is asked for again that often.
const ATTEMPTS: u8 = 4;

/// What is known of the sockets of one tap.
#[derive(Debug)]
pub(super) struct Owners {
    /// What everything that is said begins with: `container=web`.
    label: String,
    known: HashMap<u64, Known>,
    /// The listener that each connection came to: its first packet is the listener's.
    listeners: HashMap<Connection, u64>,
    watcher: Watcher,
}

#[derive(Debug)]
struct Known {
    maker: Maker,
    /// A later look at the holders may tell more.
    is_open: bool,
    generation: u64,
    attempts: u8,
    process: Option<(u32, u32)>,
    command: String,
    text: String,
}

type Maker = (u32, u32, [u8; COMMAND_BYTES]);

/// What was found out.
struct Found {
    process: Option<(u32, u32)>,
    command: String,
    how: &'static str,
    /// How many processes hold it.
    holders: usize,
    is_open: bool,
}

impl Owners {
    pub(super) fn new(label: String, watcher: Watcher) -> Self {
        Self { label, known: HashMap::new(), listeners: HashMap::new(), watcher }
    }

    /// Takes over what was found out meanwhile.
    pub(super) fn catch_up(&mut self) {
        self.watcher.catch_up();
    }

    /// Whose packet it is.
    pub(super) fn of(&mut self, record: Record<'_>) -> Owner<'_> {
        let cookie = record.cookie();
        let maker = (record.maker().0, record.maker().1, record.command());
        let generation = self.watcher.generation();
        let is_settled = self
            .known
            .get(&cookie)
            .is_some_and(|known| known.maker == maker && (!known.is_open || known.generation == generation));
        if !is_settled {
            self.find_out(cookie, maker, record);
        }
        if record.direction() == Direction::In
            && let Some(connection) = Connection::opened_by(record.packet())
        {
            self.note_listener(connection, cookie);
        }
        self.known.get(&cookie).map_or(Owner { process: None, text: "" }, Known::owner)
    }

    fn find_out(&mut self, cookie: u64, maker: Maker, record: Record<'_>) {
        let before = self.known.get(&cookie).map_or(0, |known| known.attempts);
        let found = by_maker(maker)
            .or_else(|| self.by_holder(cookie))
            .or_else(|| self.by_listener(record))
            .unwrap_or_else(Found::nobody);
        if found.is_open && before < ATTEMPTS {
            self.watcher.ask();
        }
        if self.known.len() >= MOST_SOCKETS {
            self.known.clear();
        }
        let text = found.text(&self.label);
        let Found { process, command, is_open, .. } = found;
        let generation = self.watcher.generation();
        let known =
            Known { maker, is_open, generation, attempts: before.saturating_add(1), process, command, text };
        self.known.insert(cookie, known);
    }

    fn by_holder(&self, cookie: u64) -> Option<Found> {
        let Holding { pids, command } = self.watcher.holding(cookie)?;
        let one = (pids.len() == 1).then(|| (pids[0], pids[0]));
        let command = command.clone();
        Some(Found { process: one, command, how: "socket", holders: pids.len(), is_open: false })
    }

    /// A connection that was not asked for by its own process came to a listener.
    fn by_listener(&self, record: Record<'_>) -> Option<Found> {
        let connection = Connection::of(record.packet(), record.direction())?;
        let cookie = self.listeners.get(&connection)?;
        let listener = self.known.get(cookie).filter(|listener| listener.process.is_some())?;
        let (process, command) = (listener.process, listener.command.clone());
        Some(Found { process, command, how: "listener", holders: 1, is_open: true })
    }

    fn note_listener(&mut self, connection: Connection, cookie: u64) {
        if self.listeners.len() >= MOST_SOCKETS {
            self.listeners.clear();
        }
        self.listeners.insert(connection, cookie);
    }
}

/// What the programs at `socket(2)` and `connect(2)` noted.
fn by_maker((pid, thread, command): Maker) -> Option<Found> {
    let how = match command.last() {
        Some(&CREATED) => "created",
        Some(&CONNECTED) => "connected",
        _ => return None,
    };
    let length = command.iter().position(|byte| *byte == 0).unwrap_or(COMMAND_BYTES - 1);
    let command = String::from_utf8_lossy(&command[..length.min(COMMAND_BYTES - 1)]).into_owned();
    Some(Found { process: Some((pid, thread)), command, how, holders: 1, is_open: false })
}

impl Found {
    fn nobody() -> Self {
        Self { process: None, command: String::new(), how: "", holders: 0, is_open: true }
    }

    /// `container=web pid=123 command=nginx how=created`; of a socket that several processes hold,
    /// `container=web command=nginx holders=4 how=socket`.
    fn text(&self, label: &str) -> String {
        let command =
            if self.command.is_empty() { String::new() } else { format!(" command={}", word(&self.command)) };
        match (self.process, self.holders) {
            (Some((pid, _)), _) => format!("{label} pid={pid}{command} how={}", self.how),
            (None, 0) => format!("{label} process=unknown"),
            (None, holders) => format!("{label}{command} holders={holders} how={}", self.how),
        }
    }
}

impl Known {
    fn owner(&self) -> Owner<'_> {
        let process = self.process.map(|(pid, thread)| OwnerProcess { pid, thread, command: &self.command });
        Owner { process, text: &self.text }
    }
}

/// A text as one word of the grammar: what is not printable ASCII, spaces and `%` stand as `%20`.
pub(super) fn word(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'%' => "%25".to_owned(),
        b'!'..=b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    });
    escaped.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(command: &str, deed: u8) -> Maker {
        let mut bytes = [0; COMMAND_BYTES];
        bytes[..command.len()].copy_from_slice(command.as_bytes());
        bytes[COMMAND_BYTES - 1] = deed;
        (7, 8, bytes)
    }

    #[test]
    fn what_is_said_follows_one_grammar() {
        let said = |maker| by_maker(maker).map(|found| found.text("container=web"));
        let expected = "container=web pid=7 command=nginx how=created";
        assert_eq!(said(maker("nginx", CREATED)).as_deref(), Some(expected));
        let expected = "container=web pid=7 command=my%20%25app how=connected";
        assert_eq!(said(maker("my %app", CONNECTED)).as_deref(), Some(expected));
        assert_eq!(said(maker("", 0)), None);
        assert_eq!(Found::nobody().text("container=web"), "container=web process=unknown");
        let shared =
            Found { process: None, command: "nginx".to_owned(), how: "socket", holders: 4, is_open: false };
        assert_eq!(shared.text("container=web"), "container=web command=nginx holders=4 how=socket");
    }
}
