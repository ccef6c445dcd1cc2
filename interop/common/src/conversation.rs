use crate::device::Device;
use crate::http::group_path;
use crate::identity::LEAF_CERTIFICATE;
use crate::quarantine::Leaves;
use crate::stack::{Bundle, Changes, Mode, Origin, Proposal, Stack};
use crate::stream::Stream;
use crate::{Failure, Outcome, bytes_of, to_text};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};

/// What one device knows of a group beside what its library keeps.
pub(crate) struct Record {
    mode: Mode,
    pub(crate) incarnation: u64,
    /// Everything in the log up to here is done with.
    pub(crate) cursor: u64,
    joinable: bool,
    /// As the policy was when this device joined: a server cannot take it back. Others join from outside only if a member has certified them.
    pub(crate) vouched: bool,
    pub(crate) standing: &'static str,
    /// Hashes of what this device sent: it cannot decrypt its own messages.
    pub(crate) sent: HashSet<Vec<u8>>,
    pub(crate) texts: Vec<Value>,
    pub(crate) failures: Vec<String>,
    pub(crate) leaves: Leaves,
}

/// A device in its groups: what it does, and what the stream brings it.
pub struct Conversation<S: Stack> {
    pub device: Device<S>,
    suite: u16,
    pub(crate) stream: Option<Stream>,
    pub(crate) groups: HashMap<Vec<u8>, Record>,
    /// Welcomes that the library refused.
    pub(crate) lost: Vec<String>,
}

impl<S: Stack> Conversation<S> {
    pub fn new(device: Device<S>, suite: u16) -> Self {
        Conversation { device, suite, stream: None, groups: HashMap::new(), lost: Vec::new() }
    }

    /// `required`: the group wants a certificate in each leaf (docs/identity.md §4).
    pub fn create(&mut self, group: &[u8], mode: Mode, policy: &Value, required: bool) -> Outcome<Value> {
        let answer = self.device.http.get("/v1/external-senders")?;
        let senders = answer["external_senders"].as_array().into_iter().flatten();
        let fitting = senders.filter(|sender| sender["cipher_suites"].as_array().is_some_and(|suites| suites.contains(&json!(self.suite))));
        let senders = fitting.map(|sender| bytes_of(&sender["external_sender"])).collect::<Outcome<Vec<_>>>()?;
        let founded = self.device.stack.create(group, mode, &senders, if required { &[LEAF_CERTIFICATE] } else { &[] })?;
        let mut body = json!({"mode": name(mode), "group_info": to_text(&founded.group_info), "policy": policy});
        if let Some(tree) = founded.tree {
            body["ratchet_tree"] = json!(to_text(&tree));
        }
        let created = self.device.http.post("/v1/groups", &body)?;
        self.adopt(group, mode, &created)
    }

    /// Freezes the group; what comes after it has the id `next`.
    pub fn reinit(&mut self, group: &[u8], next: &[u8]) -> Outcome<Value> {
        let commit = self.device.stack.reinit(group, next)?;
        let mut body = json!({"commit": to_text(&commit)});
        if self.record(group)?.mode == Mode::Private {
            body["reinit"] = json!(true);
            body["successor"] = json!(to_text(next));
        }
        let accepted = self.device.http.post(&format!("{}/commits", group_path(group)), &body)?;
        let seq = accepted["seq"].as_u64().unwrap_or_default();
        self.read_until(group, seq)?;
        self.device.stack.merge(group)?;
        let record = self.record(group)?;
        record.cursor = seq;
        record.sent.insert(Sha256::digest(&commit).to_vec());
        Ok(accepted)
    }

    /// The successor or a branch of `before`, with members of it from the first epoch on.
    pub fn begin_after(&mut self, before: &[u8], origin: Origin, group: &[u8], users: &[String]) -> Outcome<Value> {
        let mode = self.record(before)?.mode;
        let claimed = self.device.claim(users, self.suite)?;
        let claimed = self.usable(before, claimed)?;
        let key_packages: Vec<_> = claimed.into_iter().map(|(_, key_package)| key_package).collect();
        let begun = self.device.stack.begin_after(before, origin, group, mode, &key_packages)?;
        let welcomes: Vec<_> = begun.welcomes.iter().map(|welcome| to_text(welcome)).collect();
        let named = if origin == Origin::Reinit { "successor_of" } else { "branch_of" };
        let mut body = json!({
            "mode": name(mode), "group_info": to_text(&begun.founded.group_info), "welcomes": welcomes, named: to_text(before),
        });
        if let Some(tree) = begun.founded.tree {
            body["ratchet_tree"] = json!(to_text(&tree));
        }
        let created = self.device.http.post("/v1/groups", &body)?;
        self.adopt(group, mode, &created)
    }

    pub fn add(&mut self, group: &[u8], users: &[String]) -> Outcome<Value> {
        let claimed = self.device.claim(users, self.suite)?;
        let claimed = self.usable(group, claimed)?;
        self.add_by(group, &claimed)
    }

    /// Each with its client URI.
    pub(crate) fn add_by(&mut self, group: &[u8], claimed: &[(String, Vec<u8>)]) -> Outcome<Value> {
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
            self.cleanse(group)?;
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

    pub fn view(&mut self, group: &[u8]) -> Outcome<Value> {
        let view = self.device.stack.view(group)?;
        let distrusted = self.distrusted(group)?;
        let record = self.record(group)?;
        let (cursor, standing) = (record.cursor, record.standing);
        Ok(json!({
            "epoch": view.epoch, "authenticator": to_text(&view.authenticator), "members": view.members, "proposals": view.proposals,
            "cursor": cursor, "standing": standing, "texts": record.texts, "failures": record.failures,
            "distrusted": distrusted,
        }))
    }

    /// How far the log goes.
    pub fn head(&mut self, group: &[u8]) -> Outcome<Value> {
        let page = self.device.http.get(&format!("{}/log?from_seq=1&limit=1", group_path(group)))?;
        Ok(page["head_seq"].clone())
    }

    /// The group's admins, by user URI.
    pub fn admins(&mut self, group: &[u8]) -> Outcome<Value> {
        Ok(self.device.http.get(&format!("{}/policy", group_path(group)))?["admins"].clone())
    }

    /// Commits until one wins: who loses an epoch reads what was missed, looks again, and tries again.
    fn commit(&mut self, group: &[u8], changes: impl Fn(&[String]) -> Changes) -> Outcome<Value> {
        self.commit_with(group, changes, true)
    }

    /// A Commit of a member who breaks the rules: it adds by what it has not looked at, and without `welcoming` nobody learns of it by a Welcome.
    pub(crate) fn add_unseen(&mut self, group: &[u8], added: &Changes, welcoming: bool) -> Outcome<Value> {
        self.commit_with(group, |_| Changes { key_packages: added.key_packages.clone(), ..Changes::default() }, welcoming)
    }

    fn commit_with(&mut self, group: &[u8], changes: impl Fn(&[String]) -> Changes, welcoming: bool) -> Outcome<Value> {
        for _ in 0..ATTEMPTS {
            let members = self.device.stack.view(group)?.members;
            let (mode, joinable) = (self.record(group)?.mode, self.record(group)?.joinable);
            let mut wanted = changes(&members);
            let let_go = if mode == Mode::Private { self.leaving(group, &members, &wanted)? } else { vec![] };
            wanted.removed.extend(let_go.iter().cloned());
            let failing = self.record(group)?.leaves.failing.iter().filter(|(leaf, _)| !wanted.removed.contains(&leaf.client));
            let failing: Vec<u32> = failing.map(|(leaf, _)| leaf.index).collect();
            wanted.leaves.extend(failing);
            let mut bundle = self.device.stack.commit(group, &wanted)?;
            if !welcoming {
                bundle.welcomes.clear();
            }
            let mut body = body_of(&bundle, mode, joinable);
            if !let_go.is_empty() {
                body["removed"] = bundle.removed.iter().filter(|client| !let_go.contains(client)).map(|client| json!(client)).collect();
                body["let_go"] = json!(let_go);
            }
            match self.submit(group, &mut body) {
                Ok(accepted) => {
                    let seq = accepted["seq"].as_u64().unwrap_or_default();
                    let own = Sha256::digest(&bundle.commit).to_vec();
                    self.record(group)?.sent.insert(own);
                    // What came before it is of the epoch that ends here.
                    self.read_until(group, seq)?;
                    self.device.stack.merge(group)?;
                    self.record(group)?.cursor = seq;
                    self.review(group, false)?;
                    return Ok(accepted);
                }
                Err(failure) => {
                    self.device.stack.discard(group)?;
                    if failure.kind == "proposals-void" {
                        for entry in failure.document["proposals"].as_array().into_iter().flatten() {
                            self.device.stack.leave_out(group, &bytes_of(&entry["message"])?)?;
                        }
                    } else if failure.kind != "stale-epoch" && failure.kind != "proposals-pending" {
                        return Err(failure);
                    }
                    self.read_on(group)?;
                }
            }
        }
        Err(Failure::new("driver", "no Commit won"))
    }

    /// The server of a private group refuses names that it has no member of: a leaf that came without a Welcome is of nobody that it knows.
    fn submit(&mut self, group: &[u8], body: &mut Value) -> Outcome<Value> {
        let path = format!("{}/commits", group_path(group));
        match self.device.http.post(&path, body) {
            Err(failure) if failure.document["rule"] == "remove-member" && self.leave_unnamed(group, body)? => {
                self.device.http.post(&path, body)
            }
            outcome => outcome,
        }
    }

    /// In a private group the server proposes no Removes: the next member to commit removes those who asked to leave or were revoked.
    fn leaving(&mut self, group: &[u8], members: &[String], wanted: &Changes) -> Outcome<Vec<String>> {
        let shown = self.device.http.get(&group_path(group))?;
        let named = shown["leaving"].as_array().into_iter().flatten().filter_map(|client| client.as_str().map(str::to_owned));
        Ok(named.filter(|client| members.contains(client) && !wanted.removed.contains(client)).collect())
    }

    pub(crate) fn adopt(&mut self, group: &[u8], mode: Mode, at: &Value) -> Outcome<Value> {
        let policy = self.device.http.get(&format!("{}/policy", group_path(group)))?;
        let (incarnation, cursor) = (at["incarnation"].as_u64().unwrap_or_default(), at["seq"].as_u64().unwrap_or_default());
        let joinable = policy["external_join"] != "none";
        let (standing, sent, texts, failures) = ("member", HashSet::new(), vec![], vec![]);
        let leaves = Leaves::of(policy["identities"] == "certified");
        let vouched = policy["external_join"] == "none" || policy["external_join"] == "same-user";
        let record = Record { mode, incarnation, cursor, joinable, vouched, standing, sent, texts, failures, leaves };
        self.groups.insert(group.to_vec(), record);
        self.review(group, false)?;
        Ok(at.clone())
    }

    pub(crate) fn record(&mut self, group: &[u8]) -> Outcome<&mut Record> {
        self.groups.get_mut(group).ok_or_else(|| Failure::new("driver", "no such group"))
    }
}

const ATTEMPTS: usize = 20;

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

fn name(mode: Mode) -> &'static str {
    if mode == Mode::Public { "public" } else { "private" }
}

pub fn mode_of(value: &Value) -> Mode {
    if value == "private" { Mode::Private } else { Mode::Public }
}
