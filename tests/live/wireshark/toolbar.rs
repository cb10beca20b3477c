//! The control pipes, driven by the test in Wireshark's place.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use nix::{fcntl::OFlag, sys::stat::Mode, unistd::mkfifo};
use tempfile::TempDir;

use super::stage::{Home, Stream, answer, call, interface};
use crate::lab::{Cable, Conversation, Engine, eventually, has_written, rows, within};

// The controls by their numbers, and the commands.
const CONTAINER: u8 = 0;
const ADD: u8 = 1;
const NOTE: u8 = 2;
const MARK: u8 = 3;
const LOG: u8 = 4;
const INITIALIZED: u8 = 0;
const SET: u8 = 1;
const APPEND: u8 = 2;
const REMOVE: u8 = 3;
const STATUS_BAR: u8 = 6;

type Message = (u8, u8, String);

/// Both pipes, and what has come out of one.
struct Toolbar {
    folder: TempDir,
    to: Option<File>,
    heard: Arc<Mutex<Vec<Message>>>,
}

impl Toolbar {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for name in ["in", "out"] {
            mkfifo(&folder.path().join(name), Mode::S_IRUSR | Mode::S_IWUSR).expect("a new pipe");
        }
        Self { folder, to: None, heard: Arc::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The words for the call.
    fn words(&self) -> [String; 4] {
        let text = |name| self.path(name).to_str().expect("a path in text").to_owned();
        ["--extcap-control-in".to_owned(), text("in"), "--extcap-control-out".to_owned(), text("out")]
    }

    /// Opens both ends, as Wireshark does once it has started the capture: its window stands still until that is done.
    fn open(&mut self) {
        let (out, heard) = (self.path("out"), Arc::clone(&self.heard));
        thread::spawn(move || listen(&out, &heard));
        let mut options = OpenOptions::new();
        options.write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        self.to = Some(eventually("somebody reads", || options.open(self.path("in")).ok()));
        self.say(0, INITIALIZED, "");
    }

    fn say(&mut self, control: u8, command: u8, text: &str) {
        let length = u8::try_from(text.len() + 2).expect("a short text");
        let head = [b'T', 0, 0, length, control, command];
        let pipe = self.to.as_mut().expect("it is open");
        pipe.write_all(&[&head, text.as_bytes()].concat()).expect("somebody reads");
    }

    fn until(&self, what: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        let find = || self.heard.lock().expect("no panic").iter().find(|message| is_it(message)).cloned();
        eventually(what, find)
    }
}

fn listen(path: &Path, heard: &Mutex<Vec<Message>>) {
    let mut pipe = File::open(path).expect("the pipe is there");
    let mut head = [0; 6];
    while pipe.read_exact(&mut head).is_ok() {
        assert_eq!(head[0], b'T');
        let length = u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize - 2;
        let mut payload = vec![0; length];
        pipe.read_exact(&mut payload).expect("a whole message");
        let text = String::from_utf8(payload).expect("text");
        heard.lock().expect("no panic").push((head[4], head[5], text));
    }
}

#[test]
fn the_toolbar_is_declared_with_what_it_is_driven_by() {
    let listing = answer(&call(&["--extcap-interfaces"]));
    for (number, kind) in
        [(CONTAINER, "selector"), (ADD, "button"), (NOTE, "string"), (MARK, "button"), (LOG, "button")]
    {
        assert!(listing.contains(&format!("control {{number={number}}}{{type={kind}}}")), "{listing}");
    }
    assert!(listing.contains("{role=logger}"), "{listing}");
}

#[test]
fn a_mark_is_a_row_and_an_added_container_joins() {
    let Some(cable) = Cable::lay() else { return };
    let mut toolbar = Toolbar::new();
    let words = toolbar.words();
    let stream = Stream::start(&interface(&cable), &words.each_ref().map(String::as_str));
    stream.until_declared(&format!("{}/eth0", cable.left_name()));
    toolbar.open();
    let right = cable.right_name().to_owned();
    toolbar.until("the other namespace can be chosen", |message| {
        *message == (CONTAINER, APPEND, format!("{right}\0Namespace {right}"))
    });

    toolbar.say(MARK, SET, "");
    toolbar.until("the mark is confirmed", |message| *message == (0, STATUS_BAR, "mark 1".to_owned()));
    toolbar.say(NOTE, SET, "now it breaks");
    toolbar.say(MARK, SET, "");
    eventually("the mark is in the stream", || {
        has_written(&stream.file(), b"mark 2: now it breaks").then_some(())
    });

    toolbar.say(ADD, SET, "");
    toolbar.until("nothing is chosen yet", |message| message.1 == STATUS_BAR && message.2.contains("choose"));
    toolbar.say(CONTAINER, SET, &right);
    toolbar.say(ADD, SET, "");
    stream.until_declared(&format!("{right}/eth0"));
    toolbar.until("the log tells", |(control, command, text)| {
        (*control, *command) == (LOG, APPEND) && text.contains(&format!("listening on {right}/eth0"))
    });
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"hello");
    eventually("both sides are heard", || {
        let bytes = std::fs::read(stream.file()).unwrap_or_default();
        (String::from_utf8_lossy(&bytes).matches("hello").count() == 4).then_some(())
    });

    let ended = stream.stop().well();
    let marks = rows(&ended.file(), "systemd_journal", &["systemd_journal.message"]);
    assert_eq!(marks, [["mark 1"], ["mark 2: now it breaks"]]);
}

#[test]
fn what_happens_to_containers_is_in_the_log_and_in_the_list() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("web").start();
    let mut toolbar = Toolbar::new();
    let words = toolbar.words();
    let stream = Stream::start(&format!("pcapsule:{}", web.name()), &words.each_ref().map(String::as_str));
    stream.until_declared(&web.eth0());
    toolbar.open();
    toolbar.until("it can be chosen", |message| {
        (message.0, message.1) == (CONTAINER, APPEND) && message.2.starts_with(web.name())
    });
    let late = engine.container("late").start();
    let name = late.name().to_owned();
    toolbar.until("its start is in the log", |message| {
        message.0 == LOG && message.2.contains(&format!("container {name} started"))
    });
    toolbar.until("it can be chosen", |message| {
        (message.0, message.1) == (CONTAINER, APPEND) && message.2.starts_with(&name)
    });
    drop(late);
    toolbar.until("it can be chosen no more", |message| *message == (CONTAINER, REMOVE, name.clone()));
    stream.stop().well();
}

#[test]
fn a_window_that_comes_late_finds_somebody_although_the_capture_has_failed() {
    let mut toolbar = Toolbar::new();
    let words = toolbar.words();
    let (tell, over) = std::sync::mpsc::channel();
    let stream = Stream::read_by("pcapsule-pick", &words.each_ref().map(String::as_str), move |pipe, _| {
        let mut bytes = Vec::new();
        File::open(pipe).and_then(|mut pipe| pipe.read_to_end(&mut bytes)).expect("a pipe");
        tell.send(()).expect("the test waits");
    });
    over.recv().expect("the reader does not fail");
    assert_eq!(within(Duration::from_millis(300), || stream.has_ended().then_some(())), None);
    toolbar.open();
    let ended = stream.wait();
    assert_eq!((ended.status.code(), ended.stderr.lines().count()), (Some(1), 1), "{}", ended.stderr);
}

#[test]
fn of_another_host_it_is_told_that_the_toolbar_does_not_reach_there() {
    let (home, mut toolbar) = (Home::new(), Toolbar::new());
    let words = toolbar.words();
    let read = |pipe: &Path, _: &Path| {
        std::io::copy(&mut File::open(pipe).expect("a pipe"), &mut std::io::sink()).expect("it can be read");
    };
    let stream = Stream::elsewhere((&home, "exec cat"), &words.each_ref().map(String::as_str), read);
    toolbar.open();
    toolbar.say(MARK, SET, "");
    toolbar.until("it is told", |message| message.1 == STATUS_BAR && message.2.contains("does not reach"));
    stream.stop().well();
}

#[test]
fn a_sandbox_that_comes_later_can_be_chosen() {
    let Some(cable) = Cable::lay() else { return };
    let mut toolbar = Toolbar::new();
    let words = toolbar.words();
    let stream = Stream::start(&interface(&cable), &words.each_ref().map(String::as_str));
    stream.until_declared(&format!("{}/eth0", cable.left_name()));
    toolbar.open();
    let appended = |name: &str| (CONTAINER, APPEND, format!("{name}\0Namespace {name}"));
    let left = cable.left_name().to_owned();
    toolbar.until("the list is there", |message| *message == appended(&left));
    // No engine speaks of it.
    let Some(late) = Cable::lay() else { return };
    toolbar.until("it can be chosen", |message| *message == appended(late.left_name()));
    stream.stop().well();
}

#[test]
fn nobody_at_the_control_pipes_is_no_trouble() {
    let Some(cable) = Cable::lay() else { return };
    let toolbar = Toolbar::new();
    let words = toolbar.words();
    let stream = Stream::start(&interface(&cable), &words.each_ref().map(String::as_str));
    stream.until_declared(&format!("{}/eth0", cable.left_name()));
    stream.stop().well();

    let mut toolbar = Toolbar::new();
    let words = toolbar.words();
    let stream = Stream::start(&interface(&cable), &words.each_ref().map(String::as_str));
    stream.until_declared(&format!("{}/eth0", cable.left_name()));
    toolbar.open();
    toolbar.say(MARK, SET, "");
    toolbar.until("the mark is confirmed", |message| message.1 == STATUS_BAR);
    let pipe = toolbar.to.as_mut().expect("it is open");
    pipe.write_all(b"this makes no sense at all").expect("somebody reads");
    drop(toolbar);
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT).ask(7000, b"still here");
    eventually("it goes on", || has_written(&stream.file(), b"still here").then_some(()));
    stream.stop().well();
}
