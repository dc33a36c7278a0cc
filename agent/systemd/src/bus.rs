//! The connection to the bus, and the bound on what comes over it, in one place.
//!
//! The library takes messages of up to 128 MiB and keeps 64 of them, and the policy of the system bus lets every user send any
//! signal to anybody, whoever listens or not. So every byte passes through [`Messages`], which leaves out messages that are
//! longer than anything that is asked for here, without keeping more of them than their first 16 bytes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::str::FromStr as _;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use zbus::Connection;
use zbus::address::transport::{Transport, UnixSocket};
use zbus::connection::Builder;
use zbus::connection::socket::{ReadHalf, Socket, Split, WriteHalf};
use zbus::export::async_trait::async_trait;

/// The longest answer: the list of 10,000 units takes 4 MB. Only what was asked can answer.
const ANSWER_MAX: u64 = 16 * 1024 * 1024;

/// The longest of all else: a signal with all properties of a unit takes some 20 KiB, and more with a large environment.
const OTHER_MAX: u64 = 1024 * 1024;

/// So much is read at once.
const CHUNK: usize = 8 * 1024;

/// Connects to the bus at `address`, or to that of the system.
pub(super) async fn connect(address: Option<&str>) -> zbus::Result<Connection> {
    let address = match address {
        Some(address) => zbus::Address::from_str(address)?,
        None => zbus::Address::system()?,
    };
    let path = match address.transport() {
        Transport::Unix(unix) => match unix.path() {
            UnixSocket::File(path) => path.clone().into_os_string(),
            UnixSocket::Abstract(name) => abstract_path(name),
            _ => return Builder::address(address).build().await,
        },
        // Somebody has pointed the agent at a bus that is none of this host's.
        _ => return Builder::address(address).build().await,
    };
    let stream = UnixStream::connect(path).await?;
    Builder::socket(Bounded(stream)).build().await
}

fn abstract_path(name: &OsStr) -> OsString {
    let mut path = vec![0];
    path.extend_from_slice(name.as_encoded_bytes());
    OsString::from_vec(path)
}

/// A socket of which only messages of a bounded length come.
#[derive(Debug)]
struct Bounded(UnixStream);

impl Socket for Bounded {
    type ReadHalf = Reader;
    type WriteHalf = Writer;

    fn split(self) -> Split<Reader, Writer> {
        let (read, write) = self.0.into_split();
        let reader = Reader {
            stream: read,
            messages: Messages::default(),
        };
        Split::new(reader, Writer(write))
    }
}

#[derive(Debug)]
struct Reader {
    stream: OwnedReadHalf,
    messages: Messages,
}

#[async_trait]
impl ReadHalf for Reader {
    async fn recvmsg(&mut self, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        loop {
            let passed = &mut self.messages.passed;
            if !passed.is_empty() {
                let count = passed.len().min(buffer.len());
                for (place, byte) in buffer.iter_mut().zip(passed.drain(..count)) {
                    *place = byte;
                }
                return Ok((count, Vec::new()));
            }
            let mut chunk = [0; CHUNK];
            // Should this be dropped here, nothing was read.
            let count = self.stream.read(&mut chunk).await?;
            if count == 0 {
                return Ok((0, Vec::new()));
            }
            self.messages.take(chunk.get(..count).unwrap_or_default());
        }
    }
}

#[derive(Debug)]
struct Writer(OwnedWriteHalf);

#[async_trait]
impl WriteHalf for Writer {
    async fn sendmsg(&mut self, buffer: &[u8], _: &[BorrowedFd<'_>]) -> io::Result<usize> {
        // Neither half says that it can pass file descriptors, so there are none.
        self.0.write(buffer).await
    }

    async fn close(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }
}

/// What a bus sends, without messages that are too long. Pure.
#[derive(Debug, Default)]
struct Messages {
    /// What is passed on, at most a chunk and the beginning of a message.
    passed: Vec<u8>,
    at: At,
}

/// Where the next byte is.
#[derive(Debug, Default, PartialEq)]
enum At {
    /// At the beginning of a message, or of a line of the handshake.
    #[default]
    Start,
    /// In a line of the handshake.
    Line,
    /// In the first part of a message, of which so much has come.
    Header(Vec<u8>),
    /// In a message of which so much is to come, and is passed on.
    Passed(u64),
    /// In a message of which so much is to come, and is left out.
    LeftOut(u64),
}

/// How long the part of a message is that says how long the whole is.
const HEADER: usize = 16;

impl Messages {
    /// Takes in what comes next.
    fn take(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.at {
                At::Start => {
                    // A message begins with its byte order; no line of the handshake begins with a small l, or with a B.
                    self.at = match first {
                        b'l' | b'B' => At::Header(Vec::with_capacity(HEADER)),
                        _ => At::Line,
                    };
                }
                At::Line => {
                    self.passed.push(*first);
                    if *first == b'\n' {
                        self.at = At::Start;
                    }
                    bytes = rest;
                }
                At::Header(header) => {
                    header.push(*first);
                    bytes = rest;
                    let Ok(header) = <[u8; HEADER]>::try_from(header.as_slice()) else {
                        continue;
                    };
                    let (length, most) = (length_of(header), most_of(header));
                    let left = length - HEADER as u64;
                    self.at = if length <= most {
                        self.passed.extend_from_slice(&header);
                        At::Passed(left)
                    } else {
                        tracing::warn!(length, "left out a message of the bus that is too long");
                        At::LeftOut(left)
                    };
                    self.end();
                }
                At::Passed(left) => {
                    let (part, rest) = split(bytes, *left);
                    *left -= part.len() as u64;
                    self.passed.extend_from_slice(part);
                    bytes = rest;
                    self.end();
                }
                At::LeftOut(left) => {
                    let (part, rest) = split(bytes, *left);
                    *left -= part.len() as u64;
                    bytes = rest;
                    self.end();
                }
            }
        }
    }

    fn end(&mut self) {
        if matches!(self.at, At::Passed(0) | At::LeftOut(0)) {
            self.at = At::Start;
        }
    }
}

fn split(bytes: &[u8], at: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len()))
}

/// How long a message is, by its first part: that, the fields up to a multiple of 8, and the body.
fn length_of(header: [u8; HEADER]) -> u64 {
    let [order, _, _, _, b0, b1, b2, b3, _, _, _, _, f0, f1, f2, f3] = header;
    let number = |bytes| {
        u64::from(if order == b'l' {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let (body, fields) = (number([b0, b1, b2, b3]), number([f0, f1, f2, f3]));
    HEADER as u64 + fields.next_multiple_of(8) + body
}

/// How long one of its type may be: 2 and 3 are answers.
const fn most_of(header: [u8; HEADER]) -> u64 {
    match header[1] {
        2 | 3 => ANSWER_MAX,
        _ => OTHER_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: u8 = 2;
    const SIGNAL: u8 = 4;

    /// A message with 5 bytes of fields, padded to 8, and so much of a body.
    fn message(order: u8, kind: u8, body: usize) -> Vec<u8> {
        let number = |number: usize| {
            let number = u32::try_from(number).unwrap();
            if order == b'l' {
                number.to_le_bytes()
            } else {
                number.to_be_bytes()
            }
        };
        let mut message = vec![order, kind, 0, 1];
        message.extend(number(body));
        message.extend(number(7));
        message.extend(number(5));
        message.resize(HEADER + 8 + body, b'x');
        message
    }

    /// What is passed on, in chunks of this length.
    fn passed(sent: &[u8], chunk: usize) -> Vec<u8> {
        let mut messages = Messages::default();
        let mut all = Vec::new();
        for part in sent.chunks(chunk) {
            messages.take(part);
            assert!(messages.passed.len() <= chunk + HEADER);
            all.append(&mut messages.passed);
        }
        assert_eq!(messages.at, At::Start, "nothing is left half-way");
        all
    }

    #[test]
    fn messages_that_are_too_long_are_left_out_and_no_others() {
        let most = usize::try_from(OTHER_MAX).unwrap() - HEADER - 8;
        for order in [b'l', b'B'] {
            let long = message(order, SIGNAL, most + 1);
            let kept = [
                b"OK 1234deadbeef\r\n".to_vec(),
                message(order, SIGNAL, 0),
                message(order, SIGNAL, most),
                message(order, ANSWER, most + 1),
            ]
            .concat();
            for chunk in [1000, CHUNK] {
                assert!(passed(&kept, chunk) == kept, "{chunk}");
                let both = [&kept[..], &long, &message(order, ANSWER, 3)].concat();
                let expected = [&kept[..], &message(order, ANSWER, 3)].concat();
                assert!(passed(&both, chunk) == expected, "{chunk}");
            }
        }
        let byte_by_byte = [b"REJECTED EXTERNAL\r\nOK x\r\n".to_vec(), message(b'l', SIGNAL, 3)].concat();
        assert_eq!(passed(&byte_by_byte, 1), byte_by_byte);
    }

    #[test]
    fn an_answer_is_bounded_as_well() {
        let long = message(b'l', ANSWER, usize::try_from(ANSWER_MAX).unwrap());
        assert_eq!(passed(&long, CHUNK), b"");
    }
}

#[cfg(test)]
mod fuzz {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_passed_the_same_in_whatever_pieces_they_come(parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            // Messages of either byte order, whose body and fields have these lengths.
            (any::<bool>(), 0..5_u8, 0..30_u32, 0..30_u32).prop_map(|(little, kind, body, fields)| {
                let number = |number: u32| if little { number.to_le_bytes() } else { number.to_be_bytes() };
                let start = [if little { b'l' } else { b'B' }, kind, 0, 1];
                [start, number(body), number(1), number(fields)].concat()
            }),
            Just(b"OK 0123\r\n".to_vec()),
        ], 0..20)) {
            let (mut whole, mut pieces) = (Messages::default(), Messages::default());
            whole.take(&parts.concat());
            for part in &parts {
                pieces.take(part);
            }
            prop_assert!(whole.passed.len() <= parts.concat().len());
            prop_assert_eq!(&whole.passed, &pieces.passed);
            prop_assert_eq!(&whole.at, &pieces.at);
        }
    }
}
