//! The fields that the dissector makes, as tshark prints them.

use std::{fs, path::PathBuf};

use pcapsule::model::{Direction, Frame};
use pcapsule::savefile::{Encoder, Format, Interface, InterfaceId, PacketOptions, Section};

use crate::has;
use crate::home::{As, Home};

const DISSECTOR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/wireshark/files/pcapsule.lua");

/// 172.17.0.2:80 → 172.17.0.3:4660, UDP, 4 bytes.
const PACKET: &[u8] = b"\x02\x42\xac\x11\x00\x03\x02\x42\xac\x11\x00\x02\x08\x00\x45\x00\x00\x20\x00\x01\x00\x00\x40\x11\x22\xa8\xac\x11\x00\x02\xac\x11\x00\x03\x00\x50\x12\x34\x00\x0c\x00\x00abcd";

/// A file with one packet for each interface and comment.
struct File {
    encoder: Encoder,
    time_ns: u64,
}

impl File {
    fn new() -> Self {
        let mut encoder = Encoder::new(Format::Pcapng, 0);
        encoder.section(&Section::default());
        Self { encoder, time_ns: 1_700_000_000_000_000_000 }
    }

    fn interface(&mut self, name: &str, description: &str) -> InterfaceId {
        self.encoder.interface(&Interface {
            name: name.to_owned(),
            description: description.to_owned(),
            ..Interface::default()
        })
    }

    fn packet(&mut self, at: InterfaceId, direction: Direction, comment: &str) {
        self.time_ns += 1_000_000;
        let length = u32::try_from(PACKET.len()).unwrap();
        let frame = Frame::whole(PACKET, length, self.time_ns, direction);
        self.encoder.packet(at, &frame, &PacketOptions { comment, ..PacketOptions::default() });
    }

    fn event(&mut self, fields: &[(&str, &str)]) {
        self.time_ns += 1_000_000;
        self.encoder.event(self.time_ns, fields);
    }

    fn save(&self, home: &Home) -> PathBuf {
        let path = home.path("file.pcapng");
        fs::write(&path, self.encoder.bytes()).unwrap();
        path
    }
}

/// A line for each packet, with these fields between bars.
fn told(home: &Home, file: &File, filter: &str, fields: &[&str]) -> Vec<String> {
    let path = file.save(home);
    let script = format!("lua_script:{DISSECTOR}");
    let mut words =
        vec!["-X", &script, "-r", path.to_str().unwrap(), "-Y", filter, "-T", "fields", "-E", "separator=|"];
    for field in fields {
        words.extend(["-e", field]);
    }
    let ended = home.run("tshark", &words);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(!ended.stderr.contains("Lua"), "{}", ended.stderr);
    ended.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn the_comment_grammar_becomes_fields() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    let mut file = File::new();
    let web =
        file.interface("web/cgroup", "image nginx, docker 4f2a91c0d1e2, sockets of the cgroup /docker/4f2a");
    let unit = file.interface("nginx.service/cgroup", "sockets of the cgroup /system.slice/nginx.service");
    for (at, comment) in [
        (web, "container=web pid=123 command=nginx how=created"),
        (web, "container=web pid=7 command=my%20%25app how=connected"),
        (web, "container=web command=nginx holders=4 how=socket"),
        (web, "container=web process=unknown"),
        (web, "container=web but somebody wrote this"),
        (web, ""),
        (unit, "cgroup=/system.slice/nginx.service pid=9 command=nginx how=listener"),
    ] {
        file.packet(at, Direction::Out, comment);
    }
    let fields = ["container", "cgroup", "pid", "process", "holders", "how", "process.known"]
        .map(|name| format!("pcapsule.{name}"));
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(
        told(&home, &file, "frame", &fields),
        [
            "web||123|nginx||created|1",
            "web||7|my %app||connected|1",
            "web|||nginx|4|socket|1",
            "web||||||0",
            "web||||||",
            "web||||||",
            "|/system.slice/nginx.service|9|nginx||listener|1",
        ]
    );
    let of_process =
        told(&home, &file, "pcapsule.process == \"nginx\" && pcapsule.pid == 123", &["frame.number"]);
    assert_eq!(of_process, ["1"]);
    assert_eq!(told(&home, &file, "pcapsule.process.known == 0", &["frame.number"]), ["4"]);
}

#[test]
fn the_interface_tells_the_container_and_the_place() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    let mut file = File::new();
    let on_bridge =
        "image shop/web:1.2, docker 4f2a91c0d1e2, network shop, veth1a on bridge br-shop, net:[4026532408]";
    for (name, description) in [
        ("web/eth0", on_bridge),
        ("web@veth1a", on_bridge),
        ("a@b@veth1a", on_bridge),
        ("web/lo", on_bridge),
        ("lab.1/eth0", "pcapsule lab.1, net:[4026532409], published *:80→80/tcp"),
        ("br-shop", "bridge of the host, net:[4026531840]"),
        ("eth0", "hardware of the host, net:[4026531840]"),
        // Somebody else's file.
        ("x/y@z", "a disk, maybe"),
        ("eth0", ""),
    ] {
        let at = file.interface(name, description);
        file.packet(at, Direction::In, "");
    }
    let fields = ["container", "place", "tap", "direction", "image", "engine", "network", "bridge"]
        .map(|name| format!("pcapsule.{name}"));
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    assert_eq!(
        told(&home, &file, "frame", &fields),
        [
            "web|container|eth0|in|shop/web:1.2|docker|shop|br-shop",
            "web|veth|veth1a|in|shop/web:1.2|docker|shop|br-shop",
            "a@b|veth|veth1a|in|shop/web:1.2|docker|shop|br-shop",
            "web|lo|lo|in|shop/web:1.2|docker|shop|br-shop",
            "lab.1|container|eth0|in||pcapsule||",
            "|host|br-shop|in||||",
            "|host|eth0|in||||",
            "|||||||",
            "|||||||",
        ]
    );
}

#[test]
fn directions_are_those_of_the_flags() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    let mut file = File::new();
    let at = file.interface("web/eth0", "docker 4f2a, net:[1]");
    for direction in [Direction::In, Direction::Out, Direction::Unknown] {
        file.packet(at, direction, "");
    }
    assert_eq!(told(&home, &file, "frame", &["pcapsule.direction"]), ["in", "out", ""]);
}

#[test]
fn events_have_their_container() {
    if !has(&["tshark"]) {
        return;
    }
    let home = Home::of(As::Me);
    let mut file = File::new();
    let at = file.interface("web/eth0", "docker 4f2a, net:[1]");
    let fields = [
        ("MESSAGE", "container web ended"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "pcapsule"),
        ("PCAPSULE_EVENT", "die"),
        ("CONTAINER_NAME", "web"),
        ("PCAPSULE_ENGINE", "docker"),
    ];
    file.event(&fields);
    file.event(&[("MESSAGE", "somebody else's"), ("SYSLOG_IDENTIFIER", "sshd"), ("CONTAINER_NAME", "web")]);
    file.packet(at, Direction::In, "");
    let told = told(
        &home,
        &file,
        "pcapsule.container == \"web\"",
        &["frame.number", "pcapsule.event", "pcapsule.engine", "pcapsule.message"],
    );
    assert_eq!(told, ["1|die|docker|container web ended", "3||docker|"]);
}

#[test]
fn the_profile_shows_container_direction_and_process() {
    if !has(&["tshark"]) {
        return;
    }
    for user in As::all() {
        let home = Home::of(user);
        let mut file = File::new();
        let at = file.interface("web/cgroup", "docker 4f2a, net:[1], sockets of the cgroup /docker/4f2a");
        file.packet(at, Direction::Out, "container=web pid=123 command=nginx how=created");
        let path = file.save(&home);
        assert_eq!(home.wireshark(&["install", "--user", "--profile"]).code, Some(0));
        let ended = home.run("tshark", &["-C", "pcapsule", "-r", path.to_str().unwrap()]);
        let line = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            line, "1 0.000000000 web/cgroup out nginx 172.17.0.2 → 172.17.0.3 UDP 46 80 → 4660 Len=4",
            "{user:?}: {}",
            ended.stderr
        );
        // Every rule and filter of it is one that this Wireshark understands.
        assert!(!ended.stderr.to_lowercase().contains("filter"), "{}", ended.stderr);
        let folder = home.files().into_iter().find(|path| path.ends_with("pcapsule/dfilters")).unwrap();
        let rules = fs::read_to_string(folder.with_file_name("colorfilters")).unwrap();
        let saved = fs::read_to_string(&folder).unwrap();
        let buttons = fs::read_to_string(folder.with_file_name("dfilter_buttons")).unwrap();
        let rules =
            rules.lines().filter_map(|line| line.strip_prefix('@')?.split('@').nth(1).map(str::to_owned));
        let saved =
            saved.lines().filter_map(|line| line.split_once("\" ").map(|(_, filter)| filter.to_owned()));
        let buttons = buttons
            .lines()
            .filter_map(|line| line.split("\",\"").nth(2).map(|filter| filter.replace("\\x22", "\"")));
        let filters: Vec<String> = rules.chain(saved).chain(buttons).collect();
        assert_eq!(filters.len(), 35, "{filters:?}");
        for filter in filters {
            let ended = home.run("tshark", &["-C", "pcapsule", "-r", path.to_str().unwrap(), "-Y", &filter]);
            assert_eq!(ended.code, Some(0), "{filter}: {}", ended.stderr);
        }
    }
}
