//! Words that completions offer for a value. What is taken, and in which words the rest is refused, stays the parser's.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

/// A parser with words to offer.
#[derive(Debug, Clone)]
pub(super) struct Offer<P> {
    parser: P,
    words: Vec<&'static str>,
}

/// Offers the words for what the parser takes.
pub(super) fn offer<P>(parser: P, words: impl IntoIterator<Item = &'static str>) -> Offer<P> {
    Offer { parser, words: words.into_iter().collect() }
}

impl<P: TypedValueParser> TypedValueParser for Offer<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, Error> {
        self.parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.words.iter().map(PossibleValue::new)))
    }
}
