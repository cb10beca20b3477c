//! Reads a JSON object's fields one by one and remembers which were not of the expected kind.
//!
//! Engines differ by version, make and proxy: a field that is absent, null or empty is simply not there; one of another
//! kind is left out and named, and never costs more than itself.

use std::str::FromStr;

use serde_json::{Map, Value};

/// One JSON object being read. Fields are named by JSON pointers (RFC 6901).
#[derive(Debug)]
pub(super) struct Fields<'a> {
    value: &'a Value,
    odd: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self { value, odd: Vec::new() }
    }

    /// The field, read by `read`, whose `None` means that it is odd.
    pub(super) fn take<T>(
        &mut self,
        pointer: &'static str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value.pointer(pointer).filter(|value| !value.is_null())?;
        let taken = read(value);
        if taken.is_none() {
            self.odd.push(pointer);
        }
        taken
    }

    /// A string that is not empty.
    pub(super) fn text(&mut self, pointer: &'static str) -> Option<&'a str> {
        self.take(pointer, Value::as_str).filter(|text| !text.is_empty())
    }

    /// A string that is not empty and means a `T`.
    pub(super) fn parsed<T: FromStr>(&mut self, pointer: &'static str) -> Option<T> {
        let text = self.text(pointer)?;
        self.take(pointer, |_| text.parse().ok())
    }

    /// A whole number that fits; 0, by which engines mean nothing here, counts as absent.
    pub(super) fn positive<T: TryFrom<u64>>(&mut self, pointer: &'static str) -> Option<T> {
        let number = self.take(pointer, Value::as_u64).filter(|&number| number != 0)?;
        self.take(pointer, |_| T::try_from(number).ok())
    }

    /// A list's items; none where it is absent.
    pub(super) fn items(&mut self, pointer: &'static str) -> &'a [Value] {
        self.take(pointer, Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// An object's entries; none where it is absent.
    pub(super) fn entries(
        &mut self,
        pointer: &'static str,
    ) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.take(pointer, Value::as_object).into_iter().flat_map(Map::iter)
    }

    /// A list's strings; items of another kind are left out.
    pub(super) fn texts(&mut self, pointer: &'static str) -> Vec<String> {
        let items = self.items(pointer);
        let texts: Vec<_> = items.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if texts.len() < items.len() {
            self.odd.push(pointer);
        }
        texts
    }

    /// An object's strings by key (labels, attributes); entries of another kind are left out.
    pub(super) fn dictionary<M: FromIterator<(String, String)>>(&mut self, pointer: &'static str) -> M {
        let mut odd = false;
        let mut entry = |(key, value): (&String, &Value)| {
            odd |= !value.is_string();
            Some((key.clone(), value.as_str()?.to_owned()))
        };
        let dictionary = self.entries(pointer).filter_map(&mut entry).collect();
        if odd {
            self.odd.push(pointer);
        }
        dictionary
    }

    /// Takes over what was odd in an object within this one.
    pub(super) fn absorb(&mut self, inner: Self) {
        self.odd.extend(inner.odd);
    }

    /// The odd fields in words, each once: `Ports, NetworkSettings.Networks`; none where all was well.
    pub(super) fn oddities(mut self) -> Option<String> {
        self.odd.sort_unstable();
        self.odd.dedup();
        let words: Vec<_> =
            self.odd.iter().map(|pointer| pointer.trim_start_matches('/').replace('/', ".")).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, net::IpAddr};

    use serde_json::json;

    use super::*;

    #[test]
    fn absent_null_and_empty_are_not_odd() {
        let value = json!({"null": null, "empty": "", "zero": 0});
        let mut fields = Fields::of(&value);
        assert_eq!(fields.text("/absent"), None);
        assert_eq!(fields.text("/null"), None);
        assert_eq!(fields.parsed::<IpAddr>("/empty"), None);
        assert_eq!(fields.positive::<u32>("/zero"), None);
        assert!(fields.items("/null").is_empty());
        assert_eq!(fields.oddities(), None);
    }

    #[test]
    fn another_kind_is_left_out_and_named_once() {
        let value = json!({"n": 5, "deep": {"ip": "x"}, "mixed": ["a", 1], "map": {"k": "v", "o": []}});
        let mut fields = Fields::of(&value);
        assert_eq!(fields.text("/n"), None);
        assert_eq!(fields.text("/n"), None);
        assert_eq!(fields.parsed::<IpAddr>("/deep/ip"), None);
        assert_eq!(fields.texts("/mixed"), ["a"]);
        assert_eq!(fields.dictionary::<BTreeMap<_, _>>("/map")["k"], "v");
        assert_eq!(fields.oddities().as_deref(), Some("deep.ip, map, mixed, n"));
    }

    #[test]
    fn numbers_that_do_not_fit_are_odd() {
        let value = json!({"port": 70000, "negative": -1});
        let mut fields = Fields::of(&value);
        assert_eq!(fields.positive::<u16>("/port"), None);
        assert_eq!(fields.positive::<u16>("/negative"), None);
        assert_eq!(fields.oddities().as_deref(), Some("negative, port"));
    }
}
