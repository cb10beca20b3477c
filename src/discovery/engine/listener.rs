//! Listens to every engine's `/events`, through restarts of the engine, and says where it could not listen.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
use tokio::{sync::mpsc, task::JoinSet, time::sleep};

use crate::model::Engine;

use super::{Address, EngineEvent, Error, PATIENCE, client::Client, survey::Kind};

/// The pause after a first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Events that wait for a slow reader; more wait in the engine.
const WAITING: usize = 256;

/// What an engine's event connection brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Events arrive from here on. What happened before went unseen: now is the moment to list.
    Listening {
        /// Where.
        address: Address,
        /// Who.
        engine: Engine,
    },
    /// Events are being missed until this engine's next `Listening`.
    Gap {
        /// Where.
        address: Address,
        /// Why, in a sentence for the user.
        reason: String,
    },
    /// Something happened.
    Event(EngineEvent),
}

/// The notices of several engines as they come, without end; it is over only when there is no engine at all.
/// Dropping it closes the connections.
#[derive(Debug)]
pub struct Events {
    notices: mpsc::Receiver<Notice>,
    /// Aborted when dropped.
    _listeners: JoinSet<()>,
}

impl Events {
    /// Starts to listen. Must be called inside a tokio runtime.
    pub(super) fn of(addresses: &[Address]) -> Self {
        let (sender, notices) = mpsc::channel(WAITING);
        let mut listeners = JoinSet::new();
        for address in addresses {
            listeners.spawn(listen(address.clone(), sender.clone()));
        }
        Self { notices, _listeners: listeners }
    }
}

impl Stream for Events {
    type Item = Notice;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        self.notices.poll_recv(context)
    }
}

/// Listens until nobody wants to know any more.
async fn listen(address: Address, sender: mpsc::Sender<Notice>) {
    let mut outage = None;
    while !sender.is_closed() {
        let reason = match hear(&address, &sender, &mut outage).await {
            Ok(()) => format!("the engine at {address} ended its stream of events"),
            Err(error) => error.warning(),
        };
        if outage.is_none() {
            drop(sender.send(Notice::Gap { address: address.clone(), reason }).await);
        }
        let pause = outage.unwrap_or(FIRST_PAUSE);
        sleep(pause).await;
        outage = Some(LONGEST_PAUSE.min(pause * 2));
    }
}

/// One connection, from its beginning, which ends an outage, to its end.
async fn hear(
    address: &Address,
    sender: &mpsc::Sender<Notice>,
    outage: &mut Option<Duration>,
) -> Result<(), Error> {
    let client = Client::new(address, PATIENCE);
    let engine = Kind::of(&client).await?.engine();
    let mut lines = client.lines("/events").await?;
    *outage = None;
    let beginning = Notice::Listening { address: address.clone(), engine: engine.clone() };
    if sender.send(beginning).await.is_err() {
        return Ok(());
    }
    while let Some(line) = lines.next().await? {
        let Some(event) = EngineEvent::read(&line, &engine) else { continue };
        if sender.send(Notice::Event(event)).await.is_err() {
            break;
        }
    }
    Ok(())
}
