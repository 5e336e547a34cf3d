//! Commands of [`PeopleCommand`] to the object of the user who asks.

use hubbub_core::{
    contract::{people::PeopleCommand, user::UserCommand},
    error::Result,
};
use serde::de::DeserializeOwned;

use crate::{call::Call, credentials::Claim, objects};

/// Asks the caller's own object.
pub(crate) async fn ask<R: DeserializeOwned>(call: &Call<Claim>, command: PeopleCommand) -> Result<R> {
    let command = UserCommand::People(Box::new(command));
    objects::call_again(&*call.context.objects, call.auth.address(), &command).await
}
