//! Every capture in `captures/` reads as the text beside it.

use std::{fs, path::Path, process::Command};

#[test]
fn each_capture_reads_as_the_text_beside_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
    let mut compared = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let capture = entry.unwrap().path();
        if !capture.extension().is_some_and(|end| end == "pcapng" || end == "pcap") {
            continue;
        }
        let expected = fs::read_to_string(capture.with_extension("txt")).unwrap();
        let read = Command::new(env!("CARGO_BIN_EXE_pcapsule"))
            .args(["read", "-e", "--color", "never"])
            .arg(capture.file_name().unwrap())
            .current_dir(&folder)
            .env("TZ", "UTC")
            .output()
            .unwrap();
        let name = capture.display();
        assert!(read.status.success(), "{name}: {}", String::from_utf8_lossy(&read.stderr));
        assert_eq!(String::from_utf8_lossy(&read.stdout), expected, "{name}");
        compared += 1;
    }
    assert!(compared > 10, "only {compared} captures in {}", folder.display());
}
