use crate::conversation::Conversation;
use crate::device::Identity;
use crate::identity::{LEAF_CERTIFICATE, Leaf, Question, fits_before, user_of};
use crate::stack::Stack;
use crate::{Failure, Outcome, to_text};
use serde_json::{Value, json};

/// What a member knows of the leaves of a certified group (docs/identity.md §5).
#[derive(Default)]
pub(crate) struct Leaves {
    /// A group that was certified once stays so.
    pub certified: bool,
    /// Those that were looked at.
    seen: Vec<Leaf>,
    /// Those that fail, and why.
    pub failing: Vec<(Leaf, String)>,
    /// Those that ever did.
    failed: Vec<(Leaf, String)>,
    /// Those that came by an external Commit which they may not make: they fail until a member adds them.
    intruders: Vec<Leaf>,
}

fn is_same(one: &Leaf, other: &Leaf) -> bool {
    one.client == other.client && one.signature_key == other.signature_key
}

fn without(leaves: &[Leaf], others: &[Leaf]) -> Vec<Leaf> {
    leaves.iter().filter(|leaf| !others.iter().any(|other| is_same(leaf, other))).cloned().collect()
}

impl Leaves {
    pub fn of(certified: bool) -> Self {
        Leaves { certified, ..Leaves::default() }
    }
}

impl<S: Stack> Conversation<S> {
    /// Looks at each leaf of a certified group. `again`: by what the server says now, also of leaves that passed before.
    pub(crate) fn review(&mut self, group: &[u8], again: bool) -> Outcome<()> {
        let inside = self.device.stack.requires(group, LEAF_CERTIFICATE)?;
        let believes = self.device.kind == Identity::None;
        let record = self.record(group)?;
        record.leaves.certified |= inside;
        if believes || !record.leaves.certified || record.standing != "member" {
            return Ok(());
        }
        let (own, client) = (self.device.stack.public_key(), self.device.client.clone());
        let leaves = self.device.stack.leaves(group)?;
        let mut failing = Vec::new();
        for leaf in leaves.iter().filter(|leaf| leaf.signature_key != own || leaf.client != client) {
            let seen = &self.record(group)?.leaves.seen;
            let is_new = again || !seen.iter().any(|one| is_same(one, leaf));
            let question = Question { scheme: self.device.scheme, inside, is_new };
            if let Err(Failure { kind, detail, .. }) = self.device.contacts.judge(&mut self.device.http, leaf, question) {
                failing.push((leaf.clone(), format!("{kind}: {detail}")));
            } else if self.record(group)?.leaves.intruders.iter().any(|one| is_same(one, leaf)) {
                failing.push((leaf.clone(), "identity: invalid: external-join".into()));
            }
        }
        self.record(group)?.leaves.intruders.retain(|one| leaves.iter().any(|leaf| is_same(one, leaf)));
        let leaves = leaves.into_iter().filter(|leaf| !failing.iter().any(|(other, _)| other == leaf));
        let kept = &mut self.record(group)?.leaves;
        kept.seen = leaves.collect();
        kept.failed.extend(failing.iter().filter(|one| !kept.failed.contains(one)).cloned().collect::<Vec<_>>());
        kept.failing = failing;
        Ok(())
    }

    /// After an external Commit, before its leaves are looked at: whether who joined by it may.
    pub(crate) fn note_joiner(&mut self, group: &[u8]) -> Outcome<()> {
        let record = self.record(group)?;
        if !record.leaves.certified {
            return Ok(());
        }
        let vouched = record.vouched;
        let kept = &record.leaves;
        let before: Vec<Leaf> = kept.seen.iter().chain(kept.failing.iter().map(|(leaf, _)| leaf)).cloned().collect();
        let now = self.device.stack.leaves(group)?;
        let (came, gone) = (without(&now, &before), without(&before, &now));
        for leaf in came {
            let user = user_of(&leaf.client).unwrap_or_default();
            // What is wrong with a leaf of a user without a list the review says.
            let Ok(known) = self.device.contacts.newest(&mut self.device.http, &user) else { continue };
            if !fits_before(&known.list, &leaf, self.device.scheme, &before, &gone, vouched) {
                self.record(group)?.leaves.intruders.push(leaf);
            }
        }
        Ok(())
    }

    /// A KeyPackage that fails is not used. @errors `identity` if none of those claimed passes
    pub(crate) fn usable(&mut self, group: &[u8], claimed: Vec<(String, Vec<u8>)>) -> Outcome<Vec<(String, Vec<u8>)>> {
        if !self.record(group)?.leaves.certified || self.device.kind == Identity::None {
            return Ok(claimed);
        }
        let inside = self.device.stack.requires(group, LEAF_CERTIFICATE)?;
        let (mut passed, mut last) = (Vec::new(), None);
        for (client, key_package) in claimed {
            match self.device.judge_key_package(&client, &key_package, inside) {
                Ok(()) => passed.push((client, key_package)),
                Err(failure) => last = Some(failure),
            }
        }
        last.filter(|_| passed.is_empty()).map_or(Ok(passed), Err)
    }

    /// @returns whether the body named any leaf that fails among those removed; it does no more
    pub(crate) fn leave_unnamed(&mut self, group: &[u8], body: &mut Value) -> Outcome<bool> {
        let failing = &self.record(group)?.leaves.failing;
        let Some(removed) = body["removed"].as_array_mut() else { return Ok(false) };
        let before = removed.len();
        removed.retain(|client| !failing.iter().any(|(leaf, _)| *client == leaf.client));
        Ok(removed.len() < before)
    }

    /// Nothing is said while a leaf fails: a Commit removes it first.
    pub(crate) fn cleanse(&mut self, group: &[u8]) -> Outcome<()> {
        if self.record(group)?.leaves.failing.is_empty() {
            return Ok(());
        }
        self.update(group)?;
        match self.record(group)?.leaves.failing.first() {
            Some((leaf, reason)) => Err(Failure::new("quarantine", format!("{}: {reason}", leaf.client))),
            None => Ok(()),
        }
    }

    pub(crate) fn distrusted(&mut self, group: &[u8]) -> Outcome<Value> {
        let failed = self.record(group)?.leaves.failed.iter();
        Ok(failed.map(|(leaf, reason)| json!({"client": leaf.client, "reason": reason})).collect())
    }

    /// What another leaf carries.
    pub(crate) fn certificate_of(&self, group: &[u8], client: &str) -> Outcome<Value> {
        let leaf = self.device.stack.leaves(group)?.into_iter().find(|leaf| leaf.client == client);
        Ok(leaf.and_then(|leaf| leaf.certificate).map_or(Value::Null, |certificate| json!(to_text(&certificate))))
    }
}
