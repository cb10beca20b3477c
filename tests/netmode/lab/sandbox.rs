//! The program under test: sandboxes that stay (`pcapsule net up`) and commands in a sandbox (`pcapsule run`).

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::Deref,
    path::PathBuf,
    process::{Child, ChildStdout, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

use super::{Host, Server, Transport, ask, checked, eventually};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// Says that it is there, by its number inside, and stays until its standard input ends.
const WAITS: [&str; 4] = ["--", "sh", "-c", "echo ready $$; exec cat"];

/// A process in a sandbox, and what can be seen and done there.
pub(crate) struct Member<'h> {
    host: &'h Host,
    name: String,
    pid: u32,
}

impl Member<'_> {
    /// The sandbox's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The process, by its number on the host.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// The network namespace.
    pub(crate) fn net(&self) -> PathBuf {
        self.host.place().path(format!("/proc/{}/ns/net", self.pid))
    }

    /// Runs a shell script inside.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        let net = format!("--net=/proc/{}/ns/net", self.pid);
        self.host.place().run("nsenter", &[&net, "sh", "-ec", script])
    }

    /// What `ip -json` says inside.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.sh(&format!("ip -json -details {arguments}"))).expect("ip prints JSON")
    }

    /// Its `eth0`, as `ip -json -details addr` shows it.
    #[track_caller]
    pub(crate) fn eth0(&self) -> Value {
        self.ip("addr show dev eth0")[0].clone()
    }

    /// The IPv4 address of `eth0`.
    #[track_caller]
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.global("inet").and_then(|text| text.parse().ok()).expect("it has an IPv4 address")
    }

    /// The global IPv6 address of `eth0`.
    #[track_caller]
    pub(crate) fn address6(&self) -> Ipv6Addr {
        self.global("inet6").and_then(|text| text.parse().ok()).expect("it has an IPv6 address")
    }

    /// Its network, as `ip addr` writes an address in it: `10.7.0.2/24`.
    #[track_caller]
    pub(crate) fn network(&self) -> String {
        let eth0 = self.eth0();
        let entry =
            eth0["addr_info"].as_array().and_then(|all| all.iter().find(|entry| entry["family"] == "inet"));
        let entry = entry.expect("it has an IPv4 address");
        format!("{}/{}", entry["local"].as_str().expect("text"), entry["prefixlen"])
    }

    fn global(&self, family: &str) -> Option<String> {
        let eth0 = self.eth0();
        let entries = eth0["addr_info"].as_array()?;
        let entry = entries.iter().find(|entry| entry["family"] == family && entry["scope"] == "global")?;
        entry["local"].as_str().map(str::to_owned)
    }

    /// Where its default route leads.
    #[track_caller]
    pub(crate) fn gateway(&self) -> Option<IpAddr> {
        self.ip("route show default")[0]["gateway"].as_str()?.parse().ok()
    }

    /// A server inside that answers with this sandbox's name, at every address of both families.
    #[track_caller]
    pub(crate) fn serve(&self, transport: Transport, port: u16) -> Server {
        let has_ipv6 = self.sh("cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6") == "0";
        let any: IpAddr = if has_ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        self.serve_at(transport, (any, port).into())
    }

    /// Whether the LAN, asking at the host's port 8080, is answered by this one, which serves at its port 80.
    #[track_caller]
    pub(crate) fn assert_published(&self) {
        let _server = self.serve(Transport::Tcp, 80);
        let answer = ask(&self.host.neighbour().net(), Transport::Tcp, (Host::LAN, 8080));
        assert_eq!(answer.expect("somebody answers").by, self.name(), "who answers at port 8080");
    }

    /// A server inside at one address.
    #[track_caller]
    pub(crate) fn serve_at(&self, transport: Transport, at: SocketAddr) -> Server {
        Server::start(&self.net(), transport, at, &self.name)
    }
}

/// A sandbox that outlives the command that made it; taken down on drop.
pub(crate) struct Sandbox<'h> {
    member: Member<'h>,
    is_up: bool,
}

impl<'h> Sandbox<'h> {
    /// `pcapsule net up` with a name of its own.
    #[track_caller]
    pub(crate) fn up(host: &'h Host, options: &[&str]) -> Self {
        Self::named(host, &unique(), options)
    }

    /// The same with that name.
    #[track_caller]
    pub(crate) fn named(host: &'h Host, name: &str, options: &[&str]) -> Self {
        let line = [&["net", "up", "--name", name], options].concat();
        let output = host.pcapsule(&line);
        checked(&format!("pcapsule {}", line.join(" ")), &output);
        let pid =
            host.listed(name).and_then(|row| row["process"].as_u64()).expect("it is listed with its process");
        let pid = u32::try_from(pid).expect("a pid fits");
        Self { member: Member { host, name: name.to_owned(), pid }, is_up: true }
    }

    /// `pcapsule net down`, which must succeed.
    #[track_caller]
    pub(crate) fn down(mut self) {
        self.is_up = false;
        checked("pcapsule net down", &self.host.pcapsule(&["net", "down", &self.name]));
    }

    /// Leaves it to the test to end it.
    pub(crate) fn forget(mut self) -> String {
        self.is_up = false;
        self.name.clone()
    }
}

impl<'h> Deref for Sandbox<'h> {
    type Target = Member<'h>;

    fn deref(&self) -> &Member<'h> {
        &self.member
    }
}

impl Drop for Sandbox<'_> {
    fn drop(&mut self) {
        if self.is_up && !thread::panicking() {
            self.host.pcapsule(&["net", "down", &self.name]);
        }
    }
}

/// A command in a sandbox (`pcapsule run`), ended on drop.
pub(crate) struct Running<'h> {
    member: Member<'h>,
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: Option<JoinHandle<String>>,
}

impl<'h> Running<'h> {
    /// Runs a command that waits; back once it does.
    #[track_caller]
    pub(crate) fn start(host: &'h Host, options: &[&str]) -> Self {
        Self::with(host, options, &WAITS)
    }

    /// Runs a command that says `ready` and its number, and does what it likes.
    #[track_caller]
    pub(crate) fn with(host: &'h Host, options: &[&str], line: &[&str]) -> Self {
        let name = unique();
        let arguments = [&["run", "--name", &name], options, line].concat();
        let mut command = host.command(&arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = host.place().spawn(&mut command);
        let mut stderr = child.stderr.take().expect("stderr is piped");
        let listener = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it speaks text");
        let Some(pid) = line.strip_prefix("ready ").and_then(|pid| pid.trim().parse().ok()) else {
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "`pcapsule {}` does not get ready: {}",
                arguments.join(" "),
                listener.join().expect("text")
            );
        };
        Self { member: Member { host, name, pid }, child, stdout, stderr: Some(listener) }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid fits"));
        let _ = kill(pid, signal);
    }

    /// An empty line into the command's standard input.
    pub(crate) fn type_line(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("it was not ended");
        stdin.write_all(b"\n").expect("it reads");
    }

    /// Reads its output until it has said a word so often.
    #[track_caller]
    pub(crate) fn until_said(&mut self, word: &str, times: usize) {
        let mut text = String::new();
        let mut buffer = [0; 1024];
        while text.matches(word).count() < times {
            let length = self.stdout.read(&mut buffer).expect("it speaks text");
            assert!(length > 0, "it ended having said: {text}");
            text += &String::from_utf8_lossy(&buffer[..length]);
        }
    }

    /// Ends the command's standard input, upon which it ends by itself.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (ExitStatus, String) {
        drop(self.child.stdin.take());
        self.wait()
    }

    /// Waits for its end; and what it said.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> (ExitStatus, String) {
        let status = eventually("the run ends", || self.child.try_wait().expect("it is our child"));
        let mut text = String::new();
        let _ = self.stdout.read_to_string(&mut text);
        let errors = self.stderr.take().map(|listener| listener.join().expect("text")).unwrap_or_default();
        (status, text + &errors)
    }
}

impl<'h> Deref for Running<'h> {
    type Target = Member<'h>;

    fn deref(&self) -> &Member<'h> {
        &self.member
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.stdin.take());
            let ended =
                super::within(std::time::Duration::from_secs(5), || self.child.try_wait().ok().flatten());
            if ended.is_none() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}

impl Host {
    /// What `net ls --json` says of a sandbox.
    #[track_caller]
    pub(crate) fn listed(&self, name: &str) -> Option<Value> {
        self.listing().into_iter().find(|row| row["name"] == name)
    }

    /// All rows of `net ls --json`.
    #[track_caller]
    pub(crate) fn listing(&self) -> Vec<Value> {
        let text = checked("pcapsule net ls", &self.pcapsule(&["net", "ls", "--json"]));
        let document: Value = serde_json::from_str(&text).expect("one document");
        document["sandboxes"].as_array().expect("a list of sandboxes").clone()
    }
}

/// A name that no other sandbox of this test program has.
pub(crate) fn unique() -> String {
    format!("box{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a program said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
