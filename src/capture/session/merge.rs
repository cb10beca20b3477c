//! Which tap's frame is the next: taps in the order of the time of their first frames.

use std::collections::VecDeque;

/// Times (nanoseconds since the epoch) with the numbers of their taps, sorted. Where many taps are equally busy, the one
/// that was first goes near the end, so that little has to move; a heap would have to be walked down each time.
#[derive(Debug)]
pub(super) struct Merge(VecDeque<(u64, usize)>);

impl Merge {
    /// Of taps that have a frame.
    pub(super) fn new(taps: impl Iterator<Item = (u64, usize)>) -> Self {
        let mut taps: Vec<_> = taps.collect();
        taps.sort_unstable();
        Self(taps.into())
    }

    /// The earliest time, and the tap that has it; of several, the one with the lowest number.
    pub(super) fn first(&self) -> Option<(u64, usize)> {
        self.0.front().copied()
    }

    /// The earliest time that any other tap has.
    pub(super) fn second_time(&self) -> Option<u64> {
        self.0.get(1).map(|(time, _)| *time)
    }

    /// The tap that was first has a later frame now, or none.
    pub(super) fn replace_first(&mut self, time: Option<u64>) {
        let first = self.0.pop_front();
        if let (Some(time), Some((_, tap))) = (time, first) {
            // Most often the last place, which is found without a search.
            if self.0.back().is_none_or(|last| *last < (time, tap)) {
                return self.0.push_back((time, tap));
            }
            let place = self.0.partition_point(|other| *other < (time, tap));
            self.0.insert(place, (time, tap));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_in_the_order_of_time_and_then_of_taps() {
        let frames: [&[u64]; 6] = [&[5, 9], &[], &[1, 1, 2, 8], &[5], &[3, 7, 7], &[1]];
        let mut ways: Vec<_> = frames.iter().map(|times| times.iter().copied()).collect();
        let first = ways.iter_mut().enumerate().filter_map(|(tap, times)| Some((times.next()?, tap)));
        let mut merge = Merge::new(first);
        let mut order = Vec::new();
        while let Some((time, tap)) = merge.first() {
            order.push((time, tap));
            let others = merge.second_time();
            merge.replace_first(ways[tap].next());
            assert!(others.is_none_or(|other| merge.first().is_some_and(|(next, _)| next <= other)));
        }
        let mut expected: Vec<_> =
            (0..6).flat_map(|tap| frames[tap].iter().map(move |time| (*time, tap))).collect();
        expected.sort_unstable();
        assert_eq!(order, expected);
    }
}
