//! Engines that are none: one with as many containers as a test likes, one where nobody listens, one that never answers.

use std::{
    fmt::Write as _,
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::PathBuf,
    thread,
};

use tempfile::TempDir;

/// A socket in a directory of its own.
pub(super) struct FakeEngine {
    folder: TempDir,
    /// Kept, so that connections are taken.
    listener: Option<UnixListener>,
}

impl FakeEngine {
    /// Has these containers, by their names.
    pub(super) fn with(names: &[&str]) -> Self {
        let each = names.iter().enumerate().map(|(number, name)| {
            serde_json::json!({
                "Id": format!("{number:064x}"),
                "Names": [format!("/{name}")],
                "Image": "nginx",
                "State": "running",
                "Labels": {},
            })
        });
        let list = each.collect::<serde_json::Value>().to_string();
        let fake = Self::silent();
        let listener = fake.listener.as_ref().expect("it listens").try_clone().expect("a descriptor");
        // Ends with the test program; nobody waits for it.
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                serve(stream, &list);
            }
        });
        fake
    }

    /// Nobody listens where it was.
    pub(super) fn dead() -> Self {
        Self { listener: None, ..Self::silent() }
    }

    /// Takes connections and never answers.
    pub(super) fn silent() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let listener = UnixListener::bind(folder.path().join("engine.sock")).expect("a new socket");
        Self { folder, listener: Some(listener) }
    }

    /// Its socket.
    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }
}

fn serve(mut stream: UnixStream, list: &str) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if !stream.read(&mut byte).is_ok_and(|length| length == 1) {
            return;
        }
        request.push(byte[0]);
    }
    let path = String::from_utf8_lossy(&request).split(' ').nth(1).unwrap_or_default().to_owned();
    let body = match path.as_str() {
        "/version" => "{}",
        path if path.starts_with("/containers/json") => list,
        _ => "[]",
    };
    let mut answer = String::new();
    let _ = write!(answer, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let _ = stream.write_all(answer.as_bytes());
}
