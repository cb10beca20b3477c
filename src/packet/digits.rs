//! Numbers and addresses into a line, in the words of `core::fmt` and without its detours: half the time of a line.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

/// Ten digits are enough for 32 bits, twenty for 64.
const MOST_DIGITS: usize = 20;

/// Writes a number.
pub fn decimal(f: &mut impl fmt::Write, number: impl Into<u64>) -> fmt::Result {
    padded(f, number.into(), 1)
}

/// Writes some words and a number.
pub(crate) fn labelled(f: &mut impl fmt::Write, label: &str, number: impl Into<u64>) -> fmt::Result {
    f.write_str(label)?;
    decimal(f, number)
}

/// Writes a number with zeros before it until it has `width` digits.
pub fn padded(f: &mut impl fmt::Write, mut number: u64, width: usize) -> fmt::Result {
    let mut digits = [b'0'; MOST_DIGITS];
    let mut start = MOST_DIGITS;
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        if number == 0 && MOST_DIGITS - start >= width {
            break;
        }
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start = place;
    }
    let digits = digits.get(start..).unwrap_or_default();
    f.write_str(str::from_utf8(digits).unwrap_or_default())
}

/// Writes an address.
pub(crate) fn address(f: &mut impl fmt::Write, address: IpAddr) -> fmt::Result {
    match address {
        IpAddr::V4(address) => dotted(f, address),
        IpAddr::V6(address) => write!(f, "{address}"),
    }
}

fn dotted(f: &mut impl fmt::Write, address: Ipv4Addr) -> fmt::Result {
    let [first, rest @ ..] = address.octets();
    decimal(f, first)?;
    rest.into_iter().try_for_each(|octet| {
        f.write_str(".")?;
        decimal(f, octet)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl Fn(&mut String) -> fmt::Result) -> String {
        let mut text = String::new();
        write(&mut text).unwrap();
        text
    }

    proptest! {
        #[test]
        fn the_words_are_those_of_the_standard_library(
            number: u64, shift in 0_u32..64, width in 1_usize..=MOST_DIGITS, octets: [u8; 4], segments: [u16; 8],
        ) {
            let number = number >> shift;
            prop_assert_eq!(written(|f| decimal(f, number)), number.to_string());
            prop_assert_eq!(written(|f| padded(f, number, width)), format!("{number:0width$}"));
            for ip in [IpAddr::from(octets), IpAddr::from(segments)] {
                prop_assert_eq!(written(|f| address(f, ip)), ip.to_string());
            }
        }
    }

    #[test]
    fn zero_is_a_digit() {
        assert_eq!(written(|f| decimal(f, 0_u8)), "0");
        assert_eq!(written(|f| decimal(f, u64::MAX)), u64::MAX.to_string());
    }
}
