//! The order of play: every contender once a round, in an order shuffled anew each round, so that no one always comes
//! after the same other.

use anyhow::Result;

/// A small generator of pseudo-random numbers (SplitMix64), so that an order can be had again by its seed.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The numbers below `count` in a random order (Fisher and Yates).
    pub(crate) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<_> = (0..count).collect();
        for last in (1..count).rev() {
            let bound = last as u64 + 1;
            let other = usize::try_from(self.roll() % bound).expect("below a count of things");
            order.swap(last, other);
        }
        order
    }
}

/// How often everybody plays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    /// To warm up, at the beginning.
    pub(crate) unheard: usize,
    pub(crate) counted: usize,
}

/// Plays, and returns the results of each contender in order of rounds.
pub(crate) fn play<C, S>(
    contenders: &[C],
    rounds: Rounds,
    dice: &mut Dice,
    mut measure: impl FnMut(&C) -> Result<S>,
) -> Result<Vec<Vec<S>>> {
    let mut results: Vec<_> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..rounds.unheard + rounds.counted {
        for index in dice.order(contenders.len()) {
            let result = measure(&contenders[index])?;
            if round >= rounds.unheard {
                results[index].push(result);
            }
        }
    }
    Ok(results)
}
