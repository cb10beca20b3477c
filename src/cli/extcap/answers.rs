//! What Wireshark is told before it captures: interfaces, their options, the toolbar. Pure, and from constants but for the
//! containers.

use crate::cli::remote::KnownHost;

use super::{
    roster::Roster,
    sentence::Sentence,
    toolbar::{self, CHOOSE},
};

/// The interface with everything.
pub(super) const ALL: &str = "pcapsule";
/// The interface whose options say what to capture.
pub(super) const PICK: &str = "pcapsule-pick";
/// What interfaces of one container or service begin with.
pub(super) const PREFIX: &str = "pcapsule:";
/// What interfaces of other hosts begin with; behind it stands what stands behind `ssh://`.
pub(super) const ELSEWHERE: &str = "pcapsule@";
/// Every interface that is listed is a further process whenever Wireshark starts or lists anew.
const MOST_LISTED: usize = 20;
/// The option that holds what was picked.
pub(super) const CONTAINERS: &str = "containers";
/// The option that holds selectors.
pub(super) const SELECT: &str = "select";
/// What begins the word of a Compose project among those to pick.
pub(super) const PROJECT: &str = "project=";
const CONTAINERS_NUMBER: u8 = 0;

/// Who we are, what can be captured, and the toolbar.
pub(super) fn interfaces(roster: &Roster, hosts: &[KnownHost]) -> Vec<Sentence> {
    let interface =
        |value: &str, display: &str| Sentence::new("interface").with("value", value).with("display", display);
    let own = Sentence::new("extcap").with("version", env!("CARGO_PKG_VERSION")).with("display", "pcapsule");
    let fixed = [interface(ALL, "All containers"), interface(PICK, "Pick containers")];
    let youngest = roster.entries().iter().take(MOST_LISTED);
    let listed = youngest.map(|entry| interface(&format!("{PREFIX}{}", entry.word), &entry.display));
    let elsewhere = hosts.iter().map(|known| {
        let name = name_of(known);
        interface(&format!("{ELSEWHERE}{name}"), &format!("Containers of {name}"))
    });
    [own].into_iter().chain(fixed).chain(listed).chain(elsewhere).chain(toolbar()).collect()
}

/// A host in the list: its URL without what all have.
pub(super) fn name_of(known: &KnownHost) -> String {
    known.host.to_string().replace("ssh://", "")
}

fn toolbar() -> impl Iterator<Item = Sentence> {
    let control = |number: u8, kind: &str, display: &str, tooltip: &str| {
        let sentence = Sentence::new("control").with("number", number).with("type", kind);
        sentence.with("display", display).with("tooltip", tooltip)
    };
    [
        control(toolbar::CONTAINER, "selector", "Container", "A container to add to the running capture"),
        Sentence::new("value")
            .with("control", toolbar::CONTAINER)
            .with("value", CHOOSE)
            .with("display", toolbar::CHOOSE_DISPLAY)
            .with("default", true),
        control(toolbar::ADD, "button", "Add container", "Captures the chosen container too, from now on"),
        control(toolbar::NOTE, "string", "Note", "What marks say from now on, once Enter is pressed")
            .with("placeholder", "what happens now, and Enter"),
        control(toolbar::MARK, "button", "Mark now", "Puts a row with the note between the packets"),
        control(toolbar::LOG, "button", "Log", "What happened to the containers, and to the capture")
            .with("role", "logger"),
    ]
    .into_iter()
}

/// The one link type there is.
pub(super) fn link_types() -> Vec<Sentence> {
    vec![Sentence::new("dlt").with("number", 1).with("name", "EN10MB").with("display", "Ethernet")]
}

/// The options of an interface. Those to pick from are asked for by the caller.
pub(super) fn options(interface: &str, roster: &Roster) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    if interface == PICK {
        sentences.push(
            option(CONTAINERS_NUMBER, CONTAINERS, "multicheck", "Containers")
                .with(
                    "tooltip",
                    "What to capture; a project means all of its services, also those that start later",
                )
                .with("group", "Containers")
                .with("reload", true)
                .with("save", false),
        );
        sentences.extend(choices(roster));
        sentences.push(by_words("Or by words", "network=app image=nginx"));
    } else if interface.starts_with(ELSEWHERE) {
        // Who is there, is not known before the capture: nobody is called for a list.
        sentences.push(by_words("Containers by words", "all"));
    }
    sentences.extend(places());
    sentences.extend(others());
    sentences
}

fn by_words(display: &str, placeholder: &str) -> Sentence {
    option(1, SELECT, "string", display)
        .with("tooltip", "Selectors as on the command line, such as network=app image=nginx name=web-*")
        .with("placeholder", placeholder)
        .with("group", "Containers")
}

/// What can be picked: projects with their services below them, then everybody else.
pub(super) fn choices(roster: &Roster) -> Vec<Sentence> {
    let value = |value: &str, display: &str| tick(CONTAINERS_NUMBER, value, display).with("default", false);
    let project = |name: &&str| format!("{PROJECT}{name}").replace(',', "_");
    let mut sentences = Vec::new();
    for name in roster.projects() {
        sentences.push(value(&project(&name), &format!("Project {name}")));
    }
    for entry in roster.entries() {
        let sentence = value(&entry.word, &entry.display);
        let parent = entry.project.as_deref().as_ref().map(project);
        sentences.push(parent.into_iter().fold(sentence, |sentence, parent| sentence.with("parent", parent)));
    }
    sentences
}

fn option(number: u8, name: &str, kind: &str, display: &str) -> Sentence {
    let sentence = Sentence::new("arg").with("number", number).with("call", format!("--{name}"));
    sentence.with("display", display).with("type", kind)
}

/// One of several things to tick. Wireshark lets nobody tick what is not expressly enabled.
fn tick(number: u8, value: &str, display: &str) -> Sentence {
    let sentence = Sentence::new("value").with("arg", number);
    sentence.with("value", value).with("display", display).with("enabled", true)
}

fn places() -> Vec<Sentence> {
    const NUMBER: u8 = 2;
    let place =
        |value: &str, display: &str| tick(NUMBER, value, display).with("default", value == "container");
    vec![
        // Wireshark does not tick what is so by default where an option is kept.
        option(NUMBER, "at", "multicheck", "Where to listen, if not inside")
            .with(
                "tooltip",
                "No tick: inside. Several places show the same packet several times, each under its own interface",
            )
            .with("group", "Capture"),
        place("container", "The interfaces inside the container"),
        place("veth", "The host's ends of their veth pairs"),
        place("bridge", "The bridges behind those"),
        place("lo", "The loopback inside the container"),
        place("cgroup", "Its sockets, with each packet's process"),
    ]
}

fn others() -> Vec<Sentence> {
    let truth = |number, name, display, default: bool| {
        option(number, name, "boolean", display).with("default", default)
    };
    let number = |number, name, display| {
        option(number, name, "integer", display).with("range", "0,2147483647").with("default", 0)
    };
    vec![
        option(3, "snaplen", "integer", "Bytes kept of each packet")
            .with("range", "0,262144")
            .with("default", 262_144)
            .with("tooltip", "0 keeps all")
            .with("group", "Capture"),
        number(10, "buffer", "Kernel buffer of each tap (KiB)")
            .with("tooltip", "0: as large as fits; more where packets are lost")
            .with("group", "Capture"),
        truth(4, "headers", "Keep headers, drop payloads in the kernel", false).with("group", "Capture"),
        truth(5, "promiscuous", "Ask bridges for frames between others, too", true)
            .with("tooltip", "Off: bridges and interfaces stay as they are")
            .with("group", "Capture"),
        truth(6, "follow", "Follow restarts, and containers that start later", true)
            .with("tooltip", "Off: the capture ends with the last of the containers that run now")
            .with("group", "Capture"),
        truth(7, "events", "Rows for what happens to containers", true)
            .with(
                "tooltip",
                "Start, end, health, networks: as rows of the systemd journal between the packets",
            )
            .with("group", "Capture"),
        number(8, "count", "Stop after so many packets").with("tooltip", "0: never").with("group", "Stop"),
        number(9, "duration", "Stop after so many seconds").with("tooltip", "0: never").with("group", "Stop"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(sentences: &[Sentence]) -> String {
        sentences.iter().map(Sentence::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn without_containers_the_fixed_interfaces_are_there() {
        insta::assert_snapshot!(text(&interfaces(&Roster::default(), &[])));
    }

    #[test]
    fn other_hosts_are_listed_by_their_names_and_asked_nothing() {
        let known =
            KnownHost { host: "ssh://root@web1:2222".parse().unwrap(), program: "pcapsule".to_owned() };
        let listed = text(&interfaces(&Roster::default(), &[known]));
        let entry = "interface {value=pcapsule@root@web1:2222}{display=Containers of root@web1:2222}";
        assert!(listed.lines().any(|line| line == entry), "{listed}");
        let options = text(&options("pcapsule@root@web1:2222", &Roster::default()));
        assert!(options.contains("{call=--select}") && !options.contains("--containers"), "{options}");
    }

    #[test]
    fn the_options_are_constants() {
        insta::assert_snapshot!(text(&options(PICK, &Roster::default())));
        let all = text(&options(ALL, &Roster::default()));
        assert!(!all.contains("--containers") && text(&options(PICK, &Roster::default())).ends_with(&all));
    }

    #[test]
    fn what_is_to_be_ticked_can_be() {
        let text = text(&options(PICK, &Roster::of_names(&["web"])));
        let values: Vec<&str> = text.lines().filter(|line| line.starts_with("value ")).collect();
        assert!(values.len() == 6 && values.iter().all(|line| line.contains("{enabled=true}")), "{text}");
    }

    #[test]
    fn numbers_of_options_are_their_own() {
        let text = text(&options(PICK, &Roster::default()));
        let mut numbers: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("arg {number=")?.split('}').next()).collect();
        let count = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!((count, numbers.len()), (11, 11), "{text}");
    }
}
