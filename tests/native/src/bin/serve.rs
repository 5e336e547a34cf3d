//! `cargo run -p hubbub-native --bin serve -- [PORT]`: the native server over plain HTTP.
//!
//! For quick runs of the conformance suite against the API and the objects alone, without a Worker.
//! Everybody may register, nothing is limited, nothing is kept. Connections have a thread each that
//! only reads and writes; requests run on the main thread, on the clock of the machine.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hubbub_native::{Reply, TestServer, scheduler::Started};

/// How long the main thread sleeps when there is nothing to do but wait for time to pass.
const TICK: Duration = Duration::from_millis(2);

struct Asked {
    request: http::Request<Vec<u8>>,
    answer: Sender<Vec<u8>>,
    close: bool,
}

fn main() -> std::io::Result<()> {
    let port: u16 = std::env::args().nth(1).map_or(8788, |port| port.parse().expect("the port is a number"));
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("ready http://127.0.0.1:{port}");
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            std::thread::spawn(move || serve(stream, &sender));
        }
    });
    run(&receiver);
    Ok(())
}

fn run(receiver: &Receiver<Asked>) {
    let server = TestServer::new();
    server.set_settling(false);
    let mut waiting: Vec<(Started<Reply>, Sender<Vec<u8>>, bool)> = Vec::new();
    loop {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        server.advance((now - server.now()).max(0));
        for (reply, answer, close) in waiting.extract_if(.., |(started, ..)| started.is_finished()) {
            // The client may be gone.
            let _ = answer.send(encode(&server.finish(&reply), close));
        }
        match receiver.recv_timeout(TICK) {
            Ok(asked) => waiting.push((server.start(asked.request), asked.answer, asked.close)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn serve(mut stream: TcpStream, sender: &Sender<Asked>) {
    let Ok(reading) = stream.try_clone() else { return };
    let mut reader = BufReader::new(reading);
    while let Some((request, close)) = read(&mut reader) {
        let (answer, answered) = channel();
        if sender.send(Asked { request, answer, close }).is_err() {
            return;
        }
        let Ok(bytes) = answered.recv() else { return };
        if stream.write_all(&bytes).is_err() || close {
            return;
        }
    }
}

/// One request; `None` when the connection ends or says something else than HTTP/1.1.
fn read(reader: &mut BufReader<TcpStream>) -> Option<(http::Request<Vec<u8>>, bool)> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut parts = line.split_whitespace();
    let mut request = http::Request::builder().method(parts.next()?).uri(parts.next()?);
    let (mut length, mut close) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "connection" => close = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
        request = request.header(name, value);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((request.body(body).ok()?, close))
}

fn encode(reply: &Reply, close: bool) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} -\r\ncontent-length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in reply.headers.iter().filter(|(name, _)| *name != "content-length") {
        head.push_str(&format!("{name}: {}\r\n", String::from_utf8_lossy(value.as_bytes())));
    }
    if close {
        head.push_str("connection: close\r\n");
    }
    head.push_str("\r\n");
    [head.as_bytes(), &reply.body].concat()
}
