//! Containers of Docker through `tshark -i`: followed, filtered at every place, picked by project, told apart.

use super::{
    stage::{Home, Stream},
    streams::Tshark,
};
use crate::lab::{
    Conversation, Engine, Requirement, accounts, capinfos, eventually, has_written, rows, run, unique,
};

fn interface(name: &str) -> String {
    format!("pcapsule:{name}")
}

#[test]
fn a_container_is_seen_live_and_by_name() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [web, db]) = engine.couple(["web", "db"]);
    let home = Home::new();
    let capture = Tshark::start(&home, &["-i", &interface(web.name())], &web.eth0());
    Conversation::new(web.namespace(), db.namespace(), db.address()).ask(7000, b"live");
    eventually("the answer is in the file", || {
        (String::from_utf8_lossy(&std::fs::read(capture.file()).unwrap()).matches("live").count() == 2)
            .then_some(())
    });
    let file = capture.stop();
    let fields = ["frame.interface_name", "frame.packet_flags_direction"];
    let frames = rows(&file, "udp.port == 7000", &fields);
    assert_eq!(frames, [[web.eth0(), "0x00000002".to_owned()], [web.eth0(), "0x00000001".to_owned()]]);
    let output = std::process::Command::new("tshark")
        .args(["-N", "n", "-Y", "udp.port == 7000", "-T", "fields", "-e", "ip.src_host", "-r"])
        .arg(&file)
        .output()
        .expect("tshark starts");
    let names = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(names.contains(web.name()) && names.contains(db.name()), "{names}");
}

#[test]
fn a_container_that_starts_later_gets_its_interface_in_mid_stream_and_its_rows() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let first = engine.container("first").network(network.name()).start();
    let project = unique();
    let label = format!("com.docker.compose.project={project}");
    let compose = |role: &str| {
        let service = format!("com.docker.compose.service={role}");
        engine.container(role).network(network.name()).option("--label", &label).option("--label", &service)
    };
    let one = compose("api").start();
    let home = Home::new();
    let capture = Tshark::start(&home, &["-i", &interface(&format!("{project}/api"))], &one.eth0());
    Conversation::new(one.namespace(), first.namespace(), first.address()).ask(7000, b"before");
    let two = compose("api").start();
    eventually("the second is declared", || has_written(capture.file(), two.eth0().as_bytes()).then_some(()));
    Conversation::new(two.namespace(), first.namespace(), first.address()).ask(7000, b"after");
    eventually("its packet is in the file", || has_written(capture.file(), b"after").then_some(()));
    two.docker(&["kill"], &[]);
    let died = format!("container {} ended with exit code 137", two.name());
    eventually("its end is in the file", || has_written(capture.file(), died.as_bytes()).then_some(()));
    let file = capture.stop();
    let at = |payload: &str, tap: &str| {
        let frames = rows(&file, &format!("frame contains \"{payload}\" && udp"), &["frame.interface_name"]);
        assert!(!frames.is_empty() && frames.iter().all(|frame| frame[0] == tap), "{payload}: {frames:?}");
    };
    at("before", &one.eth0());
    at("after", &two.eth0());
    let messages = rows(&file, "systemd_journal", &["systemd_journal.message"]);
    assert!(messages.iter().any(|row| row[0] == died), "{messages:?}");
    // Whoever is not of the service is not heard.
    assert!(!capinfos(&file).contains(&first.eth0()));
}

#[test]
fn a_restart_goes_on_in_the_same_stream() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("web").start();
    let stream = Stream::start(&interface(web.name()), &[]);
    stream.until_declared(&web.eth0());
    web.docker(&["restart", "--time", "0"], &[]);
    eventually("its new interface is declared", || {
        let declared = accounts(&stream.file()).into_iter().filter(|account| account.tap == web.eth0());
        (declared.count() == 2).then_some(())
    });
    let summary = capinfos(&stream.stop().well().file());
    assert!(summary.contains("Number of interfaces in file: 2"), "{summary}");
}

#[test]
fn without_events_there_are_no_rows_and_without_following_it_ends_by_itself() {
    let Some(engine) = Engine::shared() else { return };
    let web = engine.container("web").start();
    let stream = Stream::start(&interface(web.name()), &["--events", "false", "--follow", "false"]);
    stream.until_declared(&web.eth0());
    web.docker(&["pause"], &[]);
    web.docker(&["unpause"], &[]);
    web.docker(&["kill"], &[]);
    let ended = stream.wait();
    assert_eq!((ended.status.code(), ended.stderr.as_str()), (Some(0), ""));
    assert_eq!(rows(&ended.file(), "systemd_journal", &["frame.number"]).len(), 0);
}

#[test]
fn a_filter_holds_at_every_interface() {
    let Some(engine) = Engine::shared() else { return };
    let (network, [web, db]) = engine.couple(["web", "db"]);
    let words = ["--at", "container,veth,bridge", "--extcap-capture-filter", "icmp"];
    let stream = Stream::start(&interface(web.name()), &words);
    for tap in [web.eth0(), format!("{}@", web.name()), network.name().to_owned()] {
        stream.until_declared(&tap);
    }
    Conversation::new(web.namespace(), db.namespace(), db.address()).ask(7000, b"not icmp");
    let db_address = db.address().to_string();
    let ping = web.exec(&["ping", "-c", "1", &db_address]);
    assert!(ping.status.success());
    eventually("every place has heard both", || (rows_so_far(&stream) == 6).then_some(()));
    let ended = stream.stop().well();
    assert_eq!(rows(&ended.file(), "not icmp && not systemd_journal", &["frame.number"]).len(), 0);
    for account in accounts(&ended.file()) {
        assert_eq!(account.packets.len(), 2, "{}", account.tap);
    }
}

fn rows_so_far(stream: &Stream) -> usize {
    accounts(&stream.file()).iter().map(|account| account.packets.len()).sum()
}

#[test]
fn a_project_is_picked_with_all_its_services() {
    let Some(engine) = Engine::shared() else { return };
    let network = engine.network();
    let project = unique();
    let [api, db] = ["api", "db"].map(|role| {
        let labels =
            [format!("com.docker.compose.project={project}"), format!("com.docker.compose.service={role}")];
        let recipe = engine.container(role).network(network.name());
        recipe.option("--label", &labels[0]).option("--label", &labels[1]).start()
    });
    let stranger = engine.container("stranger").network(network.name()).start();
    let stream = Stream::start("pcapsule-pick", &["--containers", &format!("project={project}")]);
    for container in [&api, &db] {
        stream.until_declared(&container.eth0());
    }
    let summary = capinfos(&stream.stop().well().file());
    assert!(summary.contains("Number of interfaces in file: 2"), "{summary}");
    assert!(!summary.contains(stranger.name()), "{summary}");
}

#[test]
fn words_mean_what_they_mean_on_the_command_line() {
    let Some(engine) = Engine::shared() else { return };
    let project = unique();
    let labels =
        [format!("com.docker.compose.project={project}"), "com.docker.compose.service=api".to_owned()];
    let api = engine.container("api").option("--label", &labels[0]).option("--label", &labels[1]).start();
    // It is listed as its service, and typed by its own name or id.
    for word in [api.name(), &api.id()[..12], &format!("{project}/api")] {
        let stream = Stream::start("pcapsule-pick", &["--select", word]);
        stream.until_declared(&api.eth0());
        stream.stop().well();
    }
}

#[test]
fn a_plain_user_is_told_what_is_missing() {
    let Some(engine) = Engine::shared() else { return };
    let _web = engine.container("web").start();
    let home = Home::of_nobody();
    let output = home.tshark(&["-i", "pcapsule", "-w", "out.pcapng"]).output().expect("tshark starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("CAP_SYS_PTRACE"), "{errors}");
}

#[test]
fn a_container_that_cannot_be_heard_is_a_failure_with_the_reason() {
    let Some(engine) = Engine::shared() else { return };
    let alone = engine.container("alone").option("--network", "none").start();
    let ended = Stream::start(&interface(alone.name()), &[]).wait();
    assert_eq!(ended.status.code(), Some(4), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("has no interface but loopback"), "{}", ended.stderr);
    let stream = Stream::start(&interface(alone.name()), &["--at", "lo"]);
    stream.until_declared(&format!("{}/lo", alone.name()));
    stream.stop().well();
}

#[test]
fn the_process_behind_a_packet_survives_dumpcap() {
    let Some(engine) = Engine::shared() else { return };
    if !Requirement::all(&[Requirement::Cgroup2]) {
        return;
    }
    let web = engine.container("web").web().network("host").start();
    let stream = Stream::read_by(&interface(web.name()), &[], |pipe, file| {
        let [pipe, file] = [pipe, file].map(|path| path.to_str().expect("a path in text"));
        run("dumpcap", &["-q", "-a", "packets:8", "-i", pipe, "-w", file]);
    });
    stream.until_declared(&format!("{}/cgroup", web.name()));
    web.exec(&["wget", "-q", "-O", "-", "http://127.0.0.1/"]);
    let ended = stream.wait().well();
    let comments = rows(&ended.file(), "tcp.port == 80", &["frame.comment"]);
    let comment = &comments.first().expect("a packet")[0];
    let word = |key: &str| comment.split(' ').find_map(|word| word.strip_prefix(key)).map(str::to_owned);
    assert_eq!(word("container="), Some(web.name().to_owned()), "{comment}");
    let pid: u32 = word("pid=").and_then(|pid| pid.parse().ok()).expect("a process");
    // epb_processid_threadid, which this tshark does not show: its code, its length, the process.
    let option = [&[8, 0, 8, 0][..], &pid.to_le_bytes()].concat();
    let bytes = std::fs::read(ended.file()).expect("the file is there");
    assert!(bytes.windows(8).any(|window| window == option), "{comment}");
}
