//! A machine of its own, as far as a test needs one: namespaces for the network, mounts, processes and cgroups, held by one
//! process. When that ends, so does everything inside: nothing is mounted or named outside.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Once,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use nix::sched::{CloneFlags, setns, unshare};

use super::{checked, eventually, hierarchy};

static NEXT: AtomicU32 = AtomicU32::new(1);
static SWEPT: Once = Once::new();

/// How long any program may take.
const PATIENCE: Duration = Duration::from_secs(40);

/// Joins the cgroup that the namespace has as its root, and enters that namespace: in this order it may everywhere.
const ENTER_CGROUP: &str =
    r#"echo $$ > "$0/cgroup.procs" && exec nsenter --cgroup=/proc/1/ns/cgroup -- "$@""#;

/// A set of namespaces with a process that holds it; gone on drop, with every process inside.
pub(crate) struct Place {
    holder: Child,
    /// The first process inside, by its number out here.
    first: u32,
    cgroup: PathBuf,
    /// Where the version 2 hierarchy is mounted, in here as out there.
    v2: PathBuf,
}

impl Place {
    /// Makes one with only `lo`, which is up.
    #[track_caller]
    pub(crate) fn make() -> Self {
        let v2 = hierarchy().expect("the requirement is met");
        SWEPT.call_once(|| sweep(&v2));
        let name = format!("pcsnet{:x}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let cgroup = v2.join(name);
        fs::create_dir(&cgroup).expect("a new cgroup");
        // Others' namespaces and file systems, copied with the mounts, would be kept alive for as long as we are. The first
        // process reaps whatever it inherits (SIGCHLD is ignored), and ends when we do: `cat` reads from us.
        let inside = format!(
            "awk '$3 ~ /^(nsfs|overlay|fuse)/ {{ print $2 }}' /proc/self/mounts | xargs --no-run-if-empty umount --lazy
             umount --lazy {v2} && mount -t cgroup2 none {v2} && mount -t tmpfs tmpfs /run && ip link set lo up \
             && echo ready && exec env --ignore-signal=CHLD cat",
            v2 = v2.display()
        );
        let unshare = "exec unshare --net --mount --pid --cgroup --fork --kill-child --mount-proc --propagation private";
        let outside = format!("echo $$ > {}/cgroup.procs && {unshare} sh -c \"$0\"", cgroup.display());
        let mut holder = Command::new("sh")
            .args(["-c", &outside, &inside])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh starts");
        let mut line = String::new();
        let mut stdout = BufReader::new(holder.stdout.take().expect("stdout is piped"));
        stdout.read_line(&mut line).expect("it speaks text");
        let first = only_child(holder.id());
        assert!(line == "ready\n" && first.is_some(), "the namespaces cannot be made");
        Self { holder, first: first.expect("just seen"), cgroup, v2 }
    }

    /// One of its files, for those out here: `/run` or `/proc` as seen inside.
    pub(crate) fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        let inside = inside.as_ref();
        Path::new("/proc")
            .join(self.first.to_string())
            .join("root")
            .join(inside.strip_prefix("/").unwrap_or(inside))
    }

    /// Its network namespace.
    pub(crate) fn net(&self) -> PathBuf {
        self.path("/proc/1/ns/net")
    }

    /// The first process inside, by its number out here.
    pub(crate) fn first(&self) -> u32 {
        self.first
    }

    /// Its root cgroup, as seen from out here.
    pub(crate) fn cgroup(&self) -> &Path {
        &self.cgroup
    }

    /// A command that is started inside, by [`Self::spawn`] or [`Self::output`].
    pub(crate) fn command<S: AsRef<OsStr>>(&self, program: &str, arguments: &[S]) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", ENTER_CGROUP]).arg(&self.v2).arg(program);
        command.args(arguments).env_remove("DOCKER_HOST").env_remove("CONTAINER_HOST");
        command
    }

    /// Starts it inside. It is a child of ours, and has its number out here.
    #[track_caller]
    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        self.visit(|| command.spawn()).expect("it starts")
    }

    /// Runs it inside to its end, which includes that nobody holds its outputs any more.
    #[track_caller]
    pub(crate) fn output(&self, command: &mut Command) -> Output {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.spawn(command);
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(child.wait_with_output()));
        let output = told.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no end of {command:?}"));
        output.expect("it is our child")
    }

    /// Runs a program inside and returns what it printed.
    ///
    /// # Panics
    /// When it does not succeed.
    #[track_caller]
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self.output(&mut self.command(program, arguments));
        checked(&format!("{program} {}", arguments.join(" ")), &output)
    }

    /// Runs a shell script inside and returns what it printed.
    ///
    /// # Panics
    /// When it does not succeed.
    #[track_caller]
    pub(crate) fn sh(&self, script: &str) -> String {
        self.run("sh", &["-ec", script])
    }

    /// Does some work on a thread inside: network, mounts, and the processes it starts.
    fn visit<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let kinds = [
            ("net", CloneFlags::CLONE_NEWNET),
            ("pid", CloneFlags::CLONE_NEWPID),
            ("mnt", CloneFlags::CLONE_NEWNS),
        ];
        let open = |name| File::open(format!("/proc/{}/ns/{name}", self.first)).expect("the place is there");
        let namespaces = kinds.map(|(name, flag)| (open(name), flag));
        thread::scope(|scope| {
            let visit = scope.spawn(|| {
                unshare(CloneFlags::CLONE_FS).expect("a thread may have a root of its own");
                for (namespace, flag) in &namespaces {
                    setns(namespace, *flag).expect("the namespace can be entered");
                }
                work()
            });
            visit.join().expect("the work inside succeeds")
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        eventually("the cgroups are empty", || remove_tree(&self.cgroup).then_some(()));
    }
}

/// Does some work on a thread in a network namespace. Sockets made there stay there.
#[track_caller]
pub(crate) fn inside<T: Send>(net: &Path, work: impl FnOnce() -> T + Send) -> T {
    let namespace = File::open(net).expect("the namespace is there");
    thread::scope(|scope| {
        let visit = scope.spawn(|| {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("the namespace can be entered");
            work()
        });
        visit.join().expect("the work inside succeeds")
    })
}

fn only_child(pid: u32) -> Option<u32> {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?.trim().parse().ok()
}

/// Removes the cgroups of earlier runs that were killed: all else went with their processes.
fn sweep(v2: &Path) {
    for entry in fs::read_dir(v2).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.strip_prefix("pcsnet")?.split('-').next());
        let pid = run.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            remove_tree(&entry.path());
        }
    }
}

/// Removes a cgroup and those below; false while one of them has processes.
fn remove_tree(path: &Path) -> bool {
    let below = fs::read_dir(path).into_iter().flatten().flatten();
    for entry in below.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_tree(&entry.path());
    }
    fs::remove_dir(path).is_ok() || !path.exists()
}
