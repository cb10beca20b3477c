//! The toolbar that Wireshark shows beside a running capture: adds containers, sets marks, tells what happens. A capture
//! does as well without.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    sync::{atomic::Ordering, mpsc},
    thread,
    time::Duration,
};

use futures_util::StreamExt as _;
use jiff::Zoned;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{MissedTickBehavior, interval},
};

use crate::capture;
use crate::cli::{
    capture::{Running, event_of_engine, mark},
    look,
};
use crate::discovery::engine::{EngineEvent, Notice, PATIENCE};
use crate::model::Selector;
use crate::sys;

use super::{
    control::{Command, Message},
    roster::Roster,
    sentence::harmless,
};

// The controls, by their numbers.
pub(super) const CONTAINER: u8 = 0;
pub(super) const ADD: u8 = 1;
pub(super) const NOTE: u8 = 2;
pub(super) const MARK: u8 = 3;
pub(super) const LOG: u8 = 4;
/// What the list of containers holds while none is chosen.
pub(super) const CHOOSE: &str = "-";

/// How often it is looked whether packets were lost, and whether the list of containers is stale.
const BEAT: Duration = Duration::from_secs(1);

/// Where messages for Wireshark go; nowhere, if it has no toolbar.
#[derive(Clone)]
pub(super) struct Outlet(Option<mpsc::Sender<Message>>);

impl Outlet {
    /// Opens the pipe on a thread of its own: that waits until the other side is there.
    pub(super) fn open(path: Option<&str>) -> Self {
        let Some(path) = path.map(str::to_owned) else { return Self(None) };
        let (sender, messages) = mpsc::channel::<Message>();
        let write = move || {
            let _ = sys::keep_only(&[]);
            let Ok(mut pipe) = OpenOptions::new().write(true).open(path) else { return };
            // Ends with the last sender, or when nobody reads any more.
            while let Ok(message) = messages.recv()
                && pipe.write_all(&message.bytes()).is_ok()
            {}
        };
        let started = thread::Builder::new().name("control-out".to_owned()).spawn(write);
        Self(started.is_ok().then_some(sender))
    }

    /// A line for the log.
    pub(super) fn log(&self, text: &str) {
        let line = format!("{} {}\n", Zoned::now().strftime("%H:%M:%S"), harmless(text));
        self.send(Message::text(LOG, Command::Add, &line));
    }

    /// A text for the status bar.
    fn status(&self, text: &str) {
        self.send(Message::text(0, Command::StatusBar, text));
    }

    fn send(&self, message: Message) {
        if let Some(sender) = &self.0 {
            // Whoever reads no more misses nothing.
            let _ = sender.send(message);
        }
    }
}

/// What Wireshark says, read on a thread of its own.
pub(super) fn inlet(path: &str) -> UnboundedReceiver<Message> {
    let (tell, messages) = unbounded_channel();
    let path = path.to_owned();
    let read = move || {
        let _ = sys::keep_only(&[]);
        let Ok(mut pipe) = File::open(path) else { return };
        while let Ok(Some(message)) = Message::read(&mut pipe)
            && tell.send(message).is_ok()
        {}
    };
    // Without a thread there is nothing to hear.
    let _ = thread::Builder::new().name("control-in".to_owned()).spawn(read);
    messages
}

/// The toolbar of one capture.
pub(super) struct Toolbar {
    inlet: Option<UnboundedReceiver<Message>>,
    outlet: Outlet,
    wishes: UnboundedSender<Vec<Selector>>,
    roster: Roster,
    is_stale: bool,
    chosen: Option<String>,
    note: String,
    marks: u64,
    lost: u64,
}

impl Toolbar {
    /// `wishes` reaches the capture.
    pub(super) fn new(
        inlet: UnboundedReceiver<Message>,
        outlet: Outlet,
        wishes: UnboundedSender<Vec<Selector>>,
    ) -> Self {
        Self {
            inlet: Some(inlet),
            outlet,
            wishes,
            roster: Roster::default(),
            is_stale: true,
            chosen: None,
            note: String::new(),
            marks: 0,
            lost: 0,
        }
    }

    /// Serves the toolbar until the capture has ended.
    pub(super) async fn serve(mut self, running: Running) {
        let mut events = look::engines().events();
        let mut beat = interval(BEAT);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = next(self.inlet.as_mut()) => match message {
                    Some(message) => self.obey(&message, &running),
                    None => self.inlet = None,
                },
                Some(notice) = events.next() => self.hear(notice),
                _ = beat.tick() => {
                    self.refresh().await;
                    self.warn_of_loss(&running);
                }
            }
        }
    }

    fn obey(&mut self, message: &Message, running: &Running) {
        let text = String::from_utf8_lossy(&message.payload).into_owned();
        match (message.control, message.command) {
            (CONTAINER, Command::Set) => self.chosen = Some(text).filter(|word| word != CHOOSE),
            (NOTE, Command::Set) => self.note = text,
            (ADD, Command::Set) => self.add(),
            (MARK, Command::Set) => self.mark(running),
            _ => {}
        }
    }

    fn add(&mut self) {
        let chosen = self.chosen.as_deref().and_then(|word| self.roster.find(word));
        let Some(entry) = chosen else {
            return self.outlet.status("choose a container to add");
        };
        self.outlet.status(&format!("{} is captured too", entry.display));
        self.outlet.log(&format!("added: {}", entry.display));
        // Once the capture has ended, nothing can be added.
        let _ = self.wishes.send(vec![entry.selector.clone()]);
    }

    fn mark(&mut self, running: &Running) {
        self.marks += 1;
        let text = match self.note.trim() {
            "" => format!("mark {}", self.marks),
            note => format!("mark {}: {note}", self.marks),
        };
        running.controls.send(capture::Command::Note(mark(&text)));
        self.outlet.status(&text);
        self.outlet.log(&text);
    }

    fn hear(&mut self, notice: Notice) {
        match notice {
            Notice::Event(event) => {
                self.is_stale = true;
                let name = event.name.clone().unwrap_or_else(|| short(&event).to_owned());
                if let Some(row) = event_of_engine(&event, &name) {
                    self.outlet.log(&row.message);
                }
            }
            Notice::Gap { reason, .. } => self.outlet.log(&reason),
            Notice::Listening { .. } => self.is_stale = true,
        }
    }

    /// Brings the list of containers up to date, entry by entry: the one that is chosen stays chosen.
    async fn refresh(&mut self) {
        if !self.is_stale {
            return;
        }
        self.is_stale = false;
        let roster = Roster::read(PATIENCE).await;
        for gone in self.roster.entries().iter().filter(|entry| roster.find(&entry.word).is_none()) {
            self.outlet.send(Message::text(CONTAINER, Command::Remove, &gone.word));
        }
        for new in roster.entries().iter().filter(|entry| self.roster.find(&entry.word).is_none()) {
            self.outlet.send(Message::entry(CONTAINER, &new.word, &harmless(&new.display)));
        }
        self.roster = roster;
    }

    fn warn_of_loss(&mut self, running: &Running) {
        let lost = running.progress.lost.load(Ordering::Relaxed);
        if lost > self.lost {
            self.lost = lost;
            let text =
                format!("{lost} packets lost: the kernel had no room; a larger buffer or a filter helps");
            self.outlet.status(&text);
            self.outlet.log(&text);
        }
    }
}

fn short(event: &EngineEvent) -> &str {
    event.container.get(..12).unwrap_or(&event.container)
}

/// The next message; never comes once the pipe has ended.
async fn next(inlet: Option<&mut UnboundedReceiver<Message>>) -> Option<Message> {
    match inlet {
        Some(inlet) => inlet.recv().await,
        None => std::future::pending().await,
    }
}
