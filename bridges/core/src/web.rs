//! What a bridge answers over HTTP: the network's hooks, the page that takes secrets, and the
//! operator's JSON endpoints.

mod admin;
mod answer;
pub(crate) mod page;
pub(crate) mod paths;

use std::rc::Rc;

use hubbub_core::{
    context::Context,
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use serde_json::json;

use self::answer::{json_answer, refusal, text_answer};
use crate::{
    contract::{Hook, HookAnswer, LoginCommand},
    network::NetworkFacts,
};

/// The largest body of a hook.
const HOOK_LIMIT: usize = 1 << 20;

/// How often a hook is passed on between logins of one account.
const FORWARDS: usize = 3;

/// The names of the headers by which a network signs its hooks.
#[derive(Clone, Copy, Debug)]
pub struct HookHeaders {
    /// The signature.
    pub signature: &'static str,
    /// The time of the attempt.
    pub timestamp: &'static str,
}

/// Answers a request under `/_hubbub/<network>/` or `/_hubbub/admin/v1/<network>/`; `None` for every
/// other path.
pub async fn handle_http(
    facts: &NetworkFacts,
    context: &Rc<Context>,
    request: http::Request<Vec<u8>>,
) -> Option<http::Response<Vec<u8>>> {
    let path = request.uri().path().to_owned();
    let rest = path.strip_prefix("/_hubbub/")?;
    if let Some(verb) = rest
        .strip_prefix("admin/v1/")
        .and_then(|rest| rest.strip_prefix(facts.id))
        .and_then(|rest| rest.strip_prefix('/'))
    {
        return Some(admin::handle(facts, context, verb, &request).await);
    }
    let rest = rest.strip_prefix(facts.id)?.strip_prefix('/')?;
    let (first, second) = rest.split_once('/')?;
    if second.contains('/') {
        return None;
    }
    Some(if first == "login" {
        page::handle(facts, context, second, &request).await
    } else {
        hook(facts, context, first, second, request).await
    })
}

async fn hook(
    facts: &NetworkFacts,
    context: &Rc<Context>,
    login_id: &str,
    mac: &str,
    request: http::Request<Vec<u8>>,
) -> http::Response<Vec<u8>> {
    if !paths::is_hook(facts, context, login_id, mac) {
        return refusal(&MatrixError::not_found("There is no such address."));
    }
    if request.method() != http::Method::POST {
        return refusal(&MatrixError::new(405, "M_UNRECOGNIZED", "Only POST works here."));
    }
    if request.body().len() > HOOK_LIMIT {
        return refusal(&MatrixError::too_large("The body exceeds 1 MiB."));
    }
    let header = |name: &str| {
        let value = request.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let signature = header(facts.hook_headers.signature);
    let timestamp = header(facts.hook_headers.timestamp);
    let Ok(body) = String::from_utf8(request.into_body()) else {
        return refusal(&MatrixError::bad_json("The body is not UTF-8."));
    };
    let hook = Hook { signature, timestamp, body };
    match ask_login(context, login_id, hook).await {
        Ok(HookAnswer::Accepted) => text_answer(200, ""),
        Ok(HookAnswer::Challenge(challenge)) => json_answer(200, &json!({ "challenge": challenge })),
        Ok(HookAnswer::Json(body)) => json_answer(200, &body),
        Ok(HookAnswer::Refused(status, sentence)) => refusal(&MatrixError::new(status, "M_FORBIDDEN", sentence)),
        Ok(HookAnswer::Forward(_)) => refusal(&MatrixError::internal("logins forward to each other")),
        Err(error) => refusal(&error),
    }
}

async fn ask_login(context: &Rc<Context>, login_id: &str, hook: Hook) -> Result<HookAnswer> {
    let mut login_id = login_id.to_owned();
    let command = LoginCommand::Hook(hook);
    for _ in 0..FORWARDS {
        let address = Address::new(Class::Login, login_id.as_str());
        match call(context.objects.as_ref(), address, &command).await? {
            HookAnswer::Forward(next) => login_id = next,
            answer => return Ok(answer),
        }
    }
    Ok(HookAnswer::Forward(login_id))
}
