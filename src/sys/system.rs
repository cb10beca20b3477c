//! What this machine calls itself.

use std::io;

/// The answer of `uname(2)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// `Linux`
    pub name: String,
    /// The host's name.
    pub host: String,
    /// The kernel's release, such as `6.1.0-40-amd64`.
    pub release: String,
    /// The processor's kind, such as `x86_64`.
    pub machine: String,
}

/// Numbers that nobody can foresee (`random(4)`).
pub fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes)
}

/// The number of the user whose rights this process has.
pub fn effective_user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// Whether files may be made in that folder.
pub fn may_write(folder: &std::path::Path) -> bool {
    nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK).is_ok()
}

/// Asks the kernel.
pub fn system() -> io::Result<System> {
    let answer = nix::sys::utsname::uname()?;
    let text = |field: &std::ffi::OsStr| field.to_string_lossy().into_owned();
    Ok(System {
        name: text(answer.sysname()),
        host: text(answer.nodename()),
        release: text(answer.release()),
        machine: text(answer.machine()),
    })
}
