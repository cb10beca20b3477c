//! What a capture must not lose or gain while an engine is slow, or a container that was named is gone.

use std::{
    io,
    net::Shutdown,
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::lab::{Capture, Container, Conversation, Engine, at, eventually, rows, rows_of_torn, run, unique};

const PORT: u16 = 7000;
const OPTIONS: &[&str] = &["-U", "-f", "udp port 7000"];
const QUESTIONS: usize = 30;

#[test]
fn an_engine_that_falls_silent_ends_no_tap() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [asker, web]) = engine.couple(["asker", "web"]);
    let proxy = Proxy::start();
    let capture = Capture::asking(&proxy.socket(), &[web.name()], OPTIONS);
    proxy.is_silent.store(true, Ordering::Relaxed);
    for _ in 0..QUESTIONS {
        ask(&asker, &web);
        // Each change of the host's links makes the capture look again, and ask.
        let cable = unique();
        run("ip", &["link", "add", &cable, "type", "veth"]);
        run("ip", &["link", "delete", &cable]);
        thread::sleep(Duration::from_millis(100));
    }
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(rows(&ended.file(), &at(&web.eth0()), &["frame.number"]).len(), 2 * QUESTIONS);
}

#[test]
fn a_name_never_comes_to_mean_a_container_whose_id_begins_so() {
    let Some(engine) = Engine::shared() else { return };
    let label = unique();
    let (network, [asker, stranger]) = engine.couple(["asker", "stranger"]);
    let named = engine.container("named").named(&stranger.id()[..6]).start();
    let capture = Capture::of(&[named.name(), &format!("label={label}")], OPTIONS);
    named.docker(&["rm", "--force"], &[]);
    let marker = engine.container("marker").network(network.name()).option("--label", &label).start();
    eventually("the host was looked at again", || {
        ask(&asker, &marker);
        (!rows_of_torn(&capture.file(), &at(&marker.eth0()), &["frame.number"]).is_empty()).then_some(())
    });
    ask(&asker, &stranger);
    let ended = capture.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(rows(&ended.file(), &at(&stranger.eth0()), &["frame.number"]).is_empty());
}

fn ask(asker: &Container, asked: &Container) {
    Conversation::new(asker.namespace(), asked.namespace(), asked.address()).ask(PORT, b"hello");
}

/// Stands before the real engine, and passes nothing on while it is silent.
struct Proxy {
    folder: TempDir,
    is_silent: Arc<AtomicBool>,
}

impl Proxy {
    fn start() -> Self {
        let proxy =
            Self { folder: tempfile::tempdir().expect("a temporary directory"), is_silent: Arc::default() };
        let listener = UnixListener::bind(proxy.socket()).expect("a socket");
        let is_silent = Arc::clone(&proxy.is_silent);
        // Ends with the program: it holds nothing that outlives that.
        thread::spawn(move || {
            let mut ignored = Vec::new();
            for client in listener.incoming().flatten() {
                if is_silent.load(Ordering::Relaxed) {
                    ignored.push(client);
                } else if let Ok(engine) = UnixStream::connect("/var/run/docker.sock") {
                    pass(&client, &engine);
                    pass(&engine, &client);
                }
            }
        });
        proxy
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }
}

/// Passes on what one says to the other.
fn pass(from: &UnixStream, to: &UnixStream) {
    let (mut from, mut to) = (from.try_clone().expect("a descriptor"), to.try_clone().expect("a descriptor"));
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}
