//! The order in which things are measured: in rounds, each of which takes all of them once, in an order of its own.
//!
//! What changes slowly on a machine (a neighbour, its temperature) then meets all alike, and the ratio of two that are
//! of one round is free of it.

use super::random::Random;

/// The order of each round, as places in the list of what is measured; the same seed gives the same orders.
pub(super) fn orders(things: usize, rounds: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = Random::new(seed);
    let mut one = || {
        let mut order: Vec<usize> = (0..things).collect();
        random.shuffle(&mut order);
        order
    };
    (0..rounds).map(|_| one()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_has_all_once_and_rounds_differ() {
        let orders = orders(6, 40, 7);
        assert_eq!(orders.len(), 40);
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4, 5]);
        }
        assert!(orders.iter().any(|order| *order != orders[0]));
        assert_eq!(orders, super::orders(6, 40, 7));
        assert_ne!(orders, super::orders(6, 40, 8));
    }
}
