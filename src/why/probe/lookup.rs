//! Asks a name server from within a namespace, as a process there would (RFC 1035).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

use crate::sys::netns::Namespace;
use crate::why::question::{Lookup, LookupAnswer};

/// How long each attempt waits. A server that asks others may take a while.
const PATIENCE: [Duration; 2] = [Duration::from_secs(1), Duration::from_millis(1500)];

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const NO_SUCH_NAME: u8 = 3;

/// What a server says of a name to somebody in that namespace.
pub fn lookup(namespace: &Namespace, server: SocketAddr, name: &str) -> Lookup {
    let asked = || {
        let v4 = ask(server, name, TYPE_A);
        match v4 {
            LookupAnswer::Addresses(addresses) if addresses.is_empty() => ask(server, name, TYPE_AAAA),
            answer => answer,
        }
    };
    let answer = namespace.within(asked).unwrap_or(LookupAnswer::Silence);
    Lookup { namespace: namespace.id(), server, name: name.to_owned(), answer }
}

fn ask(server: SocketAddr, name: &str, kind: u16) -> LookupAnswer {
    for (attempt, patience) in PATIENCE.into_iter().enumerate() {
        let id = 0x7063_u16.wrapping_add(u16::try_from(attempt).unwrap_or_default());
        match exchange(server, &question(id, name, kind), id, patience) {
            Ok(answer) => return meaning(&answer, kind),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                return LookupAnswer::Unreachable;
            }
            Err(_) => {}
        }
    }
    LookupAnswer::Silence
}

fn exchange(server: SocketAddr, question: &[u8], id: u16, patience: Duration) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0))?;
    socket.connect(server)?;
    socket.send(question)?;
    let deadline = Instant::now() + patience;
    let mut buffer = [0; 1500];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        socket.set_read_timeout(Some(left))?;
        let length = socket.recv(&mut buffer)?;
        if buffer[..length].starts_with(&id.to_be_bytes()) {
            return Ok(buffer[..length].to_vec());
        }
    }
}

/// One question, recursion desired.
fn question(id: u16, name: &str, kind: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(64);
    for word in [id, 0x0100, 1, 0, 0, 0] {
        message.extend(word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let label = &label.as_bytes()[..label.len().min(63)];
        message.push(u8::try_from(label.len()).unwrap_or_default());
        message.extend(label);
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend(1_u16.to_be_bytes());
    message
}

fn meaning(answer: &[u8], kind: u16) -> LookupAnswer {
    let Some(code) = answer.get(3).map(|byte| byte & 0x0f) else { return LookupAnswer::Failed(1) };
    match code {
        0 => LookupAnswer::Addresses(addresses(answer, kind).unwrap_or_default()),
        NO_SUCH_NAME => LookupAnswer::NoSuchName,
        code => LookupAnswer::Failed(code),
    }
}

/// The addresses among the answers; none where the message is cut.
fn addresses(message: &[u8], kind: u16) -> Option<Vec<IpAddr>> {
    let word = |at: usize| Some(u16::from_be_bytes(message.get(at..at + 2)?.try_into().ok()?));
    let (questions, answers) = (word(4)?, word(6)?);
    let mut at = 12;
    for _ in 0..questions {
        at = behind_name(message, at)? + 4;
    }
    let mut found = Vec::new();
    for _ in 0..answers {
        at = behind_name(message, at)?;
        let length = usize::from(word(at + 8)?);
        let value = message.get(at + 10..at + 10 + length)?;
        if word(at)? == kind {
            found.extend(<[u8; 4]>::try_from(value).map(IpAddr::from).ok());
            found.extend(<[u8; 16]>::try_from(value).map(IpAddr::from).ok());
        }
        at += 10 + length;
    }
    Some(found)
}

fn behind_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*message.get(at)?);
        match length {
            0 => return Some(at + 1),
            // A pointer ends the name.
            192.. => return Some(at + 2),
            _ => at += 1 + length,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with a pointer to the name that was asked for.
    fn answer(code: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
        let mut message = question(7, "web.example", TYPE_A);
        message[2..4].copy_from_slice(&[0x81, 0x80 | code]);
        message[7] = u8::try_from(addresses.len()).unwrap();
        for address in addresses {
            message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            message.extend(address);
        }
        message
    }

    #[test]
    fn addresses_and_refusals_are_told_apart() {
        let two = answer(0, &[[10, 0, 0, 1], [10, 0, 0, 2]]);
        let expected = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().unwrap());
        assert_eq!(meaning(&two, TYPE_A), LookupAnswer::Addresses(expected.to_vec()));
        assert_eq!(meaning(&answer(3, &[]), TYPE_A), LookupAnswer::NoSuchName);
        assert_eq!(meaning(&answer(5, &[]), TYPE_A), LookupAnswer::Failed(5));
        assert_eq!(meaning(&answer(0, &[]), TYPE_A), LookupAnswer::Addresses(Vec::new()));
    }

    #[test]
    fn cut_messages_are_no_addresses() {
        let whole = answer(0, &[[10, 0, 0, 1]]);
        for length in 0..whole.len() {
            assert!(
                !matches!(meaning(&whole[..length], TYPE_A), LookupAnswer::Addresses(found) if !found.is_empty())
            );
        }
    }
}
