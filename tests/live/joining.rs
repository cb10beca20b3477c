//! A command of ours in the network of a container of Docker's.

use std::fs;

use crate::lab::{Engine, checked, pcapsule};

#[test]
fn a_command_joins_the_network_of_a_container() {
    let Some(engine) = Engine::shared() else { return };
    let container = engine.container("joined").start();
    let mode = format!("container:{}", container.name());
    let line = ["run", "-q", "--net", &mode, "--", "readlink", "/proc/self/ns/net"];
    let inside = checked("pcapsule run", &pcapsule(&line));
    let expected = fs::read_link(container.namespace().path()).expect("it runs");
    assert_eq!(inside, expected.to_string_lossy());
    let seen =
        checked("pcapsule run", &pcapsule(&["run", "-q", "--net", &mode, "--", "ip", "-o", "-4", "addr"]));
    assert!(seen.contains(&container.address().to_string()), "{seen}");
}

#[test]
fn a_container_without_a_network_of_its_own_is_joined_where_it_is() {
    let Some(engine) = Engine::shared() else { return };
    for network in ["none", "host"] {
        let container = engine.container(network).network(network).start();
        let mode = format!("container:{}", container.name());
        let line = ["run", "-q", "--net", &mode, "--", "readlink", "/proc/self/ns/net"];
        let inside = checked("pcapsule run", &pcapsule(&line));
        let expected = fs::read_link(container.namespace().path()).expect("it runs");
        assert_eq!(inside, expected.to_string_lossy(), "{network}");
    }
}
