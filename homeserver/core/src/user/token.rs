//! Access tokens: `hub_<localpart>_<session secret>_<mac>`, each part in URL-safe base64. The other
//! tokens of a user differ in their beginning and in what their MAC is for ([`Purpose`]), so that none
//! can stand for another.
//!
//! The MAC lets the Worker refuse a forged token before it calls any object; whether the session
//! still lives, only the user's object knows, which keeps a hash of the secret.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ruma::{OwnedUserId, ServerName, UserId};
use sha2::{Digest as _, Sha256};

use crate::{
    contract::user::SessionProof,
    secrets::{Secrets, equal},
};

/// The length of a session secret: 18 random bytes in base64.
const SECRET_LENGTH: usize = 24;
/// The length of a MAC: 32 bytes in base64.
const MAC_LENGTH: usize = 43;

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To act as the user's session.
    Access,
    /// To renew a session.
    Refresh,
    /// To log in another device, once.
    Login,
    /// To prove to a third party who the user is.
    OpenId,
}

impl Purpose {
    /// What tokens of this purpose begin with.
    fn prefix(self) -> &'static str {
        match self {
            Self::Access => "hub_",
            Self::Refresh => "hubr_",
            Self::Login => "hubl_",
            Self::OpenId => "hubo_",
        }
    }

    /// What the MAC is for.
    fn mac_purpose(self) -> &'static str {
        match self {
            Self::Access => "access-token",
            Self::Refresh => "refresh-token",
            Self::Login => "login-token",
            Self::OpenId => "openid-token",
        }
    }
}

/// What a genuine access token says. Whether its session still exists is the object's to decide.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The user.
    pub user_id: OwnedUserId,
    /// The session.
    pub session: SessionProof,
}

/// A genuine token of another purpose. Whether it still holds is the object's to decide.
#[derive(Clone)]
pub struct PurposeToken {
    /// The user.
    pub user_id: OwnedUserId,
    /// Its random secret.
    pub secret: String,
}

/// The access token of a user's session, whose secret is a [`crate::context::Context::random_id`].
pub fn issue(secrets: &Secrets, user_id: &UserId, session_secret: &str) -> String {
    issue_for(secrets, Purpose::Access, user_id, session_secret)
}

/// A token of this purpose, whose secret is a [`crate::context::Context::random_id`].
pub fn issue_for(secrets: &Secrets, purpose: Purpose, user_id: &UserId, secret: &str) -> String {
    let signed = signed_part(user_id.localpart(), secret);
    let mac = URL_SAFE_NO_PAD.encode(secrets.mac(purpose.mac_purpose(), signed.as_bytes()));
    format!("{}{signed}_{mac}", purpose.prefix())
}

/// Reads an access token of this server; `None` when it is malformed or forged.
pub fn parse(secrets: &Secrets, server_name: &ServerName, token: &str) -> Option<AccessToken> {
    let token = parse_for(secrets, Purpose::Access, server_name, token)?;
    Some(AccessToken { user_id: token.user_id, session: SessionProof { secret: token.secret, address: None } })
}

/// Reads a token of this server and purpose; `None` when it is malformed, forged, or good for
/// something else.
///
/// Compares the MAC in constant time. The parts are taken by their lengths, since base64's own
/// alphabet has the separator in it.
pub fn parse_for(secrets: &Secrets, purpose: Purpose, server_name: &ServerName, token: &str) -> Option<PurposeToken> {
    let rest = token.strip_prefix(purpose.prefix())?;
    let (signed, mac) = split_from_end(rest, MAC_LENGTH)?;
    let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
    if !equal(&secrets.mac(purpose.mac_purpose(), signed.as_bytes()), &mac) {
        return None;
    }
    let (localpart, secret) = split_from_end(signed, SECRET_LENGTH)?;
    let localpart = String::from_utf8(URL_SAFE_NO_PAD.decode(localpart).ok()?).ok()?;
    Some(PurposeToken {
        user_id: UserId::parse(format!("@{localpart}:{server_name}")).ok()?,
        secret: secret.to_owned(),
    })
}

/// The form in which a session secret is stored: hex SHA-256.
pub(crate) fn hash_secret(secret: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(secret.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn signed_part(localpart: &str, session_secret: &str) -> String {
    format!("{}_{session_secret}", URL_SAFE_NO_PAD.encode(localpart))
}

/// Splits `<head>_<tail>` where the tail has a known length.
fn split_from_end(text: &str, tail: usize) -> Option<(&str, &str)> {
    let at = text.len().checked_sub(tail)?;
    let (head, tail) = text.split_at_checked(at)?;
    Some((head.strip_suffix('_')?, tail))
}

#[cfg(test)]
mod tests {
    use ruma::{server_name, user_id};

    use super::*;

    const SECRET: &str = "abcd_fgh-jklmnopqrstuvwx";

    fn secrets(master: u8) -> Secrets {
        use base64::engine::general_purpose::STANDARD;
        Secrets::parse(
            &format!("ed25519 a {}", STANDARD.encode([1; 32])),
            &STANDARD.encode([master; 32]),
            "an admin token of some length",
        )
        .unwrap()
    }

    #[test]
    fn a_token_reads_back_whatever_the_localpart() {
        let secrets = secrets(1);
        for user_id in
            [user_id!("@alice:hub.example"), user_id!("@_slack_t1_u_2:hub.example"), user_id!("@a/b=c.d-e:hub.example")]
        {
            let token = issue(&secrets, user_id, SECRET);
            let parsed = parse(&secrets, server_name!("hub.example"), &token).unwrap();
            assert_eq!(parsed.user_id, user_id);
            assert_eq!(parsed.session.secret, SECRET);
        }
    }

    #[test]
    fn a_changed_token_is_refused() {
        let secrets = secrets(1);
        let token = issue(&secrets, user_id!("@alice:hub.example"), SECRET);
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(parse(&secrets, server_name!("hub.example"), &changed).is_none());
        }
    }

    #[test]
    fn a_token_under_another_key_is_refused() {
        let token = issue(&secrets(2), user_id!("@alice:hub.example"), SECRET);
        assert!(parse(&secrets(1), server_name!("hub.example"), &token).is_none());
    }

    #[test]
    fn no_token_stands_for_one_of_another_purpose() {
        let secrets = secrets(1);
        let all = [Purpose::Access, Purpose::Refresh, Purpose::Login, Purpose::OpenId];
        for issued in all {
            let token = issue_for(&secrets, issued, user_id!("@alice:hub.example"), SECRET);
            let bare = token.strip_prefix(issued.prefix()).unwrap();
            for wanted in all {
                let renamed = format!("{}{bare}", wanted.prefix());
                let read = parse_for(&secrets, wanted, server_name!("hub.example"), &renamed);
                assert_eq!(read.is_some(), issued == wanted);
            }
        }
    }

    #[test]
    fn nonsense_is_refused_without_a_panic() {
        let secrets = secrets(1);
        for token in ["", "hub_", "hub___", "é", "hub_é", &"é".repeat(100), &"_".repeat(200)] {
            assert!(parse(&secrets, server_name!("hub.example"), token).is_none());
        }
    }
}
