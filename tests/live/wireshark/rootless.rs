//! A plain user and a rootless container of their own: captured without any privilege.

use std::{
    fs,
    process::{Child, Command},
};

use super::{stage::Home, streams::Tshark};
use crate::lab::{Host, Requirement, eventually, has_written, rows, run};

/// A namespace with its owner's rights in it, as rootless engines make them; gone when dropped.
struct Rootless(Child);

impl Rootless {
    fn of_nobody() -> Self {
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
        let life = ["unshare", "--user", "--map-root-user", "--net", "sh", "-c"];
        let script = "ip link set lo up && exec sleep 600";
        let child =
            Command::new("setpriv").args(user).args(life).arg(script).spawn().expect("setpriv starts");
        let rootless = Self(child);
        eventually("it has its loopback", || {
            let command = fs::read_to_string(format!("/proc/{}/comm", rootless.pid())).ok()?;
            (command.trim() == "sleep").then_some(())
        });
        rootless
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Rootless {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_plain_user_captures_a_rootless_container_of_their_own() {
    if !Requirement::all(&[Requirement::UserNamespaces, Requirement::Tshark]) {
        return;
    }
    let _host = Host::shared();
    let container = Rootless::of_nobody();
    let home = Home::of_nobody();
    let select = format!("extcap.pcapsule_pick.select:pid={}", container.pid());
    let words = ["-i", "pcapsule-pick", "-o", &select, "-o", "extcap.pcapsule_pick.at:lo"];
    let capture = Tshark::start(&home, &words, "/lo");
    let net = format!("--net=/proc/{}/ns/net", container.pid());
    run("nsenter", &[&net, "bash", "-c", "echo rootless > /dev/udp/127.0.0.1/7000"]);
    eventually("the packet is in the file", || has_written(capture.file(), b"rootless").then_some(()));
    let frames = rows(&capture.stop(), "udp.port == 7000", &["frame.interface_name"]);
    assert!(frames.iter().all(|frame| frame[0].ends_with("/lo")) && !frames.is_empty(), "{frames:?}");
}
