//! Whose Wireshark is meant: one user's, or everybody's.

use std::fmt;

use crate::cli::wireshark_args::ScopeArgs;
use crate::sys;

/// Whose folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The user's own.
    User,
    /// Everybody's on this machine.
    System,
}

impl Scope {
    pub(super) const BOTH: [Self; 2] = [Self::User, Self::System];

    /// As asked for; else everybody's for root, and one's own for anybody else.
    pub(super) fn of(args: &ScopeArgs) -> Self {
        let is_for_all = args.system || (!args.user && sys::effective_user() == 0);
        if is_for_all { Self::System } else { Self::User }
    }

    /// The command that does something in this scope.
    pub(super) fn command(self, verb: &str) -> String {
        match self {
            Self::User => format!("pcapsule wireshark {verb} --user"),
            Self::System => format!("sudo pcapsule wireshark {verb} --system"),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "your own",
            Self::System => "everybody's",
        })
    }
}
