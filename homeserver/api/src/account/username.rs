//! From what a user types to a user id of this server.

use hubbub_core::{
    context::Context,
    error::{MatrixError, Result},
};
use ruma::{OwnedUserId, UserId};

/// The user id that a login names: a whole user id or only its localpart, capitals folded. `None`
/// when it can be no user of this server.
pub(crate) fn local_user_id(context: &Context, name: &str) -> Option<OwnedUserId> {
    let folded = name.to_lowercase();
    if folded.starts_with('@') {
        let user_id: OwnedUserId = folded.parse().ok()?;
        return (user_id.server_name() == context.config.server_name).then_some(user_id);
    }
    UserId::parse(format!("@{folded}:{}", context.config.server_name)).ok()
}

/// The user id of a new account, capitals folded. 400 `M_INVALID_USERNAME` when the localpart
/// breaks the grammar or the id is longer than 255 bytes
/// ([spec](https://spec.matrix.org/v1.11/appendices/#user-identifiers)).
pub(crate) fn new_user_id(context: &Context, username: &str) -> Result<OwnedUserId> {
    let folded = username.to_lowercase();
    let in_grammar = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._=-/+".contains(&byte);
    let user_id = format!("@{folded}:{}", context.config.server_name);
    if folded.is_empty() || !folded.bytes().all(in_grammar) || user_id.len() > 255 {
        return Err(MatrixError::new(
            400,
            "M_INVALID_USERNAME",
            "A user name has only the characters a-z, 0-9, and . _ = - / +, and is not longer than 255 bytes with the server's name.",
        ));
    }
    UserId::parse(user_id).map_err(MatrixError::internal)
}
