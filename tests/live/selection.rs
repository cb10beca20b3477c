//! Which containers the words on the command line pick, and what is said of a word that picks none.

use std::{fs, process::Command};

use crate::lab::{Capture, Engine, at, pcapsule, rows, run, unique};

#[test]
fn labels_images_networks_and_compose_words_pick_their_containers() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let project = unique();
    let label = |service: &str| format!("com.docker.compose.service={service}");
    let [web, db] = ["web", "db"].map(|service| {
        let recipe = engine.container(service).network(network.name()).option("--label", &label(service));
        recipe.option("--label", &format!("com.docker.compose.project={project}")).start()
    });
    let other = engine.container("other").start();
    let both = [web.name(), db.name()];
    for (selector, expected) in [
        (format!("project={project}"), &both[..]),
        (format!("network={}", network.name()), &both[..]),
        (format!("label=com.docker.compose.project={project}"), &both[..]),
        (format!("id={}", &web.id()[..12]), &[web.name()][..]),
        (format!("name={}*", web.name()), &[web.name()][..]),
        (format!("image={}", engine.image()), &[web.name(), db.name(), other.name()][..]),
    ] {
        let listed = names(&[&selector]);
        assert!(expected.iter().all(|name| listed.contains(&(*name).to_owned())), "{selector}: {listed:?}");
        // Other tests may use the same image at the same time.
        assert!(selector.starts_with("image=") || listed.len() == expected.len(), "{selector}: {listed:?}");
    }
    let capture = Capture::of(&[&format!("project={project}")], &["-f", "icmp"]);
    db.exec(&["ping", "-c", "1", &web.address().to_string()]);
    other.exec(&["ping", "-c", "1", "127.0.0.1"]);
    let ended = capture.stop();
    let mut taps = rows(&ended.file(), "icmp", &["frame.interface_name"]).concat();
    taps.sort();
    taps.dedup();
    let mut expected = [web.eth0(), db.eth0()];
    expected.sort();
    assert_eq!(taps, expected);
}

#[test]
fn a_compose_project_is_captured_as_a_whole() {
    let Some(engine) = Engine::shared() else { return };
    if Command::new("docker-compose").arg("version").output().is_err() {
        return;
    }
    let project = unique();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("compose.yaml");
    fs::write(&file, compose_file(engine.image())).unwrap();
    let compose =
        Project { line: ["-p".into(), project.clone(), "-f".into(), file.to_str().unwrap().into()] };
    compose.run(&["up", "-d"]);
    let capture = Capture::of(&[&format!("project={project}")], &["-f", "icmp"]);
    compose.run(&["exec", "-T", "client", "ping", "-c", "1", "server"]);
    let ended = capture.stop();
    let taps = rows(&ended.file(), "icmp", &["frame.interface_name"]).concat();
    assert_eq!(taps.iter().filter(|tap| tap.contains("client")).count(), 2, "{taps:?}");
    assert_eq!(taps.iter().filter(|tap| tap.contains("server")).count(), 2, "{taps:?}");
}

#[test]
fn all_means_every_container() {
    let Some(engine) = Engine::shared() else { return };
    let started = ["one", "two"].map(|role| engine.container(role).start());
    let listed = names(&["all"]);
    assert!(started.iter().all(|container| listed.contains(&container.name().to_owned())), "{listed:?}");
    let capture = Capture::of(&["all"], &["-f", "icmp"]);
    started[0].exec(&["ping", "-c", "1", &started[1].address().to_string()]);
    let ended = capture.stop();
    for container in &started {
        assert_eq!(rows(&ended.file(), &at(&container.eth0()), &["frame.number"]).len(), 2);
    }
}

#[test]
fn an_unknown_name_is_an_error_that_lists_the_nearest() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("webserver").start();
    let mistyped = web.name().replace("webserver", "wbeserver");
    let output = pcapsule(&["capture", &mistyped, "-w", "/dev/null"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{errors}");
    assert!(errors.contains(web.name()), "{errors}");
}

fn names(selectors: &[&str]) -> Vec<String> {
    let output = pcapsule(&[&["ls", "--quiet"], selectors].concat());
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

fn compose_file(image: &str) -> String {
    let service = |name: &str| {
        format!("  {name}:\n    image: {image}\n    command: sleep 3600\n    stop_signal: SIGKILL\n")
    };
    format!("version: \"3\"\nservices:\n{}{}", service("client"), service("server"))
}

/// A Compose project, taken down on drop.
struct Project {
    line: [String; 4],
}

impl Project {
    #[track_caller]
    fn run(&self, verb: &[&str]) {
        let line: Vec<&str> = self.line.iter().map(String::as_str).chain(verb.iter().copied()).collect();
        run("docker-compose", &line);
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = Command::new("docker-compose").args(&self.line).arg("down").output();
    }
}
