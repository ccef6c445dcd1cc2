use super::keys::spelled;
use super::leaf::Leaf;
use super::list::{Held, List};
use super::structures::HolderKind;

/// Rule `external-join` (docs/identity.md §4): whether a leaf that came by an external Commit is one that may. `before`: the leaves that were there,
/// `gone`: those of them that the Commit removed. `vouched`: the group's policy wants a member to have certified it.
pub fn fits_before(list: &List, leaf: &Leaf, scheme: u16, before: &[Leaf], gone: &[Leaf], vouched: bool) -> bool {
    let of_leaf = |one: &Held, leaf: &Leaf| {
        let key = spelled(scheme, &leaf.signature_key);
        one.certificate.subject == leaf.client.as_bytes()
            && one.certificate.keys.iter().any(|own| own.scheme == scheme && own.public_key == key)
    };
    // Ended or not: who reads the Commit later comes to the same end.
    let is_there =
        |device: &[u8]| before.iter().any(|leaf| leaf.client.as_bytes() == device && list.held.iter().any(|one| of_leaf(one, leaf)));
    let own = list.held.iter().rev().find(|one| of_leaf(one, leaf));
    let replaces_itself = is_there(leaf.client.as_bytes());
    let hangs_from_member = |own: &Held| list.issuers(own.number).any(|issuer| is_there(&issuer.certificate.subject));
    let devices = || list.held.iter().filter(|one| one.certificate.kind == HolderKind::Device);
    let by_recovery = |own: &Held| is_recovered(list, own) && devices().any(|one| is_there(&one.certificate.subject));
    let by_member = own.is_some_and(|own| hangs_from_member(own) || by_recovery(own));
    gone.iter().all(|one| one.client == leaf.client) && (!vouched || replaces_itself || by_member)
}

/// By a recovery key or a passkey that the identity key has certified, without another device in between: who has that device may have put words
/// of its own into the list.
fn is_recovered(list: &List, own: &Held) -> bool {
    let another_device = |one: &Held| one.certificate.kind == HolderKind::Device && one.certificate.subject != own.certificate.subject;
    list.issuers(own.number).take_while(|one| !another_device(one)).any(|one| one.certificate.kind != HolderKind::Device && one.signer == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{Author, Holder, Own, begin, certify};
    use ed25519_dalek::{Signer, SigningKey};

    const NOW: u64 = 1_800_000_000;
    const NAMES: [&str; 3] = ["mimi://a.example/d/alice/phone", "mimi://a.example/d/alice/tablet", "mimi://a.example/d/alice/desk"];

    fn leaf(client: usize, key: u8) -> Leaf {
        let signature_key = SigningKey::from_bytes(&[key; 32]).verifying_key().to_bytes().to_vec();
        Leaf { index: 0, client: NAMES[client].into(), signature_key, certificate: None }
    }

    /// The phone has certified the tablet, and that the desk.
    fn list() -> List {
        let sign = |key: usize| move |content: &[u8]| Ok(SigningKey::from_bytes(&[key as u8; 32]).sign(content).to_bytes().to_vec());
        let mut list = List::new("");
        for (at, client) in NAMES.into_iter().enumerate() {
            let key = sign(at);
            let own = Own { client, scheme: 0x0807, public_key: leaf(at, at as u8).signature_key, sign: &key };
            let made = if at == 0 {
                begin("mimi://a.example/u/alice", &own, NOW)
            } else {
                let holder = Holder { client, keys: vec![own.possess(&list.identity()).unwrap()] };
                certify(&list, holder, &Author { number: at as u32 + 1, sign: &sign(at - 1) }, NOW)
            };
            list = made.unwrap().list;
        }
        list
    }

    fn joins(who: Leaf, before: &[Leaf], gone: &[Leaf], vouched: bool) -> bool {
        joins_by(&list(), who, before, gone, vouched)
    }

    fn joins_by(list: &List, who: Leaf, before: &[Leaf], gone: &[Leaf], vouched: bool) -> bool {
        fits_before(list, &who, 0x0807, before, gone, vouched)
    }

    #[test]
    fn a_device_joins_if_it_hangs_from_one_that_is_there() {
        assert!(joins(leaf(1, 1), &[leaf(0, 0)], &[], true));
        assert!(joins(leaf(2, 2), &[leaf(0, 0)], &[], true));
        assert!(!joins(leaf(0, 0), &[leaf(1, 1)], &[], true));
        assert!(!joins(leaf(1, 1), &[], &[], true));
        assert!(joins(leaf(1, 1), &[], &[], false));
    }

    #[test]
    fn a_leaf_in_the_name_of_a_device_vouches_for_nothing_by_another_key() {
        assert!(!joins(leaf(1, 1), &[leaf(0, 9)], &[], true));
        assert!(!joins(leaf(0, 0), &[leaf(0, 9)], &[leaf(0, 9)], true));
        assert!(!joins(leaf(1, 9), &[leaf(0, 0)], &[], true));
    }

    #[test]
    fn a_device_replaces_its_own_leaf_and_no_other() {
        assert!(joins(leaf(0, 0), &[leaf(0, 0)], &[leaf(0, 0)], true));
        assert!(!joins(leaf(1, 1), &[leaf(0, 0)], &[leaf(0, 0)], true));
        assert!(!joins(leaf(1, 1), &[leaf(0, 0)], &[leaf(0, 0)], false));
    }

    /// In the place of device `at` words have certified the next one, and that the one after it; device `at` is the last of the list.
    fn list_with_words(at: usize) -> List {
        let mut list = list();
        let mut device = list.held[at].clone();
        device.number = list.held.len() as u32 + 2;
        list.held.push(device);
        list.held[at].certificate.kind = HolderKind::RecoveryKey;
        list.held[at].certificate.subject = Vec::new();
        list
    }

    #[test]
    fn words_of_the_identity_key_let_a_device_in_where_the_user_has_a_leaf() {
        let list = list_with_words(0);
        assert!(joins_by(&list, leaf(1, 1), &[leaf(0, 0)], &[], true));
        assert!(!joins_by(&list, leaf(1, 1), &[], &[], true));
        assert!(!joins_by(&list, leaf(1, 1), &[leaf(0, 9)], &[], true));
        assert!(!joins_by(&list, leaf(2, 2), &[leaf(0, 0)], &[], true));
    }

    #[test]
    fn words_of_a_device_let_nobody_in_without_its_leaf() {
        let list = list_with_words(1);
        assert!(!joins_by(&list, leaf(2, 2), &[leaf(1, 1)], &[], true));
        assert!(joins_by(&list, leaf(2, 2), &[leaf(0, 0)], &[], true));
    }
}
