//! Decoding, judged by a table of frames, by arbitrary bytes and by tcpdump.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod lines;
#[cfg(test)]
mod oracle;
