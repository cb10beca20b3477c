//! Capabilities that a file gives to whoever runs it (`capabilities(7)`, "File capabilities"), read and written.
#![expect(unsafe_code, reason = "extended attributes have no safe form here")]

use std::{
    ffi::{CStr, CString},
    io,
    os::unix::ffi::OsStrExt,
    path::Path,
};

use caps::Capability;

const ATTRIBUTE: &CStr = c"security.capability";

/// `struct vfs_cap_data` of `linux/capability.h`: a revision with the flag that they are effective at once, and two
/// halves of a set of permitted and one of inheritable capabilities, all little-endian.
const REVISION_2: u32 = 0x0200_0000;
const EFFECTIVE: u32 = 1;
const BYTES: usize = 20;
/// Revision 3 has a user more, of the namespace in which they count.
const MOST_BYTES: usize = 24;

/// Those that the file gives; none if it has no such attribute.
pub fn file_capabilities(file: &Path) -> io::Result<Vec<Capability>> {
    let path = c_path(file)?;
    let mut bytes = [0_u8; MOST_BYTES];
    // SAFETY: both strings end with NUL, and the kernel writes no more than the length that it is told.
    let count =
        unsafe { libc::getxattr(path.as_ptr(), ATTRIBUTE.as_ptr(), bytes.as_mut_ptr().cast(), MOST_BYTES) };
    match usize::try_from(count) {
        Ok(count) => Ok(permitted(&bytes[..count.min(MOST_BYTES)])),
        Err(_) => match io::Error::last_os_error() {
            error if matches!(error.raw_os_error(), Some(libc::ENODATA | libc::ENOTSUP)) => Ok(Vec::new()),
            error => Err(error),
        },
    }
}

/// Lets the file give these, effective at once, and no others. Takes CAP_SETFCAP.
pub fn give_capabilities(file: &Path, given: &[Capability]) -> io::Result<()> {
    let (path, bytes) = (c_path(file)?, attribute(given));
    // SAFETY: both strings end with NUL, and the kernel reads as many bytes as there are.
    let result =
        unsafe { libc::setxattr(path.as_ptr(), ATTRIBUTE.as_ptr(), bytes.as_ptr().cast(), BYTES, 0) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn attribute(given: &[Capability]) -> [u8; BYTES] {
    let set = given.iter().fold(0, |set, capability| set | capability.bitmask());
    let [low, high] =
        [set & u64::from(u32::MAX), set >> 32].map(|half| u32::try_from(half).unwrap_or_default());
    let mut bytes = [0; BYTES];
    let words = [REVISION_2 | EFFECTIVE, low, 0, high, 0];
    for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn permitted(attribute: &[u8]) -> Vec<Capability> {
    let word = |at: usize| -> u64 {
        let bytes = attribute.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes).into())
    };
    let set = word(4) | word(12) << 32;
    let mut found: Vec<_> = caps::all().into_iter().filter(|each| set & each.bitmask() != 0).collect();
    found.sort_by_key(Capability::index);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_attribute_is_that_of_setcap() {
        let given = [Capability::CAP_NET_RAW, Capability::CAP_SYS_ADMIN, Capability::CAP_BPF];
        let bytes = attribute(&given);
        // `setcap cap_net_raw,cap_sys_admin,cap_bpf+ep FILE; getfattr -n security.capability -e hex FILE`
        assert_eq!(bytes, *b"\x01\0\0\x02\0\x20\x20\0\0\0\0\0\x80\0\0\0\0\0\0\0");
        assert_eq!(permitted(&bytes), given);
    }

    #[test]
    fn a_file_without_any_gives_none() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(file_capabilities(file.path()).unwrap(), []);
        assert!(file_capabilities(Path::new("/nonexistent")).is_err());
        assert_eq!(permitted(b"\x01"), []);
    }
}
