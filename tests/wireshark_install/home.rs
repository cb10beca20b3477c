//! A home of a test's own, and pcapsule and tshark run in it, as root or as a plain user.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// Who runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum As {
    /// Whoever runs the test.
    Me,
    /// A user without any right.
    Nobody,
}

impl As {
    /// All that can be tried: to become somebody else takes root.
    pub(crate) fn all() -> Vec<Self> {
        if nix_is_root() { vec![Self::Me, Self::Nobody] } else { vec![Self::Me] }
    }
}

/// Whether the test may do everything.
pub(crate) fn nix_is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The number of the user and of the group `nobody`.
const NOBODY: u32 = 65534;

/// The folder of a user who has just come, and a pcapsule that he may run.
pub(crate) struct Home {
    root: tempfile::TempDir,
    user: As,
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn of(user: As) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let home = Self { root, user };
        fs::create_dir(home.path("home")).unwrap();
        if user == As::Nobody {
            chown(home.path("home"), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        // Where cargo has built it, nobody else may look. Copied by somebody else: what is open for writing here would be so
        // in the children of other tests, too, and cannot be run meanwhile.
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_pcapsule")).arg(home.program()).status();
        assert!(copied.unwrap().success());
        home
    }

    /// A path below the folder of the test.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    /// The pcapsule that is installed.
    pub(crate) fn program(&self) -> PathBuf {
        self.path("pcapsule")
    }

    /// Where this machine's tshark looks for programs of that user: it is asked, as a person would.
    pub(crate) fn extcap(&self) -> PathBuf {
        let told = self.run("tshark", &["-G", "folders"]).stdout;
        let named = |key: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(key))?;
            Some(PathBuf::from(line.trim_start_matches(':').trim()))
        };
        named("Personal Extcap path")
            .unwrap_or_else(|| named("Personal configuration").unwrap().join("extcap"))
    }

    /// A folder in which a Wireshark of another version looks, and this one does not.
    fn wrong_extcap(&self) -> PathBuf {
        let folders = [".config/wireshark/extcap", ".local/lib/wireshark/extcap"];
        let right = self.extcap();
        folders.iter().map(|folder| self.path("home").join(folder)).find(|folder| *folder != right).unwrap()
    }

    /// The program linked where this Wireshark does not look.
    pub(crate) fn misplace_program(&self) {
        let wrong = self.wrong_extcap();
        fs::create_dir_all(&wrong).unwrap();
        symlink(self.program(), wrong.join("pcapsule")).unwrap();
    }

    /// `pcapsule wireshark …`
    pub(crate) fn wireshark(&self, words: &[&str]) -> Ended {
        let program = self.program();
        self.run(program.to_str().unwrap(), &[&["wireshark"], words].concat())
    }

    /// Runs a program as the user in his home.
    pub(crate) fn run(&self, program: &str, words: &[&str]) -> Ended {
        Ended::of(&self.command(program, words).output().unwrap())
    }

    /// The same, not started yet.
    pub(crate) fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = match self.user {
            As::Me => Command::new(program),
            As::Nobody => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", program]);
                command
            }
        };
        let home = self.path("home");
        command.args(words).current_dir(&home).env("HOME", &home);
        for variable in
            ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "WIRESHARK_CONFIG_DIR", "WIRESHARK_EXTCAP_DIR", "SUDO_UID"]
        {
            command.env_remove(variable);
        }
        command
    }

    /// Puts a file that can be run there.
    pub(crate) fn plant(path: &Path, text: &str) {
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        // Not through a link that may be there.
        let _ = fs::remove_file(path);
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Every file below the home.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.path("home")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    files.push(entry.path());
                }
            }
        }
        files
    }
}

impl Ended {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The verdict, the text and the fix of each check of that name, of `status --json`.
    pub(crate) fn checks(&self, name: &str) -> Vec<(String, String, String)> {
        let document: serde_json::Value = serde_json::from_str(&self.stdout).unwrap();
        let word = |check: &serde_json::Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
        let checks = document["checks"].as_array().unwrap().iter().filter(|check| check["check"] == name);
        checks.map(|check| (word(check, "verdict"), word(check, "text"), word(check, "fix"))).collect()
    }
}
