//! What the failures of sandboxes mean to the user: an exit code, and what to do.

use std::{error::Error, io};

use crate::netmode::{
    AddressError, CoexistError, InvalidSpec, KeeperError, PlanError, RecordError, StepError,
};
use crate::sys::nft;

use super::exit;

/// An exit code with a hint.
pub(super) struct Judgement {
    pub(super) code: u8,
    pub(super) hint: Option<String>,
}

impl Judgement {
    fn of(code: u8) -> Self {
        Self { code, hint: None }
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// None for what is no failure of a sandbox, or has no code of its own.
pub(super) fn judge(cause: &(dyn Error + 'static)) -> Option<Judgement> {
    if cause.is::<InvalidSpec>() {
        return Some(Judgement::of(exit::USAGE));
    }
    if let Some(error) = cause.downcast_ref::<PlanError>() {
        return judge_plan(error);
    }
    if let Some(error) = cause.downcast_ref::<Box<StepError>>() {
        return judge_step(error);
    }
    if let Some(error) = cause.downcast_ref::<RecordError>() {
        return judge_record(error);
    }
    match cause.downcast_ref::<KeeperError>()? {
        KeeperError::Lacks(missing) => {
            let named: Vec<String> = missing.iter().map(ToString::to_string).collect();
            let hint = format!(
                "run as root, or where you are: `unshare -Urn pcapsule run …`; missing: {}",
                named.join(", ")
            );
            Some(Judgement::of(exit::NOT_PERMITTED).hint(hint))
        }
        KeeperError::Plan(error) => judge_plan(error),
        KeeperError::Nft(error) => judge_nft(error),
        KeeperError::Record(error) => judge_record(error),
        _ => None,
    }
}

fn judge_record(error: &RecordError) -> Option<Judgement> {
    let is_anothers = matches!(error, RecordError::NotOurs { .. });
    is_anothers.then(|| Judgement::of(exit::FAULT).hint("set XDG_RUNTIME_DIR to a folder of your own"))
}

fn judge_plan(error: &PlanError) -> Option<Judgement> {
    match error {
        PlanError::NoParent(_) => Some(Judgement::of(exit::NO_TARGET).hint("`ip link` lists the interfaces")),
        PlanError::Address(AddressError::TooSmall(_) | AddressError::Outside { .. }) => {
            Some(Judgement::of(exit::USAGE))
        }
        PlanError::NoIpv6 => Some(Judgement::of(exit::UNSUPPORTED)),
        PlanError::NameTaken(_) => {
            Some(Judgement::of(exit::FAULT).hint("`pcapsule net ls` lists the sandboxes"))
        }
        _ => None,
    }
}

fn judge_step(error: &StepError) -> Option<Judgement> {
    match error {
        StepError::Nft(error) => judge_nft(error),
        StepError::Coexist(CoexistError::Chains(source)) | StepError::Birth(source) => judge_birth(source),
        StepError::Ports(error) if error.is_not_permitted() => {
            let hint = "ports below net.ipv4.ip_unprivileged_port_start take CAP_NET_BIND_SERVICE";
            Some(Judgement::of(exit::NOT_PERMITTED).hint(hint))
        }
        _ => None,
    }
}

fn judge_birth(error: &io::Error) -> Option<Judgement> {
    /// ENOSPC: as many namespaces as may be.
    const NO_SPACE: i32 = 28;
    let is_full = error.raw_os_error() == Some(NO_SPACE);
    is_full.then(|| Judgement::of(exit::UNSUPPORTED).hint("see /proc/sys/user/max_net_namespaces"))
}

fn judge_nft(error: &nft::Error) -> Option<Judgement> {
    match error {
        nft::Error::Missing => Some(
            Judgement::of(exit::UNSUPPORTED).hint("install nftables; --net none and --net host do without"),
        ),
        error if error.is_not_permitted() => {
            Some(Judgement::of(exit::NOT_PERMITTED).hint("rules take CAP_NET_ADMIN"))
        }
        nft::Error::Refused { .. } => {
            let hint = "this kernel may lack nf_tables, its NAT or `fib`; see `modprobe nft_chain_nat`";
            Some(Judgement::of(exit::UNSUPPORTED).hint(hint))
        }
        _ => None,
    }
}
