//! Taps along the way of a probe: a packet socket at each link, in its namespace, that says whether the probe passed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

use pnet::datalink::{self, Channel, Config, NetworkInterface};

use crate::model::{LinkIndex, NamespaceId};
use crate::sys::netns;

use super::Seen;
use super::segment::{self, Way};
use super::syn::Place;

/// How often a tap looks whether it is to end.
const BEAT: Duration = Duration::from_millis(50);

/// How long a tap may take to be there.
const PATIENCE: Duration = Duration::from_millis(500);

type Worker = JoinHandle<Result<(bool, bool), netns::Error>>;

/// Taps that listen until they are closed.
pub(super) struct Taps {
    ending: Arc<AtomicBool>,
    workers: Vec<Option<(LinkIndex, Worker)>>,
}

impl Taps {
    /// Opens them; those that cannot be opened are left out.
    pub(super) fn open(places: &[Place<'_>], own_port: u16) -> Self {
        let ending = Arc::new(AtomicBool::new(false));
        let (ready, opened) = mpsc::channel();
        let workers: Vec<_> = places
            .iter()
            .map(|(namespace, link, name)| {
                let (ending, ready) = (Arc::clone(&ending), ready.clone());
                let interface = interface(*link, name);
                let work = move || listen(&interface, own_port, &ending, &ready);
                Some((*link, namespace.inhabit("tap", work).ok()?))
            })
            .collect();
        drop(ready);
        for _ in workers.iter().flatten() {
            if opened.recv_timeout(PATIENCE).is_err() {
                break;
            }
        }
        Self { ending, workers }
    }

    /// Ends them, and says what they saw; one that could not be opened says nothing.
    pub(super) fn close(self, namespaces: &[NamespaceId]) -> Vec<Seen> {
        self.ending.store(true, Ordering::Relaxed);
        let told = |(worker, namespace): (Option<(LinkIndex, Worker)>, &NamespaceId)| {
            let (link, worker) = worker?;
            let (there, back) = worker.join().ok()?.ok()?;
            Some(Seen { namespace: *namespace, link, there, back })
        };
        self.workers.into_iter().zip(namespaces).filter_map(told).collect()
    }
}

fn interface(link: LinkIndex, name: &str) -> NetworkInterface {
    NetworkInterface {
        name: name.to_owned(),
        description: String::new(),
        index: link.number(),
        mac: None,
        ips: Vec::new(),
        flags: 0,
    }
}

fn listen(
    interface: &NetworkInterface,
    own_port: u16,
    ending: &AtomicBool,
    ready: &mpsc::Sender<()>,
) -> (bool, bool) {
    let config = Config { promiscuous: false, read_timeout: Some(BEAT), ..Config::default() };
    let opened = datalink::channel(interface, config);
    // Nobody waits any more if this fails.
    let _ = ready.send(());
    let Ok(Channel::Ethernet(_, mut frames)) = opened else { return (false, false) };
    let (mut there, mut back) = (false, false);
    while !ending.load(Ordering::Relaxed) {
        let Ok(frame) = frames.next() else { continue };
        match segment::way(frame, own_port) {
            Some(Way::There) => there = true,
            Some(Way::Back) => back = true,
            None => {}
        }
    }
    (there, back)
}
