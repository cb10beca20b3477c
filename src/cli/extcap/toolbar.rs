//! The toolbar that Wireshark shows beside a running capture: adds containers, sets marks, tells what happens. A capture
//! does as well without.

use std::{
    convert::Infallible,
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

use crate::capture::{self, Progress};
use crate::cli::{
    capture::{Running, event_of_engine, mark},
    look,
};
use crate::discovery::engine::{EngineEvent, Notice, PATIENCE};
use crate::model::Selector;
use crate::sys;

use super::{
    control::{Command, Message},
    roster::{Entry, Roster},
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
/// What it shows then.
pub(super) const CHOOSE_DISPLAY: &str = "choose one";

/// How often it is looked whether packets were lost, and whether the list of containers is stale.
const BEAT: Duration = Duration::from_secs(1);
/// So many beats a list is taken for good that no engine has spoken of: namespaces and sandboxes come without one.
const BEATS_A_LIST: u32 = 5;

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

/// What Wireshark says, read on a thread of its own for as long as it says something, whoever listens: its window stands
/// still until the pipe is opened here.
pub(super) fn inlet(path: &str) -> (UnboundedReceiver<Message>, Greeting) {
    let (tell, messages) = unbounded_channel();
    let (greet, greeted) = mpsc::channel();
    let path = path.to_owned();
    let read = move || {
        let _ = sys::keep_only(&[]);
        let Ok(mut pipe) = File::open(path) else { return };
        while let Ok(Some(message)) = Message::read(&mut pipe) {
            if message.command == Command::Initialized {
                let _ = greet.send(());
            }
            let _ = tell.send(message);
        }
    };
    // Without a thread there is nothing to hear.
    let _ = thread::Builder::new().name("control-in".to_owned()).spawn(read);
    (messages, Greeting(greeted))
}

/// That Wireshark has opened its end and told what differs from the defaults.
pub(super) struct Greeting(mpsc::Receiver<()>);

impl Greeting {
    /// Waits for it, so long at most.
    pub(super) fn wait(&self, patience: Duration) {
        let _ = self.0.recv_timeout(patience);
    }
}

/// Answers for a toolbar that reaches nobody, for ever.
pub(super) async fn decline(mut messages: Option<UnboundedReceiver<Message>>, outlet: Outlet) -> Infallible {
    loop {
        match next(messages.as_mut()).await {
            Some(Message { control: ADD | MARK, command: Command::Set, .. }) => {
                outlet.status("the toolbar does not reach other hosts");
            }
            Some(_) => {}
            None => messages = None,
        }
    }
}

/// The toolbar of one capture.
pub(super) struct Toolbar {
    inlet: Option<UnboundedReceiver<Message>>,
    outlet: Outlet,
    wishes: UnboundedSender<Vec<Selector>>,
    /// What the list holds; none before it was filled for the first time.
    roster: Option<Roster>,
    /// How many beats ago that was.
    age: u32,
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
            roster: None,
            age: BEATS_A_LIST,
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
                    self.warn_of_loss(&running.progress);
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
        let Some(entry) = self.chosen_of(self.roster.as_ref()) else {
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
                self.age = BEATS_A_LIST;
                let name = event.name.clone().unwrap_or_else(|| short(&event).to_owned());
                if let Some(row) = event_of_engine(&event, &name) {
                    self.outlet.log(&row.message);
                }
            }
            Notice::Gap { reason, .. } => self.outlet.log(&reason),
            Notice::Listening { .. } => self.age = BEATS_A_LIST,
        }
    }

    async fn refresh(&mut self) {
        self.age += 1;
        if self.age > BEATS_A_LIST {
            self.age = 0;
            let roster = Roster::read(PATIENCE).await;
            self.list(roster);
        }
    }

    /// Brings the list of containers up to date, entry by entry: the one that is chosen stays chosen. To begin with,
    /// Wireshark has in it what it was told in the capture before.
    fn list(&mut self, roster: Roster) {
        let is_first = self.roster.is_none();
        let known = self.roster.take().unwrap_or_default();
        if is_first {
            self.outlet.send(Message::text(CONTAINER, Command::Remove, ""));
            self.outlet.send(Message::entry(CONTAINER, CHOOSE, CHOOSE_DISPLAY));
        }
        for gone in known.entries().iter().filter(|entry| roster.find(&entry.word).is_none()) {
            self.outlet.send(Message::text(CONTAINER, Command::Remove, &gone.word));
        }
        for new in roster.entries().iter().filter(|entry| known.find(&entry.word).is_none()) {
            self.outlet.send(Message::entry(CONTAINER, &new.word, &harmless(&new.display)));
        }
        // Where the chosen one goes, Wireshark shows another one without a word, which nobody has chosen.
        let is_gone = self.chosen.is_some() && self.chosen_of(Some(&roster)).is_none();
        if is_gone {
            self.chosen = None;
        }
        if is_first || is_gone {
            let shown = self.chosen.as_deref().unwrap_or(CHOOSE);
            self.outlet.send(Message::text(CONTAINER, Command::Set, shown));
        }
        self.roster = Some(roster);
    }

    fn chosen_of<'a>(&self, roster: Option<&'a Roster>) -> Option<&'a Entry> {
        roster?.find(self.chosen.as_deref()?)
    }

    fn warn_of_loss(&mut self, progress: &Progress) {
        let lost = progress.lost.load(Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn toolbar() -> (Toolbar, mpsc::Receiver<Message>) {
        let (sender, sent) = mpsc::channel();
        let (_, messages) = unbounded_channel();
        let (wish, _) = unbounded_channel();
        (Toolbar::new(messages, Outlet(Some(sender)), wish), sent)
    }

    fn told(sent: &mpsc::Receiver<Message>) -> Vec<(Command, String)> {
        let text = |message: Message| (message.command, String::from_utf8(message.payload).unwrap());
        sent.try_iter().map(text).collect()
    }

    fn entry(word: &str) -> (Command, String) {
        (Command::Add, format!("{word}\0Container {word}"))
    }

    #[test]
    fn the_list_begins_empty_whatever_an_earlier_capture_has_left_in_it() {
        let (mut toolbar, sent) = toolbar();
        toolbar.chosen = Some("old".to_owned());
        toolbar.list(Roster::of_names(&["web"]));
        let choose = (Command::Add, "-\0choose one".to_owned());
        let expected =
            [(Command::Remove, String::new()), choose, entry("web"), (Command::Set, CHOOSE.to_owned())];
        assert_eq!(told(&sent), expected);
        assert_eq!(toolbar.chosen, None);
    }

    #[test]
    fn who_was_chosen_stays_chosen_until_it_goes() {
        let (mut toolbar, sent) = toolbar();
        toolbar.chosen = Some("web".to_owned());
        toolbar.list(Roster::of_names(&["web", "db"]));
        assert_eq!(told(&sent).last(), Some(&(Command::Set, "web".to_owned())));
        toolbar.list(Roster::of_names(&["web", "api"]));
        assert_eq!(told(&sent), [(Command::Remove, "db".to_owned()), entry("api")]);
        toolbar.list(Roster::of_names(&["api"]));
        let gone = [(Command::Remove, "web".to_owned()), (Command::Set, CHOOSE.to_owned())];
        assert_eq!(told(&sent), gone);
        assert_eq!(toolbar.chosen, None);
    }

    #[test]
    fn a_loss_is_told_once_in_the_status_bar_and_in_the_log() {
        let (mut toolbar, sent) = toolbar();
        let progress = Progress::default();
        toolbar.warn_of_loss(&progress);
        assert_eq!(told(&sent), []);
        progress.lost.store(7, Ordering::Relaxed);
        toolbar.warn_of_loss(&progress);
        toolbar.warn_of_loss(&progress);
        let [(Command::StatusBar, status), (Command::Add, line)] = &told(&sent)[..] else {
            panic!("one message each");
        };
        assert!(status.starts_with("7 packets lost: ") && line.contains(status), "{status} {line}");
    }
}
