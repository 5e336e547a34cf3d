//! `POST /_matrix/client/*/pushers/set` ([spec])
//!
//! Makes, replaces or (`kind: null`) deletes a pusher. This server pushes over HTTP only, and sends
//! no email.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3pushersset

use hubbub_core::{
    contract::people::{NewPusher, PeopleCommand},
    error::{MatrixError, Result},
};
use serde_json::{Map, Value as Json};
use url::Url;

use crate::{
    answer::Outcome,
    call::{Call, missing, optional_text, required_text},
    credentials::Claim,
    people, respond,
};

/// “Max length, 64 chars.”
const MAX_APP_ID: usize = 64;
/// “Max length, 512 bytes.”
const MAX_PUSHKEY: usize = 512;
/// The longest name, language or profile tag.
const MAX_TEXT: usize = 255;
/// The longest `data`, which goes along with each push.
const MAX_DATA: usize = 4 * 1024;
/// “MUST be an HTTPS URL with a path of `/_matrix/push/v1/notify`.”
const GATEWAY_PATH: &str = "/_matrix/push/v1/notify";

pub(crate) async fn handle(call: Call<Claim>) -> Result<Outcome> {
    let body = call.object()?;
    let app_id = text(&body, "app_id", MAX_APP_ID)?;
    let pushkey = text(&body, "pushkey", MAX_PUSHKEY)?;
    let caller = call.auth.caller.clone();
    let command = match body.get("kind").ok_or_else(|| missing("kind"))? {
        Json::Null => PeopleCommand::DeletePusher { caller, app_id, pushkey },
        _ => {
            let settings = settings(&call, &body)?;
            let append = match body.get("append") {
                None | Some(Json::Null) => false,
                Some(Json::Bool(append)) => *append,
                Some(_) => return Err(MatrixError::bad_json("append is true or false.")),
            };
            let settings = serde_json::value::to_raw_value(&settings)?;
            PeopleCommand::SetPusher { caller, pusher: NewPusher { app_id, pushkey, settings, append } }
        }
    };
    let () = people::ask(&call, command).await?;
    respond::empty()
}

/// The pusher as it is kept and shown.
fn settings(call: &Call<Claim>, body: &Map<String, Json>) -> Result<Map<String, Json>> {
    let kind = required_text(body, "kind")?;
    if kind != "http" {
        return Err(MatrixError::invalid_param("This server has pushers of the kind http only."));
    }
    let data = match body.get("data") {
        Some(Json::Object(data)) => data,
        Some(_) => return Err(MatrixError::bad_json("data must be an object.")),
        None => return Err(missing("data")),
    };
    if serde_json::to_string(data)?.len() > MAX_DATA {
        return Err(MatrixError::too_large("data has more than 4 KiB."));
    }
    check_gateway(call, &required_text(data, "url")?)?;
    if optional_text(data, "format")?.is_some_and(|format| format != "event_id_only") {
        return Err(MatrixError::invalid_param("The only format is event_id_only; leave it out for all there is."));
    }
    let mut settings = Map::new();
    for key in ["app_id", "pushkey", "kind"] {
        settings.insert(key.to_owned(), required_text(body, key)?.into());
    }
    for key in ["app_display_name", "device_display_name", "lang"] {
        settings.insert(key.to_owned(), text(body, key, MAX_TEXT)?.into());
    }
    if let Some(tag) = optional_text(body, "profile_tag")? {
        check_length("profile_tag", &tag, MAX_TEXT)?;
        settings.insert("profile_tag".to_owned(), tag.into());
    }
    settings.insert("data".to_owned(), Json::Object(data.clone()));
    Ok(settings)
}

fn check_gateway(call: &Call<Claim>, url: &str) -> Result<()> {
    let secure =
        |url: &Url| url.scheme() == "https" || (call.context.config.insecure_gateways && url.scheme() == "http");
    let good = Url::parse(url).is_ok_and(|url| {
        secure(&url)
            && url.path() == GATEWAY_PATH
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if good {
        return Ok(());
    }
    Err(MatrixError::invalid_param(format_args!("data.url must be an https address with the path {GATEWAY_PATH}.")))
}

/// A string that must be there, of at most so many bytes.
fn text(body: &Map<String, Json>, key: &str, most: usize) -> Result<String> {
    let text = required_text(body, key)?;
    check_length(key, &text, most)?;
    Ok(text)
}

fn check_length(key: &str, text: &str, most: usize) -> Result<()> {
    if text.len() > most {
        return Err(MatrixError::invalid_param(format_args!("{key} is longer than {most} bytes.")));
    }
    Ok(())
}
