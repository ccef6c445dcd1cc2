use crate::http::Http;
use crate::{Failure, Outcome, to_text};
use ciborium::value::Value as Cbor;
use serde_json::{Map, Value, json};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Error, Message, WebSocket};

/// How long a thread waits for a frame before it looks for one to send.
const TURN: Duration = Duration::from_millis(5);

/// `GET /v1/stream` (docs/asyncapi.yaml): frames of CBOR, read by a thread of its own so that the server's pings are answered.
pub struct Stream {
    frames: Receiver<Value>,
    outgoing: Sender<Cbor>,
}

impl Stream {
    pub fn open(http: &Http, positions: Vec<Cbor>) -> Outcome<Self> {
        let address = http.base.trim_start_matches("http://");
        let connection = |error: &dyn ToString| Failure::new("connection", error.to_string());
        let mut request = format!("ws://{address}/v1/stream").into_client_request().map_err(|error| connection(&error))?;
        let headers = request.headers_mut();
        for (name, value) in http.credentials("GET", "/v1/stream") {
            headers.insert(name, HeaderValue::from_str(&value).map_err(|error| connection(&error))?);
        }
        headers.insert("sec-websocket-protocol", HeaderValue::from_static("microchat.v1"));
        let socket = TcpStream::connect(address).map_err(|error| connection(&error))?;
        let (socket, _) = tungstenite::client(request, socket).map_err(|error| connection(&error))?;
        socket.get_ref().set_read_timeout(Some(TURN)).map_err(|error| connection(&error))?;
        let (into_frames, frames) = channel();
        let (outgoing, from_owner) = channel();
        thread::spawn(move || run(socket, &from_owner, &into_frames));
        let stream = Stream { frames, outgoing };
        stream.send(vec![("t", text("resume")), ("positions", Cbor::Array(positions))]);
        Ok(stream)
    }

    /// The next frame with its byte strings as base64url; nothing if none comes in time. @errors `closed`
    pub fn next(&self, patience: Duration) -> Outcome<Option<Value>> {
        match self.frames.recv_timeout(patience) {
            Ok(frame) => Ok(Some(frame)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Failure::new("closed", "the stream has ended")),
        }
    }

    pub fn send(&self, fields: Vec<(&str, Cbor)>) {
        let frame = map(fields);
        // A closed stream shows itself at the next `next`.
        let _ = self.outgoing.send(frame);
    }
}

fn run(mut socket: WebSocket<TcpStream>, outgoing: &Receiver<Cbor>, frames: &Sender<Value>) {
    loop {
        loop {
            match outgoing.try_recv() {
                Ok(frame) => {
                    let mut bytes = Vec::new();
                    ciborium::into_writer(&frame, &mut bytes).expect("a Vec takes all bytes");
                    if socket.send(Message::binary(bytes)).is_err() {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => return,
            }
        }
        match socket.read() {
            Ok(Message::Binary(bytes)) => {
                let Ok(frame) = ciborium::from_reader::<Cbor, _>(bytes.as_ref()) else { return };
                if frames.send(to_json(frame)).is_err() {
                    return;
                }
            }
            // The library answers it, and ends with the next read.
            Ok(Message::Close(Some(end))) => {
                let end = json!({"t": "closed", "code": u16::from(end.code), "reason": end.reason.as_str()});
                if frames.send(end).is_err() {
                    return;
                }
            }
            Ok(_) => {}
            Err(Error::Io(error)) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
    }
}

pub fn map(fields: Vec<(&str, Cbor)>) -> Cbor {
    Cbor::Map(fields.into_iter().map(|(key, value)| (text(key), value)).collect())
}

pub fn text(value: &str) -> Cbor {
    Cbor::Text(value.into())
}

/// The shape that a JSON answer has.
fn to_json(value: Cbor) -> Value {
    match value {
        Cbor::Bytes(bytes) => Value::String(to_text(&bytes)),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Integer(number) => u64::try_from(number).map_or(Value::Null, Value::from),
        Cbor::Array(items) => Value::Array(items.into_iter().map(to_json).collect()),
        Cbor::Map(fields) => {
            let named = fields.into_iter().filter_map(|(key, value)| Some((key.into_text().ok()?, to_json(value))));
            Value::Object(named.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}
