use crate::to_text;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

/// Makes a proof for each request (DPoP, RFC 9449 §4) by a key of the device that is for nothing else.
pub struct Prover {
    key: SigningKey,
    head: String,
    /// Seconds by which the server's clock is ahead of this one.
    ahead: i64,
}

impl Prover {
    pub fn new() -> Self {
        let key = SigningKey::from_bytes(&random());
        let public = to_text(key.verifying_key().as_bytes());
        let head = part(&json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": public}}));
        Prover { key, head, ahead: 0 }
    }

    /// `token`: the access token that goes with the request, if one does.
    pub fn proof(&self, method: &str, url: &str, token: Option<&str>) -> String {
        let address = url.split('?').next().unwrap_or_default();
        let mut claims = json!({"htm": method, "htu": address, "iat": now() + self.ahead, "jti": to_text(&random::<16>())});
        if let Some(token) = token {
            claims["ath"] = json!(to_text(&Sha256::digest(token)));
        }
        let signed = format!("{}.{}", self.head, part(&claims));
        format!("{signed}.{}", to_text(&self.key.sign(signed.as_bytes()).to_bytes()))
    }

    /// `server_time`: seconds since 1970, from a refusal.
    pub fn correct(&mut self, server_time: i64) {
        self.ahead = server_time - now();
    }
}

fn part(value: &Value) -> String {
    to_text(value.to_string().as_bytes())
}

pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the system has randomness");
    bytes
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |past| past.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes_of;
    use ed25519_dalek::{Signature, VerifyingKey};

    fn decoded(part: &str) -> Value {
        serde_json::from_slice(&bytes_of(&json!(part)).unwrap()).unwrap()
    }

    #[test]
    fn a_proof_is_signed_by_the_key_that_it_shows_and_names_the_request_without_its_query() {
        let mut prover = Prover::new();
        prover.correct(now() + 1000);
        let proof = prover.proof("GET", "http://localhost:1/v1/log?limit=1", Some("token"));
        let parts: Vec<&str> = proof.split('.').collect();
        let [head, claims, signature] = parts[..] else { panic!("{proof}") };
        let shown = bytes_of(&decoded(head)["jwk"]["x"]).unwrap();
        let key = VerifyingKey::from_bytes(&shown.try_into().unwrap()).unwrap();
        let signature = Signature::from_slice(&bytes_of(&json!(signature)).unwrap()).unwrap();
        key.verify_strict(format!("{head}.{claims}").as_bytes(), &signature).unwrap();
        let claims = decoded(claims);
        assert_eq!((&claims["htm"], &claims["htu"]), (&json!("GET"), &json!("http://localhost:1/v1/log")));
        assert_eq!(claims["ath"], json!("PEaenWxYddN6Q_NT1PiOYfz4EsZu7jRXRlpAsNpBU-A"));
        assert!(claims["iat"].as_i64().unwrap() >= now() + 999);
    }

    #[test]
    fn each_proof_has_an_id_of_its_own_and_no_hash_where_no_token_goes_with_it() {
        let prover = Prover::new();
        let claims = |proof: String| decoded(proof.split('.').nth(1).unwrap());
        let [one, two] = [(); 2].map(|()| claims(prover.proof("POST", "http://localhost:1/v1/auth/sessions", None)));
        assert_ne!(one["jti"], two["jti"]);
        assert!(one.get("ath").is_none());
    }
}
