//! The highest rate of datagrams, on a path whose limit is known.

use std::{path::Path as FilePath, process::Command, time::Duration};

use pcapsule::bench::{self, Lab, Path, Test};

use super::{PCAPSULE, measured, own_record, scenario, turn};

#[test]
fn the_highest_rate_is_that_of_a_known_limit() {
    let Some(_turn) = turn() else { return };
    let mut scenario = scenario(Path::Container, Test::UdpRate, 5);
    scenario.datagram_bytes = 1000;
    // So slow that a thread which others keep from its core for a while loses nothing by that.
    scenario.slice = Duration::from_millis(200);
    let mut lab = Lab::build(&[Path::Container], FilePath::new(PCAPSULE)).unwrap();
    let process = own_record("bench-peer")["process"].to_string();
    let words = "tc qdisc add dev eth0 root tbf rate 20mbit burst 4kb limit 8kb";
    let limited =
        Command::new("nsenter").args(["--net", "--target", &process]).args(words.split(' ')).status();
    assert!(limited.unwrap().success());
    let summary = bench::summarize(&measured(&mut lab, &scenario));
    let of = |path| summary.comparisons.iter().find(|found| found.path == path).unwrap();
    // A datagram of 1000 bytes is a frame of 1042.
    let expected = 20e6 / 8.0 / 1042.0;
    let limited = of(Path::Container);
    // Where others keep the sender from its core it finds less, and never more but for what the bucket holds.
    assert!((0.85..1.03).contains(&(limited.value.median / expected)), "{expected}: {limited:?}");
    assert!(
        limited.loss.is_some_and(|loss| loss.high < 0.001) && limited.reordered == Some(0),
        "{limited:?}"
    );
    assert!(limited.jitter.is_some_and(|jitter| jitter.median > 0.0), "{limited:?}");
    assert!(of(Path::Host).value.median > 2.0 * expected, "{:?}", of(Path::Host));
}
