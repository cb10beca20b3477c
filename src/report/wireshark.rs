//! What `wireshark status` prints: checks with their verdicts and what to do, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::json::Document;

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// Worth knowing, and no fault.
    Note,
    /// It does not work.
    Fault,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, in one word or two.
    pub check: &'static str,
    /// What it came to.
    pub verdict: Verdict,
    /// What was seen.
    pub text: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Check {
    /// A check without anything to do about it.
    pub fn new(check: &'static str, verdict: Verdict, text: impl Into<String>) -> Self {
        Self { check, verdict, text: text.into(), fix: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

/// A line a check, and one below it for what to do.
pub fn checks(checks: &[Check], out: &mut impl Write) -> io::Result<()> {
    let width = checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
    for Check { check, verdict, text, fix } in checks {
        let word = match verdict {
            Verdict::Ok => "ok",
            Verdict::Note => "note",
            Verdict::Fault => "fault",
        };
        writeln!(out, "{word:<5}  {check:<width$}  {text}")?;
        if let Some(fix) = fix {
            writeln!(out, "{:<5}  {:<width$}  fix: {fix}", "", "")?;
        }
    }
    Ok(())
}

/// The document of `wireshark status --json`.
pub fn checks_json(checks: &[Check], (host, time_ns): (&str, u64), out: &mut impl Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Checks<'a> {
        checks: &'a [Check],
    }
    let document = Document::new("pcapsule.wireshark", time_ns, host, &[], Checks { checks });
    serde_json::to_writer(&mut *out, &document)?;
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> [Check; 2] {
        let fault = Check::new("installed", Verdict::Fault, "a link to what is gone").fix("install it again");
        [Check::new("tshark", Verdict::Ok, "4.0.17"), fault]
    }

    #[test]
    fn what_to_do_stands_below_the_fault() {
        let mut out = Vec::new();
        checks(&some(), &mut out).unwrap();
        let expected = "ok     tshark     4.0.17\n\
            fault  installed  a link to what is gone\n                  fix: install it again\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn the_document_has_the_same() {
        let mut out = Vec::new();
        checks_json(&some(), ("here", 7), &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(document["schema"], "pcapsule.wireshark");
        assert_eq!(document["checks"][0]["verdict"], "ok");
        assert_eq!(document["checks"][1]["fix"], "install it again");
    }
}
