//! Numbers and addresses into a line, in the words of `core::fmt` and without its detours: half the time of a line.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use crate::model::Mac;

/// Ten digits are enough for 32 bits, twenty for 64.
const MOST_DIGITS: usize = 20;

/// Writes a number.
pub fn decimal(f: &mut impl fmt::Write, number: impl Into<u64>) -> fmt::Result {
    padded(f, number.into(), 1)
}

/// Writes some words and a number.
#[inline]
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
    digits.iter().skip(start).try_for_each(|digit| f.write_char(char::from(*digit)))
}

/// Writes two hexadecimal digits.
pub fn hex_byte(f: &mut impl fmt::Write, byte: u8) -> fmt::Result {
    f.write_char(hex_digit(byte >> 4))?;
    f.write_char(hex_digit(byte & 0x0f))
}

/// Writes an address; those of IPv6 as RFC 5952 wants them.
pub(crate) fn address(f: &mut impl fmt::Write, address: IpAddr) -> fmt::Result {
    match address {
        IpAddr::V4(address) => dotted(f, address),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => {
                f.write_str("::ffff:")?;
                dotted(f, mapped)
            }
            None => groups(f, &address.segments()),
        },
    }
}

/// Writes a hardware address.
pub(crate) fn hardware_address(f: &mut impl fmt::Write, address: Mac) -> fmt::Result {
    let [first, rest @ ..] = address.bytes();
    hex_byte(f, first)?;
    rest.into_iter().try_for_each(|byte| {
        f.write_char(':')?;
        hex_byte(f, byte)
    })
}

fn dotted(f: &mut impl fmt::Write, address: Ipv4Addr) -> fmt::Result {
    let [first, rest @ ..] = address.octets();
    octet(f, first)?;
    rest.into_iter().try_for_each(|number| {
        f.write_char('.')?;
        octet(f, number)
    })
}

fn octet(f: &mut impl fmt::Write, number: u8) -> fmt::Result {
    if number >= 100 {
        f.write_char(char::from(b'0' + number / 100))?;
    }
    if number >= 10 {
        f.write_char(char::from(b'0' + number / 10 % 10))?;
    }
    f.write_char(char::from(b'0' + number % 10))
}

/// Two colons stand for the first of the longest rows of zeros.
fn groups(f: &mut impl fmt::Write, groups: &[u16; 8]) -> fmt::Result {
    let (mut gap, mut start) = (0..0, 0);
    for row in groups.chunk_by(|one, other| (*one == 0) == (*other == 0)) {
        let end = start + row.len();
        if row.first() == Some(&0) && row.len() > gap.len() {
            gap = start..end;
        }
        start = end;
    }
    if gap.len() < 2 {
        return joined(f, groups);
    }
    joined(f, groups.get(..gap.start).unwrap_or_default())?;
    f.write_str("::")?;
    joined(f, groups.get(gap.end..).unwrap_or_default())
}

fn joined(f: &mut impl fmt::Write, groups: &[u16]) -> fmt::Result {
    groups.iter().enumerate().try_for_each(|(position, group)| {
        if position > 0 {
            f.write_char(':')?;
        }
        let [high, low] = group.to_be_bytes();
        let digits = [high >> 4, high & 0x0f, low >> 4, low & 0x0f];
        let zeros = (group.leading_zeros() / 4).min(3) as usize;
        digits.into_iter().skip(zeros).try_for_each(|digit| f.write_char(hex_digit(digit)))
    })
}

fn hex_digit(number: u8) -> char {
    char::from(if number < 10 { b'0' + number } else { b'a' - 10 + number })
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
            number: u64, shift in 0_u32..64, width in 1_usize..=MOST_DIGITS, octets: [u8; 4], zeros: u8, mut segments: [u16; 8],
            mac: [u8; 6],
        ) {
            segments.iter_mut().enumerate().filter(|(place, _)| zeros >> place & 1 == 1).for_each(|(_, group)| *group = 0);
            prop_assert_eq!(written(|f| hardware_address(f, Mac::new(mac))), Mac::new(mac).to_string());
            let number = number >> shift;
            prop_assert_eq!(written(|f| decimal(f, number)), number.to_string());
            prop_assert_eq!(written(|f| padded(f, number, width)), format!("{number:0width$}"));
            for ip in [IpAddr::from(octets), IpAddr::from(segments)] {
                prop_assert_eq!(written(|f| address(f, ip)), ip.to_string());
            }
        }
    }

    #[test]
    fn rows_of_zeros_are_left_out_as_in_the_standard_library() {
        for text in ["::", "::1", "1::", "fe80::1", "1:0:0:2:0:0:0:3", "1:0:0:2::3:0:0", "0:1:0:1:0:1:0:1"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(written(|f| address(f, ip)), ip.to_string());
        }
        for text in ["::ffff:10.0.0.1", "::10.0.0.1", "::ffff:0:0"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(written(|f| address(f, ip)), ip.to_string());
        }
    }

    #[test]
    fn zero_is_a_digit() {
        assert_eq!(written(|f| decimal(f, 0_u8)), "0");
        assert_eq!(written(|f| decimal(f, u64::MAX)), u64::MAX.to_string());
    }
}
