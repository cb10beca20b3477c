//! A capture on a host that the user has written down: pcapsule is called there by ssh, and what it sends goes into
//! Wireshark's pipe. The toolbar's messages do not go that far.

use std::{process::ExitCode, sync::Arc};

use anyhow::Context as _;

use crate::capture::{Readers, Reception};
use crate::cli::{
    remote::{Errand, Screen, known_hosts},
    run::wait_for,
};
use crate::savefile::Format;

use super::{
    answers::{SELECT, name_of},
    capturing::{Call, line},
    toolbar::decline,
};

/// Captures until Wireshark has had enough.
pub(super) fn run(name: &str, call: Call<'_>) -> anyhow::Result<ExitCode> {
    let Call { words, path, fifo, messages, outlet } = call;
    let target = known_hosts().into_iter().find(|known| name_of(known) == name);
    let target = target.with_context(|| {
        format!(
            "there is no interface of {name}: is it in ~/.config/pcapsule/hosts, and were they listed since?"
        )
    })?;
    let reception = Reception {
        path: path.into(),
        format: Format::Pcapng,
        reserve: 0,
        readers: Readers::Usual,
        pipe: Some(Arc::new(fifo)),
    };
    let errand = Errand {
        target,
        words: sent(line(words, path), words.value(SELECT).unwrap_or_default()),
        screen: Screen::Streams,
        reception: Some(reception),
        is_for_wireshark: true,
    };
    wait_for(async {
        tokio::select! {
            result = errand.run() => result,
            never = decline(messages, outlet) => match never {},
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The words that go there: without the program's name, and with these selectors in the place of `all`.
fn sent(line: Vec<String>, selectors: &str) -> Vec<String> {
    let mut sent = Vec::new();
    for word in line.into_iter().skip(1) {
        match word.as_str() {
            "all" if !selectors.trim().is_empty() => {
                sent.extend(selectors.split_whitespace().map(str::to_owned));
            }
            _ => sent.push(word),
        }
    }
    sent.push("--quiet".to_owned());
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_take_the_place_of_all() {
        let line = || ["pcapsule", "capture", "all", "--write", "/tmp/f"].map(str::to_owned).to_vec();
        assert_eq!(sent(line(), " "), ["capture", "all", "--write", "/tmp/f", "--quiet"]);
        let picked = ["capture", "web", "network=app", "--write", "/tmp/f", "--quiet"];
        assert_eq!(sent(line(), "web  network=app"), picked);
    }
}
