//! As much of AMQP 0.9.1 as calls need, packed by hand: one write for everything that is ready, one read for everything
//! that has come. It shows what the broker can do when its clients cost next to nothing.

use std::{
    io::{Error, ErrorKind, Read, Write},
    net::TcpStream,
};

use lapin::uri::AMQPUri;

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const BODY: u8 = 3;
const END: u8 = 0xCE;

/// The only channel.
const CHANNEL: u16 = 1;

/// Which methods there are, by class and number.
type Method = (u16, u16);
const START: Method = (10, 10);
const START_OK: Method = (10, 11);
const TUNE: Method = (10, 30);
const TUNE_OK: Method = (10, 31);
const OPEN: Method = (10, 40);
const OPEN_OK: Method = (10, 41);
const CHANNEL_OPEN: Method = (20, 10);
const CHANNEL_OPEN_OK: Method = (20, 11);
const DECLARE: Method = (50, 10);
const DECLARE_OK: Method = (50, 11);
const CONSUME: Method = (60, 20);
const CONSUME_OK: Method = (60, 21);
const PUBLISH: Method = (60, 40);

/// Which properties a header has.
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;

/// How much is read at a time.
const CHUNK: usize = 256 * 1024;

/// A connection with one channel, and what is to be written to it.
pub struct Wire {
    socket: TcpStream,
    read: Vec<u8>,
    /// How much of it was looked at.
    seen: usize,
    written: Vec<u8>,
}

/// A message with the properties that calls have.
pub struct Message<'a> {
    pub correlation_id: &'a [u8],
    pub reply_to: &'a [u8],
    pub body: &'a [u8],
}

/// Correlation id and reply-to.
type Properties<'a> = (&'a [u8], &'a [u8]);

/// Where the parts of a frame are among the bytes that were read.
struct Frame {
    kind: u8,
    from: usize,
    to: usize,
}

impl Wire {
    /// Connects and logs in.
    pub fn open(url: &str) -> Result<Self, Error> {
        let uri: AMQPUri = url.parse().map_err(Error::other)?;
        let at = &uri.authority;
        let socket = TcpStream::connect((at.host.as_str(), at.port))?;
        socket.set_nodelay(true)?;
        let mut wire = Self { socket, read: Vec::new(), seen: 0, written: b"AMQP\0\0\x09\x01".to_vec() };
        wire.flush()?;
        wire.until(START)?;
        // no properties, mechanism, login, locale
        let mut login = vec![0; 4];
        short(&mut login, b"PLAIN");
        long(&mut login, format!("\0{}\0{}", at.userinfo.username, at.userinfo.password).as_bytes());
        short(&mut login, b"en_US");
        wire.method(0, START_OK, &login);
        wire.flush()?;
        wire.until(TUNE)?;
        // channels, bytes of a frame, no heartbeat
        let mut tuned = CHANNEL.to_be_bytes().to_vec();
        tuned.extend(131_072_u32.to_be_bytes());
        tuned.extend([0, 0]);
        wire.method(0, TUNE_OK, &tuned);
        let mut host = Vec::new();
        short(&mut host, uri.vhost.as_bytes());
        host.extend([0, 0]);
        wire.method(0, OPEN, &host);
        wire.flush()?;
        wire.until(OPEN_OK)?;
        wire.ask(CHANNEL_OPEN, &[0], CHANNEL_OPEN_OK)?;
        Ok(wire)
    }

    /// Makes a queue that does not outlive the broker.
    pub fn declare(&mut self, queue: &[u8]) -> Result<(), Error> {
        let mut arguments = vec![0, 0];
        short(&mut arguments, queue);
        arguments.extend([0; 5]);
        self.ask(DECLARE, &arguments, DECLARE_OK)
    }

    /// Has messages handed out, without acknowledgements.
    pub fn consume(&mut self, queue: &[u8]) -> Result<(), Error> {
        const NO_ACK: u8 = 2;
        let mut arguments = vec![0, 0];
        short(&mut arguments, queue);
        short(&mut arguments, b"");
        arguments.push(NO_ACK);
        arguments.extend([0; 4]);
        self.ask(CONSUME, &arguments, CONSUME_OK)
    }

    /// Adds a message to what is to be written.
    pub fn publish(&mut self, queue: &[u8], message: &Message<'_>) {
        let mut arguments = vec![0, 0, 0];
        short(&mut arguments, queue);
        arguments.push(0);
        self.method(CHANNEL, PUBLISH, &arguments);
        let mut header = Vec::with_capacity(64);
        header.extend(PUBLISH.0.to_be_bytes());
        header.extend([0, 0]);
        header.extend((message.body.len() as u64).to_be_bytes());
        let replied = !message.reply_to.is_empty();
        header.extend((CORRELATION_ID | if replied { REPLY_TO } else { 0 }).to_be_bytes());
        short(&mut header, message.correlation_id);
        if replied {
            short(&mut header, message.reply_to);
        }
        self.frame(HEADER, CHANNEL, &[&header]);
        self.frame(BODY, CHANNEL, &[message.body]);
    }

    /// Writes everything at once.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.socket.write_all(&self.written)?;
        self.written.clear();
        Ok(())
    }

    /// Waits for something to come, and hands over the messages that are whole by now.
    pub fn messages(&mut self, mut take: impl FnMut(&mut Self, &[u8], &[u8], &[u8])) -> Result<(), Error> {
        self.fill()?;
        let read = std::mem::take(&mut self.read);
        let (mut at, mut header): (usize, Option<Properties<'_>>) = (self.seen, None);
        // A message is seen when all of it is there, so that its header is never read without its body.
        while let Some(frame) = frame(&read, at) {
            at = frame.to + 1;
            let content = &read[frame.from..frame.to];
            match (frame.kind, header) {
                (HEADER, _) => header = Some(properties(content)?),
                (BODY, Some((correlation_id, reply_to))) => {
                    take(self, correlation_id, reply_to, content);
                    header = None;
                    self.seen = at;
                }
                _ => {}
            }
        }
        self.read = read;
        Ok(())
    }

    fn ask(&mut self, method: Method, arguments: &[u8], answer: Method) -> Result<(), Error> {
        self.method(CHANNEL, method, arguments);
        self.flush()?;
        self.until(answer)
    }

    /// Waits for a method; whatever comes before it is of no interest.
    fn until(&mut self, method: Method) -> Result<(), Error> {
        loop {
            while let Some(frame) = frame(&self.read, self.seen) {
                self.seen = frame.to + 1;
                let wanted = [method.0.to_be_bytes(), method.1.to_be_bytes()].concat();
                if frame.kind == METHOD && self.read[frame.from..frame.to].starts_with(&wanted) {
                    return Ok(());
                }
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Result<(), Error> {
        self.read.drain(..self.seen);
        self.seen = 0;
        let length = self.read.len();
        self.read.resize(length + CHUNK, 0);
        let more = self.socket.read(&mut self.read[length..])?;
        self.read.truncate(length + more);
        if more == 0 { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn method(&mut self, channel: u16, method: Method, arguments: &[u8]) {
        let (class, number) = (method.0.to_be_bytes(), method.1.to_be_bytes());
        self.frame(METHOD, channel, &[&class, &number, arguments]);
    }

    fn frame(&mut self, kind: u8, channel: u16, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|it| it.len()).sum();
        self.written.push(kind);
        self.written.extend(channel.to_be_bytes());
        self.written.extend((length as u32).to_be_bytes());
        parts.iter().for_each(|it| self.written.extend_from_slice(it));
        self.written.push(END);
    }
}

/// The frame that begins at `at`, when all of it is there.
fn frame(read: &[u8], at: usize) -> Option<Frame> {
    let head: &[u8; 7] = read.get(at..at + 7)?.try_into().ok()?;
    let length = u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize;
    let (from, to) = (at + 7, at + 7 + length);
    read.get(to)?;
    Some(Frame { kind: head[0], from, to })
}

/// Correlation id and reply-to of a header that has no others before them.
fn properties(header: &[u8]) -> Result<Properties<'_>, Error> {
    let odd = || Error::new(ErrorKind::InvalidData, "a header with properties that nobody sent");
    let flags = u16::from_be_bytes([*header.get(12).ok_or_else(odd)?, *header.get(13).ok_or_else(odd)?]);
    if flags & !(CORRELATION_ID | REPLY_TO) != 0 {
        return Err(odd());
    }
    let mut rest = &header[14..];
    let mut next = |flag| -> Result<_, Error> {
        if flags & flag == 0 {
            return Ok(&[][..]);
        }
        let (length, after) = rest.split_first().ok_or_else(odd)?;
        let (text, after) = after.split_at_checked(usize::from(*length)).ok_or_else(odd)?;
        rest = after;
        Ok(text)
    };
    Ok((next(CORRELATION_ID)?, next(REPLY_TO)?))
}

fn short(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.push(text.len() as u8);
    bytes.extend(text);
}

fn long(bytes: &mut Vec<u8>, text: &[u8]) {
    bytes.extend((text.len() as u32).to_be_bytes());
    bytes.extend(text);
}
