//! The words of a call: in any order, as `--x`, `--x value` or `--x=value`. Pure, and lenient: what nobody asks for is
//! ignored, because later versions of Wireshark say more.

use std::collections::HashMap;

/// The options of one call. Given twice, the last one counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Words(HashMap<String, Option<String>>);

impl Words {
    /// Words without the program's name. A word that begins with two dashes is an option; one after it is its value.
    pub(super) fn parse<W: AsRef<str>>(words: impl IntoIterator<Item = W>) -> Self {
        let mut options = HashMap::new();
        let mut words = words.into_iter().peekable();
        while let Some(word) = words.next() {
            let Some(option) = word.as_ref().strip_prefix("--") else { continue };
            let (name, value) = match option.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (option, words.next_if(|next| !next.as_ref().starts_with("--")).map(owned)),
            };
            options.insert(name.to_owned(), value);
        }
        Self(options)
    }

    /// Whether the option was given, with whatever value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Its value, unless that is empty.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_deref().map(str::trim).filter(|value| !value.is_empty())
    }

    /// Whether it is on: given alone, or with a word that is not a "no".
    pub(super) fn is_on(&self, name: &str, by_default: bool) -> bool {
        match self.0.get(name) {
            None => by_default,
            Some(None) => true,
            Some(Some(word)) => {
                !["false", "no", "off", "f", "n", "0"].contains(&word.trim().to_lowercase().as_str())
            }
        }
    }
}

fn owned<W: AsRef<str>>(word: W) -> String {
    word.as_ref().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Words {
        Words::parse(line.split(' '))
    }

    #[test]
    fn order_does_not_matter_and_strangers_are_ignored() {
        let line = "--fifo /tmp/f stray --capture --extcap-interface web --later-option x --snaplen=96 -q";
        let words = parse(line);
        assert!(words.has("capture") && !words.has("q"));
        assert_eq!(words.value("fifo"), Some("/tmp/f"));
        assert_eq!(words.value("extcap-interface"), Some("web"));
        assert_eq!(words.value("snaplen"), Some("96"));
        let turned = "--snaplen=96 --later-option x --extcap-interface web --capture --fifo /tmp/f";
        assert_eq!(parse(turned), words);
    }

    #[test]
    fn a_flag_is_given_alone_or_with_a_word() {
        for (line, on) in [
            ("--x", true),
            ("--x --y", true),
            ("--x true", true),
            ("--x=true", true),
            ("--x TRUE", true),
            ("--x 1", true),
            ("--x false", false),
            ("--x=false", false),
            ("--x=0", false),
        ] {
            assert_eq!((parse(line).is_on("x", false), parse(line).is_on("x", true)), (on, on), "{line}");
        }
        assert!(parse("--y").is_on("x", true) && !parse("--y").is_on("x", false));
    }

    #[test]
    fn a_value_may_hold_an_equals_sign_or_begin_with_one_dash() {
        assert_eq!(parse("--a=b=c").value("a"), Some("b=c"));
        assert_eq!(parse("--a -1").value("a"), Some("-1"));
        let filter = Words::parse(["--extcap-capture-filter", "tcp port 80 and not host a", "--capture"]);
        assert_eq!(filter.value("extcap-capture-filter"), Some("tcp port 80 and not host a"));
        assert_eq!(parse("--a=").value("a"), None);
        assert_eq!(parse("--a x --a y").value("a"), Some("y"));
    }
}
