//! test/identity/vectors.json, by this reading of the rules.

use super::leaf::{Leaf, judge_leaf};
use super::list::{Broken, List};
use super::safety_number::safety_number;
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../test/identity/vectors.json")).unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn all(value: &Value) -> Vec<Vec<u8>> {
    value.as_array().unwrap().iter().map(hex).collect()
}

fn named<'a>(vectors: &'a Value, name: &Value) -> &'a Value {
    vectors["lists"].as_array().unwrap().iter().find(|list| list["name"] == *name).unwrap()
}

/// With those that come before.
fn entries_of(vectors: &Value, vector: &Value) -> Vec<Vec<u8>> {
    let mut entries = if vector["after"].is_null() { vec![] } else { entries_of(vectors, named(vectors, &vector["after"])) };
    entries.extend(all(&vector["entries"]));
    entries
}

fn read(vectors: &Value, vector: &Value) -> Result<List, Broken> {
    let (entries, now) = (entries_of(vectors, vector), vector["now"].as_u64().unwrap());
    let mut list = List::new(vector["user"].as_str().unwrap());
    list.extend(entries.iter().map(Vec::as_slice), now)?;
    if !vector["head"].is_null() {
        list.check_head(&hex(&vector["head"]), now)?;
    }
    Ok(list)
}

/// All that came out otherwise than the vectors say.
fn differences(vectors: &Value, outcome: impl Fn(&Value) -> Result<(), Broken>) -> Vec<String> {
    let vectors = vectors.as_array().unwrap();
    assert!(!vectors.is_empty());
    let compared = vectors.iter().map(|vector| (vector, outcome(vector).err().unwrap_or("valid")));
    let wrong = compared.filter(|(vector, said)| vector["result"] != *said);
    wrong.map(|(vector, said)| format!("{}: {said}, not {}", vector["name"], vector["result"])).collect()
}

#[test]
fn lists_and_heads() {
    let vectors = vectors();
    let outcome = |vector: &Value| {
        let list = read(&vectors, vector)?;
        if !vector["identity"].is_null() {
            assert_eq!(list.identity(), hex(&vector["identity"]));
        }
        Ok(())
    };
    assert_eq!(differences(&vectors["lists"], outcome), Vec::<String>::new());
}

#[test]
fn a_list_is_read_alike_at_once_and_bit_by_bit() {
    let vectors = vectors();
    for vector in vectors["lists"].as_array().unwrap().iter().filter(|vector| vector["after"].is_null() && vector["entries"] != json!([])) {
        let (entries, now) = (all(&vector["entries"]), vector["now"].as_u64().unwrap());
        let mut list = List::new(vector["user"].as_str().unwrap());
        let bit_by_bit = entries.iter().try_for_each(|entry| list.extend([entry.as_slice()], now));
        let mut whole = List::new(vector["user"].as_str().unwrap());
        assert_eq!(bit_by_bit, whole.extend(entries.iter().map(Vec::as_slice), now));
    }
}

#[test]
fn heads_in_their_order() {
    let vectors = vectors();
    for vector in vectors["head_order"].as_array().unwrap() {
        let (of, now) = (named(&vectors, &vector["list"]), vector["now"].as_u64().unwrap());
        let entries = entries_of(&vectors, of);
        let head = |number: usize, bytes: &Value| {
            let mut list = List::new(of["user"].as_str().unwrap());
            list.extend(entries[..number].iter().map(Vec::as_slice), now).unwrap();
            list.check_head(&hex(bytes), now).unwrap()
        };
        let kept = head(vector["kept_entries"].as_u64().unwrap() as usize, &vector["kept"]);
        let shown = head(entries.len(), &vector["shown"]);
        assert_eq!(shown.supersedes(&kept), vector["result"] == "shown", "{}", vector["name"]);
    }
}

#[test]
fn leaves() {
    let vectors = vectors();
    let outcome = |vector: &Value| {
        let list = read(&vectors, named(&vectors, &vector["list"])).unwrap();
        let leaf = Leaf {
            index: 0,
            client: vector["client"].as_str().unwrap().into(),
            signature_key: hex(&vector["signature_key"]),
            certificate: Some(hex(&vector["extension"])),
        };
        judge_leaf(&list, &leaf, vector["scheme"].as_u64().unwrap() as u16, true, vector["now"].as_u64().unwrap())
    };
    assert_eq!(differences(&vectors["leaves"], outcome), Vec::<String>::new());
}

#[test]
fn safety_numbers() {
    for vector in vectors()["safety_numbers"].as_array().unwrap() {
        let user = |at: usize| vector["users"][at]["user"].as_str().unwrap();
        let identity = |at: usize| hex(&vector["users"][at]["identity"]);
        let number = |one: usize, other: usize| safety_number((user(one), &identity(one)), (user(other), &identity(other)));
        assert_eq!(vector["safety_number"], number(0, 1));
        assert_eq!(number(1, 0), number(0, 1));
    }
}
