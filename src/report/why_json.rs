//! The JSON of `why`. See docs/json.md.

use std::io;

use serde::Serialize;

use crate::model::Protocol;
use crate::why::{Finding, Hop};

use super::json::Document;
use super::why::Answer;

/// Writes the document of `why` on one line.
pub fn why_json(answer: &Answer<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let diagnosis = answer.diagnosis;
    let contents = Contents {
        target: answer.target,
        from: &answer.from,
        protocol: answer.protocol,
        healthy: diagnosis.is_well(),
        findings: &diagnosis.findings,
        way: &diagnosis.way,
        not_checked: &diagnosis.not_checked,
        remarks: &diagnosis.remarks,
    };
    serde_json::to_writer(
        &mut *out,
        &Document::new("pcapsule.why", answer.time_ns, answer.host, answer.warnings, contents),
    )?;
    writeln!(out)
}

#[derive(Debug, Serialize)]
struct Contents<'a> {
    target: &'a str,
    from: &'a str,
    protocol: Protocol,
    healthy: bool,
    findings: &'a [Finding],
    way: &'a [Hop],
    not_checked: &'a [String],
    remarks: &'a [String],
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::{Code, Diagnosis};

    #[test]
    fn the_document_keeps_its_names() {
        let diagnosis = Diagnosis {
            findings: vec![
                Finding::new(Code::BridgeDown, "the bridge docker0 is down").seen("docker0: up false"),
            ],
            way: vec![Hop { hop: "bridge", name: "docker0".to_owned(), reached: false }],
            ..Diagnosis::default()
        };
        let answer = Answer {
            target: ":8080",
            from: "anywhere".to_owned(),
            protocol: Protocol::Tcp,
            diagnosis: &diagnosis,
            host: "testhost",
            time_ns: 7,
            warnings: &[],
        };
        let mut out = Vec::new();
        why_json(&answer, &mut out).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            document,
            serde_json::json!({
                "schema": "pcapsule.why", "version": 1, "time_ns": 7, "host": "testhost", "target": ":8080",
                "from": "anywhere", "protocol": "tcp", "healthy": false,
                "findings": [{"code": "bridge-down", "certainty": "certain", "sentence": "the bridge docker0 is down",
                    "evidence": ["docker0: up false"], "repair": null}],
                "way": [{"hop": "bridge", "name": "docker0", "reached": false}],
                "not_checked": [], "remarks": [], "warnings": [],
            })
        );
    }
}
