//! The exit codes, which are part of the interface: scripts rely on them.

/// Did what was asked. A closed pipe (`pcapsule ls | head -1`) counts as this.
pub const DONE: u8 = 0;

/// Found a fault, or the answer is no; also any failure that has no code of its own.
pub const FAULT: u8 = 1;

/// The command line was wrong; nothing was opened.
pub const USAGE: u8 = 2;

/// The kernel refused for lack of a right; the message says which capability is missing.
pub const NOT_PERMITTED: u8 = 3;

/// No such container, interface, process or namespace.
pub const NO_TARGET: u8 = 4;

/// The kernel or an engine lacks something that is needed, or the disk has no room; the message says what.
pub const UNSUPPORTED: u8 = 5;

/// Packets were lost and `--fail-on-loss` was given.
pub const LOSS: u8 = 6;

/// Ended by a second signal before the output was whole (as a shell puts an end by SIGINT).
pub const INTERRUPTED: u8 = 130;

/// A bug in pcapsule (`EX_SOFTWARE` of sysexits.h).
pub const BUG: u8 = 70;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_never_change() {
        let codes = [DONE, FAULT, USAGE, NOT_PERMITTED, NO_TARGET, UNSUPPORTED, LOSS, BUG, INTERRUPTED];
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 70, 130]);
    }
}
