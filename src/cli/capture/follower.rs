//! Keeps the taps in step with the host while a capture runs: containers that start join, those that end leave, and those
//! that somebody wishes for later are selected too.

use std::time::{Duration, Instant};

use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{sleep, timeout},
};

use crate::capture::{Command, Controls};
use crate::discovery::{Occurrence, Watch};
use crate::model::Selector;

use super::{events, follow::Audience, told::Voice};

/// How soon an engine that did not answer is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// As good as for ever.
const EVER: Duration = Duration::from_hours(24 * 365);

/// The running follower.
pub(super) struct Follower<'a> {
    watch: Option<Watch>,
    audience: Audience<'a>,
    controls: Controls,
    voice: Voice,
    /// What else is to be selected while it runs.
    wishes: Option<UnboundedReceiver<Vec<Selector>>>,
}

/// What a follower waits for.
enum News {
    /// Something happened, or it is time for another look.
    Burst(Vec<Occurrence>),
    /// These are to be selected too.
    Wish(Vec<Selector>),
    /// Somebody will not be heard of again.
    Silence,
}

impl<'a> Follower<'a> {
    pub(super) fn new(
        watch: Option<Watch>,
        audience: Audience<'a>,
        controls: Controls,
        voice: Voice,
        wishes: Option<UnboundedReceiver<Vec<Selector>>>,
    ) -> Self {
        Self { watch, audience, controls, voice, wishes }
    }

    /// Follows for ever; where there is nothing to follow, what is known of the host is given back at once.
    pub(super) async fn run(mut self) {
        while self.watch.is_some() || self.wishes.is_some() {
            match self.news().await {
                News::Burst(burst) if !burst.is_empty() || self.audience.may_have_changed() => {
                    self.follow(burst).await;
                }
                News::Wish(selectors) => {
                    self.audience.add(selectors);
                    self.follow(Vec::new()).await;
                }
                News::Burst(_) | News::Silence => {}
            }
        }
        drop(self);
        std::future::pending::<()>().await;
    }

    /// Cancel-safe, as what it waits for is.
    async fn news(&mut self) -> News {
        let asks_again = self.watch.is_some() && self.audience.must_ask_again();
        let patience = if asks_again { RETRY } else { EVER };
        tokio::select! {
            burst = timeout(patience, settled(self.watch.as_mut())) => match burst {
                Ok(Some(burst)) => News::Burst(burst),
                Ok(None) => {
                    self.watch = None;
                    News::Silence
                }
                Err(_elapsed) => News::Burst(Vec::new()),
            },
            wish = wished(self.wishes.as_mut()) => {
                if wish.is_none() {
                    self.wishes = None;
                }
                wish.map_or(News::Silence, News::Wish)
            }
        }
    }

    /// Does what follows from what has happened.
    async fn follow(&mut self, burst: Vec<Occurrence>) {
        let begin = Instant::now();
        // Looking first: an event may be the first to speak of a container, and by its id alone.
        if let Err(error) = self.keep_in_step().await {
            self.voice.warn(&format!("containers that start now may be missed: {error:#}"));
        }
        for occurrence in burst {
            self.tell(occurrence);
        }
        // On a host that never stands still, looking takes half of the time at most.
        sleep(begin.elapsed()).await;
    }

    fn tell(&self, occurrence: Occurrence) {
        match occurrence {
            Occurrence::Engine(event) => {
                if self.audience.tells_events()
                    && let Some(name) = self.audience.called(&event.container, event.name.as_deref())
                    && let Some(event) = events::engine(&event, &name)
                {
                    self.controls.send(Command::Note(event));
                }
            }
            Occurrence::Gap(reason) => {
                self.voice.warn(&reason);
                self.controls.send(Command::Note(events::gap(&reason)));
            }
            Occurrence::Kernel | Occurrence::Listening => {}
        }
    }

    async fn keep_in_step(&mut self) -> anyhow::Result<()> {
        let changes = self.audience.again().await?;
        self.controls.send(Command::Names(self.audience.names()));
        let has_ended = !changes.ended.is_empty();
        for key in changes.ended {
            if let Some(name) = self.audience.forget(key) {
                self.voice.tell(&format!("no longer listening on {name}"));
            }
            self.controls.send(Command::End(key));
        }
        for opened in self.audience.open_each(changes.opened) {
            match opened {
                Ok(tap) => {
                    self.voice.tell(&format!("listening on {}", tap.spec.name));
                    self.controls.send(Command::Arm(Box::new(tap)));
                }
                // Gone again before it could be opened; if not, the next change tries again.
                Err((name, error)) => self.controls.send(Command::Note(events::not_heard(&name, &error))),
            }
        }
        if has_ended && self.audience.hears_nothing() {
            self.voice.tell("nothing left to listen on: waiting for a container of the selection to start");
        }
        Ok(())
    }
}

/// The next burst; never comes where nothing is watched.
async fn settled(watch: Option<&mut Watch>) -> Option<Vec<Occurrence>> {
    match watch {
        Some(watch) => watch.settled().await,
        None => std::future::pending().await,
    }
}

/// The next wish; never comes where nobody has any.
async fn wished(wishes: Option<&mut UnboundedReceiver<Vec<Selector>>>) -> Option<Vec<Selector>> {
    match wishes {
        Some(wishes) => wishes.recv().await,
        None => std::future::pending().await,
    }
}
