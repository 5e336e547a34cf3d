//! HTTP/1.1 over one kept connection to a server on this machine.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a connection may be idle before a new one is opened: workerd and Node close theirs after 5 s.
const KEPT: Duration = Duration::from_secs(3);
/// How often a request is sent while connections are closed in front of it.
const ATTEMPTS: u32 = 4;
/// The largest answer.
const ANSWER_LIMIT: u64 = 256 << 20;

/// A connection that is opened at the first request, and again after an error.
pub struct Connection {
    host: String,
    stream: Option<(BufReader<TcpStream>, Instant)>,
    patience: Duration,
}

/// A request.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// `GET`, `PUT` …
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// The bearer token.
    pub token: Option<&'a str>,
    /// Whether the server is asked what the request costs, with this admin token.
    pub bill: Option<&'a str>,
    /// JSON; empty for none.
    pub body: &'a str,
}

/// An answer.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// What the server says that the request cost, where it was asked.
    pub bill: Option<String>,
}

/// The connection ended before the first byte of an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection was closed")
    }
}

impl std::error::Error for Closed {}

impl<'a> Call<'a> {
    /// A request without body.
    pub const fn get(path: &'a str) -> Self {
        Self { method: "GET", path, token: None, bill: None, body: "" }
    }

    /// A request with JSON.
    pub const fn new(method: &'a str, path: &'a str, body: &'a str) -> Self {
        Self { method, path, token: None, bill: None, body }
    }

    /// On behalf of the holder of this token.
    pub const fn with_token(self, token: &'a str) -> Self {
        Self { token: Some(token), ..self }
    }
}

impl Reply {
    /// The body as JSON, for any status.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body).context("the answer is not JSON")
    }

    /// The body as JSON; a status other than 200 is an error that quotes the server's.
    pub fn success(&self, what: &str) -> Result<Value> {
        if self.status != 200 {
            let text: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
            bail!("{what}: {} {text}", self.status);
        }
        self.json().with_context(|| what.to_owned())
    }
}

impl Connection {
    /// To the server at `http://HOST:PORT`.
    pub fn new(url: &str) -> Self {
        Self { host: url.trim_start_matches("http://").to_owned(), stream: None, patience: PATIENCE }
    }

    /// Another connection to the same server.
    pub fn again(&self) -> Self {
        Self { host: self.host.clone(), stream: None, patience: self.patience }
    }

    /// Gives up on answers sooner.
    pub fn impatient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends a request and reads its answer. After an error nobody knows whether the server got it.
    ///
    /// A server may close a kept connection at any time, so what may be repeated is sent again over a new one, as every client
    /// does ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112#name-retrying-requests)). workerd closes all that are between
    /// two requests when it was too busy for 5 s to look at the clock.
    pub fn send(&mut self, call: &Call<'_>) -> Result<Reply> {
        let mut attempts = if call.method == "POST" { 1 } else { ATTEMPTS };
        loop {
            attempts -= 1;
            let kept = self.stream.take().filter(|(_, used)| used.elapsed() < KEPT);
            let mut stream = match kept {
                Some((stream, _)) => stream,
                None => self.open()?,
            };
            match self.exchange(&mut stream, call) {
                Err(error) if attempts > 0 && error.is::<Closed>() => {}
                outcome => return self.keep(stream, outcome),
            }
        }
    }

    fn exchange(&self, stream: &mut BufReader<TcpStream>, call: &Call<'_>) -> Result<(Reply, bool)> {
        exchange(stream, &self.host, call).with_context(|| format!("{} {}", call.method, path_only(call.path)))
    }

    fn keep(&mut self, stream: BufReader<TcpStream>, outcome: Result<(Reply, bool)>) -> Result<Reply> {
        let (reply, keep) = outcome?;
        if keep {
            self.stream = Some((stream, Instant::now()));
        }
        Ok(reply)
    }

    fn open(&self) -> Result<BufReader<TcpStream>> {
        let stream = TcpStream::connect(&self.host).with_context(|| format!("{} does not answer", self.host))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(self.patience))?;
        stream.set_write_timeout(Some(self.patience))?;
        Ok(BufReader::with_capacity(64 << 10, stream))
    }
}

fn exchange(stream: &mut BufReader<TcpStream>, host: &str, call: &Call<'_>) -> Result<(Reply, bool)> {
    let mut request = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", call.method, call.path);
    if let Some(token) = call.token {
        write!(request, "authorization: Bearer {token}\r\n")?;
    }
    if let Some(token) = call.bill {
        write!(request, "x-hubbub-bill: {token}\r\n")?;
    }
    if call.method != "GET" {
        write!(request, "content-type: application/json\r\ncontent-length: {}\r\n", call.body.len())?;
    }
    request.push_str("\r\n");
    request.push_str(call.body);
    stream.get_mut().write_all(request.as_bytes()).map_err(|_| Closed)?;
    let reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
    if stream.fill_buf().map_or_else(|error| reset(&error), <[u8]>::is_empty) {
        return Err(Closed.into());
    }
    read_reply(stream)
}

/// What the headers of an answer say.
#[derive(Default)]
struct Head {
    status: u16,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    bill: Option<String>,
}

fn read_reply(stream: &mut BufReader<TcpStream>) -> Result<(Reply, bool)> {
    let head = read_head(stream)?;
    let mut body = Vec::new();
    match (head.chunked, head.length) {
        (true, _) => read_chunks(stream, &mut body)?,
        (false, Some(length)) => read_bytes(stream, length, &mut body)?,
        // As HTTP/1.1 has it: until the connection ends.
        (false, None) => {
            stream.take(ANSWER_LIMIT).read_to_end(&mut body)?;
        }
    }
    let keep = !head.close && (head.chunked || head.length.is_some());
    Ok((Reply { status: head.status, body, bill: head.bill }, keep))
}

fn read_head(stream: &mut BufReader<TcpStream>) -> Result<Head> {
    let status = read_line(stream)?;
    let status = status.split(' ').nth(1).and_then(|code| code.parse().ok()).context("this is no HTTP answer")?;
    let mut head = Head { status, ..Head::default() };
    loop {
        let line = read_line(stream)?;
        let Some((name, value)) = line.split_once(':') else {
            return Ok(head);
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = Some(value.parse()?),
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => head.close = value.eq_ignore_ascii_case("close"),
            "x-hubbub-operations" => head.bill = Some(value.to_owned()),
            _ => {}
        }
    }
}

fn read_chunks(stream: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let line = read_line(stream)?;
        let size = line.split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size.trim(), 16).context("a chunk has no size")?;
        if size > 0 {
            read_bytes(stream, size, body)?;
        }
        // The line end after a chunk, or after the last of the trailers.
        while !read_line(stream)?.is_empty() {}
        if size == 0 {
            return Ok(());
        }
    }
}

fn read_bytes(stream: &mut BufReader<TcpStream>, length: u64, body: &mut Vec<u8>) -> Result<()> {
    if length > ANSWER_LIMIT {
        bail!("an answer of {length} bytes");
    }
    let read = stream.take(length).read_to_end(body)?;
    if u64::try_from(read)? != length {
        bail!("the answer was cut off");
    }
    Ok(())
}

/// A line without its end.
fn read_line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    if stream.take(64 << 10).read_line(&mut line)? == 0 {
        bail!("the connection was closed");
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

/// A path without its query, which may hold a token.
fn path_only(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, net::TcpListener, thread};

    use super::{Call, Connection};

    /// A server that takes one connection for each of these answers.
    fn server(answers: Vec<&'static str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 1024];
                let _read = std::io::Read::read(&mut stream, &mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        url
    }

    #[test]
    fn a_chunked_answer_is_put_together() {
        let url = server(vec!["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"]);
        let reply = Connection::new(&url).send(&Call::get("/")).unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"abcde".as_slice()));
    }

    #[test]
    fn a_connection_that_was_closed_is_opened_again() {
        let url = server(vec!["", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"]);
        let reply = Connection::new(&url).send(&Call::get("/")).unwrap();
        assert_eq!(reply.status, 204);
    }

    #[test]
    fn what_may_not_be_repeated_is_not() {
        let url = server(vec!["", "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"]);
        assert!(Connection::new(&url).send(&Call::new("POST", "/", "{}")).is_err());
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error() {
        let url = server(vec!["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"]);
        assert!(Connection::new(&url).send(&Call::get("/")).is_err());
    }
}
