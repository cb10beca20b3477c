//! Overload when a capture ends, and when what it listens on goes away and comes back.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use nix::sys::signal::Signal;

use super::{FILTER, PORT, TINY, accounts_of, flood, lost, numbered, numbers};
use crate::lab::{Account, Brake, Cable, Capture, Conversation, Engine, eventually, has_written};

const DATAGRAMS: usize = 20_000;

#[test]
fn until_an_interrupt_that_finds_the_ring_full() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let Some(cable) = Cable::lay() else { return };
        let capture = Capture::of(&[&cable.left_selector()], &[FILTER, TINY].concat());
        capture.signal(Signal::SIGSTOP);
        flood(&talk(&cable), 0..DATAGRAMS);
        capture.signal(signal);
        capture.signal(Signal::SIGCONT);
        let accounts = accounts_of(&capture.wait());
        assert!(lost(&accounts[0], DATAGRAMS) > 0);
        // What the ring had room for are the first ones, without a gap.
        assert_eq!(numbers(&accounts[0]).last(), Some(&(accounts[0].packets.len() - 1)));
    }
}

/// What passes is what comes before the tap is shut, which nobody but the kernel knows to the packet: it lies between
/// what was sent by the signal and what was sent by the end.
#[test]
fn until_an_interrupt_amid_traffic() {
    let Some(cable) = Cable::lay() else { return };
    let Some(brake) = Brake::processor(10) else { return };
    let capture = Capture::of(&[&cable.left_selector()], &[FILTER, TINY].concat());
    brake.hold(capture.pid());
    let (sent, done) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (ended, bounds) = thread::scope(|scope| {
        scope.spawn(|| {
            // Bounded, so that a failure ends it as well.
            let datagrams = (0..10_000_000).map(|number| {
                sent.store(number, Ordering::SeqCst);
                numbered(number)
            });
            talk(&cable).send(PORT, datagrams.take_while(|_| !done.load(Ordering::SeqCst)));
        });
        eventually("the ring is overrun", || (sent.load(Ordering::SeqCst) > DATAGRAMS).then_some(()));
        let least = sent.load(Ordering::SeqCst);
        let ended = capture.stop();
        let bounds = least..=sent.load(Ordering::SeqCst) + 1;
        done.store(true, Ordering::SeqCst);
        (ended, bounds)
    });
    let account = &accounts_of(&ended)[0];
    let passed = usize::try_from(account.statistics[0].received).expect("it fits");
    assert!(bounds.contains(&passed), "{passed} in {bounds:?}");
    let lost = lost(account, passed);
    // Every number that is missing below the last one is a loss that was told; the rest was lost after it.
    let last = *numbers(account).last().expect("a packet");
    assert!(last < passed && last + 1 - account.packets.len() <= lost, "{last} of {passed}, {lost} lost");
}

#[test]
fn in_both_lives_of_a_namespace() {
    let Some(cable) = Cable::lay() else { return };
    let capture = Capture::of(&[&cable.left_selector()], OPTIONS);
    lead_two_lives(capture, || cable.lay_again(), || talk(&cable));
}

#[test]
fn in_both_lives_of_a_container() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [web, asked]) = engine.couple(["web", "asked"]);
    let capture = Capture::of(&[web.name()], OPTIONS);
    let talk = || Conversation::new(web.namespace(), asked.namespace(), asked.address());
    lead_two_lives(capture, || web.docker(&["restart", "--time", "0"], &[]), talk);
}

const OPTIONS: &[&str] = &["-U", "-B", "64", "-f", "udp port 7000"];

/// The capture is asleep while more comes than the ring has room for, and while the tap's interface goes away: all that
/// passed there is to be accounted for afterwards, and all that passes when it has come back.
fn lead_two_lives(capture: Capture, restart: impl Fn(), talk: impl Fn() -> Conversation) {
    capture.signal(Signal::SIGSTOP);
    flood(&talk(), 0..DATAGRAMS);
    restart();
    capture.signal(Signal::SIGCONT);
    let mut next = DATAGRAMS;
    // Any of the first thousand: the last one sent need not have been written yet.
    let begin = &format!("#{DATAGRAMS:08}")[..6];
    eventually("it is heard again", || {
        flood(&talk(), next..next + 1);
        next += 1;
        has_written(&capture.file(), begin.as_bytes()).then_some(())
    });
    capture.signal(Signal::SIGSTOP);
    flood(&talk(), next..next + DATAGRAMS);
    capture.signal(Signal::SIGCONT);
    let accounts = accounts_of(&capture.stop());
    let [first, second] = accounts.as_slice() else { panic!("{} taps", accounts.len()) };
    assert_eq!(first.tap, second.tap);
    assert!(lost(first, DATAGRAMS) > 0);
    // What was sent before it listened again did not pass.
    let began = numbers(second)[0];
    assert!((DATAGRAMS..next).contains(&began), "{began}");
    assert!(lost(second, next + DATAGRAMS - began) > 0);
    assert_eq!(
        missing_before_the_last(second) + after_the_last(second, next),
        lost(second, next + DATAGRAMS - began)
    );
}

fn missing_before_the_last(account: &Account) -> usize {
    let numbers = numbers(account);
    numbers.last().expect("a packet") + 1 - numbers[0] - numbers.len()
}

fn after_the_last(account: &Account, next: usize) -> usize {
    next + DATAGRAMS - 1 - numbers(account).last().expect("a packet")
}

fn talk(cable: &Cable) -> Conversation {
    Conversation::new(cable.left(), cable.right(), Cable::RIGHT)
}
