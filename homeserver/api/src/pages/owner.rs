//! `GET`, `POST /_hubbub/owner/{token}`
//!
//! The page behind a one-time link: it sets the owner's password, and makes the owner's account if
//! there is none. Of two concurrent uses of a link only one succeeds.

use std::fmt::Write as _;

use http::StatusCode;
use hubbub_core::{
    contract::{Address, user::UserCommand},
    error::{MatrixError, Result},
};
use hubbub_storage::directory::{accounts, owner_links};
use ruma::{OwnedUserId, UserId};
use sha2::{Digest as _, Sha256};

use super::{escape, page};
use crate::{
    account::{MAX_PASSWORD_BYTES, new_user_id},
    answer::Outcome,
    call::Call,
    credentials::Public,
    objects,
    peer::RateLimit,
};

/// The owner's name unless another is chosen.
const DEFAULT_NAME: &str = "owner";

/// An owner's password is not shorter.
const MIN_PASSWORD_CHARACTERS: usize = 10;

/// The form in which a link's secret is stored: hex SHA-256.
pub(crate) fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Shows the form.
pub(crate) async fn show(call: Call<Public>) -> Result<Outcome> {
    call.peer.limit(&call.context, RateLimit::Login).await?;
    if !is_open(&call).await? {
        return used_up();
    }
    let owner = find_owner(&call).await?;
    form(&call, owner.as_deref(), None)
}

/// Takes the form.
pub(crate) async fn submit(call: Call<Public>) -> Result<Outcome> {
    call.peer.limit(&call.context, RateLimit::Login).await?;
    if !is_open(&call).await? {
        return used_up();
    }
    let owner = find_owner(&call).await?;
    let password = field(&call, "password").unwrap_or_default();
    if let Some(problem) = password_problem(&password) {
        return form(&call, owner.as_deref(), Some(problem));
    }
    let user_id = match owner {
        Some(owner) => owner,
        None => match chosen_name(&call).await? {
            Ok(user_id) => user_id,
            Err(problem) => return form(&call, None, Some(problem)),
        },
    };
    let hash = token_hash(call.argument(0));
    let directory = &*call.context.directory;
    if !owner_links::redeem(directory, &hash, call.context.clock.now()).await? {
        return used_up();
    }
    let command = UserCommand::SetPassword { password };
    let set: Result<()> = objects::call_again(&*call.context.objects, Address::user(&user_id), &command).await;
    if let Err(error) = set {
        owner_links::reopen(directory, &hash).await?;
        return Err(error);
    }
    done(&call, &user_id)
}

fn field(call: &Call<Public>, name: &str) -> Option<String> {
    url::form_urlencoded::parse(call.request().body()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

async fn is_open(call: &Call<Public>) -> Result<bool> {
    let hash = token_hash(call.argument(0));
    let now = call.context.clock.now();
    Ok(owner_links::is_open(&*call.context.directory, &hash, now).await?)
}

async fn find_owner(call: &Call<Public>) -> Result<Option<OwnedUserId>> {
    let owner = accounts::find_owner(&*call.context.directory).await?;
    owner.map(|owner| owner.parse().map_err(MatrixError::internal)).transpose()
}

/// The user id of a new owner, or what is wrong with the name: it is no name, or somebody has it
/// who would lose the account.
async fn chosen_name(call: &Call<Public>) -> Result<Result<OwnedUserId, &'static str>> {
    let name = field(call, "username").filter(|name| !name.is_empty());
    let name = name.as_deref().unwrap_or(DEFAULT_NAME);
    let Ok(user_id) = new_user_id(&call.context, name) else {
        return Ok(Err("A user name has only the characters a-z, 0-9, and . _ = - / +."));
    };
    let directory = &*call.context.directory;
    let appservices = call.context.appservices.list().await?;
    let is_reserved = appservices.iter().any(|appservice| appservice.owns_user(&user_id));
    if is_reserved || accounts::get(directory, user_id.as_str()).await?.is_some() {
        return Ok(Err("Somebody else has this user name; choose another."));
    }
    Ok(Ok(user_id))
}

fn password_problem(password: &str) -> Option<&'static str> {
    if password.chars().count() < MIN_PASSWORD_CHARACTERS {
        return Some("The password is too short: it needs at least 10 characters.");
    }
    (password.len() > MAX_PASSWORD_BYTES).then_some("The password is too long.")
}

fn form(call: &Call<Public>, owner: Option<&UserId>, problem: Option<&str>) -> Result<Outcome> {
    let mut main = String::new();
    if let Some(problem) = problem {
        main = format!("<p class=\"error\" role=\"alert\">{}</p>\n", escape(problem));
    }
    main.push_str(&match owner {
        Some(owner) => known_owner(owner),
        None => new_owner(call),
    });
    main.push_str(PASSWORD);
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    page(status, "The owner's password", &main)
}

/// The end of the form: the password, and the button.
const PASSWORD: &str = r#"<label for="password">Password</label>
<input id="password" name="password" type="password" required minlength="10" maxlength="512" autocomplete="new-password" aria-describedby="password-hint">
<p class="hint" id="password-hint">At least 10 characters.</p>
<button type="submit">Set the password</button>
</form>"#;

/// The beginning of the form for an owner who has an account. The hidden name is for password
/// managers.
fn known_owner(owner: &UserId) -> String {
    let owner = escape(owner.as_str());
    format!(
        r#"<p>Set a new password for <strong>{owner}</strong>. Devices that are logged in stay so.</p>
<form method="post">
<input type="hidden" name="username" value="{owner}" autocomplete="username">
"#
    )
}

/// The beginning of the form for an owner who has none yet.
fn new_owner(call: &Call<Public>) -> String {
    let server_name = escape(call.context.config.server_name.as_str());
    let chosen = escape(&field(call, "username").unwrap_or_else(|| DEFAULT_NAME.to_owned()));
    format!(
        r#"<p>Choose the name and the password of the owner of <strong>{server_name}</strong>.</p>
<form method="post">
<label for="username">User name</label>
<input id="username" name="username" value="{chosen}" required autocomplete="username" autocapitalize="none" spellcheck="false" aria-describedby="username-hint">
<p class="hint" id="username-hint">You will be @name:{server_name}. This cannot be changed later.</p>
"#
    )
}

fn done(call: &Call<Public>, user_id: &UserId) -> Result<Outcome> {
    let main = format!(
        "<p>Log in with any Matrix client:</p>\n<dl>\n<dt>Homeserver</dt><dd>{}</dd>\n<dt>User</dt><dd>{}</dd>\n</dl>\n<p>This link no longer works. You can close this page.</p>",
        escape(&call.context.config.public_url),
        escape(user_id.as_str()),
    );
    page(StatusCode::OK, "The password is set", &main)
}

fn used_up() -> Result<Outcome> {
    page(
        StatusCode::GONE,
        "This link does not work",
        "<p>It was used already, or it is older than a day. <code>cargo xtask owner-link</code> makes a new one.</p>",
    )
}
