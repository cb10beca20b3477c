//! `--capture`: from Wireshark's words to a capture into its pipe. The pipe is opened before anything else: while it is not,
//! older Wiresharks wait for ever.

use std::{
    fs::{File, OpenOptions},
    path::Path,
    pin::pin,
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Parser as _;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{
        mpsc::{UnboundedReceiver, unbounded_channel},
        oneshot,
    },
    time::sleep,
};

use crate::cli::{
    args::{Arguments, Command},
    capture::{self, Company},
    capture_args::CaptureArgs,
    run::wait_for,
    select, terminal,
};
use crate::discovery::engine::PATIENCE;
use crate::model::Selector;
use crate::sys::{self, Capability};

use super::{
    answers::{ALL, CONTAINERS, ELSEWHERE, PICK, PREFIX, PROJECT, SELECT},
    control::Message,
    elsewhere,
    roster::Roster,
    toolbar::{Outlet, Toolbar, inlet},
    words::Words,
};

/// Who does not read what is left for so long after the end was asked for will not read it at all. Wireshark itself would
/// kill us after half a minute.
const LONGEST_END: Duration = Duration::from_secs(5);

/// Without these not everything that `all` means can be seen and captured.
const FOR_ALL: [Capability; 3] =
    [Capability::CAP_NET_RAW, Capability::CAP_SYS_ADMIN, Capability::CAP_SYS_PTRACE];

/// Captures until Wireshark has had enough.
pub(super) fn run(words: &Words) -> anyhow::Result<ExitCode> {
    let path = words.value("fifo").context("--capture needs --fifo PATH")?;
    // First, and on threads of their own: Wireshark's window waits for the one, and dumpcap beside it for the pipe.
    let outlet = Outlet::open(words.value("extcap-control-out"));
    let (messages, greeting) = words.value("extcap-control-in").map(inlet).unzip();
    let fifo = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("opening the pipe {path}"))?;
    terminal::divert({
        let outlet = outlet.clone();
        move |text| outlet.log(text)
    });
    let call = Call { words, path, fifo, messages, outlet };
    let interface = words.value("extcap-interface").unwrap_or_default();
    let result = match interface.strip_prefix(ELSEWHERE) {
        Some(name) => elsewhere::run(name, call),
        None => here(call),
    };
    if let (Err(_), Some(greeting)) = (&result, greeting) {
        // It would open a pipe that nobody reads any more, and stand still for ever.
        greeting.wait(LONGEST_END);
    }
    result
}

/// A call to capture, with the pipes it named.
pub(super) struct Call<'a> {
    pub(super) words: &'a Words,
    pub(super) path: &'a str,
    /// That path, open.
    pub(super) fifo: File,
    /// What the toolbar says; none where there is no toolbar.
    pub(super) messages: Option<UnboundedReceiver<Message>>,
    pub(super) outlet: Outlet,
}

fn here(call: Call<'_>) -> anyhow::Result<ExitCode> {
    let Call { words, path, fifo, messages, outlet } = call;
    // The capture opens the pipe once more. Where its reader has left meanwhile, that would wait for another one, and hear
    // no signal.
    let both_ends = (fifo, sys::open_plain(Path::new(path)).ok());
    wait_for(async {
        let mut end = End::new()?;
        let args = tokio::select! {
            args = arguments(words, path) => args?,
            () = end.asked() => return Ok(ExitCode::SUCCESS),
        };
        let (wish, wishes) = unbounded_channel();
        let toolbar = messages.map(|messages| Toolbar::new(messages, outlet, wish));
        capture_beside(args, toolbar, wishes, both_ends, end).await
    })
}

async fn capture_beside(
    args: CaptureArgs,
    toolbar: Option<Toolbar>,
    wishes: UnboundedReceiver<Vec<Selector>>,
    both_ends: (File, Option<File>),
    mut end: End,
) -> anyhow::Result<ExitCode> {
    let means_all = args.selectors == [Selector::All];
    let must_hear = !means_all || !sys::missing(&FOR_ALL).is_empty();
    let (begun, begins) = oneshot::channel();
    let mut capture = pin!(capture::run_beside(args, Some(Company { must_hear, begun, wishes })));
    tokio::select! {
        result = &mut capture => return result,
        () = end.asked() => return Ok(ExitCode::SUCCESS),
        Ok(running) = begins => if let Some(toolbar) = toolbar {
            drop(tokio::spawn(toolbar.serve(running)));
        },
    }
    // The capture has a descriptor of its own by now; with ours, the other side would not see its end.
    drop(both_ends);
    tokio::select! {
        result = &mut capture => result,
        () = async { end.asked().await; sleep(LONGEST_END).await } => Ok(ExitCode::SUCCESS),
    }
}

/// The signals that end a capture.
struct End {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl End {
    fn new() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("listening for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {},
            _ = self.interrupt.recv() => {},
            _ = self.hang_up.recv() => {},
        }
    }
}

/// The same as somebody would have typed it after `pcapsule capture`.
async fn arguments(words: &Words, path: &str) -> anyhow::Result<CaptureArgs> {
    let mut args = typed(&line(words, path))?;
    let interface = words.value("extcap-interface").context("--capture needs --extcap-interface NAME")?;
    args.selectors = selectors(interface, words).await?;
    Ok(args)
}

/// Whom an interface means.
async fn selectors(interface: &str, words: &Words) -> anyhow::Result<Vec<Selector>> {
    if interface == ALL {
        return Ok(vec![Selector::All]);
    }
    let given = |name| words.value(name).filter(|_| interface == PICK).unwrap_or_default();
    let typed: Vec<&str> = given(SELECT).split_whitespace().collect();
    let picked: Vec<&str> = if interface == PICK {
        given(CONTAINERS).split(',').filter(|word| !word.is_empty()).collect()
    } else {
        let word = interface.strip_prefix(PREFIX);
        vec![word.with_context(|| format!("there is no interface {interface} of pcapsule's"))?]
    };
    if picked.is_empty() && typed.is_empty() {
        bail!(
            "no container is picked: choose some in the options of this interface, or capture all containers"
        );
    }
    let roster = Roster::read(PATIENCE).await;
    let named = |word: &str| roster.find(word).map(|entry| entry.selector.clone());
    let gone = |word: &str| {
        let advice = "has it ended since the interfaces were listed? refreshing them (F5) lists them anew";
        anyhow!(select::Error::UnknownWord { word: word.to_owned(), advice: advice.to_owned() })
    };
    let selector = |word: &str| select::selector(word).map_err(|reason| anyhow!(reason));
    let picked = picked.into_iter().map(|word| match named(word) {
        Some(selector) => Ok(selector),
        None if word.starts_with(PROJECT) => selector(word),
        None => Err(gone(word)),
    });
    let typed = typed.into_iter().map(|word| named(word).map_or_else(|| selector(word), Ok));
    picked.chain(typed).collect()
}

/// Options of `capture`, by Wireshark's.
pub(super) fn line(words: &Words, path: &str) -> Vec<String> {
    let mut line: Vec<String> =
        ["pcapsule", "capture", "all", "--pcapng", "--force", "--write", path].map(str::to_owned).into();
    let valued = [
        ("at", "--at"),
        ("snaplen", "--snaplen"),
        ("extcap-capture-filter", "--filter"),
        ("count", "--count"),
        ("duration", "--duration"),
        ("buffer", "--buffer"),
    ];
    for (name, option) in valued {
        // Wireshark has no empty numbers: 0 stands for none. Of a snapshot length it means the largest anyway.
        line.extend(words.value(name).filter(|value| *value != "0").map(|value| format!("{option}={value}")));
    }
    let flags = [
        (words.is_on("headers", false), "--headers"),
        (!words.is_on("promiscuous", true), "--no-promiscuous-mode"),
        (!words.is_on("follow", true), "--no-follow"),
        (!words.is_on("events", true), "--no-events"),
    ];
    line.extend(flags.into_iter().filter(|(given, _)| *given).map(|(_, option)| option.to_owned()));
    line
}

fn typed(line: &[String]) -> anyhow::Result<CaptureArgs> {
    let refused = |error: clap::Error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        anyhow!("{}", first.strip_prefix("error: ").unwrap_or(first))
    };
    match Arguments::try_parse_from(line).map_err(refused)?.command {
        Command::Capture(args) => Ok(*args),
        _ => bail!("the command line for a capture means something else"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line_of_wireshark: &str) -> anyhow::Result<CaptureArgs> {
        typed(&line(&Words::parse(line_of_wireshark.split(' ')), "/tmp/fifo"))
    }

    #[test]
    fn what_is_not_said_is_as_the_options_show_it() {
        let args = args("--capture").unwrap();
        assert_eq!((args.snaplen, args.count, args.duration, args.filter()), (None, None, None, None));
        assert_eq!(args.at.len(), 1);
        assert!(!(args.headers || args.no_promiscuous || args.no_follow || args.no_events));
        assert_eq!(args.save.output, Some("/tmp/fifo".into()));
    }

    #[test]
    fn everything_can_be_said() {
        let line = "--snaplen 96 --at veth,lo --headers true --promiscuous=false --follow false --events no --count 7 \
                    --duration 90 --extcap-capture-filter arp";
        let args = args(line).unwrap();
        assert_eq!((args.snaplen, args.at.len()), (Some(96), 2));
        assert_eq!(args.count.map(u64::from), Some(7));
        assert_eq!((args.duration, args.filter().as_deref()), (Some(Duration::from_secs(90)), Some("arp")));
        assert!(args.headers && args.no_promiscuous && args.no_follow && args.no_events);
    }

    #[test]
    fn zero_is_wiresharks_word_for_none() {
        let args = args("--snaplen 0 --count 0 --duration 0 --buffer 0").unwrap();
        assert_eq!((args.snaplen, args.count, args.duration, args.buffer), (None, None, None, None));
    }

    #[test]
    fn a_wrong_value_is_told_in_one_line() {
        let error = args("--at attic").unwrap_err().to_string();
        assert!(error.contains("attic") && !error.contains('\n') && !error.starts_with("error"), "{error}");
    }
}
