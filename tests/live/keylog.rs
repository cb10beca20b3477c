//! `--keylog`: real TLS between two ends, decrypted by tshark from the one file and nothing else.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use crate::lab::{
    Cable, Capture, Ended, Engine, Namespace, Requirement, capinfos, checked, eventually, has_written,
    keys_in, rows, run, unique,
};

const PORT: &str = "4433";

/// `openssl s_server` in a namespace, killed on drop.
struct Server {
    child: Child,
    folder: TempDir,
}

impl Server {
    fn start(namespace: &Namespace) -> Option<Self> {
        if !Requirement::all(&[Requirement::Openssl]) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary directory");
        let [key, certificate] = ["key.pem", "cert.pem"].map(|name| path(folder.path(), name));
        let asked = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=web"];
        let files = ["-keyout", key.as_str(), "-out", certificate.as_str()];
        run("openssl", &[&["req", "-x509"], &asked[..], &files[..]].concat());
        let mut child = namespace.inside(|| {
            Command::new("openssl")
                .args(["s_server", "-accept", PORT, "-www", "-key", &key, "-cert", &certificate])
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts")
        });
        // It says ACCEPT once it listens.
        let mut stdout = child.stdout.take().expect("stdout is piped");
        let mut line = [0; 256];
        let mut said = String::new();
        eventually("the server listens", || {
            let length = std::io::Read::read(&mut stdout, &mut line).expect("it can be read");
            said += &String::from_utf8_lossy(&line[..length]);
            said.contains("ACCEPT").then_some(())
        });
        Some(Self { child, folder })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("a path in text").to_owned()
}

/// Asks the server for a page, with its keys logged there.
fn ask(from: &Namespace, server: &str, version: &str, page: &str, keys: &str) {
    let output = from.inside(|| {
        let mut child = Command::new("openssl")
            .args([
                "s_client",
                "-quiet",
                version,
                "-keylogfile",
                keys,
                "-connect",
                &format!("{server}:{PORT}"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let request = format!("GET /{page} HTTP/1.0\r\n\r\n");
        child.stdin.take().expect("stdin is piped").write_all(request.as_bytes()).expect("it reads");
        child.wait_with_output().expect("it ends")
    });
    assert!(String::from_utf8_lossy(&output.stdout).contains("HTTP/1.0 200"), "the page comes");
}

/// The pages that tshark sees asked for, without any set-up of its own.
fn pages(file: &Path) -> Vec<String> {
    let home = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new("tshark")
        .args(["-n", "-Y", "http.request", "-T", "fields", "-e", "http.request.uri", "-r"])
        .arg(file)
        .env("HOME", home.path())
        .env_remove("SSLKEYLOGFILE")
        .output()
        .expect("it starts");
    checked("tshark", &output).lines().map(str::to_owned).collect()
}

fn secrets(file: &Path) -> usize {
    let text = capinfos(file);
    let line = text.lines().find_map(|line| line.strip_prefix("Number of decryption secrets in file: "));
    line.map_or(0, |number| number.trim().parse().expect("a number"))
}

fn whole(ended: Ended) -> Ended {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended
}

#[test]
fn both_versions_of_tls_are_decrypted_from_the_one_file() {
    let Some(cable) = Cable::lay() else { return };
    let Some(server) = Server::start(&cable.right()) else { return };
    let keys = path(server.folder.path(), "keys");
    let capture = Capture::of(&[&cable.left_selector()], &["--keylog", &keys]);
    let asked = ["-tls1_2", "-tls1_3"].map(|version| {
        let page = format!("page{version}");
        ask(&cable.left(), &Cable::RIGHT.to_string(), version, &page, &keys);
        format!("/{page}")
    });
    let ended = whole(capture.stop());
    assert_eq!(pages(&ended.file()), asked);
    assert!(ended.stderr.contains("6 TLS keys from "), "{}", ended.stderr);
    let mode = fs::metadata(ended.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "a file with keys is for its owner alone");
}

#[test]
fn keys_stand_before_the_packets_that_need_them() {
    let Some(cable) = Cable::lay() else { return };
    let Some(server) = Server::start(&cable.right()) else { return };
    let keys = path(server.folder.path(), "keys");
    // Each packet is written at once, and still not before its keys.
    let capture = Capture::of(&[&cable.left_selector()], &["--keylog", &keys, "-U"]);
    for number in 0..10 {
        ask(&cable.left(), &Cable::RIGHT.to_string(), "-tls1_3", &format!("page{number}"), &keys);
    }
    let ended = whole(capture.stop());
    // The first packet that takes a key is the one with the server's first answer, which the client needs for its key.
    let by_stream = |filter: &str, field: &str| -> Vec<(String, String)> {
        let rows = rows(&ended.file(), filter, &["tcp.stream", field]);
        rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    };
    let hellos = by_stream("tls.handshake.type == 1", "tls.handshake.random");
    let answers = by_stream("tls.handshake.type == 2", "frame.number");
    let logged = keys_in(&ended.file());
    assert_eq!((hellos.len(), answers.len()), (10, 10));
    for (stream, random) in hellos {
        let (_, answer) = answers.iter().find(|(other, _)| *other == stream).unwrap();
        let label = format!("SERVER_HANDSHAKE_TRAFFIC_SECRET {random} ");
        let (before, _) = logged.iter().find(|(_, line)| line.starts_with(&label)).unwrap();
        let answer: usize = answer.parse().unwrap();
        assert!(*before < answer, "the key stands behind packet {before}, and {answer} takes it");
    }
}

#[test]
fn a_log_that_is_rotated_is_followed_and_what_was_there_before_is_not_taken() {
    let Some(cable) = Cable::lay() else { return };
    let Some(server) = Server::start(&cable.right()) else { return };
    let keys = path(server.folder.path(), "keys");
    ask(&cable.left(), &Cable::RIGHT.to_string(), "-tls1_2", "before", &keys);
    let old = fs::read_to_string(&keys).unwrap();
    let old = old.lines().find(|line| line.starts_with("CLIENT_RANDOM")).unwrap();
    let capture = Capture::of(&[&cable.left_selector()], &["--keylog", &keys]);
    ask(&cable.left(), &Cable::RIGHT.to_string(), "-tls1_2", "first", &keys);
    eventually("the first key is in the file", || {
        has_written(&capture.file(), b"CLIENT_RANDOM").then_some(())
    });
    fs::rename(&keys, path(server.folder.path(), "keys.1")).unwrap();
    ask(&cable.left(), &Cable::RIGHT.to_string(), "-tls1_2", "second", &keys);
    let ended = whole(capture.stop());
    assert_eq!(pages(&ended.file()), ["/first", "/second"]);
    assert!(
        !has_written(&ended.file(), old.as_bytes()),
        "the key of an earlier connection stays where it is"
    );
}

#[test]
fn each_file_of_a_rotation_has_the_keys() {
    let Some(cable) = Cable::lay() else { return };
    let Some(server) = Server::start(&cable.right()) else { return };
    let keys = path(server.folder.path(), "keys");
    let capture = Capture::of(&[&cable.left_selector()], &["--keylog", &keys, "-C", "20k"]);
    let asked: Vec<String> = (0..12).map(|number| format!("/page{number}")).collect();
    for page in &asked {
        ask(&cable.left(), &Cable::RIGHT.to_string(), "-tls1_3", &page[1..], &keys);
    }
    let ended = whole(capture.stop());
    let mut files: Vec<PathBuf> =
        fs::read_dir(ended.folder()).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort_by_key(|file| (file.as_os_str().len(), file.clone()));
    assert!(files.len() >= 3, "{files:?}");
    for file in &files {
        assert!(secrets(file) > 0, "{} has keys", file.display());
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // Each alone shows the connections that are whole in it. They come one after the other: a new file cuts one at most.
    let alone: usize = files.iter().map(|file| pages(file).len()).sum();
    let cut = files.len() - 1;
    assert!(alone + cut >= asked.len(), "{alone} of {} in {} files", asked.len(), files.len());
}

#[test]
fn a_log_inside_a_container_is_read_there_and_leads_nowhere_else() {
    let Some(engine) = Engine::shared() else { return };
    let (_network, [client, web]) = engine.couple(["client", "web"]);
    let Some(_server) = Server::start(&web.namespace()) else { return };
    client.docker(&["exec"], &["mkdir", "/keys"]);
    let inside = format!("/proc/{}/root/keys", client.pid());
    let place = format!("{}:/keys/log", client.name());
    let capture = Capture::of(&[client.name()], &["--keylog", &place]);
    let server = web.address().to_string();
    ask(&client.namespace(), &server, "-tls1_3", "inside", &format!("{inside}/log"));
    let ended = whole(capture.stop());
    assert_eq!(pages(&ended.file()), ["/inside"]);

    // A link there means what it means in the container, and not the host's file of that name.
    let host = std::env::temp_dir().join(unique());
    File::create(&host).unwrap();
    fs::remove_file(format!("{inside}/log")).unwrap();
    symlink(&host, format!("{inside}/log")).unwrap();
    let capture = Capture::of(&[client.name()], &["--keylog", &place]);
    ask(&client.namespace(), &server, "-tls1_3", "outside", host.to_str().unwrap());
    let ended = whole(capture.stop());
    let logged = fs::read_to_string(&host).unwrap();
    fs::remove_file(&host).unwrap();
    assert!(logged.contains("CLIENT_RANDOM") || logged.contains("TRAFFIC_SECRET"), "{logged}");
    assert_eq!(secrets(&ended.file()), 0);
    assert!(ended.stderr.contains("no key came up in "), "{}", ended.stderr);
}

#[test]
fn a_container_that_is_not_there_is_an_error() {
    let Some(cable) = Cable::lay() else { return };
    let output = crate::lab::pcapsule(&[
        "capture",
        &cable.left_selector(),
        "-w",
        "/dev/full",
        "--force",
        "--keylog",
        "nosuchcontainer:/keys",
    ]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
}
