//! Where the messages of a connection begin and end, judged byte by byte: what two readers could take for different
//! requests is refused, and never settled in silence.

mod lines;
#[cfg(test)]
mod tests;

use lines::{Field, Start};

/// No line with the length of a chunk is longer.
const LONGEST_CHUNK_LINE: usize = 1024;

/// Why a connection is not read any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// What is wrong with the head of a request.
    Head(&'static str),
    /// The head of a request is too long.
    Length,
    /// What is wrong with a body, or with what follows it. The request itself is with its handler already.
    Body(&'static str),
}

/// Follows the requests of one connection.
#[derive(Debug)]
pub(super) struct Watch {
    longest_head: usize,
    place: Place,
    /// The beginning of a line whose end has not come yet.
    line: Vec<u8>,
    /// How long the head, the line of a chunk or the trailers are so far.
    length: usize,
    head: Head,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Fields,
    Body(u64),
    Chunk,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    /// The answer to a request for a WebSocket, which decides what may come next.
    Answer,
}

/// What matters for the framing of the request whose head is being read.
#[derive(Debug, Default)]
struct Head {
    http10: bool,
    /// What an absolute target names.
    authority: Option<Vec<u8>>,
    host: Option<Vec<u8>>,
    content_length: Option<u64>,
    chunked: bool,
    websocket: bool,
}

impl Watch {
    pub(super) fn new(longest_head: usize) -> Self {
        Self { longest_head, place: Place::Start, line: Vec::new(), length: 0, head: Head::default() }
    }

    /// Whether the head of a request has begun, and has not ended.
    pub(super) fn in_head(&self) -> bool {
        self.place == Place::Fields || self.place == Place::Start && self.length > 0
    }

    /// Whether nothing is missing of the last request.
    pub(super) fn between_requests(&self) -> bool {
        self.place == Place::Start && self.length == 0
    }

    /// Whether the last request asks for a WebSocket, so that what comes next is a request only if it does not get one.
    pub(super) fn awaits_answer(&self) -> bool {
        self.place == Place::Answer
    }

    /// Judges the next bytes. Of refused ones, only those before the position that comes with the refusal may be read; they
    /// are never the whole head of a request that is refused for its head.
    pub(super) fn look(&mut self, bytes: &[u8]) -> Result<(), (usize, Refusal)> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            at += match self.place {
                Place::Answer => return Err((at, Refusal::Body("more after a request for a WebSocket"))),
                Place::Body(left) => {
                    let taken = count(left, rest);
                    match left - taken as u64 {
                        0 => self.end_of_request(),
                        left => self.place = Place::Body(left),
                    }
                    taken
                }
                Place::ChunkData(left) => {
                    let taken = count(left, rest);
                    self.place = match left - taken as u64 {
                        0 => Place::ChunkEnd,
                        left => Place::ChunkData(left),
                    };
                    taken
                }
                _ => self.look_at_line(rest).map_err(|(refused, why)| (at + refused, why))?,
            };
        }
        Ok(())
    }

    fn look_at_line(&mut self, rest: &[u8]) -> Result<usize, (usize, Refusal)> {
        let end = rest.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
        let length = end.unwrap_or(rest.len());
        let (limit, too_long) = match self.place {
            Place::Start | Place::Fields => (self.longest_head, Refusal::Length),
            Place::Trailers => (self.longest_head, Refusal::Body("trailers that are too long")),
            _ => (LONGEST_CHUNK_LINE, Refusal::Body("the line of a chunk is too long")),
        };
        let room = limit - self.length;
        if length > room {
            return Err((room, too_long));
        }
        self.length += length;
        if end.is_none() {
            self.line.extend_from_slice(rest);
        } else if self.line.is_empty() {
            self.judge(&rest[..length]).map_err(|why| (length - 1, why))?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(&rest[..length]);
            self.judge(&line).map_err(|why| (length - 1, why))?;
        }
        Ok(length)
    }

    fn judge(&mut self, line: &[u8]) -> Result<(), Refusal> {
        let refusal = match self.place {
            Place::Start | Place::Fields => Refusal::Head,
            _ => Refusal::Body,
        };
        let text = lines::text(line).map_err(refusal)?;
        match self.place {
            Place::Start if text.is_empty() => {}
            Place::Start => {
                let Start { http10, authority } = lines::start(text).map_err(refusal)?;
                self.head = Head { http10, authority: authority.map(<[u8]>::to_vec), ..Head::default() };
                self.place = Place::Fields;
            }
            Place::Fields if text.is_empty() => self.end_of_head().map_err(refusal)?,
            Place::Fields => self.head.add(&lines::field(text).map_err(refusal)?).map_err(refusal)?,
            Place::Chunk => {
                self.length = 0;
                self.place = match lines::chunk(text).map_err(refusal)? {
                    0 => Place::Trailers,
                    length => Place::ChunkData(length),
                };
            }
            Place::ChunkEnd if text.is_empty() => {
                self.length = 0;
                self.place = Place::Chunk;
            }
            Place::ChunkEnd => return Err(Refusal::Body("a chunk that is longer than it says")),
            Place::Trailers if text.is_empty() => self.end_of_request(),
            Place::Trailers => {
                lines::field(text).map_err(refusal)?;
            }
            Place::Body(_) | Place::ChunkData(_) | Place::Answer => {}
        }
        Ok(())
    }

    fn end_of_head(&mut self) -> Result<(), &'static str> {
        let head = &self.head;
        match (&head.host, &head.authority) {
            (None, _) if !head.http10 => return Err("no Host"),
            (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority) => {
                return Err("a target that names another host than Host");
            }
            _ => {}
        }
        match (head.chunked, head.content_length) {
            (true, Some(_)) => return Err("both Transfer-Encoding and Content-Length"),
            (true, None) if head.http10 => return Err("Transfer-Encoding in HTTP/1.0"),
            (true, None) => {
                self.place = Place::Chunk;
                self.length = 0;
            }
            (false, Some(length)) if length > 0 => self.place = Place::Body(length),
            (false, _) => self.end_of_request(),
        }
        Ok(())
    }

    fn end_of_request(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.place = if head.websocket && !head.http10 { Place::Answer } else { Place::Start };
        self.length = 0;
    }
}

impl Head {
    fn add(&mut self, field: &Field<'_>) -> Result<(), &'static str> {
        let Field { name, value } = field;
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = lines::content_length(value)?;
            if self.content_length.replace(length).is_some() {
                return Err("more than one Content-Length");
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err("a Transfer-Encoding other than chunked");
            }
            if std::mem::replace(&mut self.chunked, true) {
                return Err("more than one Transfer-Encoding");
            }
        } else if name.eq_ignore_ascii_case(b"host") {
            lines::check_host(value)?;
            if self.host.replace(value.to_vec()).is_some() {
                return Err("more than one Host");
            }
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.websocket |= value.eq_ignore_ascii_case(b"websocket");
        }
        Ok(())
    }
}

/// How many of the next bytes belong to the `left` ones.
fn count(left: u64, next: &[u8]) -> usize {
    usize::try_from(left).map_or(next.len(), |left| left.min(next.len()))
}
