//! Reading a registration
//! ([spec](https://spec.matrix.org/v1.11/application-service-api/#registration)).
//!
//! [`parse`] takes it as JSON (`cargo xtask appservice add` turns the YAML that bridges generate into
//! that: a YAML parser would be a twelfth of the Worker) and refuses what could not work or would do
//! harm. What it accepts is ruma's [`Registration`] beside the compiled namespaces.

use ruma::{OwnedUserId, ServerName, UserId, api::appservice::Registration};
use serde::Deserialize;
use url::Url;

use crate::namespaces::NamespaceSet;

/// The largest registration file, in bytes.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// The longest id of an appservice, in bytes: it names an object and stands in a path.
const MAX_ID_BYTES: usize = 255;

/// How long a token may be. A shorter one could be guessed, a longer one is no header.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=255;

/// How many protocols a registration may name, and how long a name may be.
const MAX_PROTOCOLS: usize = 50;

/// Why a registration is refused. Never holds a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// Larger than 64 KiB.
    #[error("A registration may have at most 64 KiB.")]
    FileTooLarge,
    /// Not JSON, or a field is missing or of the wrong type.
    #[error("This is no registration: {0}.")]
    Json(String),
    /// The id is empty, too long or unprintable.
    #[error("`id` must have 1 to 255 bytes and no control characters.")]
    Id,
    /// The URL is no plain base URL.
    #[error(
        "`url` must be null, or an http or https URL without user name, query and fragment, of at most 2000 bytes."
    )]
    Url,
    /// A token is too short, too long, or could not stand in a header.
    #[error("`{0}` must have 16 to 255 printable ASCII characters and no spaces: take a random one.")]
    Token(&'static str),
    /// Both tokens are the same, so whoever sees one could use the other.
    #[error("`as_token` and `hs_token` must differ.")]
    SameTokens,
    /// The bot's name is no localpart.
    #[error(
        "`sender_localpart` must be a localpart: lower-case letters, digits and `._=-/+` only, without `@` and server name."
    )]
    SenderLocalpart,
    /// An expression is refused.
    #[error("The namespace `{regex}` cannot be used: {reason}.")]
    Regex {
        /// The beginning of the expression.
        regex: String,
        /// Why.
        reason: String,
    },
    /// More than 100 namespaces of a kind.
    #[error("A registration may have at most 100 namespaces of each kind.")]
    TooManyNamespaces,
    /// Too many protocols, or an unusable name.
    #[error("`protocols` may name at most 50 protocols of 1 to 255 bytes each.")]
    Protocols,
}

/// A registration that was read and found good.
#[derive(Clone, Debug)]
pub struct ParsedRegistration {
    /// The fields of the file. `receive_ephemeral` is true also when only the unstable spelling
    /// asked for it; an empty `url` became `None`.
    pub registration: Registration,
    /// Whether it asked by `de.sorunome.msc2409.push_ephemeral`: it reads the unstable key of
    /// transactions.
    pub unstable_ephemeral: bool,
    /// Whether it asked by `org.matrix.msc3202` for device lists and key counts, and may act as a device.
    pub device_lists: bool,
    /// Whether it asked by `io.element.msc4190` to make and delete devices without a login.
    pub manages_devices: bool,
    /// The user id of its bot.
    pub bot: OwnedUserId,
    /// The namespaces, compiled.
    pub namespaces: NamespaceSet,
}

/// Fields of the file that ruma's type does not have.
#[derive(Deserialize)]
struct UnstableFields {
    #[serde(default, rename = "de.sorunome.msc2409.push_ephemeral")]
    push_ephemeral: bool,
    #[serde(default, rename = "org.matrix.msc3202")]
    device_lists: bool,
    #[serde(default, rename = "io.element.msc4190")]
    manages_devices: bool,
}

/// Reads and checks a registration as JSON.
pub fn parse(json: &str, server_name: &ServerName) -> Result<ParsedRegistration, RegistrationError> {
    if json.len() > MAX_FILE_BYTES {
        return Err(RegistrationError::FileTooLarge);
    }
    let registration: Registration = read(json)?;
    let unstable: UnstableFields = read(json)?;
    check(registration, &unstable, server_name)
}

fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, RegistrationError> {
    serde_json::from_str(json).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        RegistrationError::Json(format!("{} ({place})", reason(&error)))
    })
}

/// What is wrong, in words that quote no value of the document.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.split_once("missing field `").and_then(|(_, rest)| rest.split('`').next()) {
        Some(field) => format!("the field `{field}` is missing"),
        None if error.is_data() => "a field has a value of the wrong type".to_owned(),
        None => "it is not valid JSON; `cargo xtask appservice add FILE` reads YAML".to_owned(),
    }
}

fn check(
    mut registration: Registration,
    unstable: &UnstableFields,
    server_name: &ServerName,
) -> Result<ParsedRegistration, RegistrationError> {
    let id = &registration.id;
    if id.is_empty() || id.len() > MAX_ID_BYTES || id.chars().any(char::is_control) {
        return Err(RegistrationError::Id);
    }
    registration.url = registration.url.filter(|url| !url.is_empty());
    if registration.url.as_deref().is_some_and(|url| !is_base_url(url)) {
        return Err(RegistrationError::Url);
    }
    check_token("as_token", &registration.as_token)?;
    check_token("hs_token", &registration.hs_token)?;
    if registration.as_token == registration.hs_token {
        return Err(RegistrationError::SameTokens);
    }
    if let Some(protocols) = &registration.protocols
        && (protocols.len() > MAX_PROTOCOLS || protocols.iter().any(|name| name.is_empty() || name.len() > 255))
    {
        return Err(RegistrationError::Protocols);
    }
    registration.receive_ephemeral |= unstable.push_ephemeral;
    Ok(ParsedRegistration {
        bot: bot_of(&registration.sender_localpart, server_name)?,
        namespaces: NamespaceSet::compile(&registration.namespaces)?,
        unstable_ephemeral: unstable.push_ephemeral,
        device_lists: unstable.device_lists,
        manages_devices: unstable.manages_devices,
        registration,
    })
}

/// The user id of an appservice's bot.
pub(crate) fn bot_of(localpart: &str, server_name: &ServerName) -> Result<OwnedUserId, RegistrationError> {
    if localpart.is_empty() || localpart.contains([':', '@']) {
        return Err(RegistrationError::SenderLocalpart);
    }
    let bot = UserId::parse_with_server_name(localpart, server_name).map_err(|_| RegistrationError::SenderLocalpart)?;
    bot.validate_strict().map_err(|_| RegistrationError::SenderLocalpart)?;
    Ok(bot)
}

fn check_token(field: &'static str, token: &str) -> Result<(), RegistrationError> {
    if TOKEN_BYTES.contains(&token.len()) && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(RegistrationError::Token(field))
    }
}

/// Whether paths can be appended to it, and it hides no secret.
fn is_base_url(url: &str) -> bool {
    url.len() <= 2_000
        && Url::parse(url).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none()
        })
}
