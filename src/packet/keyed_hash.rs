//! A quick hash for tables of conversations, which are looked up once a packet.
//!
//! It begins with a random key, so that nobody can send packets whose conversations all fall into one place.

use std::hash::{BuildHasher, Hasher, RandomState};

/// An odd number without a pattern: the golden ratio's fraction.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a table's hashes begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyedHash(u64);

/// Another key each time.
impl Default for KeyedHash {
    fn default() -> Self {
        Self(RandomState::new().hash_one(FACTOR))
    }
}

impl BuildHasher for KeyedHash {
    type Hasher = Folded;

    fn build_hasher(&self) -> Folded {
        Folded(self.0)
    }
}

/// Each word is multiplied in; the upper half of the product, in which all bits have a part, is folded onto the lower.
#[derive(Debug)]
pub(crate) struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            self.write_u64(piece.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.write_u64(number.into());
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(number.into());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, net::IpAddr};

    use super::*;

    #[test]
    fn neighbours_are_spread_over_the_table() {
        let hash = KeyedHash::default();
        let hashes = (0..=u16::MAX).map(|port| hash.hash_one((IpAddr::from([10, 0, 0, 1]), port)));
        let (low, high): (HashSet<u64>, HashSet<u64>) =
            hashes.map(|hash| (hash & 0xffff, hash >> 48)).unzip();
        // By chance 63 in 100 places are taken when as many are thrown.
        assert!(low.len() > 38_000 && high.len() > 38_000, "{} {}", low.len(), high.len());
    }

    #[test]
    fn every_table_has_its_own_key() {
        assert_ne!(KeyedHash::default().hash_one(1), KeyedHash::default().hash_one(1));
    }
}
