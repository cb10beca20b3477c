//! What happens on the host from now on: the kernel's changes and the engines' events in one stream.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, timeout_at};

use crate::sys::netlink::{self, Changes};

use super::engine::{EngineEvent, Engines, Events, Notice};

/// A burst of changes is over after so long without another one.
const PAUSE: Duration = Duration::from_millis(2);
/// And no burst lasts longer than that: somebody waits to see it.
const LONGEST_BURST: Duration = Duration::from_millis(50);

/// Something happened. After any of these the host is worth another look.
#[derive(Debug, Clone)]
pub enum Occurrence {
    /// Links, addresses or namespaces changed.
    Kernel,
    /// An engine told of a container.
    Engine(EngineEvent),
    /// An engine can be heard again, after it could not.
    Listening,
    /// An engine can no longer be heard; the text says which and why.
    Gap(String),
}

/// A running watch; it ends when dropped.
pub struct Watch {
    kernel: Changes,
    engines: Events,
    heard: Vec<Occurrence>,
    until: Instant,
}

impl Watch {
    /// Watches from now on. Must run in a tokio runtime.
    pub fn start(engines: &Engines) -> Result<Self, netlink::Error> {
        Ok(Self {
            kernel: Changes::listen()?,
            engines: engines.events(),
            heard: Vec::new(),
            until: Instant::now(),
        })
    }

    /// The next thing that happened; `None` when the kernel closed its socket. Cancel-safe.
    pub async fn next(&mut self) -> Option<Occurrence> {
        tokio::select! {
            change = self.kernel.next() => change.map(|_| Occurrence::Kernel),
            Some(notice) = self.engines.next() => Some(match notice {
                Notice::Event(event) => Occurrence::Engine(event),
                Notice::Listening { .. } => Occurrence::Listening,
                Notice::Gap { reason, .. } => Occurrence::Gap(reason),
            }),
        }
    }

    /// The next thing that happens, with all that follows hard upon it: a container that starts makes a burst of
    /// changes, and one look afterwards serves them all. `None` when the kernel closed its socket. Cancelled between
    /// the first and the last of a burst, what was heard of it is kept for the next call.
    pub async fn settled(&mut self) -> Option<Vec<Occurrence>> {
        if self.heard.is_empty() {
            let first = self.next().await?;
            self.heard.push(first);
            self.until = Instant::now() + LONGEST_BURST;
        }
        while let Ok(Some(next)) = timeout_at(self.until.min(Instant::now() + PAUSE), self.next()).await {
            self.heard.push(next);
        }
        Some(std::mem::take(&mut self.heard))
    }
}
