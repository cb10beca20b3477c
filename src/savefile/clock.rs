//! What an interface's timestamps mean (`if_tsresol` and `if_tsoffset`).

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

/// The unit and the origin of timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) resolution: Resolution,
    /// Seconds to add.
    pub(super) offset_s: i64,
}

/// How many ticks a second has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    /// 10 to this power.
    Decimal(u8),
    /// 2 to this power.
    Binary(u8),
}

impl Resolution {
    /// From the option's byte: the highest bit says which base the other seven are the exponent of.
    pub(super) const fn from_byte(byte: u8) -> Self {
        if byte & 0x80 == 0 { Self::Decimal(byte) } else { Self::Binary(byte & 0x7f) }
    }
}

impl Clock {
    /// Nanoseconds since the epoch, rounded down; the nearest there is for times before 1970 and after 2554.
    pub(super) fn nanoseconds(self, ticks: u64) -> u64 {
        let scaled = u128::from(ticks) * NANOSECONDS_PER_SECOND;
        let elapsed = match self.resolution {
            Resolution::Binary(exponent) => scaled >> exponent,
            // The usual ones need no division of 128 bits, which is slow.
            Resolution::Decimal(exponent @ 0..=9) => {
                u128::from(ticks) * u128::from(10_u64.pow(9 - u32::from(exponent)))
            }
            Resolution::Decimal(exponent) => {
                // A power too large for the type is larger than any number of ticks.
                10_u128.checked_pow(exponent.into()).map_or(0, |ticks_per_second| scaled / ticks_per_second)
            }
        };
        let origin = u128::from(self.offset_s.unsigned_abs()) * NANOSECONDS_PER_SECOND;
        let time = if self.offset_s < 0 { elapsed.saturating_sub(origin) } else { elapsed + origin };
        u64::try_from(time).unwrap_or(u64::MAX)
    }
}

/// Microseconds since the epoch, where an interface says nothing.
impl Default for Clock {
    fn default() -> Self {
        Self { resolution: Resolution::Decimal(6), offset_s: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_resolution_becomes_nanoseconds() {
        for (byte, offset_s, ticks, expected) in [
            (6, 0, 1_700_000_000_000_001, 1_700_000_000_000_001_000),
            (9, 0, 1_700_000_000_000_000_001, 1_700_000_000_000_000_001),
            (0, 0, 1_700_000_000, 1_700_000_000_000_000_000),
            (12, 0, 1_999, 1),
            (127, 0, u64::MAX, 0),
            (0, 0, u64::MAX, u64::MAX),
            (0x80, 0, 3, 3_000_000_000),
            (0x81, 0, 3, 1_500_000_000),
            (0xff, 0, u64::MAX, 0),
            (9, 2, 5, 2_000_000_005),
            (9, -1, 1_000_000_005, 5),
            (9, -2, 5, 0),
            (9, i64::MIN, u64::MAX, 0),
            (9, i64::MAX, u64::MAX, u64::MAX),
        ] {
            let clock = Clock { resolution: Resolution::from_byte(byte), offset_s };
            assert_eq!(clock.nanoseconds(ticks), expected, "{byte:#x} {offset_s} {ticks}");
        }
    }
}
