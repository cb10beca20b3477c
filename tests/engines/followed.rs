//! Events from an engine that comes and goes.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::StreamExt;
use pcapsule::discovery::engine::{EventKind, Events, Notice};
use serde_json::json;
use tokio::time::timeout;

use crate::fake::{Fake, Reply};

async fn next(events: &mut Events) -> Notice {
    timeout(Duration::from_secs(5), events.next()).await.expect("a notice within 5 s").expect("no end")
}

fn event(action: &str) -> String {
    json!({"Type": "container", "Action": action, "Actor": {"ID": "ab", "Attributes": {"name": "web"}}, "timeNano": 7})
        .to_string()
        + "\n"
}

fn engine(events: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Fake {
    let connections = AtomicUsize::new(0);
    Fake::new(move |path| match path {
        "/_ping" | "/version" => Reply::Json("{}".into()),
        _ => events(connections.fetch_add(1, Ordering::Relaxed)),
    })
}

fn kind(notice: Notice) -> EventKind {
    match notice {
        Notice::Event(event) => event.kind,
        other => panic!("an event: {other:?}"),
    }
}

#[tokio::test]
async fn a_lost_connection_is_a_gap_and_then_listened_to_again() {
    let fake = engine(|connection| match connection {
        0 => Reply::Chunked(vec![event("start")], Duration::ZERO),
        1 => Reply::Status(500, "restarting"),
        _ => Reply::Endless(vec![event("pause")]),
    });
    let mut events = fake.engines().events();
    assert!(matches!(next(&mut events).await, Notice::Listening { .. }));
    assert_eq!(kind(next(&mut events).await), EventKind::Start);
    let Notice::Gap { address, reason } = next(&mut events).await else { panic!("a gap") };
    assert_eq!(
        (&address, reason),
        (&fake.address(), format!("the engine at {address} ended its stream of events"))
    );
    assert!(matches!(next(&mut events).await, Notice::Listening { .. }), "one gap for one outage");
    assert_eq!(kind(next(&mut events).await), EventKind::Pause);
}

#[tokio::test]
async fn events_may_be_cut_anywhere_and_come_together() {
    let both = event("start") + "not json\n" + &event("die");
    let pieces = both.split_inclusive('a').map(str::to_owned).collect();
    let fake = engine(move |_| Reply::Endless(Vec::clone(&pieces)));
    let mut events = fake.engines().events();
    assert!(matches!(next(&mut events).await, Notice::Listening { .. }));
    assert_eq!(kind(next(&mut events).await), EventKind::Start);
    assert_eq!(kind(next(&mut events).await), EventKind::Die { exit_code: None });
}

#[tokio::test]
async fn a_line_without_end_is_a_gap() {
    let fake = engine(|_| Reply::Endless(vec!["x".repeat(1 << 16); 32]));
    let mut events = fake.engines().events();
    assert!(matches!(next(&mut events).await, Notice::Listening { .. }));
    let Notice::Gap { reason, .. } = next(&mut events).await else { panic!("a gap") };
    assert!(reason.ends_with("it is longer than 1048576 bytes"), "{reason}");
}

#[tokio::test]
async fn dropping_the_events_closes_the_connection() {
    let fake = engine(|_| Reply::Endless(vec![]));
    let mut events = fake.engines().events();
    assert!(matches!(next(&mut events).await, Notice::Listening { .. }));
    drop(events);
    timeout(Duration::from_secs(5), fake.hung_up()).await.expect("closed within 5 s");
}

#[tokio::test]
async fn a_hung_engine_is_a_gap() {
    let fake = Fake::new(|_| Reply::Silence);
    let mut events = fake.engines().events();
    let Notice::Gap { reason, .. } = next(&mut events).await else { panic!("a gap") };
    assert!(reason.contains("silent for 1 s"), "{reason}");
}
