//! What happened around a capture, in the words of its journal rows.

use std::{error::Error, time::SystemTime};

use crate::capture::{Event, Priority};
use crate::discovery::engine::{EngineEvent, EventKind};

/// The row for an engine's event of the container of that name; none for what says nothing about the network or the life of a container.
pub(in crate::cli) fn engine(event: &EngineEvent, name: &str) -> Option<Event> {
    let network = |network: &Option<String>| network.clone().unwrap_or_else(|| "a network".to_owned());
    let (word, what, priority) = match &event.kind {
        EventKind::Create => ("create", "created".to_owned(), Priority::Info),
        EventKind::Start => ("start", "started".to_owned(), Priority::Info),
        EventKind::Die { exit_code: None } => ("die", "ended".to_owned(), Priority::Warning),
        EventKind::Die { exit_code: Some(code) } => {
            ("die", format!("ended with exit code {code}"), Priority::Warning)
        }
        EventKind::Destroy => ("destroy", "removed".to_owned(), Priority::Info),
        EventKind::Health { status } => {
            ("health", format!("is {}", status.as_deref().unwrap_or("of unknown health")), Priority::Info)
        }
        EventKind::Rename { from, to } => {
            ("rename", format!("renamed from {} to {to}", from.as_deref().unwrap_or("?")), Priority::Info)
        }
        EventKind::Pause => ("pause", "paused".to_owned(), Priority::Info),
        EventKind::Unpause => ("unpause", "unpaused".to_owned(), Priority::Info),
        EventKind::Oom => ("oom", "ran out of memory".to_owned(), Priority::Warning),
        EventKind::Connect { network: to } => {
            ("connect", format!("connected to {}", network(to)), Priority::Info)
        }
        EventKind::Disconnect { network: from } => {
            ("disconnect", format!("disconnected from {}", network(from)), Priority::Info)
        }
        EventKind::Other(_) => return None,
    };
    Some(Event {
        time_ns: event.time_ns,
        priority,
        message: format!("container {name} {what}"),
        fields: vec![
            ("PCAPSULE_EVENT".to_owned(), word.to_owned()),
            ("CONTAINER_NAME".to_owned(), name.to_owned()),
            ("CONTAINER_ID_FULL".to_owned(), event.container.clone()),
            ("PCAPSULE_ENGINE".to_owned(), event.engine.to_string()),
        ],
    })
}

/// The row for a time in which an engine could not be heard.
pub(super) fn gap(reason: &str) -> Event {
    noted("gap", format!("container events may be missing: {reason}"))
}

/// The row for a tap that could not be opened.
pub(super) fn not_heard(tap: &str, error: &dyn Error) -> Event {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    noted("not-heard", format!("{tap} is not captured: {error}{cause}"))
}

/// The row that somebody set by hand while it ran.
pub(in crate::cli) fn mark(text: &str) -> Event {
    Event { priority: Priority::Info, ..noted("mark", text.to_owned()) }
}

fn noted(word: &str, message: String) -> Event {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Event {
        time_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
        priority: Priority::Warning,
        message,
        fields: vec![("PCAPSULE_EVENT".to_owned(), word.to_owned())],
    }
}
