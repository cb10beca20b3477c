//! What is going on, on stderr, while results wait for the end.

#![expect(clippy::print_stderr, reason = "progress goes to stderr, results to stdout")]

/// One measurement made.
pub(crate) fn tell(scenario: &str, what: &str) {
    eprintln!("   {scenario:<14} {what}");
}

/// A new part begins.
pub(crate) fn begin(what: &str) {
    eprintln!("== {what}");
}
