//! Sizes and durations as people type them.

use std::{fmt, num::NonZeroU64, str::FromStr, time::Duration};

/// A number of bytes, typed as tcpdump's `-C` takes it: a bare number is in millions of bytes; with `k`, `m` or `g`
/// it is in KiB, MiB or GiB (tcpdump(1), `-C`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bytes(u64);

/// Not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number above 0: millions of bytes, or with k, m or g: KiB, MiB, GiB")]
pub(super) struct InvalidSize;

/// Not a size, and not 0 either.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number: millions of bytes, or with k, m or g: KiB, MiB, GiB; 0 for none")]
pub(super) struct InvalidSizeOrZero;

impl Bytes {
    /// How many bytes; 0 only of an option that takes it.
    pub(super) const fn count(self) -> u64 {
        self.0
    }
}

impl FromStr for Bytes {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        size_or_zero(text).ok().filter(|bytes| bytes.0 > 0).ok_or(InvalidSize)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.count())
    }
}

/// A size where 0 means that there is none.
pub(super) fn size_or_zero(text: &str) -> Result<Bytes, InvalidSizeOrZero> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 1 << 10),
        Some((at, 'm' | 'M')) => (&text[..at], 1 << 20),
        Some((at, 'g' | 'G')) => (&text[..at], 1 << 30),
        _ => (text, 1_000_000),
    };
    let number: u64 = digits.parse().map_err(|_| InvalidSizeOrZero)?;
    number.checked_mul(unit).map(Bytes).ok_or(InvalidSizeOrZero)
}

/// A number of things of which there is at least one.
pub(super) fn at_least_one<N: TryFrom<NonZeroU64>>(text: &str) -> Result<N, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("'{text}' is not a number"));
    }
    // All digits: what cannot be parsed is too large.
    let number = text.parse().unwrap_or(u64::MAX);
    let number = NonZeroU64::new(number).ok_or("it must be at least 1")?;
    N::try_from(number).map_err(|_| format!("{number} is too large"))
}

/// Not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a duration is a number of seconds above 0, or like 90s, 5m, 1h30m")]
pub(super) struct InvalidDuration;

/// Bare seconds (`10`, `0.5`), or words as in `1h30m`.
pub(super) fn duration(text: &str) -> Result<Duration, InvalidDuration> {
    let parsed = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    parsed.filter(|duration| !duration.is_zero()).ok_or(InvalidDuration)
}

/// What tcpdump calls snaplen: bytes kept of each packet. 0 stands for the largest, as in tcpdump.
pub(super) fn snaplen(text: &str) -> Result<u32, String> {
    const LARGEST: u32 = 262_144;
    match text.parse() {
        Ok(0) => Ok(LARGEST),
        Ok(bytes) if bytes <= LARGEST => Ok(bytes),
        _ => Err(format!("a snapshot length is 0 to {LARGEST} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_tcpdumps() {
        for (text, bytes) in [("1", 1_000_000), ("5k", 5120), ("2M", 2 << 20), ("3g", 3 << 30)] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "0", "k", "-1", "1.5", "1t", "é", "99999999999999999999", "18446744073709551615g"] {
            assert_eq!(bad.parse::<Bytes>(), Err(InvalidSize), "{bad}");
        }
    }

    #[test]
    fn a_size_that_may_be_none_takes_zero() {
        for (text, bytes) in [("0", 0), ("0k", 0), ("1", 1_000_000), ("5k", 5120)] {
            assert_eq!(size_or_zero(text), Ok(Bytes(bytes)), "{text}");
        }
        for bad in ["", "k", "-1", "none"] {
            assert_eq!(size_or_zero(bad), Err(InvalidSizeOrZero), "{bad}");
        }
    }

    #[test]
    fn durations_are_seconds_or_words() {
        for (text, milliseconds) in [("10", 10_000), ("0.5", 500), ("90s", 90_000), ("1h30m", 5_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for bad in ["", "0", "0s", "-1", "nan", "inf", "soon"] {
            assert_eq!(duration(bad), Err(InvalidDuration), "{bad}");
        }
    }

    #[test]
    fn a_wrong_number_is_refused_in_plain_words() {
        assert_eq!(at_least_one::<NonZeroU64>("7"), Ok(NonZeroU64::MIN.saturating_add(6)));
        for (text, refusal) in [
            ("0", "it must be at least 1"),
            ("ten", "'ten' is not a number"),
            ("-1", "'-1' is not a number"),
            ("", "'' is not a number"),
            ("4294967296", "4294967296 is too large"),
        ] {
            assert_eq!(at_least_one::<std::num::NonZeroU32>(text), Err(refusal.to_owned()), "{text}");
        }
    }

    #[test]
    fn snaplen_zero_means_the_largest() {
        assert_eq!(snaplen("0"), Ok(262_144));
        assert_eq!(snaplen("96"), Ok(96));
        assert!(snaplen("262145").is_err());
    }
}
