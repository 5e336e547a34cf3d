//! Registrations: what is read, and what is refused.

use hubbub_appservice::{
    namespaces::{NamespaceSet, contains, contains_exclusively},
    registration::{ParsedRegistration, RegistrationError, parse},
};
use ruma::api::appservice::{Namespace, Namespaces};

use crate::support::{irc_yaml, json_of, server};

fn good() -> String {
    irc_yaml("http://localhost:9999")
}

fn read(yaml: &str) -> Result<ParsedRegistration, RegistrationError> {
    parse(&json_of(yaml), &server())
}

fn refused_with(from: &str, to: &str) -> RegistrationError {
    let yaml = good();
    assert!(yaml.contains(from), "{from}");
    read(&yaml.replace(from, to)).unwrap_err()
}

#[test]
fn a_registration_as_bridges_generate_it_is_read() {
    let parsed = read(&good()).unwrap();
    assert_eq!(parsed.registration.id, "irc");
    assert_eq!(parsed.registration.url.as_deref(), Some("http://localhost:9999"));
    assert_eq!(parsed.registration.protocols.as_deref(), Some(&["irc".to_owned()][..]));
    assert_eq!(parsed.registration.rate_limited, Some(false));
    assert!(parsed.registration.receive_ephemeral && !parsed.unstable_ephemeral);
    assert_eq!(parsed.bot, "@ircbot:hub.example");
    assert!(contains_exclusively(&parsed.namespaces.users, "@irc_bob:hub.example"));
}

#[test]
fn the_unstable_spelling_asks_for_ephemeral_data_too() {
    let yaml = good().replace("receive_ephemeral", "de.sorunome.msc2409.push_ephemeral");
    let parsed = read(&yaml).unwrap();
    assert!(parsed.registration.receive_ephemeral && parsed.unstable_ephemeral);
}

#[test]
fn a_url_may_be_null_but_not_missing() {
    assert_eq!(read(&good().replace("\"http://localhost:9999\"", "null")).unwrap().registration.url, None);
    assert_eq!(read(&irc_yaml("")).unwrap().registration.url, None);
    let error = refused_with("url: \"http://localhost:9999\"", "");
    assert!(matches!(&error, RegistrationError::Json(reason) if reason.contains("`url`")), "{error}");
}

#[test]
fn an_address_that_cannot_be_a_base_or_hides_a_secret_is_refused() {
    for url in ["localhost:9999", "ftp://x", "http://u:p@x", "http://x/?a=b", "http://x/#a", "mailto:a@b"] {
        assert_eq!(read(&irc_yaml(url)).unwrap_err(), RegistrationError::Url, "{url}");
    }
}

#[test]
fn weak_tokens_are_refused_and_never_quoted() {
    assert_eq!(refused_with("as_0123456789abcdef", "short"), RegistrationError::Token("as_token"));
    assert_eq!(refused_with("hs_0123456789abcdef", "has a space inside"), RegistrationError::Token("hs_token"));
    assert_eq!(refused_with("hs_0123456789abcdef", "as_0123456789abcdef"), RegistrationError::SameTokens);
    let long = "x".repeat(256);
    assert_eq!(refused_with("as_0123456789abcdef", &long), RegistrationError::Token("as_token"));
    // A wrong type in the line of the token must not print the line.
    let error = refused_with("as_token: as_0123456789abcdef", "as_token: [sEcReT]");
    assert!(!error.to_string().contains("sEcReT"), "{error}");
}

#[test]
fn ids_and_localparts_that_could_not_be_used_are_refused() {
    assert_eq!(refused_with("id: irc", "id: \"\""), RegistrationError::Id);
    assert_eq!(refused_with("id: irc", "id: \"a\\nb\""), RegistrationError::Id);
    for localpart in ["\"@ircbot:hub.example\"", "IRC", "\"\"", "\"a b\""] {
        let error = refused_with("sender_localpart: ircbot", &format!("sender_localpart: {localpart}"));
        assert_eq!(error, RegistrationError::SenderLocalpart, "{localpart}");
    }
    assert_eq!(refused_with("protocols: [irc]", "protocols: [\"\"]"), RegistrationError::Protocols);
}

#[test]
fn registrations_that_are_too_large_or_no_json_are_refused() {
    let large = format!("{}{}", json_of(&good()), " ".repeat(70_000));
    assert_eq!(parse(&large, &server()).unwrap_err(), RegistrationError::FileTooLarge);
    for text in ["", "[\"a\"]", "{", "id: irc", "\u{0}", "{\"id\": \"irc\"}"] {
        assert!(matches!(parse(text, &server()), Err(RegistrationError::Json(_))), "{text:?}");
    }
}

fn namespaces(regex: &str) -> Result<NamespaceSet, RegistrationError> {
    let mut namespaces = Namespaces::new();
    namespaces.users.push(Namespace::new(false, regex.to_owned()));
    NamespaceSet::compile(&namespaces)
}

#[test]
fn a_namespace_has_to_match_the_whole_id() {
    let matches = |regex: &str, id: &str| contains(&namespaces(regex).unwrap().users, id);
    assert!(matches("@irc_.*", "@irc_bob:hub.example"));
    assert!(!matches("@irc_", "@irc_bob:hub.example"), "the beginning alone is not enough");
    assert!(!matches("irc_.*", "@irc_bob:hub.example"), "nor is the middle");
    assert!(matches("^@irc_.*:hub\\.example$", "@irc_bob:hub.example"), "anchors do no harm");
    assert!(!matches("@irc_.*:hub\\.example", "@irc_bob:hub.example.evil"));
    assert!(!matches("@a:x|@b:x", "@a:xy"), "both alternatives are anchored");
    assert!(matches("@a:x|@b:x", "@b:x"));
    assert!(!matches("@a.*:x", "@a\n:x"), "a dot is no line break");
    assert!(matches("@[[:alpha:]]+_\\d:x", "@irc_7:x"), "POSIX classes work");
}

#[test]
fn expressions_that_are_wrong_or_too_large_are_refused() {
    let nested = "(".repeat(60) + "a" + &")".repeat(60);
    let long = "a".repeat(1_001);
    for regex in ["", "(", "a)|(b", "@(?=x).*", "(a)\\1", "(a{1000}){1000}", "[z-a]", "*", &nested, &long] {
        assert!(matches!(namespaces(regex), Err(RegistrationError::Regex { .. })), "{regex}");
    }
    let mut many = Namespaces::new();
    many.rooms = vec![Namespace::new(false, "!a".to_owned()); 101];
    assert_eq!(NamespaceSet::compile(&many).unwrap_err(), RegistrationError::TooManyNamespaces);
}

#[test]
fn only_exclusive_namespaces_are_owned() {
    let set = namespaces("@irc_.*").unwrap();
    assert!(contains(&set.users, "@irc_bob:hub.example"));
    assert!(!contains_exclusively(&set.users, "@irc_bob:hub.example"));
}
