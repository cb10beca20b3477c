//! Numbers and addresses into a line, in the words of `core::fmt` and without its detours: half the time of a line.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use crate::model::Mac;

use super::text::Text;

/// Ten digits are enough for 32 bits, twenty for 64.
const MOST_DIGITS: usize = 20;

/// The numbers up to 255, a dot behind each.
static OCTETS: [Octet; 256] = octets();

/// The numbers up to 99, in two digits.
static PAIRS: [[u8; 2]; 100] = pairs();

#[derive(Clone, Copy)]
struct Octet {
    text: [u8; 4],
    /// With the dot.
    length: u8,
}

/// Writes a number.
pub fn decimal(f: &mut impl Text, number: impl Into<u64>) -> fmt::Result {
    let mut number = number.into();
    // Those of 32 bits, nearly all of them, are measured in fewer steps.
    let power = match u32::try_from(number) {
        Ok(number) => number.checked_ilog10(),
        Err(_) => number.checked_ilog10(),
    };
    let length = power.map_or(1, |power| power as usize + 1);
    f.write_ascii(|place: &mut [u8; MOST_DIGITS]| {
        let mut pairs = place.get_mut(..length).unwrap_or_default().rchunks_exact_mut(2);
        for pair in &mut pairs {
            pair.copy_from_slice(&PAIRS[(number % 100) as usize]);
            number /= 100;
        }
        if let [first] = pairs.into_remainder() {
            *first = b'0' + (number % 10) as u8;
        }
        length
    })
}

/// Writes some words and a number.
#[inline]
pub(crate) fn labelled(f: &mut impl Text, label: &str, number: impl Into<u64>) -> fmt::Result {
    f.write_str(label)?;
    decimal(f, number)
}

/// Writes the lower six digits of a number.
pub fn six_digits(f: &mut impl Text, number: u32) -> fmt::Result {
    f.write_ascii(|place: &mut [u8; 6]| {
        let pairs = [number / 10_000 % 100, number / 100 % 100, number % 100];
        for (digits, pair) in place.as_chunks_mut().0.iter_mut().zip(pairs) {
            *digits = PAIRS[pair as usize];
        }
        6
    })
}

/// Writes two hexadecimal digits.
pub fn hex_byte(f: &mut impl Text, byte: u8) -> fmt::Result {
    f.write_char(hex_digit(byte >> 4))?;
    f.write_char(hex_digit(byte & 0x0f))
}

/// Writes an address; those of IPv6 as RFC 5952 wants them.
pub(crate) fn address(f: &mut impl Text, address: IpAddr) -> fmt::Result {
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
pub(crate) fn hardware_address(f: &mut impl Text, address: Mac) -> fmt::Result {
    let [first, rest @ ..] = address.bytes();
    hex_byte(f, first)?;
    rest.into_iter().try_for_each(|byte| {
        f.write_char(':')?;
        hex_byte(f, byte)
    })
}

fn dotted(f: &mut impl Text, address: Ipv4Addr) -> fmt::Result {
    f.write_ascii::<16>(|place| {
        let mut end = 0;
        for number in address.octets() {
            let octet = &OCTETS[usize::from(number)];
            if let Some(place) = place.get_mut(end..).and_then(<[u8]>::first_chunk_mut) {
                *place = octet.text;
            }
            end += usize::from(octet.length);
        }
        // The dot behind the last number is left out.
        end - 1
    })
}

const fn octets() -> [Octet; 256] {
    let mut octets = [Octet { text: [b'.'; 4], length: 0 }; 256];
    let mut number = 0;
    while number < octets.len() {
        let [hundreds, tens, ones] = [number / 100, number / 10 % 10, number % 10];
        let [hundreds, tens, ones] = [digit(hundreds), digit(tens), digit(ones)];
        octets[number] = match number {
            0..10 => Octet { text: [ones, b'.', b'.', b'.'], length: 2 },
            10..100 => Octet { text: [tens, ones, b'.', b'.'], length: 3 },
            _ => Octet { text: [hundreds, tens, ones, b'.'], length: 4 },
        };
        number += 1;
    }
    octets
}

const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [[0; 2]; 100];
    let mut number = 0;
    while number < pairs.len() {
        pairs[number] = [digit(number / 10), digit(number)];
        number += 1;
    }
    pairs
}

const fn digit(number: usize) -> u8 {
    b"0123456789"[number % 10]
}

/// Two colons stand for the first of the longest rows of zeros.
fn groups(f: &mut impl Text, groups: &[u16; 8]) -> fmt::Result {
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

fn joined(f: &mut impl Text, groups: &[u16]) -> fmt::Result {
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
            number: u64, shift in 0_u32..64, micros in 0_u32..1_000_000, octets: [u8; 4], zeros: u8, mut segments: [u16; 8],
            mac: [u8; 6],
        ) {
            segments.iter_mut().enumerate().filter(|(place, _)| zeros >> place & 1 == 1).for_each(|(_, group)| *group = 0);
            prop_assert_eq!(written(|f| hardware_address(f, Mac::new(mac))), Mac::new(mac).to_string());
            let number = number >> shift;
            prop_assert_eq!(written(|f| decimal(f, number)), number.to_string());
            prop_assert_eq!(written(|f| six_digits(f, micros)), format!("{micros:06}"));
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
