//! Discord's interactions over HTTP
//! ([docs](https://docs.discord.com/developers/interactions/overview)): the check of the address, and
//! the slash command `/link CODE` by which a person says which Matrix user they are.
//!
//! Discord sends requests with wrong signatures on purpose and switches an address off that takes
//! one, so nothing is read before [`verify`] holds.

use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value as Json, json};

use crate::{remote_id::Snowflake, text_of};

/// How far the time of a request may be from ours, in seconds.
const WINDOW_SECONDS: i64 = 300;

/// The longest code that a command may carry.
const LONGEST_CODE: usize = 64;

/// The name of the command.
pub const COMMAND: &str = "link";

/// Checks `X-Signature-Ed25519` (hex) over `X-Signature-Timestamp` and the raw body, by the
/// application's public key (hex), and the age by `now` (milliseconds since the epoch).
///
/// # Errors
/// A sentence that helps, when the request is not Discord's.
pub fn verify(public_key: &str, timestamp: &str, signature: &str, body: &str, now: i64) -> Result<(), &'static str> {
    let key: [u8; 32] = from_hex(public_key).ok_or("The application's public key is not 64 hexadecimal digits.")?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| "The application's public key is no key.")?;
    let signature: [u8; 64] = from_hex(signature).ok_or("The request has no valid signature.")?;
    let seconds: i64 = timestamp.parse().map_err(|_| "The request has no valid timestamp.")?;
    let signed = [timestamp.as_bytes(), body.as_bytes()].concat();
    key.verify_strict(&signed, &Signature::from_bytes(&signature))
        .map_err(|_| "The request's signature does not match.")?;
    if now.div_euclid(1_000).saturating_sub(seconds).saturating_abs() > WINDOW_SECONDS {
        return Err("The request's timestamp is more than five minutes off.");
    }
    Ok(())
}

/// Whether this is a public key as Discord's developer portal shows it.
#[must_use]
pub fn is_public_key(text: &str) -> bool {
    from_hex(text).is_some_and(|key| VerifyingKey::from_bytes(&key).is_ok())
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N.checked_mul(2)? || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let at = index.checked_mul(2)?;
        *byte = u8::from_str_radix(text.get(at..at.checked_add(2)?)?, 16).ok()?;
    }
    Some(bytes)
}

/// What a signed request asks for.
#[derive(Clone, PartialEq, Eq)]
pub enum Interaction {
    /// Discord checks the address.
    Ping,
    /// `/link CODE`.
    Link(Link),
    /// Another command, or one of another time.
    Other,
    /// Not what it should be.
    Malformed,
}

/// The command `/link CODE`.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// Who typed it.
    pub user: Snowflake,
    /// The name that Discord shows for them.
    pub name: String,
    /// The code: a secret until it is used.
    pub code: String,
    /// The application.
    pub application: Snowflake,
    /// What the answer is written with: a secret for 15 minutes.
    pub token: String,
}

/// Reads a request whose signature holds.
#[must_use]
pub fn read(body: &str) -> Interaction {
    let Ok(body) = serde_json::from_str::<Json>(body) else { return Interaction::Malformed };
    match body.get("type").and_then(Json::as_u64) {
        Some(1) => Interaction::Ping,
        Some(2) => command(&body),
        Some(_) => Interaction::Other,
        None => Interaction::Malformed,
    }
}

fn command(body: &Json) -> Interaction {
    let data = body.get("data").unwrap_or(&Json::Null);
    if text_of(data, "name").as_deref() != Some(COMMAND) {
        return Interaction::Other;
    }
    // In a server the user is inside the member.
    let user = body.pointer("/member/user").or_else(|| body.get("user")).unwrap_or(&Json::Null);
    let code = data.pointer("/options/0/value").and_then(Json::as_str).unwrap_or_default().trim();
    let id = |value: &Json, key: &str| text_of(value, key).and_then(|id| Snowflake::read(&id));
    let link = || {
        Some(Link {
            user: id(user, "id")?,
            name: text_of(user, "global_name").or_else(|| text_of(user, "username"))?,
            code: Some(code).filter(|code| !code.is_empty() && code.len() <= LONGEST_CODE)?.to_owned(),
            application: id(body, "application_id")?,
            token: text_of(body, "token")?,
        })
    };
    link().map_or(Interaction::Malformed, Interaction::Link)
}

/// The answer to [`Interaction::Ping`].
#[must_use]
pub fn pong() -> Json {
    json!({ "type": 1 })
}

/// An answer that only the person sees, at once.
#[must_use]
pub fn answer(text: &str) -> Json {
    json!({ "type": 4, "data": { "content": text, "flags": 1 << 6, "allowed_mentions": { "parse": [] } } })
}

/// Says that the answer comes later (`rest::Call::answer_interaction`), and only the person sees it.
#[must_use]
pub fn later() -> Json {
    json!({ "type": 5, "data": { "flags": 1 << 6 } })
}

/// The command as it is registered (`rest::Call::register_commands`), for servers and direct chats.
#[must_use]
pub fn command_list() -> Json {
    json!([{
        "name": COMMAND,
        "type": 1,
        "description": "Says which Matrix user you are",
        "contexts": [0, 1],
        "options": [{
            "type": 3,
            "name": "code",
            "description": "The code that the bridge's bot gave you",
            "required": true,
            "max_length": LONGEST_CODE,
        }],
    }])
}

/// The code in a direct message to the bot, `link CODE` or the code alone; `None` when it says
/// something else.
#[must_use]
pub fn code_in_message(content: &str) -> Option<&str> {
    let mut words = content.split_whitespace();
    let first = words.next()?;
    let code = if first.trim_start_matches(['/', '!']).eq_ignore_ascii_case(COMMAND) { words.next()? } else { first };
    let plain = code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    (words.next().is_none() && plain && code.len() <= LONGEST_CODE).then_some(code)
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};

    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn signed(body: &str, timestamp: &str) -> (String, String) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signature = key.sign(format!("{timestamp}{body}").as_bytes());
        (hex(key.verifying_key().as_bytes()), hex(&signature.to_bytes()))
    }

    #[test]
    fn a_signature_over_time_and_body_holds() {
        let (key, signature) = signed("{}", "1700000000");
        assert_eq!(verify(&key, "1700000000", &signature, "{}", NOW), Ok(()));
        assert!(verify(&key, "1700000001", &signature, "{}", NOW).is_err());
        assert!(verify(&key, "1700000000", &signature, "{ }", NOW).is_err());
        assert!(verify(&key, "1700000000", &signature.replace('a', "b"), "{}", NOW).is_err());
        assert!(verify(&hex(&[9; 32]), "1700000000", &signature, "{}", NOW).is_err());
    }

    #[test]
    fn odd_keys_signatures_and_times_are_refused() {
        let (key, signature) = signed("{}", "1700000000");
        for odd in ["", "zz", "é", &"0".repeat(63), &"g".repeat(64)] {
            assert!(verify(odd, "1700000000", &signature, "{}", NOW).is_err());
            assert!(verify(&key, "1700000000", odd, "{}", NOW).is_err());
            assert!(!is_public_key(odd));
        }
        assert!(is_public_key(&key));
        // The key of order one, with which anybody can sign.
        let weak = format!("01{}", "00".repeat(31));
        let forged = format!("01{}", "00".repeat(63));
        assert!(verify(&weak, "1700000000", &forged, "{}", NOW).is_err());
    }

    #[test]
    fn an_old_request_cannot_be_sent_again() {
        for (offset, holds) in [(300, true), (301, false), (-300, true), (-301, false)] {
            let (key, signature) = signed("{}", "1700000000");
            assert_eq!(verify(&key, "1700000000", &signature, "{}", NOW + offset * 1_000).is_ok(), holds, "{offset}");
        }
    }

    #[test]
    fn a_ping_is_answered() {
        assert!(matches!(read(r#"{"type":1,"id":"1"}"#), Interaction::Ping));
        assert_eq!(pong(), json!({ "type": 1 }));
    }

    #[test]
    fn the_command_names_person_and_code_in_servers_and_direct_chats() {
        let user = json!({ "id": "1", "username": "alice", "global_name": "Alice" });
        let data = json!({ "id": "9", "name": "link", "options": [{ "name": "code", "type": 3, "value": " ABC-1 " }] });
        let mut body =
            json!({ "type": 2, "application_id": "8", "token": "t", "data": data, "member": { "user": user } });
        for _ in 0..2 {
            let Interaction::Link(link) = read(&body.to_string()) else { panic!("no link") };
            assert_eq!((link.user, link.name.as_str(), link.code.as_str()), (Snowflake(1), "Alice", "ABC-1"));
            body["user"] = body["member"]["user"].take();
            body.as_object_mut().unwrap().remove("member");
        }
    }

    #[test]
    fn what_is_no_command_of_ours_is_not_taken_for_one() {
        assert!(matches!(read(r#"{"type":2,"data":{"name":"other"}}"#), Interaction::Other));
        assert!(matches!(read(r#"{"type":3}"#), Interaction::Other));
        for body in ["", "[]", "{}", r#"{"type":2,"data":{"name":"link"}}"#] {
            assert!(matches!(read(body), Interaction::Malformed), "{body}");
        }
    }

    #[test]
    fn a_code_in_a_direct_message_is_found() {
        assert_eq!(code_in_message("link ABC-1"), Some("ABC-1"));
        assert_eq!(code_in_message("/link ABC-1"), Some("ABC-1"));
        assert_eq!(code_in_message(" ABC-1 "), Some("ABC-1"));
        assert_eq!(code_in_message("good morning"), None);
        assert_eq!(code_in_message("link"), None);
        assert_eq!(code_in_message(""), None);
    }
}
