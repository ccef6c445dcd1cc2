use crate::device::{Device, Identity};
use crate::identity::{
    Author, CertifiedKey, Holder, Known, LeafCertificate, Own, Question, Update, begin, certify, head, leaf_in, revoke, safety_number,
    seconds,
};
use crate::stack::Stack;
use crate::{Failure, Outcome, bytes_of, to_text};
use serde_json::{Value, json};

/// A device with a certificate in its user's device list (docs/identity.md).
impl<S: Stack> Device<S> {
    pub(crate) fn begin_identity(&self) -> Outcome<Update> {
        begin(&self.user, &self.own(&|content| self.stack.sign(content)), seconds())
    }

    /// The identity of its user; nothing if it has none.
    pub fn identity(&self) -> Value {
        self.contacts.kept(&self.user).map_or(Value::Null, |known| json!(to_text(&known.list.identity())))
    }

    /// The digits that this user compares with another, whose list this device knows.
    pub fn safety_number(&self, user: &str) -> Outcome<Value> {
        let identity = |user: &str| self.contacts.kept(user).map(|known| known.list.identity());
        let (Some(own), Some(other)) = (identity(&self.user), identity(user)) else { return Err(Failure::new("identity", "no list")) };
        Ok(json!(safety_number((&self.user, &own), (user, &other))))
    }

    /// The device's keys with the proof that it holds them, for the device that certifies it.
    pub fn possess(&self, identity: &[u8]) -> Outcome<Value> {
        let key = self.own(&|content| self.stack.sign(content)).possess(identity)?;
        Ok(json!([{"scheme": key.scheme, "public_key": to_text(&key.public_key), "possession": to_text(&key.possession)}]))
    }

    /// Registers another device of the account. `proofs`: those that it registers with, and `possessed`, the keys for its certificate.
    pub(crate) fn certify_other(&mut self, proofs: &Value) -> Outcome<Value> {
        let keys = proofs["possessed"].as_array().into_iter().flatten().map(certified_key).collect::<Outcome<Vec<_>>>()?;
        let client = proofs["client"].as_str().unwrap_or_default();
        let update = self.change(|known, author| certify(&known.list, Holder { client, keys }, author, seconds()))?;
        let body = json!({
            "client": client, "nonce": proofs["nonce"], "signature_keys": proofs["signature_keys"], "device_list": update.to_json(),
        });
        self.http.post("/v1/devices", &body)?;
        self.keep_own(update)?;
        Ok(Value::Null)
    }

    /// Ends the certificate of another device of the user, and the device with it.
    pub fn revoke(&mut self, client: &str) -> Outcome<Value> {
        let update = self.change(|known, author| {
            let target = known.list.current().find(|one| one.certificate.subject == client.as_bytes());
            let target = target.ok_or_else(|| Failure::new("identity", "no such certificate"))?.number;
            revoke(&known.list, target, author, seconds())
        })?;
        self.http.post("/v1/device-list", &update.to_json())?;
        self.keep_own(update)?;
        Ok(Value::Null)
    }

    /// A new head for the list as it is.
    pub fn renew_head(&mut self) -> Outcome<Value> {
        let update = self.change(|known, author| {
            let head = head(&known.list, author, known.head.issued_at, seconds())?;
            Ok(Update { list: known.list.clone(), entries: vec![], head })
        })?;
        self.http.put("/v1/device-list/head", &json!({"head": to_text(&update.head)}))?;
        self.keep_own(update)?;
        Ok(Value::Null)
    }

    /// After a login: what the server shows has to go on from what is kept.
    pub(crate) fn look_at_own_list(&mut self) -> Outcome<()> {
        let user = self.user.clone();
        self.contacts.newest(&mut self.http, &user)?;
        self.show_certificate()
    }

    pub(crate) fn keep_own(&mut self, update: Update) -> Outcome<()> {
        let user = self.user.clone();
        self.contacts.keep(&user, update.list, &update.head)?;
        self.show_certificate()
    }

    /// @errors `identity` for a KeyPackage of another client, or one that does not pass
    pub(crate) fn judge_key_package(&mut self, client: &str, key_package: &[u8], inside: bool) -> Outcome<()> {
        let leaf = leaf_in(key_package).filter(|leaf| leaf.client == client);
        let leaf = leaf.ok_or_else(|| Failure::new("identity", "invalid: device-certificate-leaf"))?;
        self.contacts.judge(&mut self.http, &leaf, Question { scheme: self.scheme, inside, is_new: true })
    }

    fn own<'a>(&'a self, sign: &'a dyn Fn(&[u8]) -> Outcome<Vec<u8>>) -> Own<'a> {
        Own { client: &self.client, scheme: self.scheme, public_key: self.stack.public_key(), sign }
    }

    fn change(&self, make: impl FnOnce(&Known, &Author) -> Outcome<Update>) -> Outcome<Update> {
        let known = self.contacts.kept(&self.user).ok_or_else(|| Failure::new("identity", "no list"))?;
        let own = known.list.current().find(|one| one.certificate.subject == self.client.as_bytes());
        let number = own.ok_or_else(|| Failure::new("identity", "this device has no certificate"))?.number;
        make(known, &Author { number, sign: &|content| self.stack.sign(content) })
    }

    /// What the own leaves say from now on.
    fn show_certificate(&mut self) -> Outcome<()> {
        let list = self.contacts.kept(&self.user).map(|known| &known.list);
        let own = list.and_then(|list| list.current().find(|one| one.certificate.subject == self.client.as_bytes()));
        let (Some(list), Some(own), Identity::Carried) = (list, own, self.kind) else { return Ok(()) };
        let (list_number, certificate) = (list.number(), list.entries[own.number as usize - 1].clone());
        let list_hash = list.hash_at(list_number).unwrap_or_default();
        self.stack.show(LeafCertificate { identity: list.identity(), list_number, list_hash, certificate }.encode());
        Ok(())
    }
}

fn certified_key(key: &Value) -> Outcome<CertifiedKey> {
    let scheme = u16::try_from(key["scheme"].as_u64().unwrap_or_default()).unwrap_or_default();
    Ok(CertifiedKey { scheme, public_key: bytes_of(&key["public_key"])?, possession: bytes_of(&key["possession"])? })
}
