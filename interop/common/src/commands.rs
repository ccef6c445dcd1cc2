use crate::conversation::{Conversation, mode_of};
use crate::device::{Device, Identity};
use crate::stack::{Changes, KeyPackageKind, Origin, Proposal, Stack};
use crate::{Failure, Outcome, bytes_of, to_text};
use serde_json::{Value, json};
use std::io::{BufRead, Write, stdin, stdout};

/// One command per line of standard input, one answer per line of standard output: `{"ok": …}` or `{"failure": {kind, detail, …}}`.
pub fn serve<S: Stack>() {
    let mut conversation: Option<Conversation<S>> = None;
    for line in stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line.expect("readable input")).expect("a command in JSON");
        let answer = match run(&mut conversation, &command) {
            Ok(value) => json!({"ok": value}),
            Err(Failure { status, kind, detail, document }) => {
                json!({"failure": {"status": status, "kind": kind, "detail": detail, "document": document}})
            }
        };
        let mut out = stdout().lock();
        writeln!(out, "{answer}").and_then(|()| out.flush()).expect("writable output");
    }
}

fn run<S: Stack>(slot: &mut Option<Conversation<S>>, command: &Value) -> Outcome<Value> {
    let word = |key: &str| command[key].as_str().unwrap_or_default();
    let action = word("do");
    if action == "start" {
        let suite = u16::try_from(command["suite"].as_u64().unwrap_or_default()).unwrap_or_default();
        let identity = match word("identity") {
            "carried" => Identity::Carried,
            "listed" => Identity::Listed,
            _ => Identity::None,
        };
        let device = Device::new(word("url"), word("domain"), word("user"), word("device"), suite, identity)?;
        *slot = Some(Conversation::new(device, suite));
        return Ok(Value::Null);
    }
    let conversation = slot.as_mut().ok_or_else(|| Failure::new("driver", "start comes first"))?;
    match action {
        "register" => conversation.device.register(),
        "proofs" => conversation.device.proofs("new-device"),
        "vouch" => conversation.device.vouch(&command["proofs"]),
        "identity" => Ok(conversation.device.identity()),
        "safety-number" => conversation.device.safety_number(word("user")),
        "possess" => conversation.device.possess(&bytes_of(&command["identity"])?),
        "revoke" => conversation.device.revoke(word("client")),
        "renew-head" => conversation.device.renew_head(),
        "make-key-package" => {
            conversation.device.stack.show(bytes_of(&command["certificate"])?);
            conversation.device.stack.key_package(KeyPackageKind::OneTime).map(|made| json!(to_text(&made)))
        }
        "login" => conversation.device.login(),
        "listen" => conversation.listen().map(|()| Value::Null),
        "renew" => conversation.renew().map(|()| Value::Null),
        "publish" => conversation.device.publish(key_package_kind(word("kind"))?, usize_of(&command["count"])),
        _ => in_group(conversation, action, command),
    }
}

fn in_group<S: Stack>(conversation: &mut Conversation<S>, action: &str, command: &Value) -> Outcome<Value> {
    let group = &bytes_of(&command["group"])?;
    let words = |key: &str| -> Vec<String> {
        command[key].as_array().into_iter().flatten().filter_map(|one| one.as_str().map(Into::into)).collect()
    };
    match action {
        "create" => conversation.create(group, mode_of(&command["mode"]), &command["policy"], command["required"] == true),
        "add" => conversation.add(group, &words("users")),
        "add-by" => {
            let key_packages = vec![bytes_of(&command["key_package"])?];
            conversation.add_unseen(group, &Changes { key_packages, ..Changes::default() }, command["welcoming"] == true)
        }
        "use" => {
            let client = command["client"].as_str().unwrap_or_default().into();
            let usable = conversation.usable(group, vec![(client, bytes_of(&command["key_package"])?)])?;
            conversation.add_by(group, &usable)
        }
        "certificate-of" => conversation.certificate_of(group, command["client"].as_str().unwrap_or_default()),
        "review" => conversation.review(group, true).and_then(|()| conversation.view(group)),
        "remove" => conversation.remove(group, &words("clients")),
        "update" => conversation.update(group),
        "propose-update" => conversation.propose(group, &Proposal::Update),
        "propose-remove" => conversation.propose(group, &Proposal::Remove(command["client"].as_str().unwrap_or_default().into())),
        "propose-add" => {
            let suite = u16::try_from(command["suite"].as_u64().unwrap_or_default()).unwrap_or_default();
            let claimed = conversation.device.claim(&words("users"), suite)?;
            let (_, key_package) = claimed.into_iter().next().ok_or_else(|| Failure::new("driver", "no KeyPackage"))?;
            conversation.propose(group, &Proposal::Add(key_package))
        }
        "leave" => conversation.leave(group),
        "reinit" => conversation.reinit(group, &bytes_of(&command["next"])?),
        "expect" => {
            let (before, origin) = (bytes_of(&command["before"])?, origin_of(&command["origin"]));
            conversation.device.stack.expect(group, &before, origin).map(|()| Value::Null)
        }
        "begin-after" => conversation.begin_after(&bytes_of(&command["before"])?, origin_of(&command["origin"]), group, &words("users")),
        "send" => conversation.send(group, command["text"].as_str().unwrap_or_default()),
        "join-externally" => conversation.join_externally(group, command["resync"] == true, command["code"].as_str()),
        "until" => conversation.until(group, command["seq"].as_u64()),
        "view" => conversation.view(group),
        "head" => conversation.head(group),
        "admins" => conversation.admins(group),
        other => Err(Failure::new("driver", format!("unknown command {other}"))),
    }
}

fn key_package_kind(name: &str) -> Outcome<KeyPackageKind> {
    match name {
        "one-time" => Ok(KeyPackageKind::OneTime),
        "last-resort" => Ok(KeyPackageKind::LastResort),
        "grease" => Ok(KeyPackageKind::Grease),
        "custom-credential" => Ok(KeyPackageKind::CustomCredential),
        "default-lifetime" => Ok(KeyPackageKind::DefaultLifetime),
        other => Err(Failure::new("driver", format!("unknown kind {other}"))),
    }
}

fn origin_of(value: &Value) -> Origin {
    if value == "reinit" { Origin::Reinit } else { Origin::Branch }
}

fn usize_of(value: &Value) -> usize {
    value.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default()
}
