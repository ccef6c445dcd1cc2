use super::leaf::{Leaf, judge_leaf};
use super::list::List;
use super::structures::{HeadContent, LeafCertificate};
use crate::http::Http;
use crate::possession::now;
use crate::{Failure, Outcome, bytes_of};
use serde_json::Value;
use std::collections::HashMap;

/// How long leaves that are there outlive the head of their user's list.
const AFTER_EXPIRY: u64 = 30 * 86_400;

/// The newest list of a user that was verified, with its head.
#[derive(Clone)]
pub struct Known {
    pub list: List,
    pub head: HeadContent,
}

/// What this device knows of users' identities (docs/identity.md §5), its own user's too.
#[derive(Default)]
pub struct Contacts {
    known: HashMap<String, Known>,
}

/// What a leaf has to be. `scheme`: of the group's suite. `inside`: its certificate has to be in the leaf itself.
#[derive(Clone, Copy)]
pub struct Question {
    pub scheme: u16,
    pub inside: bool,
    pub is_new: bool,
}

impl Contacts {
    pub fn kept(&self, user: &str) -> Option<&Known> {
        self.known.get(user)
    }

    /// What this device has written itself, and the server has taken.
    pub fn keep(&mut self, user: &str, list: List, head: &[u8]) -> Outcome<()> {
        let head = list.check_head(head, seconds()).map_err(|rule| refused("invalid", rule))?;
        self.known.insert(user.into(), Known { list, head });
        Ok(())
    }

    /// Asks the server for what follows. What it refuses leaves what is kept as it was.
    pub fn newest(&mut self, http: &mut Http, user: &str) -> Outcome<&Known> {
        let known = match self.known.get(user) {
            Some(kept) => continued(http, user, kept)?,
            None => read(http, user, List::new(user))?,
        };
        Ok(self.known.entry(user.into()).insert_entry(known).into_mut())
    }

    /// Whether a leaf passes. @errors `identity` with the reason, and the rule if there is one
    pub fn judge(&mut self, http: &mut Http, leaf: &Leaf, Question { scheme, inside, is_new }: Question) -> Outcome<()> {
        let user = user_of(&leaf.client).ok_or_else(|| refused("invalid", "device-certificate"))?;
        let shown = leaf.certificate.as_deref().and_then(LeafCertificate::decode);
        let least = shown.as_ref().map_or(1, |shown| shown.list_number.max(shown.certificate.content.number));
        let enough = self.kept(&user).is_some_and(|known| known.list.number() >= least);
        let Known { list, head } = if enough && !is_new { &self.known[&user] } else { self.newest(http, &user)? };
        judge_leaf(list, leaf, scheme, inside, seconds()).map_err(|rule| refused("invalid", rule))?;
        if is_new && list.number() < least {
            return Err(refused("withheld", &format!("entry {least}")));
        }
        let last = if is_new { head.expires_at } else { head.expires_at + AFTER_EXPIRY };
        if seconds() < last { Ok(()) } else { Err(refused("expired", "")) }
    }
}

fn continued(http: &mut Http, user: &str, kept: &Known) -> Outcome<Known> {
    let failure = match read(http, user, kept.list.clone()) {
        Ok(newer) if !newer.head.supersedes(&kept.head) => return Ok(kept.clone()),
        Err(failure) if failure.kind == "identity" => failure,
        outcome => return outcome,
    };
    // What is it, if it does not follow what is kept?
    let Known { list: other, .. } = read(http, user, List::new(user))?;
    if other.identity() != kept.list.identity() {
        return Err(refused("identity-changed", ""));
    }
    let last = other.number().min(kept.list.number());
    let reason = if other.hash_at(last) != kept.list.hash_at(last) { "forked" } else { "rolled-back" };
    Err(if other.number() > kept.list.number() && reason != "forked" { failure } else { refused(reason, "") })
}

fn read(http: &mut Http, user: &str, mut list: List) -> Outcome<Known> {
    let page = http.get(&format!("/v1/device-lists?user={}&from={}", user.replace(':', "%3A").replace('/', "%2F"), list.number() + 1))?;
    let entries = page["entries"].as_array().into_iter().flatten().map(bytes_of).collect::<Outcome<Vec<_>>>()?;
    let invalid = |rule| refused("invalid", rule);
    list.extend(entries.iter().map(Vec::as_slice), seconds()).map_err(invalid)?;
    let head = list.check_head(&bytes_of(&page["head"])?, seconds()).map_err(invalid)?;
    Ok(Known { list, head })
}

fn refused(reason: &str, about: &str) -> Failure {
    let mut failure = Failure::new("identity", format!("{reason}: {about}"));
    failure.document = Value::Null;
    failure
}

pub fn user_of(client: &str) -> Option<String> {
    let (domain, rest) = client.strip_prefix("mimi://")?.split_once("/d/")?;
    Some(format!("mimi://{domain}/u/{}", rest.split_once('/')?.0))
}

pub fn seconds() -> u64 {
    now().unsigned_abs()
}
