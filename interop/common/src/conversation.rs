use crate::device::Device;
use crate::http::group_path;
use crate::stack::{Bundle, Changes, Event, Mode, Proposal, Stack};
use crate::stream::{Stream, map};
use crate::{Failure, Outcome, bytes_of, to_text};
use ciborium::value::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

/// What one device knows of a group beside what its library keeps.
struct Record {
    mode: Mode,
    incarnation: u64,
    /// Everything in the log up to here is done with.
    cursor: u64,
    joinable: bool,
    standing: &'static str,
    /// Hashes of what this device sent: it cannot decrypt its own messages.
    sent: HashSet<Vec<u8>>,
    texts: Vec<Value>,
    failures: Vec<String>,
}

/// A device in its groups: what it does, and what the stream brings it.
pub struct Conversation<S: Stack> {
    pub device: Device<S>,
    suite: u16,
    stream: Option<Stream>,
    groups: HashMap<Vec<u8>, Record>,
    /// Welcomes that the library refused.
    lost: Vec<String>,
}

impl<S: Stack> Conversation<S> {
    pub fn new(device: Device<S>, suite: u16) -> Self {
        Conversation { device, suite, stream: None, groups: HashMap::new(), lost: Vec::new() }
    }

    pub fn create(&mut self, group: &[u8], mode: Mode, policy: &Value) -> Outcome<Value> {
        let answer = self.device.http.get("/v1/external-senders")?;
        let senders = answer["external_senders"].as_array().into_iter().flatten();
        let fitting = senders.filter(|sender| sender["cipher_suites"].as_array().is_some_and(|suites| suites.contains(&json!(self.suite))));
        let senders = fitting.map(|sender| bytes_of(&sender["external_sender"])).collect::<Outcome<Vec<_>>>()?;
        let founded = self.device.stack.create(group, mode, &senders)?;
        let mut body = json!({"mode": name(mode), "group_info": to_text(&founded.group_info), "policy": policy});
        if let Some(tree) = founded.tree {
            body["ratchet_tree"] = json!(to_text(&tree));
        }
        let created = self.device.http.post("/v1/groups", &body)?;
        self.adopt(group, mode, &created)
    }

    pub fn add(&mut self, group: &[u8], users: &[String]) -> Outcome<Value> {
        let claimed = self.device.claim(users, self.suite)?;
        self.commit(group, |present| {
            let absent = claimed.iter().filter(|(client, _)| !present.contains(client));
            Changes { key_packages: absent.map(|(_, key_package)| key_package.clone()).collect(), ..Changes::default() }
        })
    }

    pub fn remove(&mut self, group: &[u8], clients: &[String]) -> Outcome<Value> {
        self.commit(group, |present| Changes {
            removed: clients.iter().filter(|one| present.contains(one)).cloned().collect(),
            ..Changes::default()
        })
    }

    /// An empty Commit, with all proposals that wait.
    pub fn update(&mut self, group: &[u8]) -> Outcome<Value> {
        self.commit(group, |_| Changes::default())
    }

    pub fn propose(&mut self, group: &[u8], proposal: &Proposal) -> Outcome<Value> {
        let message = self.device.stack.propose(group, proposal)?;
        self.record(group)?.sent.insert(Sha256::digest(&message).to_vec());
        self.device.http.post(&format!("{}/proposals", group_path(group)), &json!({"proposal": to_text(&message)}))
    }

    pub fn leave(&mut self, group: &[u8]) -> Outcome<Value> {
        self.device.http.post(&format!("{}/leave", group_path(group)), &json!({}))
    }

    pub fn send(&mut self, group: &[u8], text: &str) -> Outcome<Value> {
        for _ in 0..ATTEMPTS {
            // RFC 9420 §12.4: proposals that wait are committed before anything is said.
            if self.device.stack.view(group)?.proposals > 0 {
                self.update(group)?;
            }
            let message = self.device.stack.encrypt(group, text)?;
            self.record(group)?.sent.insert(Sha256::digest(&message).to_vec());
            match self.device.http.post_message(&format!("{}/messages", group_path(group)), &message) {
                Err(failure) if failure.status == 409 => self.read_on(group)?,
                outcome => return outcome,
            }
        }
        Err(Failure::new("driver", "no message was accepted"))
    }

    /// An external Commit; with `resync` it removes the leaf that this device had.
    pub fn join_externally(&mut self, group: &[u8], resync: bool, code: Option<&str>) -> Outcome<Value> {
        let path = group_path(group);
        for _ in 0..ATTEMPTS {
            let info = self.device.http.get_with_code(&format!("{path}/group-info"), code)?;
            let tree = self.device.http.get_with_code(&format!("{path}/tree?epoch={}", info["epoch"]), code)?;
            let mode = mode_of(&info["mode"]);
            let (info, tree) = (bytes_of(&info["group_info"])?, bytes_of(&tree["ratchet_tree"])?);
            let bundle = self.device.stack.join_externally(group, mode, &info, &tree, resync)?;
            let mut body = body_of(&bundle, mode, true);
            if let Some(code) = code {
                body["join_code"] = json!(code);
            }
            match self.device.http.post(&format!("{path}/commits"), &body) {
                Ok(accepted) => {
                    self.device.stack.merge(group)?;
                    let answer = self.adopt(group, mode, &accepted);
                    self.record(group)?.sent.insert(Sha256::digest(&bundle.commit).to_vec());
                    return answer;
                }
                Err(failure) if failure.kind == "stale-epoch" => self.device.stack.discard(group)?,
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::new("driver", "no external Commit won"))
    }

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

    pub fn view(&mut self, group: &[u8]) -> Outcome<Value> {
        let view = self.device.stack.view(group)?;
        let record = self.record(group)?;
        let (cursor, standing) = (record.cursor, record.standing);
        Ok(json!({
            "epoch": view.epoch, "authenticator": to_text(&view.authenticator), "members": view.members, "proposals": view.proposals,
            "cursor": cursor, "standing": standing, "texts": record.texts, "failures": record.failures,
        }))
    }

    /// How far the log goes.
    pub fn head(&mut self, group: &[u8]) -> Outcome<Value> {
        let page = self.device.http.get(&format!("{}/log?from_seq=1&limit=1", group_path(group)))?;
        Ok(page["head_seq"].clone())
    }

    /// Commits until one wins: who loses an epoch reads what was missed, looks again, and tries again.
    fn commit(&mut self, group: &[u8], changes: impl Fn(&[String]) -> Changes) -> Outcome<Value> {
        for _ in 0..ATTEMPTS {
            let members = self.device.stack.view(group)?.members;
            let bundle = self.device.stack.commit(group, &changes(&members))?;
            let (mode, joinable) = (self.record(group)?.mode, self.record(group)?.joinable);
            match self.device.http.post(&format!("{}/commits", group_path(group)), &body_of(&bundle, mode, joinable)) {
                Ok(accepted) => {
                    let seq = accepted["seq"].as_u64().unwrap_or_default();
                    let own = Sha256::digest(&bundle.commit).to_vec();
                    self.record(group)?.sent.insert(own);
                    // What came before it is of the epoch that ends here.
                    self.read_until(group, seq)?;
                    self.device.stack.merge(group)?;
                    self.record(group)?.cursor = seq;
                    return Ok(accepted);
                }
                Err(failure) => {
                    self.device.stack.discard(group)?;
                    if failure.kind != "stale-epoch" && failure.kind != "proposals-pending" {
                        return Err(failure);
                    }
                    self.read_on(group)?;
                }
            }
        }
        Err(Failure::new("driver", "no Commit won"))
    }

    fn read_on(&mut self, group: &[u8]) -> Outcome<()> {
        self.read_until(group, u64::MAX)
    }

    /// Reads the log up to the entry before `seq`.
    fn read_until(&mut self, group: &[u8], seq: u64) -> Outcome<()> {
        while self.record(group)?.cursor + 1 < seq {
            let from = self.record(group)?.cursor + 1;
            let page = self.device.http.get(&format!("{}/log?from_seq={from}&limit=200", group_path(group)))?;
            let entries = page["entries"].as_array().cloned().unwrap_or_default();
            for entry in entries.iter().filter(|entry| entry["seq"].as_u64().unwrap_or_default() < seq) {
                self.take_entry(entry)?;
            }
            if entries.is_empty() || page["next_seq"].is_null() {
                return Ok(());
            }
        }
        Ok(())
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
            "token-expiring" => {
                self.device.http.renew()?;
                let token = Cbor::Text(self.device.http.access_token.clone());
                self.say(vec![("t", crate::stream::text("token")), ("access_token", token)]);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub fn listen(&mut self) -> Outcome<()> {
        let positions = self.groups.iter().map(|(group, record)| position(group, record.incarnation, record.cursor)).collect();
        self.stream = Some(Stream::open(&self.device.http.base, &self.device.http.access_token, positions)?);
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
            self.say(vec![("t", crate::stream::text("ack")), ("acks", Cbor::Array(vec![ack]))]);
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
        self.say(vec![("t", crate::stream::text("inbox-ack")), ("ids", Cbor::Array(vec![id]))]);
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
            Ok(Event::Proposal | Event::Commit) => {}
            Err(failure) => {
                record.failures.push(format!("{seq}: {}", failure.detail));
                if entry["kind"] == "commit" {
                    record.standing = "stuck";
                }
            }
        }
        Ok(())
    }

    fn adopt(&mut self, group: &[u8], mode: Mode, at: &Value) -> Outcome<Value> {
        let policy = self.device.http.get(&format!("{}/policy", group_path(group)))?;
        let (incarnation, cursor) = (at["incarnation"].as_u64().unwrap_or_default(), at["seq"].as_u64().unwrap_or_default());
        let joinable = policy["external_join"] != "none";
        let record =
            Record { mode, incarnation, cursor, joinable, standing: "member", sent: HashSet::new(), texts: vec![], failures: vec![] };
        self.groups.insert(group.to_vec(), record);
        Ok(at.clone())
    }

    fn record(&mut self, group: &[u8]) -> Outcome<&mut Record> {
        self.groups.get_mut(group).ok_or_else(|| Failure::new("driver", "no such group"))
    }
}

const ATTEMPTS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(60);

fn body_of(bundle: &Bundle, mode: Mode, joinable: bool) -> Value {
    let mut body = json!({"commit": to_text(&bundle.commit)});
    if !bundle.welcomes.is_empty() {
        body["welcomes"] = bundle.welcomes.iter().map(|welcome| to_text(welcome)).collect();
    }
    if joinable {
        body["group_info"] = json!(to_text(&bundle.group_info));
    }
    if mode == Mode::Private {
        if let (true, Some(tree)) = (joinable, &bundle.tree) {
            body["ratchet_tree"] = json!(to_text(tree));
        }
        if !bundle.removed.is_empty() {
            body["removed"] = json!(bundle.removed);
        }
    }
    body
}

fn position(group: &[u8], incarnation: u64, seq: u64) -> Cbor {
    map(vec![
        ("group_id", Cbor::Bytes(group.to_vec())),
        ("incarnation", Cbor::Integer(incarnation.into())),
        ("seq", Cbor::Integer(seq.into())),
    ])
}

fn name(mode: Mode) -> &'static str {
    if mode == Mode::Public { "public" } else { "private" }
}

pub fn mode_of(value: &Value) -> Mode {
    if value == "private" { Mode::Private } else { Mode::Public }
}
