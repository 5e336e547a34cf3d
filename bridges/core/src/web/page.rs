//! The page behind a one-time link, which takes a login's secrets: none ever enters a room.

use std::rc::Rc;

use hubbub_core::{
    context::Context,
    contract::{Address, Class, call},
    error::{MatrixError, Result},
};
use url::form_urlencoded;

use super::{answer::html_answer, paths::Link};
use crate::{
    contract::{Finished, LoginCommand, Secret},
    network::NetworkFacts,
};

/// The largest form.
const FORM_LIMIT: usize = 16 * 1024;

/// Shows the form, or takes it.
pub(super) async fn handle(
    facts: &NetworkFacts,
    context: &Rc<Context>,
    token: &str,
    request: &http::Request<Vec<u8>>,
) -> http::Response<Vec<u8>> {
    let Some(link) = Link::read(facts, context, token) else {
        let text = "This link has expired. Ask the bot for a new one with connect.";
        return html_answer(404, page(facts, &paragraph(text)));
    };
    match *request.method() {
        http::Method::GET | http::Method::HEAD => html_answer(200, page(facts, &form("", facts))),
        http::Method::POST => match finish(context, &link, request.body()).await {
            Ok(finished) => html_answer(200, page(facts, &done(&finished, facts))),
            Err(error) => html_answer(error.status, page(facts, &form(&error.error, facts))),
        },
        _ => html_answer(405, page(facts, &paragraph("Only GET and POST work here."))),
    }
}

async fn finish(context: &Rc<Context>, link: &Link, body: &[u8]) -> Result<Finished> {
    if body.len() > FORM_LIMIT {
        return Err(MatrixError::too_large("The form is too large."));
    }
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(body);
        let value = fields.find(|(key, _)| key == name).map(|(_, value)| value);
        Secret(value.unwrap_or_default().trim().to_owned())
    };
    let command = LoginCommand::Finish {
        signing_secret: field("signing_secret"),
        token: field("token"),
        link: Some(link.nonce.clone()),
    };
    let address = Address::new(Class::Login, link.login_id.as_str());
    call(context.objects.as_ref(), address, &command).await
}

fn page(facts: &NetworkFacts, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Connect {title}</title></head><body><h1>Connect {title}</h1>{body}</body></html>",
        title = escape(facts.title),
    )
}

fn form(problem: &str, facts: &NetworkFacts) -> String {
    let problem = if problem.is_empty() {
        String::new()
    } else {
        format!("<p role=\"alert\"><strong>{}</strong></p>", escape(problem))
    };
    format!(
        "{problem}<p>Both are on your app's pages at {title}. They are stored encrypted and never \
         shown again.</p><form method=\"post\" autocomplete=\"off\">\
         <p><label>{key}<br>\
         <input name=\"signing_secret\" type=\"password\" required size=\"60\"></label></p>\
         <p><label>{token}<br>\
         <input name=\"token\" type=\"password\" required size=\"60\"></label></p>\
         <p><button>Connect</button></p></form>",
        title = escape(facts.title),
        key = escape(facts.words.key),
        token = escape(facts.words.token),
    )
}

fn done(finished: &Finished, facts: &NetworkFacts) -> String {
    paragraph(&format!(
        "Connected as {} in {}. Go back to the chat with the bot: list shows your channels, bridge \
         brings one here. {}",
        finished.user_name, finished.team_name, facts.words.then
    ))
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>", escape(text))
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
