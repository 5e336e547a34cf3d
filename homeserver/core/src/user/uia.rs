//! User-interactive authentication: which stages a request needs, and how far it has come
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#user-interactive-authentication-api)).
//!
//! Pure: it knows neither passwords nor where authentications are kept. `guard` is the user object's
//! use of it; registration uses [`challenge`] alone.

use serde_json::{Map, Value as Json, json};

use crate::error::{MatrixError, Result};

/// The stage that asks for the account's password.
pub const PASSWORD: &str = "m.login.password";

/// The flow that asks for the account's password.
pub const BY_PASSWORD: Flows<'static> = &[&[PASSWORD]];

/// For how many milliseconds an authentication may be completed.
pub const LIFETIME_MS: i64 = 15 * 60 * 1_000;

/// The most authentications of one user that are under way; the oldest give way.
pub const MOST_UNDER_WAY: i64 = 20;

/// The ways to authenticate a request: all stages of any one flow.
pub type Flows<'a> = &'a [&'a [&'a str]];

/// An authentication that is under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uia {
    /// `session`: random.
    pub session_id: String,
    /// The one request that it is for.
    pub action: String,
    /// The stages that were completed, in their order.
    pub completed: Vec<String>,
    /// Until when it may be completed.
    pub expires_at: i64,
}

impl Uia {
    /// A new authentication of a request.
    pub fn begin(session_id: String, action: &str, now: i64) -> Self {
        Self { session_id, action: action.to_owned(), completed: Vec::new(), expires_at: now + LIFETIME_MS }
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: i64) -> bool {
        self.expires_at <= now
    }

    /// 403 `M_FORBIDDEN` unless it is for this very request: what was proved for one must not
    /// authorise another.
    pub fn must_be_for(&self, action: &str) -> Result<()> {
        if self.action == action {
            return Ok(());
        }
        Err(MatrixError::forbidden("This authentication was begun for another request; start again."))
    }

    /// Notes that a stage was completed; a second time changes nothing.
    pub fn complete(&mut self, stage: &str) {
        if !self.completed.iter().any(|done| done == stage) {
            self.completed.push(stage.to_owned());
        }
    }

    /// Whether all stages of some flow are completed.
    pub fn is_complete(&self, flows: Flows<'_>) -> bool {
        flows
            .iter()
            .any(|flow| !flow.is_empty() && flow.iter().all(|stage| self.completed.iter().any(|done| done == stage)))
    }

    /// The body of the 401 that asks the client to go on.
    pub fn challenge(&self, flows: Flows<'_>, refusal: Option<&MatrixError>) -> Map<String, Json> {
        challenge(flows, &self.session_id, &self.completed, refusal)
    }
}

/// Whether a stage is part of any flow.
pub fn has_stage(flows: Flows<'_>, stage: &str) -> bool {
    flows.iter().any(|flow| flow.contains(&stage))
}

/// The body of a 401 that shows the flows; after a refused attempt with its reason.
pub fn challenge(
    flows: Flows<'_>,
    session_id: &str,
    completed: &[String],
    refusal: Option<&MatrixError>,
) -> Map<String, Json> {
    let flows: Vec<Json> = flows.iter().map(|stages| json!({ "stages": stages })).collect();
    let mut body = Map::new();
    body.insert("flows".to_owned(), flows.into());
    body.insert("params".to_owned(), json!({}));
    body.insert("session".to_owned(), session_id.into());
    body.insert("completed".to_owned(), completed.into());
    if let Some(refusal) = refusal {
        body.insert("errcode".to_owned(), refusal.errcode.clone().into());
        body.insert("error".to_owned(), refusal.error.clone().into());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_WAYS: Flows<'static> = &[&["terms", "password"], &["token"]];

    fn begun() -> Uia {
        Uia::begin("s".to_owned(), "delete A", 1_000)
    }

    #[test]
    fn all_stages_of_one_flow_complete_it_in_any_order() {
        let mut uia = begun();
        assert!(!uia.is_complete(TWO_WAYS));
        uia.complete("password");
        assert!(!uia.is_complete(TWO_WAYS));
        uia.complete("terms");
        assert!(uia.is_complete(TWO_WAYS));
    }

    #[test]
    fn another_flow_completes_it_too_and_a_foreign_stage_does_not() {
        let mut uia = begun();
        uia.complete("dummy");
        assert!(!uia.is_complete(TWO_WAYS));
        uia.complete("token");
        assert!(uia.is_complete(TWO_WAYS));
        assert!(has_stage(TWO_WAYS, "token") && !has_stage(TWO_WAYS, "dummy"));
    }

    #[test]
    fn no_flow_and_a_flow_without_stages_are_never_complete() {
        assert!(!begun().is_complete(&[]));
        assert!(!begun().is_complete(&[&[]]));
    }

    #[test]
    fn it_is_for_one_request_only() {
        begun().must_be_for("delete A").unwrap();
        let refused = begun().must_be_for("delete B").unwrap_err();
        assert_eq!((refused.status, refused.errcode.as_str()), (403, "M_FORBIDDEN"));
    }

    #[test]
    fn its_time_is_limited() {
        let uia = begun();
        assert!(!uia.is_over(1_000 + LIFETIME_MS - 1));
        assert!(uia.is_over(1_000 + LIFETIME_MS));
    }

    #[test]
    fn a_challenge_shows_flows_and_progress_and_an_error_only_after_an_attempt() {
        let mut uia = begun();
        uia.complete("terms");
        uia.complete("terms");
        let first = Json::Object(uia.challenge(TWO_WAYS, None));
        assert_eq!(
            first,
            json!({
                "flows": [{"stages": ["terms", "password"]}, {"stages": ["token"]}],
                "params": {},
                "session": "s",
                "completed": ["terms"],
            })
        );
        let refused = uia.challenge(TWO_WAYS, Some(&MatrixError::forbidden("No.")));
        assert_eq!((refused["errcode"].as_str(), refused["error"].as_str()), (Some("M_FORBIDDEN"), Some("No.")));
    }
}
