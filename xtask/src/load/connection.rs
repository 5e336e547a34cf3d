//! HTTP/1.1 over one kept connection to a server on this machine.

use std::{
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer.
const ANSWER_LIMIT: u64 = 256 << 20;

/// A connection that is opened at the first request, and again after an error.
pub struct Connection {
    host: String,
    stream: Option<BufReader<TcpStream>>,
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
    pub fn send(&mut self, call: &Call<'_>) -> Result<Reply> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open()?,
        };
        let (reply, keep) = exchange(&mut stream, &self.host, call)?;
        if keep {
            self.stream = Some(stream);
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
    stream.get_mut().write_all(request.as_bytes())?;
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
