//! Sentences as Wireshark reads them: a keyword, then groups in braces, a line each. Pure.

use std::fmt;

/// One line of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sentence(String);

impl Sentence {
    /// `arg`, `value`, `interface` …
    pub(super) fn new(keyword: &str) -> Self {
        Self(format!("{keyword} "))
    }

    /// Adds `{key=value}`. Whatever would end the group, or the line, is replaced in the value.
    pub(super) fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        let value = harmless(&value.to_string());
        self.0.extend(["{", key, "=", &value, "}"]);
        self
    }
}

impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text with nothing in it that means something to Wireshark: braces become parentheses, line ends and other control
/// characters blanks.
pub(super) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '{' => '(',
            '}' => ')',
            '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_follow_the_keyword_without_blanks_between() {
        let sentence = Sentence::new("interface").with("value", "web").with("display", "Container web");
        assert_eq!(sentence.to_string(), "interface {value=web}{display=Container web}");
    }

    #[test]
    fn a_value_cannot_end_its_group_or_its_line() {
        let hostile = "a}{value=evil}\r\ninterface {b\u{7f}\u{85}\u{2028}";
        let sentence = Sentence::new("value").with("display", hostile).to_string();
        assert_eq!(sentence, "value {display=a)(value=evil)  interface (b   }");
    }
}
