//! What being captured costs a container's TCP stream: its speed while captured, against its speed in peace. Both its ends
//! run on the generator's core.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};

use crate::{
    contender::Contender,
    core::Core,
    generator::Sent,
    interrupt,
    lab::{Lab, Place},
    outcome::{Bar, Figure, Outcome, Series},
    progress,
    tournament::play,
};

use super::{Stage, disturbances, in_passing};

const NAME: &str = "tcp-slowdown";
const PORT: u16 = 5201;
const PIECE: usize = 128 * 1024;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<Outcome> {
    let mut contenders = vec![Contender::nobody()];
    for options in [&[][..], &["--headers"], &["-s", "96"]] {
        contenders.extend(stage.plan.pcapsules().into_iter().map(|who| who.with_shown(options)));
    }
    contenders.extend([Contender::tcpdump(), Contender::tcpdump().with_shown(&["-s", "96"])]);
    // Two seconds at 16 Gbit/s would be more than the kernel keeps off the disk.
    let time = Duration::from_millis(if stage.plan.is_quick() { 800 } else { 1500 });
    let lab = Lab::build(1)?;
    let core = stage.bench.generator_core;
    let samples = play(&contenders, stage.plan.rounds(), stage.dice, |contender| {
        let mut speed = 0.0;
        let mut sample = stage.bench.watch(contender, &lab, || {
            let (sent, bits_per_second) = stream(&lab.senders()[0], lab.sink(), core, time)?;
            speed = bits_per_second;
            Ok(sent)
        })?;
        sample.bits_per_second = Some(speed);
        progress::tell(NAME, &format!("{}: {:.2} Gbit/s", contender.name, speed / 1e9));
        Ok(sample)
    })?;
    let figures = contenders.iter().zip(&samples).map(|(contender, samples)| {
        let lost: Series = samples.iter().map(crate::measure::Sample::lost_share).collect();
        Figure {
            contender: contender.name.clone(),
            values: samples.iter().filter_map(|sample| Some(sample.bits_per_second? / 1e9)).collect(),
            remark: if contender == &Contender::nobody() {
                String::new()
            } else {
                format!("{:.1} % lost, {}", lost.median() * 100.0, in_passing(samples))
            },
        }
    });
    let mut outcome = Outcome {
        name: NAME,
        load: format!("one TCP stream at full speed for {time:?}, between namespaces, on one core"),
        unit: "Gbit/s",
        figures: figures.collect(),
        verdicts: Vec::new(),
        doubts: disturbances(&samples),
        samples: samples.concat(),
    };
    outcome.compare("pcapsule", "tcpdump", Bar::AtLeast(1.0));
    outcome.compare("pcapsule -s 96", "tcpdump -s 96", Bar::AtLeast(1.0));
    outcome.compare("pcapsule --headers", "no capture", Bar::AtLeast(0.95));
    for who in ["pcapsule", "tcpdump", "pcapsule -s 96", "tcpdump -s 96"] {
        outcome.compare(who, "no capture", Bar::None);
    }
    Ok(outcome)
}

/// Streams for a time; the packets that passed the sender's interface, and the speed.
fn stream(from: &Place, to: &Place, core: Core, time: Duration) -> Result<(Sent, f64)> {
    let before = packets_of(from)?;
    let listener = to.namespace.within(|| TcpListener::bind(("0.0.0.0", PORT)))??;
    let mut stream = from.namespace.within(|| TcpStream::connect((to.address.as_str(), PORT)))??;
    let (mut peer, _) = listener.accept()?;
    let start = Instant::now();
    let received = thread::scope(|scope| {
        let receiver = scope.spawn(move || {
            core.pin()?;
            receive(&mut peer)
        });
        let sender = scope.spawn(move || {
            core.pin()?;
            send_for(&mut stream, start, time)
        });
        sender.join().map_err(|_| anyhow!("the sender panicked"))??;
        receiver.join().map_err(|_| anyhow!("the receiver panicked"))?
    })?;
    let elapsed = start.elapsed();
    // The last acknowledgements.
    thread::sleep(Duration::from_millis(50));
    let sent = Sent { count: packets_of(from)? - before, elapsed, disturbed: Duration::ZERO };
    #[expect(clippy::cast_precision_loss, reason = "some gigabytes")]
    let bits_per_second = received as f64 * 8.0 / elapsed.as_secs_f64();
    Ok((sent, bits_per_second))
}

fn send_for(stream: &mut TcpStream, start: Instant, time: Duration) -> Result<()> {
    let piece = vec![0; PIECE];
    while start.elapsed() < time {
        interrupt::check()?;
        stream.write_all(&piece)?;
    }
    Ok(stream.shutdown(std::net::Shutdown::Write)?)
}

fn receive(peer: &mut TcpStream) -> Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut received = 0;
    loop {
        match peer.read(&mut buffer) {
            Ok(0) => return Ok(received),
            Ok(len) => received += len as u64,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What passed `eth0` in both directions; a super-packet counts once.
fn packets_of(place: &Place) -> Result<u64> {
    let read = || std::fs::read_to_string("/proc/thread-self/net/dev");
    let table = place.namespace.within(read)??;
    let fields = table.split_once("eth0:").context("the namespace has no eth0")?.1;
    let numbers: Vec<u64> = fields.split_whitespace().take(16).filter_map(|word| word.parse().ok()).collect();
    // proc_pid_net(5): bytes, packets and six more received, then the same sent.
    let [_, received, _, _, _, _, _, _, _, sent, ..] = numbers[..] else {
        return Err(anyhow!("/proc/net/dev has a line {fields:?}"));
    };
    Ok(received + sent)
}
