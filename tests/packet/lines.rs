//! Every frame of `lines.txt` has its line, and no bytes whatever panic or steer a terminal.

use std::net::IpAddr;

use pcapsule::model::Direction;
use pcapsule::packet::{LinkHeader, Names, PacketRecord, SequenceTracker, Stamp, Summary, Way, decode};
use proptest::{prelude::*, sample::Index};

use super::corpus;

const STAMP: Stamp<'static> =
    Stamp { time_ns: 7, interface: "web/eth0", direction: Direction::Out, pid: None, command: None };

#[test]
fn each_frame_has_its_line() {
    let cases = corpus::cases();
    assert!(cases.len() > 100);
    for case in cases {
        let line = Summary::new(&decode(&case.bytes, case.original_len)).to_string();
        assert_eq!(line, case.line, "{}", case.name);
    }
}

#[test]
fn names_stand_for_addresses_and_nothing_else_changes() {
    let web = |address: IpAddr| (address == IpAddr::from([10, 0, 0, 2])).then_some("web");
    let cases = corpus::cases();
    let line = |name| {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        Summary::new(&decode(&case.bytes, case.original_len)).names(Names::new(&web)).to_string()
    };
    assert_eq!(line("a DNS query"), "IP 10.0.0.1.5000 > web.53: 12345+ A? web.app. (25)");
    assert_eq!(line("ARP request"), "ARP, Request who-has web tell 10.0.0.1, length 28");
    assert_eq!(
        line("ICMP unreachable, code 4"),
        "IP 10.0.0.1 > web: ICMP web unreachable - need to frag (mtu 1400), length 36 \
         (quoting 10.0.0.1.4000 > web.53 udp)"
    );
}

#[test]
fn a_json_object_holds_every_layer() {
    let case = corpus::cases().into_iter().find(|case| case.name == "an HTTP request").unwrap();
    let packet = decode(&case.bytes, case.original_len);
    let web = |address: IpAddr| (address == IpAddr::from([10, 0, 0, 2])).then_some("web");
    let object = serde_json::to_value(PacketRecord::new(&packet, STAMP, Names::new(&web))).unwrap();
    let expected = serde_json::json!({
        "time_ns": 7, "interface": "web/eth0", "direction": "out", "length": 84, "captured": 84, "cut": false,
        "eth": {"src": "02:42:ac:11:00:02", "dst": "02:42:ac:11:00:03", "type": 2048, "vlans": []},
        "ip": {
            "version": 4, "src": "10.0.0.1", "dst": "10.0.0.2", "src_name": null, "dst_name": "web", "ttl": 64,
            "traffic_class": 0, "dont_fragment": true, "protocol": 6, "payload_length": 50,
        },
        "tcp": {
            "src_port": 1234, "dst_port": 80, "seq": 1, "ack": 1, "flags": "P.", "window": 500, "options": [],
            "length": 30,
        },
        "http": {"method": "GET", "target": "/x", "host": "web"},
        "summary": "IP 10.0.0.1.1234 > web.80: Flags [P.], seq 1:31, ack 1, win 500, length 30: \
                    HTTP: GET /x HTTP/1.1 (host web)",
    });
    assert_eq!(object, expected);
}

#[test]
fn request_and_answer_are_one_flow_in_two_ways() {
    let cases = corpus::cases();
    let flow = |name| {
        let case = cases.iter().find(|case| case.name == name).unwrap();
        decode(&case.bytes, case.original_len).flow()
    };
    let (ping, way) = flow("ping").unwrap();
    assert_eq!((ping.ends().map(|end| end.port), way), ([1, 1], Way::Forward));
    assert_eq!(flow("a later fragment of a datagram"), None);
    assert_eq!(flow("ARP request"), None);
    assert!(flow("a SYN cut after its ports: the ports are still there").is_some());
}

/// Does all that can be done with bytes.
fn exercise(bytes: &[u8], original_len: u32) -> Result<(), TestCaseError> {
    let packet = decode(bytes, original_len);
    let base = SequenceTracker::default().observe(&packet);
    let line = Summary::new(&packet).sequence(base).link_header(LinkHeader::Show).to_string();
    prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    let record = serde_json::to_string(&PacketRecord::new(&packet, STAMP, Names::NUMERIC)).unwrap();
    prop_assert!(record.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{record:?}");
    packet.flow();
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), original_len: u32) {
        exercise(&bytes, original_len)?;
    }

    #[test]
    fn mutated_frames_never_panic(
        case: Index,
        mutations in prop::collection::vec(any::<(Index, u8)>(), 0..8),
        captured: Index,
        cut: bool,
    ) {
        let cases = corpus::cases();
        let case = case.get(&cases);
        let mut bytes = case.bytes.clone();
        for (position, byte) in mutations {
            *position.get_mut(&mut bytes) = byte;
        }
        if cut {
            bytes.truncate(captured.index(bytes.len()));
        }
        exercise(&bytes, case.original_len)?;
    }
}
