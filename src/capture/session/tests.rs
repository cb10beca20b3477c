//! The loop on scripted sources: order, limits, ends, counts.

use std::{
    collections::VecDeque,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::Mutex,
    thread,
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::*;
use crate::capture::{Event, Place, Spot, TapSpec};
use crate::model::fixture::link;
use crate::model::{Direction, Frame, LinkKind};
use crate::sys::netns::Namespace;
use crate::sys::{FrameSource, FrameVisitor, SourceCounters};

/// Frames that are all there from the start, or only once they are taken over, or never end until the gate is closed.
struct Script {
    descriptor: OwnedFd,
    frames: VecDeque<(u64, u64)>,
    counters: SourceCounters,
    is_endless: bool,
    is_gathering: bool,
    delay: Duration,
    _farewell: Farewell,
}

/// How long it takes to close.
#[derive(Default)]
struct Farewell(Duration);

impl Drop for Farewell {
    fn drop(&mut self) {
        thread::sleep(self.0);
    }
}

impl FrameSource for Script {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    fn next_time(&mut self) -> Option<u64> {
        if self.is_endless && self.frames.is_empty() {
            self.frames.push_back((now_ns(), 0));
        }
        self.frames.front().map(|(time, _)| *time).filter(|_| !self.is_gathering)
    }

    fn drain(&mut self, until: u64, each: &mut FrameVisitor<'_>) -> ControlFlow<()> {
        while self.next_time().is_some_and(|time| time <= until) {
            let Some((time, lost)) = self.frames.pop_front() else { break };
            each(&Frame::whole(&[0; 10], 10, time, Direction::Out), lost)?;
        }
        ControlFlow::Continue(())
    }

    fn delay(&self) -> Duration {
        self.delay
    }

    fn is_pressed(&self) -> bool {
        false
    }

    fn close_gate(&mut self) {
        self.is_endless = false;
    }

    fn take_over(&mut self) -> bool {
        std::mem::take(&mut self.is_gathering)
    }

    fn interface_exists(&self) -> bool {
        true
    }

    fn buffer_bytes(&self) -> usize {
        2 << 20
    }

    fn counters(&mut self) -> SourceCounters {
        self.counters
    }
}

/// What the loop told, as text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Recorder {
    log: Log,
    full_at: Option<usize>,
    in_file: usize,
}

impl Recorder {
    fn note(&self, line: String) {
        self.log.0.lock().unwrap().push(line);
    }
}

impl Sink for Recorder {
    fn tap(&mut self, spec: &TapSpec) -> Result<(), SinkError> {
        self.note(format!("tap {}", spec.name));
        Ok(())
    }

    fn packet(&mut self, tap: usize, frame: &Frame<'_>, lost: u64) -> Result<(), SinkError> {
        self.in_file += 1;
        self.note(format!("{tap} at {} {:?} lost {lost}", frame.time_ns, frame.direction));
        Ok(())
    }

    fn tap_ended(&mut self, tap: usize, totals: &TapTotals) -> Result<(), SinkError> {
        self.note(format!("{tap} ended {}/{}/{}", totals.passed, totals.delivered, totals.lost));
        Ok(())
    }

    fn names(&mut self, _: &[(IpAddr, String)]) -> Result<(), SinkError> {
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<(), SinkError> {
        self.note(event.message.clone());
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.full_at == Some(self.in_file)
    }

    fn rotate(&mut self, _: &[(usize, TapTotals)]) -> Result<(), SinkError> {
        self.in_file = 0;
        self.note("rotate".to_owned());
        Ok(())
    }

    fn settle(&mut self, _: Instant) -> Result<Settled, SinkError> {
        Ok(Settled::Done)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        self.note("finish".to_owned());
        Ok(())
    }
}

fn script(frames: &[(u64, u64)]) -> Script {
    let lost = frames.iter().map(|(_, lost)| lost).sum::<u64>();
    Script {
        descriptor: EventFd::from_flags(EfdFlags::empty()).unwrap().into(),
        frames: frames.iter().copied().collect(),
        counters: SourceCounters { passed: frames.len() as u64 + lost, lost },
        is_endless: false,
        is_gathering: false,
        delay: Duration::from_millis(30),
        _farewell: Farewell::default(),
    }
}

fn slow_to_close(name: &str, farewell: Duration) -> OpenTap {
    open(name, Place::Container, Script { _farewell: Farewell(farewell), ..script(&[]) })
}

fn endless_tap() -> OpenTap {
    open("flood", Place::Container, Script { is_endless: true, ..script(&[]) })
}

fn tap(name: &str, place: Place, frames: &[(u64, u64)]) -> OpenTap {
    open(name, place, script(frames))
}

fn open(name: &str, place: Place, script: Script) -> OpenTap {
    let link = link(2, "eth0", LinkKind::Veth);
    let namespace = Namespace::current().unwrap();
    let spec = TapSpec {
        place,
        name: name.to_owned(),
        description: String::new(),
        spot: Spot::Interface(link),
        namespace,
    };
    OpenTap { spec, gap: None, posts: None, source: Box::new(script) }
}

fn run(full_at: Option<usize>, limits: Limits, taps: Vec<OpenTap>) -> (StopReason, Vec<String>) {
    let log = Log::default();
    let recorder = Recorder { log: log.clone(), full_at, in_file: 0 };
    let (session, controls) = Session::new(recorder, limits, taps).unwrap();
    if limits.packets.is_none() && limits.duration.is_none() {
        controls.send(Command::Stop);
    }
    let outcome = session.run();
    let lines = log.0.lock().unwrap().clone();
    (outcome.reason, lines)
}

#[test]
fn frames_of_several_taps_come_in_the_order_of_time() {
    let taps = vec![
        tap("a", Place::Container, &[(1, 0), (4, 0), (6, 0)]),
        tap("b", Place::Container, &[(2, 0), (3, 2), (5, 0)]),
    ];
    let (reason, lines) = run(None, Limits::default(), taps);
    assert!(matches!(reason, StopReason::Asked));
    assert_eq!(
        lines,
        [
            "tap a",
            "tap b",
            "0 at 1 Out lost 0",
            "1 at 2 Out lost 0",
            "1 at 3 Out lost 2",
            "0 at 4 Out lost 0",
            "1 at 5 Out lost 0",
            "0 at 6 Out lost 0",
            "0 ended 3/3/0",
            "1 ended 5/3/2",
            "finish",
        ]
    );
}

#[test]
fn the_host_end_of_a_veth_sees_the_container_the_other_way_round() {
    let (_, lines) = run(None, Limits::default(), vec![tap("a", Place::Veth, &[(1, 0)])]);
    assert_eq!(lines[1], "0 at 1 In lost 0");
}

#[test]
fn the_packet_limit_is_exact() {
    let limits = Limits { packets: Some(2), ..Limits::default() };
    let (reason, lines) = run(None, limits, vec![tap("a", Place::Container, &[(1, 0), (2, 0), (3, 0)])]);
    assert!(matches!(reason, StopReason::Packets));
    assert_eq!(lines[1..], ["0 at 1 Out lost 0", "0 at 2 Out lost 0", "0 ended 3/2/0", "finish"]);
}

#[test]
fn a_tap_that_is_over_is_emptied_although_the_turn_was_too_short_for_it() {
    let count = 2 * FRAMES_A_TURN + 100;
    let frames: Vec<_> = (0..count).map(|time| (time, 0)).collect();
    for limit in [None, Some(count - 50)] {
        let recorder = Recorder { log: Log::default(), full_at: Some(1000), in_file: 0 };
        let limits = Limits { packets: limit, ..Limits::default() };
        let taps = vec![tap("a", Place::Container, &frames)];
        let (mut session, _controls) = Session::new(recorder, limits, taps).unwrap();
        session.stop(StopReason::Asked);
        session.taps[0].as_mut().unwrap().last_call = Some(Instant::now());
        let turns = (0..3).map(|_| session.turn(None).is_err()).collect::<Vec<_>>();
        assert_eq!(turns, [false, false, limit.is_some()]);
        assert_eq!((session.delivered, session.is_over()), (limit.unwrap_or(count), limit.is_none()));
    }
}

#[test]
fn what_taps_were_gathering_when_they_are_stopped_comes_at_once_and_in_order() {
    let frames = |odd| (0..FRAMES_A_TURN).map(|time| (2 * time + odd, 0)).collect::<Vec<_>>();
    let gathering =
        |name, odd| open(name, Place::Container, Script { is_gathering: true, ..script(&frames(odd)) });
    let (reason, lines) = run(None, Limits::default(), vec![gathering("a", 0), gathering("b", 1)]);
    assert!(matches!(reason, StopReason::Asked));
    let expected = (0..2 * FRAMES_A_TURN).map(|time| format!("{} at {time} Out lost 0", time % 2));
    assert!(lines.iter().skip(2).take(2 * usize::try_from(FRAMES_A_TURN).unwrap()).cloned().eq(expected));
}

#[test]
fn where_one_tap_has_to_be_waited_for_the_others_are_in_order_with_it() {
    let now = now_ns();
    let frames = |times: [u64; 2]| times.map(|time| (now + time, 0));
    let gathering = Script { is_gathering: true, ..script(&frames([1, 3])) };
    let taps =
        vec![open("a", Place::Container, gathering), open("b", Place::Cgroup, script(&frames([2, 4])))];
    let (_, lines) = run(None, Limits::default(), taps);
    let expected = [(0, 1), (1, 2), (0, 3), (1, 4)];
    assert_eq!(lines[2..6], expected.map(|(tap, time)| format!("{tap} at {} Out lost 0", now + time)));
}

#[test]
fn while_a_ring_fills_up_a_block_that_is_handed_over_ends_the_wait() {
    let recorder = Recorder { log: Log::default(), full_at: None, in_file: 0 };
    let slow = || Script { delay: Duration::from_secs(40), ..script(&[]) };
    let taps = ["a", "b"].map(|name| open(name, Place::Container, slow())).into();
    let (mut session, _controls) = Session::new(recorder, Limits::default(), taps).unwrap();
    session.pressed_at = Some(Instant::now());
    let block = session.taps[0].as_ref().unwrap().tap.source.descriptor().try_clone_to_owned().unwrap();
    nix::unistd::write(&block, &1_u64.to_ne_bytes()).unwrap();
    let begin = Instant::now();
    session.wait(Rest::HeldBack, None).unwrap();
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
}

#[test]
fn a_full_file_is_turned_before_the_next_frame_and_not_for_none() {
    let taps = vec![tap("a", Place::Container, &[(1, 0), (2, 0), (3, 0), (4, 0)])];
    let (_, lines) = run(Some(2), Limits::default(), taps);
    let rotations = lines.iter().filter(|line| *line == "rotate").count();
    assert_eq!((rotations, lines[3].as_str()), (1, "rotate"));
}

#[test]
fn a_tap_of_the_future_waits_only_until_the_stop() {
    let (_, lines) = run(None, Limits::default(), vec![tap("a", Place::Container, &[(u64::MAX - 1, 0)])]);
    assert_eq!(lines[1], format!("0 at {} Out lost 0", u64::MAX - 1));
}

#[test]
fn the_time_limit_ends_an_idle_capture() {
    let limits = Limits { duration: Some(Duration::from_millis(20)), ..Limits::default() };
    let (reason, _) = run(None, limits, vec![tap("a", Place::Container, &[])]);
    assert!(matches!(reason, StopReason::Duration));
}

#[test]
fn taps_come_and_go_while_it_runs() {
    let log = Log::default();
    let recorder = Recorder { log: log.clone(), full_at: None, in_file: 0 };
    let limits = Limits { until_taps_end: true, ..Limits::default() };
    let (session, controls) =
        Session::new(recorder, limits, vec![tap("a", Place::Container, &[(1, 0)])]).unwrap();
    let running = thread::spawn(move || session.run());
    let late = tap("b", Place::Container, &[(2, 0)]);
    let key = late.spec.key();
    controls.send(Command::Arm(Box::new(late)));
    controls.send(Command::End(key));
    let outcome = running.join().unwrap();
    assert!(matches!(outcome.reason, StopReason::TapsEnded));
    let totals: Vec<_> = outcome.taps.iter().map(|tap| (tap.name.as_str(), tap.totals.delivered)).collect();
    assert_eq!(totals, [("a", 1), ("b", 1)]);
}

#[test]
fn a_tap_that_is_slow_to_close_keeps_nobody_waiting() {
    let log = Log::default();
    let recorder = Recorder { log: log.clone(), full_at: None, in_file: 0 };
    let farewell = Duration::from_secs(3);
    let slow = slow_to_close("a", farewell);
    let key = slow.spec.key();
    let (session, controls) = Session::new(recorder, Limits::default(), vec![slow]).unwrap();
    let running = thread::spawn(move || session.run());
    let has = |wanted: &str| log.0.lock().unwrap().iter().any(|line| line == wanted);
    let until = |wanted: &str| {
        while !has(wanted) {
            thread::sleep(Duration::from_millis(1));
        }
    };
    controls.send(Command::End(key));
    until("0 ended 0/0/0");
    let begin = Instant::now();
    controls.send(Command::Arm(Box::new(tap("b", Place::Container, &[(1, 0)]))));
    until("1 at 1 Out lost 0");
    assert!(begin.elapsed() < farewell / 2, "{:?}", begin.elapsed());
    controls.send(Command::Stop);
    running.join().unwrap();
    assert!(begin.elapsed() > farewell / 2, "closed before it answers: {:?}", begin.elapsed());
}

#[test]
fn many_taps_are_closed_at_once() {
    const TAPS: u32 = 16;
    let farewell = Duration::from_millis(200);
    let taps = (0..TAPS).map(|number| slow_to_close(&number.to_string(), farewell)).collect();
    let begin = Instant::now();
    run(None, Limits::default(), taps);
    assert!(begin.elapsed() < farewell * TAPS * 2 / 3, "{:?}", begin.elapsed());
}

#[test]
fn a_flood_starves_neither_limits_nor_commands_even_while_files_turn() {
    for full_at in [None, Some(1000)] {
        let limits = Limits { duration: Some(Duration::from_millis(50)), ..Limits::default() };
        let begin = Instant::now();
        let (reason, _) = run(full_at, limits, vec![endless_tap()]);
        assert!(matches!(reason, StopReason::Duration));
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    }
}

#[test]
fn frames_of_a_clock_that_was_set_back_since_are_not_held_back() {
    let ahead = now_ns() + 3_600_000_000_000;
    let taps =
        || vec![tap("a", Place::Container, &[(ahead, 0)]), tap("b", Place::Container, &[(ahead + 1, 0)])];
    for count in [1, 2] {
        let limits = Limits { packets: Some(count as u64), ..Limits::default() };
        let begin = Instant::now();
        let (reason, _) = run(None, limits, taps().into_iter().take(count).collect());
        assert!(matches!(reason, StopReason::Packets));
        assert!(begin.elapsed() < Duration::from_secs(5));
    }
}
