//! What is to be measured: which paths, which tests, with both ends where, how often and how long.

use std::time::Duration;

use serde::Serialize;

use super::path::Path;
use super::stats::FEWEST_ROUNDS;
use super::word::words;

words! {
    /// What is done on a path.
    Test {
        /// A TCP stream from client to server.
        Tcp = "tcp",
        /// A TCP stream from server to client.
        TcpDown = "tcp-down",
        /// TCP streams both ways at once.
        TcpBoth = "tcp-both",
        /// Requests and responses by turns on one connection: the next request follows the response.
        Latency = "latency",
        /// The same at a fixed rate; a late response makes the requests behind it late, and they count as that.
        Paced = "paced",
        /// A connection for each request.
        Connect = "connect",
        /// Datagrams as fast as they can be sent.
        Udp = "udp",
        /// The same, cut and joined by the kernel (GSO, GRO).
        UdpGso = "udp-gso",
        /// Datagrams at the highest rate at which fewer than one in a thousand is lost.
        UdpRate = "udp-rate",
    }
}

words! {
    /// Where the two ends run.
    Placement {
        /// Both on one core: no wake-up of another core hides the path.
        One = "one",
        /// Each on a core of its own.
        Two = "two",
        /// Where the kernel puts them.
        Free = "free",
    }
}

words! {
    /// How a TCP stream moves its bytes in and out of the kernel.
    Method {
        /// `send` and `recv`, as applications do.
        Copy = "copy",
        /// `send`; the receiver has the bytes thrown away (MSG_TRUNC).
        Trunc = "trunc",
        /// `sendfile` and `recv`.
        Sendfile = "sendfile",
        /// `sendfile`; the receiver splices to /dev/null.
        Splice = "splice",
        /// `vmsplice`; the receiver has the bytes thrown away.
        Vmsplice = "vmsplice",
    }
}

impl Test {
    /// Where both ends are unless somebody asks for something else: streams and datagrams are work for two cores, while
    /// round trips show the path on one alone.
    pub fn usual_placements(self) -> &'static [Placement] {
        match self {
            Self::Tcp | Self::TcpDown | Self::TcpBoth | Self::Udp | Self::UdpGso | Self::UdpRate => {
                &[Placement::Two]
            }
            Self::Latency | Self::Paced => &[Placement::One, Placement::Two],
            Self::Connect => &[Placement::One],
        }
    }

    /// How many slices a turn of it takes at most.
    fn slices(self) -> usize {
        if self == Self::UdpRate { PROBES } else { 1 }
    }

    /// Whether bytes are counted.
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::TcpDown | Self::TcpBoth)
    }

    /// Whether a smaller value is the better one.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Latency | Self::Paced)
    }
}

/// One test at one placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "the names say it all")]
pub struct Cell {
    pub test: Test,
    pub placement: Placement,
}

/// All that is to be measured.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// The paths besides `host`, to which all are compared.
    pub paths: Vec<Path>,
    /// The tests, each at its placements.
    pub cells: Vec<Cell>,
    /// How often each path is measured in each cell.
    pub rounds: usize,
    /// How long each time.
    #[serde(serialize_with = "as_ns")]
    pub slice: Duration,
    /// What is left out at the beginning of each.
    #[serde(serialize_with = "as_ns")]
    pub settle: Duration,
    /// TCP streams at once.
    pub streams: usize,
    /// Bytes that a TCP stream writes and reads at once.
    pub write_bytes: usize,
    /// Bytes of a request and of a response.
    pub message_bytes: usize,
    /// Bytes of a datagram.
    pub datagram_bytes: usize,
    /// Requests a second where they are paced.
    pub rate: u32,
    /// How a TCP stream moves its bytes.
    pub method: Method,
    /// TCP's congestion control; none: the system's.
    pub congestion: Option<String>,
    /// What the order of the paths in each round comes from.
    pub seed: u64,
}

impl Scenario {
    /// How long it takes to measure all, without setting up.
    pub fn length(&self) -> Duration {
        self.round() * u32::try_from(self.rounds + 1).unwrap_or(u32::MAX)
    }

    /// How long a round of all cells takes.
    fn round(&self) -> Duration {
        let paths = u32::try_from(self.paths.len() + CONTROLS).unwrap_or(u32::MAX);
        let slices = |cell: &Cell| u32::try_from(cell.test.slices()).unwrap_or(u32::MAX);
        self.cells.iter().map(|cell| (self.slice * slices(cell) + self.settle) * paths).sum()
    }

    /// The number of rounds that fit into a time.
    pub fn rounds_within(&self, time: Duration) -> usize {
        let one = self.round().as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number above 0")]
        let rounds = (time.as_secs_f64() / one.max(0.001)).floor().min(100_000.0) as usize;
        rounds.saturating_sub(1).max(FEWEST_ROUNDS)
    }
}

/// Probes of a search for the highest rate.
pub(super) const PROBES: usize = 12;

/// The base, and the base once more.
const CONTROLS: usize = 2;

fn as_ns<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_are_shown() {
        for test in Test::ALL {
            assert_eq!(test.to_string().parse(), Ok(*test));
        }
        let refusal = "both".parse::<Placement>().unwrap_err().to_string();
        assert_eq!(refusal, "'both' is none of one, two, free");
    }

    #[test]
    fn rounds_fill_the_time() {
        let mut scenario = Scenario {
            paths: vec![Path::Veth, Path::Bridge],
            cells: vec![Cell { test: Test::Tcp, placement: Placement::Two }],
            rounds: 0,
            slice: Duration::from_millis(100),
            settle: Duration::from_millis(25),
            streams: 1,
            write_bytes: 1 << 17,
            message_bytes: 1,
            datagram_bytes: 64,
            rate: 1000,
            method: Method::Copy,
            congestion: None,
            seed: 1,
        };
        scenario.rounds = scenario.rounds_within(Duration::from_secs(10));
        assert_eq!(scenario.rounds, 19);
        assert!(scenario.length() <= Duration::from_secs(10));
        scenario.cells.push(Cell { test: Test::UdpRate, placement: Placement::Two });
        assert_eq!(scenario.length(), Duration::from_secs(10) + Duration::from_millis(1225) * 4 * 20);
        assert_eq!(scenario.rounds_within(Duration::from_millis(1)), FEWEST_ROUNDS);
    }
}
