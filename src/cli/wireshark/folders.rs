//! The folders in which a Wireshark looks for what is installed: asked for, since they differ between versions. Pure.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::scope::Scope;

/// A version of Wireshark: 4.0.17.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Version(pub(super) [u32; 3]);

impl Version {
    /// From the first line of `tshark --version`: `TShark (Wireshark) 4.0.17 (Git …).`
    pub(super) fn parse(text: &str) -> Option<Self> {
        let word = text
            .split_whitespace()
            .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'))?;
        let mut numbers = word.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse().unwrap_or(0)
        });
        Some(Self(std::array::from_fn(|_| numbers.next().unwrap_or(0))))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self([major, minor, patch]) = self;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// Where one Wireshark looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folders {
    personal: Place,
    global: Place,
}

/// A set of folders of one user or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Programs that offer interfaces.
    pub(super) extcap: PathBuf,
    /// Preferences, and profiles below them.
    pub(super) configuration: PathBuf,
    /// Lua scripts that are loaded at the start; none if this Wireshark knows no Lua.
    pub(super) lua: Option<PathBuf>,
}

impl Place {
    /// The folder of our profile.
    pub(super) fn profile(&self) -> PathBuf {
        self.configuration.join("profiles/pcapsule")
    }
}

impl Folders {
    /// From the answer of `tshark -G folders`; none where it names too little.
    ///
    /// Before 4.2 the answer has one `Extcap path:`, the global one, and the personal one is below the configuration.
    pub(super) fn parse(text: &str, version: Version) -> Option<Self> {
        let named = |name: &str| {
            let lines = text.lines().filter_map(|line| line.split_once(':'));
            let mut values =
                lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
            values.find(|value| !value.is_empty()).map(PathBuf::from)
        };
        let configuration = named("Personal configuration")?;
        let lua = named("Personal Lua Plugins").or_else(|| named("Personal Plugins"));
        let personal_extcap = named("Personal Extcap path").unwrap_or_else(|| {
            let beside_plugins = lua.as_deref().and_then(home_of_plugins).map(|folder| folder.join("extcap"));
            let is_old = version < Version([4, 2, 0]);
            beside_plugins.filter(|_| !is_old).unwrap_or_else(|| configuration.join("extcap"))
        });
        Some(Self {
            personal: Place { extcap: personal_extcap, configuration, lua },
            global: Place {
                extcap: named("Global Extcap path").or_else(|| named("Extcap path"))?,
                configuration: named("Global configuration")?,
                lua: named("Global Lua Plugins").or_else(|| named("Global Plugins")),
            },
        })
    }

    /// Those of one scope.
    pub(super) fn of(&self, scope: Scope) -> &Place {
        match scope {
            Scope::User => &self.personal,
            Scope::System => &self.global,
        }
    }

    /// Folders for extcap programs in which other versions look, and this one does not.
    pub(super) fn elsewhere(&self, scope: Scope) -> Vec<PathBuf> {
        let place = self.of(scope);
        let mut others = match scope {
            Scope::User => {
                let below_plugins = place.lua.as_deref().and_then(home_of_plugins);
                let newer = below_plugins.map(|folder| folder.join("extcap"));
                vec![Some(place.configuration.join("extcap")), newer]
            }
            Scope::System => {
                let libraries =
                    ["/usr/lib", "/usr/lib64", "/usr/libexec", "/usr/local/lib", "/usr/local/libexec"];
                let plain = libraries.map(|folder| Some(Path::new(folder).join("wireshark/extcap")));
                let triplet = format!("/usr/lib/{}-linux-gnu/wireshark/extcap", std::env::consts::ARCH);
                plain.into_iter().chain([Some(triplet.into())]).collect()
            }
        };
        // Wireshark 4.4.0 alone looked one folder deeper.
        others.push(Some(place.extcap.join("wireshark")));
        let mut others: Vec<PathBuf> =
            others.into_iter().flatten().filter(|other| *other != place.extcap).collect();
        others.dedup();
        others
    }
}

/// `~/.local/lib/wireshark` of `~/.local/lib/wireshark/plugins/4.0`.
fn home_of_plugins(plugins: &Path) -> Option<&Path> {
    plugins.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "wireshark"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "Temp:                \t/tmp\n\
        Personal configuration:\t/home/a/.config/wireshark\nGlobal configuration:\t/usr/share/wireshark\n\
        Personal Plugins:    \t/home/a/.local/lib/wireshark/plugins/4.0\n\
        Personal Lua Plugins:\t/home/a/.local/lib/wireshark/plugins\n\
        Global Lua Plugins:  \t/usr/lib/x86_64-linux-gnu/wireshark/plugins\n\
        Extcap path:         \t/usr/lib/x86_64-linux-gnu/wireshark/extcap\n";

    const NEW: &str = "Personal configuration:\t/home/a/.config/wireshark\nGlobal configuration:\t/usr/share/wireshark\n\
        Personal Lua Plugins:\t/home/a/.local/lib/wireshark/plugins\n\
        Personal Extcap path:\t/home/a/.local/lib/wireshark/extcap\n\
        Global Extcap path:  \t/usr/libexec/wireshark/extcap\n";

    #[test]
    fn versions_are_read_from_the_first_line() {
        for (line, version) in [
            ("TShark (Wireshark) 4.0.17 (Git v4.0.17 packaged as 4.0.17-0+deb12u3).", Some([4, 0, 17])),
            ("TShark (Wireshark) 4.6.0rc1.", Some([4, 6, 0])),
            ("TShark 3.6.2", Some([3, 6, 2])),
            ("something else", None),
        ] {
            assert_eq!(Version::parse(line), version.map(Version), "{line}");
        }
    }

    #[test]
    fn the_folders_are_those_of_the_version() {
        for (text, version, personal, global) in [
            (
                OLD,
                [4, 0, 17],
                "/home/a/.config/wireshark/extcap",
                "/usr/lib/x86_64-linux-gnu/wireshark/extcap",
            ),
            (
                OLD,
                [4, 2, 0],
                "/home/a/.local/lib/wireshark/extcap",
                "/usr/lib/x86_64-linux-gnu/wireshark/extcap",
            ),
            (NEW, [4, 6, 9], "/home/a/.local/lib/wireshark/extcap", "/usr/libexec/wireshark/extcap"),
        ] {
            let folders = Folders::parse(text, Version(version)).unwrap();
            assert_eq!(folders.of(Scope::User).extcap, Path::new(personal), "{version:?}");
            assert_eq!(folders.of(Scope::System).extcap, Path::new(global), "{version:?}");
        }
        assert_eq!(Folders::parse("Temp:\t/tmp\n", Version([4, 0, 0])), None);
    }

    #[test]
    fn where_other_versions_look_is_known() {
        let folders = Folders::parse(OLD, Version([4, 0, 17])).unwrap();
        let others = folders.elsewhere(Scope::User);
        let expected = ["/home/a/.local/lib/wireshark/extcap", "/home/a/.config/wireshark/extcap/wireshark"];
        assert_eq!(others, expected.map(PathBuf::from));
        assert!(folders.elsewhere(Scope::System).contains(&"/usr/libexec/wireshark/extcap".into()));
        assert!(!folders.elsewhere(Scope::System).contains(&folders.of(Scope::System).extcap));
    }
}
