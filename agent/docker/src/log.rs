//! A container's log as the Engine sends it: frames of either stream, or, of a terminal, the bytes as they are. Pure.
//!
//! Nothing is kept but the last bytes: a frame names its own length, up to 4 GiB, and is not waited for.

/// How long the head of a frame is: the stream, three zeros, and the length with its highest byte first.
const HEAD: usize = 8;

/// The last bytes of a log.
#[derive(Debug)]
pub(super) struct Log {
    /// What was written, with the heads of frames left out.
    pub(super) written: Vec<u8>,
    /// How much of it is kept.
    kept: usize,
    at: At,
}

/// Where in the log the next byte is.
#[derive(Debug)]
enum At {
    /// At the beginning of a frame, of whose head so much has come.
    Head(Vec<u8>),
    /// In a frame, of which so much is to come.
    Frame(usize),
    /// In a line without a frame.
    Line,
}

impl Log {
    /// One of which at most `kept` bytes are kept.
    pub(super) fn new(kept: usize) -> Self {
        Self {
            written: Vec::new(),
            kept,
            at: At::Head(Vec::new()),
        }
    }

    /// Takes in what comes next.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while let Some(first) = bytes.first() {
            match &mut self.at {
                At::Head(head) => {
                    // No line begins like a frame: they begin with their time.
                    if head.is_empty() && *first > 2 {
                        self.at = At::Line;
                        continue;
                    }
                    head.push(*first);
                    bytes = &bytes[1..];
                    if let [_, _, _, _, a, b, c, d] = head[..HEAD.min(head.len())] {
                        let length = u32::from_be_bytes([a, b, c, d]);
                        self.at = match usize::try_from(length) {
                            Ok(0) => At::Head(Vec::new()),
                            Ok(length) => At::Frame(length),
                            Err(_) => At::Frame(usize::MAX),
                        };
                    }
                }
                At::Frame(left) => {
                    let (part, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= part.len();
                    if *left == 0 {
                        self.at = At::Head(Vec::new());
                    }
                    self.keep(part);
                    bytes = rest;
                }
                At::Line => {
                    let end = bytes.iter().position(|byte| *byte == b'\n');
                    let (part, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
                    if end.is_some() {
                        self.at = At::Head(Vec::new());
                    }
                    self.keep(part);
                    bytes = rest;
                }
            }
        }
    }

    /// The newest come last.
    fn keep(&mut self, part: &[u8]) {
        let part = &part[part.len().saturating_sub(self.kept)..];
        let surplus = (self.written.len() + part.len()).saturating_sub(self.kept);
        self.written.drain(..surplus);
        self.written.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, said: &str) -> Vec<u8> {
        let mut frame = vec![stream, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(said.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(said.as_bytes());
        frame
    }

    fn written(kept: usize, parts: &[&[u8]]) -> String {
        let mut log = Log::new(kept);
        for part in parts {
            log.take(part);
        }
        String::from_utf8(log.written).unwrap()
    }

    #[test]
    fn frames_and_lines_are_taken_apart_however_they_come() {
        let frames = [frame(1, "one\n"), frame(2, ""), frame(2, "two\nthree\n")].concat();
        assert_eq!(written(99, &[&frames]), "one\ntwo\nthree\n");
        let bytes: Vec<&[u8]> = frames.chunks(1).collect();
        assert_eq!(written(99, &bytes), "one\ntwo\nthree\n");
        assert_eq!(
            written(99, &[b"2026-", b"11 of a terminal\r\n20"]),
            "2026-11 of a terminal\r\n20"
        );
        assert_eq!(
            written(99, &[&frames[..11]]),
            "one",
            "a part of a frame is as good as any"
        );
    }

    #[test]
    fn only_the_last_bytes_are_kept_of_any_frame() {
        assert_eq!(written(4, &[&frame(1, "one\n"), &frame(1, "two\nthree")]), "hree");
        // It says that four gigabytes are to come.
        let endless = [&[1, 0, 0, 0, 255, 255, 255, 255][..], &[b'x'; 1000]].concat();
        assert_eq!(written(4, &[&endless]), "xxxx");
    }
}
