use crate::possession::Prover;
use crate::{Failure, Outcome, to_text};
use serde_json::{Value, json};
use ureq::{Agent, Body, http::Response};

/// Requests in JSON with the device's access token, renewed when it has ended, and with a proof of the key that the session is bound to.
pub struct Http {
    pub base: String,
    agent: Agent,
    prover: Prover,
    access_token: String,
    token_type: String,
    refresh_token: String,
}

impl Http {
    pub fn new(base: &str) -> Self {
        let agent = Agent::new_with_config(Agent::config_builder().http_status_as_error(false).build());
        let (access_token, token_type, refresh_token) = Default::default();
        Http { base: base.into(), agent, prover: Prover::new(), access_token, token_type, refresh_token }
    }

    pub fn get(&mut self, path: &str) -> Outcome<Value> {
        self.get_with_code(path, None)
    }

    /// `code`: for a device that is not a member yet, where the group's policy asks for one.
    pub fn get_with_code(&mut self, path: &str, code: Option<&str>) -> Outcome<Value> {
        self.again(|http| {
            let mut request = http.agent.get(http.url(path));
            for (name, value) in http.credentials("GET", path) {
                request = request.header(name, value);
            }
            if let Some(code) = code {
                request = request.header("join-code", code);
            }
            answer(request.call())
        })
    }

    pub fn put(&mut self, path: &str, body: &Value) -> Outcome<Value> {
        self.again(|http| {
            let mut request = http.agent.put(http.url(path)).header("content-type", "application/json");
            for (name, value) in http.credentials("PUT", path) {
                request = request.header(name, value);
            }
            answer(request.send(body.to_string().as_bytes()))
        })
    }

    pub fn post(&mut self, path: &str, body: &Value) -> Outcome<Value> {
        self.post_with(path, body, None)
    }

    /// `step_up`: a proof for what a session alone must not do.
    pub fn post_with(&mut self, path: &str, body: &Value, step_up: Option<&str>) -> Outcome<Value> {
        self.again(|http| http.send(path, "application/json", body.to_string().as_bytes(), step_up))
    }

    /// One MLSMessage as the whole body.
    pub fn post_message(&mut self, path: &str, message: &[u8]) -> Outcome<Value> {
        self.again(|http| http.send(path, "message/mls", message, None))
    }

    pub fn renew(&mut self) -> Outcome<()> {
        let body = json!({"refresh_token": self.refresh_token}).to_string();
        // What it replaces may have ended, and is not sent with it.
        self.access_token.clear();
        let session = self.with_the_right_time(|http| http.send("/v1/auth/sessions/refresh", "application/json", body.as_bytes(), None))?;
        self.keep(&session);
        Ok(())
    }

    pub fn keep(&mut self, session: &Value) {
        self.access_token = session["access_token"].as_str().unwrap_or_default().into();
        self.token_type = session["token_type"].as_str().unwrap_or_default().into();
        self.refresh_token = session["refresh_token"].as_str().unwrap_or_default().into();
    }

    fn again(&mut self, request: impl Fn(&Http) -> Outcome<Value>) -> Outcome<Value> {
        match self.with_the_right_time(&request) {
            Err(failure) if failure.status == 401 && !self.refresh_token.is_empty() => {
                self.renew()?;
                request(self)
            }
            outcome => outcome,
        }
    }

    /// A refusal of a proof that is too old or ahead says what time it is.
    fn with_the_right_time(&mut self, request: impl Fn(&Http) -> Outcome<Value>) -> Outcome<Value> {
        match request(self) {
            Err(Failure { kind, document, .. }) if kind == "dpop-stale" => {
                self.prover.correct(document["server_time"].as_i64().unwrap_or_default());
                request(self)
            }
            outcome => outcome,
        }
    }

    fn send(&self, path: &str, kind: &str, body: &[u8], step_up: Option<&str>) -> Outcome<Value> {
        let mut request = self.agent.post(self.url(path)).header("content-type", kind).header("accept", "application/json");
        for (name, value) in self.credentials("POST", path) {
            request = request.header(name, value);
        }
        if let Some(proof) = step_up {
            request = request.header("step-up", proof);
        }
        answer(request.send(body))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The fields of a request that say who sends it; the proof in them is good for one.
    pub fn credentials(&self, method: &str, path: &str) -> Vec<(&'static str, String)> {
        if self.access_token.is_empty() {
            return vec![("dpop", self.prover.proof(method, &self.url(path), None))];
        }
        let (token, proof) = self.token_with_proof(method, path);
        vec![("authorization", format!("{} {token}", self.token_type)), ("dpop", proof)]
    }

    pub fn token_with_proof(&self, method: &str, path: &str) -> (String, String) {
        (self.access_token.clone(), self.prover.proof(method, &self.url(path), Some(&self.access_token)))
    }
}

fn answer(response: Result<Response<Body>, ureq::Error>) -> Outcome<Value> {
    let mut response = response.map_err(|error| Failure::new("connection", error.to_string()))?;
    let status = response.status().as_u16();
    let text = response.body_mut().read_to_string().map_err(|error| Failure::new("connection", error.to_string()))?;
    let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
    if status < 300 {
        return Ok(body);
    }
    let kind = body["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_string();
    let detail = body["detail"].as_str().unwrap_or_default().to_string();
    Err(Failure { status, kind, detail, document: body })
}

pub fn group_path(group: &[u8]) -> String {
    format!("/v1/groups/{}", to_text(group))
}
