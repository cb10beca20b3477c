//! The messages of the control pipes: how they lie in bytes. Pure but for the reading of a stream.
//!
//! A message is `T`, three bytes of length (big-endian, of what follows them), the number of a control, a command, and what
//! belongs to it.

use std::io::{self, Read};

/// More than the longest text that either side sends.
const LONGEST: usize = 1 << 17;
/// The length counts the control and the command, too.
const HEAD: usize = 2;

/// What is asked of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    /// Everything that differs from the defaults has been told.
    Initialized,
    /// A control has this value; a button was pressed.
    Set,
    /// A line for a log, or an entry for a list.
    Add,
    /// Away with an entry.
    Remove,
    /// A text for the status bar.
    StatusBar,
    /// One that is none of our business.
    Other(u8),
}

impl From<u8> for Command {
    fn from(number: u8) -> Self {
        match number {
            0 => Self::Initialized,
            1 => Self::Set,
            2 => Self::Add,
            3 => Self::Remove,
            6 => Self::StatusBar,
            other => Self::Other(other),
        }
    }
}

impl From<Command> for u8 {
    fn from(command: Command) -> Self {
        match command {
            Command::Initialized => 0,
            Command::Set => 1,
            Command::Add => 2,
            Command::Remove => 3,
            Command::StatusBar => 6,
            Command::Other(number) => number,
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    /// The control that it is about.
    pub(super) control: u8,
    /// What is asked.
    pub(super) command: Command,
    /// What belongs to it.
    pub(super) payload: Vec<u8>,
}

impl Message {
    /// A message with a text, cut where it would be too long for Wireshark (65535 bytes).
    pub(super) fn text(control: u8, command: Command, text: &str) -> Self {
        let end = text.floor_char_boundary(usize::from(u16::MAX));
        Self { control, command, payload: text.as_bytes()[..end].to_vec() }
    }

    /// An entry for a list.
    pub(super) fn entry(control: u8, value: &str, display: &str) -> Self {
        Self::text(control, Command::Add, &format!("{value}\0{display}"))
    }

    /// As it goes through the pipe.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len() + HEAD).unwrap_or_default().to_be_bytes();
        let head = [b'T', length[1], length[2], length[3], self.control, self.command.into()];
        [&head, self.payload.as_slice()].concat()
    }

    /// The next message of a stream; none at its end, or where it makes no sense any more.
    pub(super) fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut head = [0; 6];
        match stream.read_exact(&mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        let [sync, high, middle, low, control, command] = head;
        let length = u32::from_be_bytes([0, high, middle, low]) as usize;
        let Some(rest) = length.checked_sub(HEAD).filter(|rest| sync == b'T' && *rest <= LONGEST) else {
            return Ok(None);
        };
        let mut payload = vec![0; rest];
        match stream.read_exact(&mut payload) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            read => read?,
        }
        Ok(Some(Self { control, command: command.into(), payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_lies_in_bytes_as_wireshark_expects_it() {
        assert_eq!(Message::text(4, Command::Add, "hi").bytes(), b"T\0\0\x04\x04\x02hi");
        assert_eq!(Message::text(0, Command::StatusBar, "").bytes(), b"T\0\0\x02\0\x06");
        assert_eq!(Message::entry(2, "web", "Web").bytes(), b"T\0\0\x09\x02\x02web\0Web");
        let long = Message::text(4, Command::Add, &"x".repeat(70_000)).bytes();
        assert_eq!((&long[..6], long.len()), (&b"T\x01\0\x01\x04\x02"[..], 6 + 65_535));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let messages = [
            Message::text(1, Command::Set, ""),
            Message::entry(2, "a", "b"),
            Message { control: 9, command: Command::Other(77), payload: vec![0, 255] },
        ];
        let bytes: Vec<u8> = messages.iter().flat_map(Message::bytes).collect();
        let mut stream = bytes.as_slice();
        for message in messages {
            assert_eq!(Message::read(&mut stream).unwrap(), Some(message));
        }
        assert_eq!(Message::read(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_stream_that_makes_no_sense_ends() {
        for bytes in
            [&b"X\0\0\x02\0\0"[..], b"T\0\0\x01\0\0", b"T\0\0\x09\0\0short", b"T\xff\xff\xff\0\0", b"T\0"]
        {
            assert_eq!(Message::read(&mut { bytes }).unwrap(), None, "{bytes:?}");
        }
    }
}
