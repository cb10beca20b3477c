//! What sandboxes share: bridges and settings of the host, and what they were before. The last sandbox that uses a
//! thing undoes it; who uses it is told by the records.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
};

use serde::{Deserialize, Serialize};

use crate::model::{InterfaceAddress, LinkName};

use super::record::{Error, Exclusive, RunId, State, replace};

/// What has been changed that is not one sandbox's alone.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shared {
    bridges: BTreeMap<String, Bridge>,
    settings: BTreeMap<String, Setting>,
}

/// What was done to a bridge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bridge {
    /// It was made by pcapsule, and goes with the last sandbox.
    pub(super) made: bool,
    /// Addresses given to one that is somebody else's.
    pub(super) addresses: BTreeSet<InterfaceAddress>,
}

/// A setting of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Setting {
    /// Before.
    pub(super) was: String,
    /// What it was set to.
    pub(super) ours: String,
}

impl Shared {
    /// Reads what is written down; nothing is no error.
    pub(super) fn read(state: &State, _exclusive: &Exclusive) -> Result<Self, Error> {
        let path = state.shared();
        match fs::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|error| Error::Read { path, source: error.into() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Writes it down; nothing left leaves no file.
    pub(super) fn write(&self, state: &State, _exclusive: &Exclusive) -> Result<(), Error> {
        let path = state.shared();
        if *self != Self::default() {
            return replace(&path, &serde_json::to_vec(self).expect("it is plain values"));
        }
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Remove { path, source }),
            _ => Ok(()),
        }
    }

    /// What was done to a bridge, to be added to.
    pub(super) fn bridge(&mut self, name: &LinkName) -> &mut Bridge {
        self.bridges.entry(name.to_string()).or_default()
    }

    /// What was done to a bridge, taken out.
    pub(super) fn take_bridge(&mut self, name: &LinkName) -> Option<Bridge> {
        self.bridges.remove(name.as_str())
    }

    /// A setting is about to be changed; what it was at first counts.
    pub(super) fn changes(&mut self, name: &str, was: &str, ours: &str) {
        let setting = Setting { was: was.to_owned(), ours: ours.to_owned() };
        self.settings.entry(name.to_owned()).or_insert(setting);
    }

    /// What a setting was, taken out.
    pub(super) fn take_setting(&mut self, name: &str) -> Option<Setting> {
        self.settings.remove(name)
    }
}

/// Whether another live sandbox uses the bridge.
pub(super) fn bridge_is_used(state: &State, own: &RunId, bridge: &LinkName) -> bool {
    state.any_other(own, |record| record.bridge.as_ref() == Some(bridge))
}

/// Whether another live sandbox needs the setting.
pub(super) fn setting_is_used(state: &State, own: &RunId, setting: &str) -> bool {
    state.any_other(own, |record| record.needs(setting))
}
