//! Containers come and go: what is heard against what should be heard. Pure.

use std::collections::BTreeMap;

use super::{TapKey, TapSpec};

/// What to do so that what is heard becomes what should be heard.
#[derive(Debug, Default)]
pub struct Changes {
    /// Taps to open.
    pub opened: Vec<TapSpec>,
    /// Taps whose interface is no longer of the selection, or gone.
    pub ended: Vec<TapKey>,
}

impl Changes {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.opened.is_empty() && self.ended.is_empty()
    }
}

/// Compares the taps there are (by key, with their names) with the taps there should be.
pub fn changes(heard: &BTreeMap<TapKey, String>, wanted: Vec<TapSpec>) -> Changes {
    let keys: Vec<TapKey> = wanted.iter().map(TapSpec::key).collect();
    let ended = heard.keys().filter(|key| !keys.contains(key)).copied().collect();
    let opened = wanted.into_iter().filter(|spec| !heard.contains_key(&spec.key())).collect();
    Changes { opened, ended }
}
