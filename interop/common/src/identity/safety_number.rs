use crate::tls::opaque;
use sha2::{Digest, Sha512};

const ROUNDS: usize = 5_200;

/// The sixty digits that two users compare (docs/identity.md §6), in groups of five. Of each: user URI and identity.
pub fn safety_number(one: (&str, &[u8]), other: (&str, &[u8])) -> String {
    let (lower, higher) = if one.0.as_bytes() <= other.0.as_bytes() { (one, other) } else { (other, one) };
    [digits(lower), digits(higher)].concat().join(" ")
}

fn digits((user, identity): (&str, &[u8])) -> Vec<String> {
    let identity = opaque(identity);
    let mut hash = [vec![0, 1], opaque(user.as_bytes()), identity.clone()].concat();
    for _ in 0..ROUNDS {
        hash = Sha512::digest([hash, identity.clone()].concat()).to_vec();
    }
    let number = |group: &[u8]| group.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    hash[..30].chunks(5).map(|group| format!("{:05}", number(group) % 100_000)).collect()
}
