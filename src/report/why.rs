//! What `why` prints: the way as a small diagram with a mark at the place of the fault, what was found, and what repairs it.

use std::io;

use crate::model::Protocol;
use crate::why::{Certainty, Diagnosis, Finding, Hop};

use super::grid::{Layout, Width};

/// An answer with the question it belongs to.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The target, as it was typed.
    pub target: &'a str,
    /// Where the connection begins, in a word.
    pub from: String,
    /// What it speaks.
    pub protocol: Protocol,
    /// The answer.
    pub diagnosis: &'a Diagnosis,
    /// The host's name.
    pub host: &'a str,
    /// When, in nanoseconds since the Unix epoch.
    pub time_ns: u64,
    /// What could not be seen of the host.
    pub warnings: &'a [String],
}

/// Writes an answer for people.
pub fn why(answer: &Answer<'_>, layout: Layout, out: &mut impl io::Write) -> io::Result<()> {
    let diagnosis = answer.diagnosis;
    let verdict = match diagnosis.findings.len() {
        0 if !diagnosis.checked => "nothing could be checked".to_owned(),
        0 if diagnosis.not_checked.is_empty() => "nothing is wrong".to_owned(),
        0 => "nothing that was checked is wrong".to_owned(),
        1 => "one fault".to_owned(),
        count => format!("{count} faults"),
    };
    let protocol = format!("/{}", answer.protocol);
    let target = answer.target.strip_suffix(protocol.as_str()).unwrap_or(answer.target);
    writeln!(out, "{target}{protocol} from {}: {verdict}", answer.from)?;
    let width = match layout.width {
        Width::Columns(columns) => usize::from(columns),
        _ => 120,
    };
    if !diagnosis.way.is_empty() {
        writeln!(out)?;
        for line in diagram(&diagnosis.way, width) {
            writeln!(out, "  {line}")?;
        }
    }
    for finding in &diagnosis.findings {
        writeln!(out)?;
        write_finding(finding, out)?;
    }
    for remark in &diagnosis.remarks {
        writeln!(out, "\nnote: {remark}")?;
    }
    if !diagnosis.not_checked.is_empty() {
        writeln!(out, "\nnot checked:")?;
        for sentence in &diagnosis.not_checked {
            writeln!(out, "  {sentence}")?;
        }
    }
    Ok(())
}

fn write_finding(finding: &Finding, out: &mut impl io::Write) -> io::Result<()> {
    let certainty = match finding.certainty {
        Certainty::Certain => "certain",
        Certainty::Likely => "likely",
    };
    writeln!(out, "✗ {} ({certainty})", finding.code)?;
    writeln!(out, "  {}", finding.sentence)?;
    for fact in &finding.evidence {
        writeln!(out, "    · {fact}")?;
    }
    if let Some(repair) = &finding.repair {
        writeln!(out, "  repair: {repair}")?;
    }
    Ok(())
}

/// The places joined by arrows, broken into lines; the place of the fault is marked.
fn diagram(way: &[Hop], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (position, hop) in way.iter().enumerate() {
        let mark = if hop.reached { "" } else { "✗ " };
        let arrow = if position == 0 { "" } else { "→ " };
        let word = format!("{arrow}{mark}{}", hop.name);
        match lines.last_mut() {
            Some(line) if line.chars().count() + word.chars().count() + 3 <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::grid::Headings;
    use crate::why::Code;

    fn hop(name: &str, reached: bool) -> Hop {
        Hop { hop: "link", name: name.to_owned(), reached }
    }

    fn text(target: &str, protocol: Protocol, diagnosis: &Diagnosis) -> String {
        let from = "host".to_owned();
        let answer =
            Answer { target, from, protocol, diagnosis, host: "testhost", time_ns: 0, warnings: &[] };
        let mut out = Vec::new();
        why(&answer, Layout { width: Width::Unlimited, headings: Headings::Plain }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_place_of_the_fault_is_marked() {
        let way = [hop("host", true), hop("docker0", true), hop("veth1 of host", false)];
        assert_eq!(diagram(&way, 80), ["host → docker0 → ✗ veth1 of host"]);
        assert_eq!(diagram(&way, 20), ["host → docker0", "→ ✗ veth1 of host"]);
    }

    #[test]
    fn a_protocol_is_told_once() {
        let diagnosis = Diagnosis { checked: true, ..Diagnosis::default() };
        for target in [":53/udp", ":53"] {
            let text = text(target, Protocol::Udp, &diagnosis);
            assert_eq!(text, ":53/udp from host: nothing is wrong\n");
        }
    }

    #[test]
    fn an_answer_has_its_finding_evidence_and_repair() {
        let finding = Finding::new(Code::VethDown, "the interface veth1 is down")
            .seen("veth1: up false")
            .repair("ip link set veth1 up");
        let diagnosis =
            Diagnosis { findings: vec![finding], way: vec![hop("host", false)], ..Diagnosis::default() };
        let expected = "web:80/tcp from host: one fault\n\n  ✗ host\n\n✗ veth-down (certain)\n  the interface veth1 is down\n    \
                        · veth1: up false\n  repair: ip link set veth1 up\n";
        assert_eq!(text("web:80", Protocol::Tcp, &diagnosis), expected);
    }
}
