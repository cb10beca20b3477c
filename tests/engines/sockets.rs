//! Sockets that misbehave: each costs its warning and no more than the time granted.

use std::time::{Duration, Instant};

use pcapsule::discovery::engine::{Address, Answers, Engines, Error, PATIENCE};
use serde_json::json;

use crate::fake::{Fake, Reply};

/// What the machine may add to the time granted when it is busy.
const SLACK: Duration = Duration::from_millis(700);

async fn asked(engines: Engines) -> Answers {
    let begun = Instant::now();
    let answers = engines.containers(PATIENCE).await;
    let took = begun.elapsed();
    assert!(took < PATIENCE + SLACK, "took {took:?}");
    answers
}

/// The one warning of an engine that told nothing.
async fn only_warning(fake: &Fake) -> String {
    let answers = asked(fake.engines()).await;
    assert_eq!(answers.containers, []);
    let [warning] = &answers.warnings[..] else { panic!("one warning: {:?}", answers.warnings) };
    warning.replace(&fake.address().to_string(), "SOCKET")
}

fn containers(count: usize) -> String {
    let container = |number: usize| {
        json!({"Id": format!("{number:064x}"), "Names": [format!("/c{number}")], "Image": "busybox", "State": "running",
            "Labels": {"number": number.to_string()}, "Ports": [{"PrivatePort": 80, "PublicPort": 8000 + number % 1000,
            "Type": "tcp", "IP": "0.0.0.0"}], "HostConfig": {"NetworkMode": "default"}})
    };
    json!((0..count).map(container).collect::<Vec<_>>()).to_string()
}

#[tokio::test]
async fn a_hung_engine_costs_the_time_granted_and_a_warning() {
    let warning = only_warning(&Fake::new(|_| Reply::Silence)).await;
    assert_eq!(
        warning,
        "waiting for the engine at SOCKET, silent for 1 s: its containers are found without their names, \
         see whether `docker -H unix://SOCKET ps` hangs too"
    );
}

#[tokio::test]
async fn an_engine_that_hangs_after_its_first_answer_costs_no_more() {
    let warning = only_warning(&Fake::docker(Reply::Silence)).await;
    assert!(warning.contains("silent for 1 s"), "{warning}");
}

#[tokio::test]
async fn an_endless_drip_costs_no_more() {
    let drip = Reply::Chunked(vec!["[".to_owned() + &" ".repeat(9); 100], Duration::from_millis(50));
    let warning = only_warning(&Fake::docker(drip)).await;
    assert!(warning.contains("silent for 1 s"), "{warning}");
}

#[tokio::test]
async fn hanging_up_at_once_is_a_warning() {
    let warning = only_warning(&Fake::new(|_| Reply::Raw(b""))).await;
    assert_eq!(warning, "talking HTTP with the engine at SOCKET: connection closed before message completed");
}

#[tokio::test]
async fn garbage_is_no_engine() {
    let warning = only_warning(&Fake::new(|_| Reply::Raw(b"SSH-2.0-OpenSSH_9.2p1\r\n"))).await;
    assert_eq!(warning, "what listens at SOCKET does not speak HTTP, so it is no engine: check DOCKER_HOST");
}

#[tokio::test]
async fn half_an_answer_is_a_warning() {
    let half = Reply::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[{\"Id\": \"ab");
    let warning = only_warning(&Fake::docker(half)).await;
    assert!(warning.starts_with("talking HTTP with the engine at SOCKET: "), "{warning}");
}

#[tokio::test]
async fn an_answer_that_is_no_list_is_a_warning() {
    let warning = only_warning(&Fake::docker(Reply::Json("{\"message\": \"hello\"}".into()))).await;
    let expected = "reading the answer of the engine at SOCKET to /containers/json?all=1: invalid type: map";
    assert!(warning.starts_with(expected), "{warning}");
}

#[tokio::test]
async fn a_refusal_is_told_in_the_engines_words() {
    let refusal = Reply::Status(403, r#"{"message":"denied by policy"}"#);
    let warning = only_warning(&Fake::docker(refusal)).await;
    assert!(
        warning
            .ends_with("it answered 403 (denied by policy): a proxy or an authorization plug-in forbids it")
    );
}

#[tokio::test]
async fn a_socket_nobody_listens_at_is_a_warning() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let answers = asked(Engines::at([Address::Unix(path.clone())])).await;
    let expected =
        format!("nobody listens at {}: start that engine, or remove what it left behind", path.display());
    assert_eq!(answers.warnings, [expected]);
}

#[tokio::test]
async fn an_answer_may_come_slowly_and_in_pieces() {
    let pieces =
        vec!["[{\"Id\": \"0123".to_owned(), "456789ab\", \"Names\": [\"/sl".to_owned(), "ow\"]}]".to_owned()];
    let fake = Fake::docker(Reply::Chunked(pieces, Duration::from_millis(60)));
    let answers = asked(fake.engines()).await;
    assert_eq!((answers.containers[0].name.as_str(), answers.warnings.len()), ("slow", 0));
}

#[tokio::test]
async fn five_hundred_containers_are_read_in_the_time_granted() {
    let fake = Fake::docker(Reply::Json(containers(500)));
    let answers = asked(fake.engines()).await;
    assert_eq!((answers.containers.len(), &answers.warnings), (500, &vec![]));
    assert_eq!(answers.containers[499].published[0].host_port, 8499);
}

#[tokio::test]
async fn dead_engines_do_not_spoil_the_answers_of_the_living() {
    let living = Fake::docker(Reply::Json(containers(3)));
    let (hung, also_hung) = (Fake::new(|_| Reply::Silence), Fake::new(|_| Reply::Silence));
    let answers = asked(Engines::at([hung.address(), living.address(), also_hung.address()])).await;
    assert_eq!((answers.containers.len(), answers.warnings.len()), (3, 2));
}

#[tokio::test]
async fn without_networks_or_version_the_list_still_counts() {
    let fake = Fake::new(|path| match path {
        "/containers/json?all=1" => Reply::Json(containers(1)),
        "/networks" => Reply::Silence,
        _ => Reply::Status(403, "no"),
    });
    let answers = asked(fake.engines()).await;
    assert_eq!((answers.containers.len(), answers.warnings.len()), (1, 1), "{answers:?}");
}

#[tokio::test]
async fn an_engine_reached_in_two_ways_counts_once() {
    let fake = Fake::docker(Reply::Json(containers(2)));
    let answers = asked(Engines::at([fake.address(), fake.address()])).await;
    assert_eq!(answers.containers.len(), 2);
}

#[tokio::test]
async fn inspecting_asks_all_and_tells_the_unknown_from_the_unanswered() {
    let knows = Fake::new(|path| match path {
        "/containers/ab/json" => {
            Reply::Json(json!({"Id": "ab", "Name": "/web", "State": {"Pid": 42}}).to_string())
        }
        "/_ping" | "/version" => Reply::Json("{}".into()),
        _ => Reply::Status(404, r#"{"message":"No such container"}"#),
    });
    let hung = Fake::new(|_| Reply::Silence);
    let both = Engines::at([hung.address(), knows.address()]);
    let begun = Instant::now();
    assert_eq!(both.inspect("ab").await.unwrap().container.pid, Some(42));
    assert!(begun.elapsed() < PATIENCE, "the first answer counts");
    assert!(matches!(both.inspect("gone").await, Err(Error::Silence { .. })));
    assert!(matches!(knows.engines().inspect("gone").await, Err(Error::UnknownContainer(_))));
    assert!(matches!(knows.engines().inspect("../networks").await, Err(Error::UnknownContainer(_))));
}
