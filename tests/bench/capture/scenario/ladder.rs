//! A ladder of rates and the search for the highest rung within reach. Pure.

/// What the generator may lag behind.
const KEEPS_PACE: f64 = 0.97;

/// Packets a second, each rung a fixed factor above the one below.
#[derive(Debug, Clone)]
pub(super) struct Ladder(Vec<f64>);

/// One who climbs it, by halving. A rung is within reach if one of two tries succeeds.
#[derive(Debug, Clone)]
pub(super) struct Climber {
    /// How many rungs are known to be within reach.
    reached: usize,
    /// The lowest rung known to be out of reach, or where the ladder ends.
    out_of_reach: usize,
    has_failed_once: bool,
    generators_end: Option<f64>,
}

/// How far one came.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Reach {
    /// Nothing was lost at this rate, but at the next.
    Lossless(f64),
    /// Nothing was lost while the generator gave all it had.
    GeneratorsEnd(f64),
}

/// Whether the generator sent what was asked for.
pub(super) fn kept_pace(asked: f64, sent: f64) -> bool {
    sent >= asked * KEEPS_PACE
}

impl Ladder {
    pub(super) fn new(lowest: f64, highest: f64, step: f64) -> Self {
        let rungs = std::iter::successors(Some(lowest), |rate| Some(rate * step));
        Self(rungs.take_while(|rate| *rate <= highest).collect())
    }

    pub(super) fn rate(&self, rung: usize) -> f64 {
        self.0[rung]
    }

    pub(super) fn climber(&self) -> Climber {
        Climber { reached: 0, out_of_reach: self.0.len(), has_failed_once: false, generators_end: None }
    }

    /// How far a climber came; 0 if the lowest rung was too high.
    pub(super) fn reach(&self, climber: &Climber) -> Reach {
        let rung = climber.reached.checked_sub(1).map_or(0.0, |rung| self.0[rung]);
        climber.generators_end.map_or(Reach::Lossless(rung), Reach::GeneratorsEnd)
    }
}

impl Climber {
    /// The rung to try next.
    pub(super) fn next(&self) -> Option<usize> {
        (self.generators_end.is_none() && self.reached < self.out_of_reach)
            .then(|| usize::midpoint(self.reached, self.out_of_reach))
    }

    /// A try that lost something.
    pub(super) fn fail(&mut self, rung: usize) {
        if self.has_failed_once {
            self.out_of_reach = rung;
        }
        self.has_failed_once = !self.has_failed_once;
    }

    /// A try that lost nothing, at this rate where `asked` was to be sent.
    pub(super) fn succeed(&mut self, rung: usize, asked: f64, sent: f64) {
        self.has_failed_once = false;
        self.reached = rung + 1;
        if !kept_pace(asked, sent) {
            self.generators_end = Some(sent);
        }
    }
}

impl Reach {
    pub(super) fn per_second(self) -> f64 {
        let (Self::Lossless(rate) | Self::GeneratorsEnd(rate)) = self;
        rate
    }

    pub(super) fn is_generators_end(self) -> bool {
        matches!(self, Self::GeneratorsEnd(_))
    }

    /// The ratio of two. Those that both came to the generator's end are equals.
    pub(super) fn over(self, other: Self) -> f64 {
        if self.is_generators_end() && other.is_generators_end() {
            return 1.0;
        }
        self.per_second() / other.per_second()
    }
}
