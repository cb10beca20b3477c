//! The iptables programs, of which a host may have two flavours with tables of their own.

use std::{
    fmt, io,
    io::Write,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use serde::{Deserialize, Serialize};

use super::tool;

/// How long the older flavour waits for others that hold its lock.
const LOCK_SECONDS: &str = "10";

/// Where the rules are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flavour {
    /// In nf_tables.
    Nft,
    /// In tables of the older kind.
    Legacy,
}

/// Which packets the rules are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Family {
    V4,
    V6,
}

/// What can go wrong with these programs.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it all")]
pub enum Error {
    #[error("finding {program}, in PATH or /usr/sbin (package iptables)")]
    Missing { program: String },
    #[error("running {}", program.display())]
    Run { program: PathBuf, source: io::Error },
    #[error("changing rules; {} says: {words}", program.display())]
    Refused { program: PathBuf, words: String },
}

/// One flavour's rules of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Iptables {
    pub flavour: Flavour,
    pub family: Family,
}

impl Iptables {
    /// Applies commands such as `-I CHAIN …` to the filter table, all of them or none.
    pub fn apply(self, commands: &[String]) -> Result<(), Error> {
        let text = format!("*filter\n{}\nCOMMIT\n", commands.join("\n"));
        self.run("restore", &["--noflush", "-w", LOCK_SECONDS], &text).map(drop)
    }

    /// The filter table's rules, each as the `-A …` that makes it, and its chains (`:NAME POLICY …`).
    pub fn filter_rules(self) -> Result<Vec<String>, Error> {
        let listed = self.run("save", &["-t", "filter"], "")?;
        Ok(listed.lines().map(str::to_owned).collect())
    }

    /// The rules of every table with their counters, as `iptables-save -c` prints them.
    pub fn all_rules(self) -> Result<String, Error> {
        self.run("save", &["-c"], "")
    }

    fn run(self, verb: &str, arguments: &[&str], input: &str) -> Result<String, Error> {
        let program = self.program(verb)?;
        let failed = |source| Error::Run { program: program.clone(), source };
        let output = with_input(Command::new(&program).args(arguments), input).map_err(failed)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let words =
            String::from_utf8_lossy(&output.stderr).lines().map(str::trim).collect::<Vec<_>>().join("; ");
        Err(Error::Refused { program, words })
    }

    /// By the name that tells the flavour; else by the usual one, if that is of this flavour.
    fn program(self, verb: &str) -> Result<PathBuf, Error> {
        let usual = format!("{self}-{verb}");
        let exact = match self.flavour {
            Flavour::Nft => format!("{self}-nft-{verb}"),
            Flavour::Legacy => format!("{self}-legacy-{verb}"),
        };
        if let Some(program) = tool::find(&exact) {
            return Ok(program);
        }
        let missing = || Error::Missing { program: exact.clone() };
        let program = tool::find(&usual).ok_or_else(missing)?;
        let failed = |source| Error::Run { program: program.clone(), source };
        let version = Command::new(&program).arg("--version").output().map_err(failed)?;
        let is_nft = String::from_utf8_lossy(&version.stdout).contains("nf_tables");
        if is_nft == (self.flavour == Flavour::Nft) { Ok(program) } else { Err(missing()) }
    }
}

/// `iptables` or `ip6tables`.
impl fmt::Display for Iptables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.family {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        })
    }
}

fn with_input(command: &mut Command, input: &str) -> io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    // What it does not read it does not need; how it ends tells more.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output()
}
