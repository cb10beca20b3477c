//! The command line of `ssh`, and what the shell at the other end gets to read. Pure.

use super::host::RemoteHost;

/// How long a host that does not answer is waited for.
const CONNECT_TIMEOUT: &str = "ConnectTimeout=15";
/// A connection that died without a word is noticed: four times this many seconds later, unless configured otherwise.
const KEEP_ALIVE: &str = "ServerAliveInterval=15";

/// One call of pcapsule on another host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) host: &'a RemoteHost,
    /// The program there, as its shell reads it.
    pub(super) program: &'a str,
    /// What pcapsule was started with here.
    pub(super) words: &'a [String],
    pub(super) screen: Screen,
    pub(super) questions: Questions,
}

/// What the program at the other end writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Screen {
    /// A terminal like ours: it draws, hears keys, and gets the signals that are typed.
    Terminal,
    /// Streams.
    Streams,
}

/// Whether ssh may ask for a password or about an unknown host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Questions {
    /// Somebody sits at a terminal.
    Asked,
    /// Nobody would see them: it fails at once instead.
    Failed,
}

impl Call<'_> {
    /// The arguments of `ssh`.
    pub(super) fn arguments(&self) -> Vec<String> {
        // Nothing of this session is forwarded, and a command of its own in the user's configuration is not ours.
        let options = ["ClearAllForwardings=yes", "RemoteCommand=none", CONNECT_TIMEOUT, KEEP_ALIVE];
        let mut arguments = vec!["-a".to_owned(), "-x".to_owned()];
        arguments.push(if self.screen == Screen::Terminal { "-t" } else { "-T" }.to_owned());
        let quiet = (self.screen == Screen::Terminal).then_some("LogLevel=ERROR");
        let silent = (self.questions == Questions::Failed).then_some("BatchMode=yes");
        for option in options.into_iter().chain(quiet).chain(silent) {
            arguments.extend(["-o".to_owned(), option.to_owned()]);
        }
        if let Some(port) = self.host.port() {
            arguments.extend(["-p".to_owned(), port.to_string()]);
        }
        arguments.extend(["--".to_owned(), self.host.destination(), self.command()]);
        arguments
    }

    /// What is typed there: the program, that it is the other end, and the words as they were typed here.
    fn command(&self) -> String {
        let begin = format!("{} --remote-end {}", self.program, env!("CARGO_PKG_VERSION"));
        self.words.iter().fold(begin, |line, word| line + " " + &quoted(word))
    }
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(host: &str, words: &[&str], screen: Screen, questions: Questions) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let host = host.parse().unwrap();
        Call { host: &host, program: "pcapsule", words: &words, screen, questions }.arguments()
    }

    #[test]
    fn words_arrive_as_they_were_typed() {
        let words =
            ["capture", "name=web-*", "-w", "my file.pcapng", "--", "tcp port 80 && !(udp)", "it's", ""];
        let line = arguments("ssh://me@web1", &words, Screen::Streams, Questions::Asked).pop().unwrap();
        let version = env!("CARGO_PKG_VERSION");
        let begin = format!("pcapsule --remote-end {version} ");
        let typed = line.strip_prefix(&begin).unwrap();
        assert_eq!(
            typed,
            r"capture 'name=web-*' -w 'my file.pcapng' -- 'tcp port 80 && !(udp)' 'it'\''s' ''"
        );
        let shell = std::process::Command::new("sh").args(["-c", &format!("printf '%s|' {typed}")]).output();
        assert_eq!(String::from_utf8(shell.unwrap().stdout).unwrap(), words.join("|") + "|");
    }

    #[test]
    fn a_terminal_is_asked_for_where_there_is_one() {
        let has = |arguments: &[String], word: &str| arguments.iter().any(|argument| argument == word);
        let seen = arguments("ssh://web1:2222", &["top"], Screen::Terminal, Questions::Asked);
        assert!(has(&seen, "-t") && !has(&seen, "-T") && !has(&seen, "BatchMode=yes"), "{seen:?}");
        assert!(seen.windows(2).any(|pair| pair == ["-p", "2222"]), "{seen:?}");
        let piped = arguments("ssh://web1", &["ls"], Screen::Streams, Questions::Failed);
        assert!(has(&piped, "-T") && !has(&piped, "-t") && has(&piped, "BatchMode=yes"), "{piped:?}");
        assert_eq!(piped[piped.len() - 3..piped.len() - 1], ["--", "web1"]);
    }
}
