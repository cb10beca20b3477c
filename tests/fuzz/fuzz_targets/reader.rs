//! Any bytes at all, read as a capture file: an end or an error, never a panic, never without end.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pcapsule::savefile::Reader;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    // No record of either format has fewer than 12 bytes.
    let most = bytes.len() / 12;
    let count = std::iter::from_fn(|| reader.next_record().ok().flatten().map(drop)).take(most + 1).count();
    assert!(count <= most, "more records than the bytes can hold");
});
