//! Linux capabilities (`capabilities(7)`): which are missing, and giving up the rest.

pub use caps::Capability;
use caps::{CapSet, CapsHashSet};

/// Which of the wanted capabilities the calling thread lacks.
pub fn missing(wanted: &[Capability]) -> Vec<Capability> {
    wanted
        .iter()
        .copied()
        .filter(|capability| !caps::has_cap(None, CapSet::Effective, *capability).unwrap_or(false))
        .collect()
}

/// Gives up, for the calling thread and for good, every capability but these, and the way back by running a program
/// that has some (`PR_SET_NO_NEW_PRIVS`). Threads started later inherit that.
pub fn keep_only(kept: &[Capability]) -> Result<(), caps::errors::CapsError> {
    // Only kernels before 3.5 refuse.
    let _ = nix::sys::prctl::set_no_new_privs();
    let permitted = caps::read(None, CapSet::Permitted)?;
    let kept: CapsHashSet =
        kept.iter().copied().filter(|capability| permitted.contains(capability)).collect();
    caps::set(None, CapSet::Inheritable, &CapsHashSet::new())?;
    caps::set(None, CapSet::Effective, &kept)?;
    caps::set(None, CapSet::Permitted, &kept)
}
