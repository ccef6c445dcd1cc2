use crate::conversation::{Conversation, mode_of};
use crate::http::group_path;
use crate::stack::{Event, Mode, Stack};
use crate::stream::{Stream, map, text};
use crate::{Failure, Outcome, bytes_of};
use ciborium::value::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// What the server closes a stream with for a frame that it does not take (docs/asyncapi.yaml).
const BAD_FRAME: u16 = 4400;

/// What the stream and the log bring.
impl<S: Stack> Conversation<S> {
    /// Takes what the stream brings until the log has been read up to `seq` or this device is out; without `seq`, until it has joined.
    pub fn until(&mut self, group: &[u8], seq: Option<u64>) -> Outcome<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let there = self.groups.get(group).is_some_and(|record| match seq {
                Some(seq) => record.cursor >= seq || record.standing != "member",
                None => record.standing == "member",
            });
            if there {
                return self.view(group);
            }
            if let Some(lost) = self.lost.first() {
                return Err(Failure::new("welcome", lost.clone()));
            }
            if Instant::now() > deadline {
                return Err(Failure::new("driver", format!("waited in vain for {seq:?}")));
            }
            self.take_frame()?;
        }
    }

    /// Reads to the end of what the log shows.
    pub(crate) fn read_on(&mut self, group: &[u8]) -> Outcome<()> {
        while self.read_page(group, u64::MAX)? {}
        Ok(())
    }

    /// Reads the log up to the entry before `seq`, which was accepted. It may not be readable at once: the log waits for the
    /// acknowledgement of its Welcome.
    pub(crate) fn read_until(&mut self, group: &[u8], seq: u64) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.record(group)?.cursor + 1 < seq && self.record(group)?.standing == "member" {
            if self.read_page(group, seq)? {
                continue;
            }
            if Instant::now() > deadline {
                return Err(Failure::new("driver", format!("entries before {seq} cannot be read")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// One page of the log, without what is not before `seq`. Says whether there is more.
    fn read_page(&mut self, group: &[u8], seq: u64) -> Outcome<bool> {
        let from = self.record(group)?.cursor + 1;
        let page = self.device.http.get(&format!("{}/log?from_seq={from}&limit=200", group_path(group)))?;
        let entries = page["entries"].as_array().cloned().unwrap_or_default();
        for entry in entries.iter().filter(|entry| entry["seq"].as_u64().unwrap_or_default() < seq) {
            self.take_entry(entry)?;
        }
        Ok(!entries.is_empty() && !page["next_seq"].is_null())
    }

    fn take_frame(&mut self) -> Outcome<()> {
        if self.stream.is_none() {
            self.listen()?;
        }
        let Some(stream) = &self.stream else { return Ok(()) };
        let frame = match stream.next(Duration::from_millis(200)) {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(()),
            Err(_) => {
                // A token that ended closes the stream: it goes on with the next one.
                self.stream = None;
                return self.device.http.renew();
            }
        };
        match frame["t"].as_str().unwrap_or_default() {
            "entries" => self.take_entries(frame["entries"].as_array().cloned().unwrap_or_default()),
            "inbox" => self.take_inbox(&frame),
            "token-expiring" => self.renew(),
            "closed" if frame["code"] == BAD_FRAME => Err(Failure::new("driver", format!("the stream was closed: {}", frame["reason"]))),
            _ => Ok(()),
        }
    }

    pub fn listen(&mut self) -> Outcome<()> {
        let positions = self.groups.iter().map(|(group, record)| position(group, record.incarnation, record.cursor)).collect();
        self.stream = Some(Stream::open(&self.device.http, positions)?);
        Ok(())
    }

    /// The stream goes on with the new token.
    pub fn renew(&mut self) -> Outcome<()> {
        self.device.http.renew()?;
        let (token, proof) = self.device.http.token_with_proof("GET", "/v1/stream");
        self.say(vec![("t", text("token")), ("access_token", Cbor::Text(token)), ("dpop", Cbor::Text(proof))]);
        Ok(())
    }

    fn say(&self, frame: Vec<(&str, Cbor)>) {
        if let Some(stream) = &self.stream {
            stream.send(frame);
        }
    }

    fn take_entries(&mut self, entries: Vec<Value>) -> Outcome<()> {
        for entry in &entries {
            self.take_entry(entry)?;
        }
        if let Some(last) = entries.last() {
            let ack = position(
                &bytes_of(&last["group_id"])?,
                last["incarnation"].as_u64().unwrap_or_default(),
                last["seq"].as_u64().unwrap_or_default(),
            );
            self.say(vec![("t", text("ack")), ("acks", Cbor::Array(vec![ack]))]);
        }
        Ok(())
    }

    fn take_inbox(&mut self, item: &Value) -> Outcome<()> {
        if item["kind"] == "welcome" {
            let group = bytes_of(&item["group_id"])?;
            if let Err(failure) = self.take_welcome(&group, item) {
                self.lost.push(format!("{}: {}", failure.kind, failure.detail));
            }
        }
        let id = Cbor::Integer(item["id"].as_u64().unwrap_or_default().into());
        self.say(vec![("t", text("inbox-ack")), ("ids", Cbor::Array(vec![id]))]);
        Ok(())
    }

    fn take_welcome(&mut self, group: &[u8], item: &Value) -> Outcome<()> {
        let view = self.device.http.get(&group_path(group))?;
        let mode = mode_of(&view["mode"]);
        let epoch = &item["epoch"];
        let tree = match mode {
            Mode::Private => None,
            Mode::Public => Some(bytes_of(&self.device.http.get(&format!("{}/tree?epoch={epoch}", group_path(group)))?["ratchet_tree"])?),
        };
        self.device.stack.join(group, mode, &bytes_of(&item["welcome"])?, tree.as_deref())?;
        self.adopt(group, mode, item)?;
        Ok(())
    }

    fn take_entry(&mut self, entry: &Value) -> Outcome<()> {
        let group = bytes_of(&entry["group_id"])?;
        let seq = entry["seq"].as_u64().unwrap_or_default();
        let Some(record) = self.groups.get_mut(&group) else { return Ok(()) };
        if seq <= record.cursor || record.standing != "member" {
            return Ok(());
        }
        record.cursor = seq;
        let message = bytes_of(&entry["message"])?;
        if record.sent.remove(Sha256::digest(&message).as_slice()) {
            return Ok(());
        }
        match self.device.stack.process(&group, &message) {
            Ok(Event::Text { from, text }) => record.texts.push(json!({"from": from, "text": text})),
            Ok(Event::Removed) => record.standing = "removed",
            Ok(Event::Proposal) => {}
            Ok(Event::Commit { external }) => {
                if external {
                    self.note_joiner(&group)?;
                }
                self.review(&group, false)?;
            }
            Err(failure) => {
                record.failures.push(format!("{seq}: {}", failure.detail));
                if entry["kind"] == "commit" {
                    record.standing = "stuck";
                }
            }
        }
        Ok(())
    }
}

fn position(group: &[u8], incarnation: u64, seq: u64) -> Cbor {
    map(vec![
        ("group_id", Cbor::Bytes(group.to_vec())),
        ("incarnation", Cbor::Integer(incarnation.into())),
        ("seq", Cbor::Integer(seq.into())),
    ])
}
