//! What this server does not know, but an appservice may: users and aliases of its namespaces, which it can make
//! on demand ([spec](https://spec.matrix.org/v1.11/application-service-api/#querying)).
//!
//! Only for those who are logged in: no stranger causes a call of an object or a request to anybody.

use hubbub_core::{
    context::{Appservice, Context},
    contract::{
        Address, Class,
        appservice::{AppserviceCommand, Query},
    },
    error::Result,
};
use ruma::{RoomAliasId, UserId};

use crate::{credentials::Claim, objects};

/// Whether an appservice says that this user exists. Then it has made the account: look again.
pub(crate) async fn user(context: &Context, asking: &Claim, user_id: &UserId) -> Result<bool> {
    if user_id.server_name() != context.config.server_name {
        return Ok(false);
    }
    let interested = |appservice: &dyn Appservice| appservice.is_interested_in_user(user_id);
    ask(context, asking, &Query::User(user_id.to_owned()), interested).await
}

/// Whether an appservice says that this alias exists. Then it has made the alias: look again.
pub(crate) async fn alias(context: &Context, asking: &Claim, alias: &RoomAliasId) -> Result<bool> {
    if alias.server_name() != context.config.server_name {
        return Ok(false);
    }
    let interested = |appservice: &dyn Appservice| appservice.is_interested_in_alias(alias);
    ask(context, asking, &Query::Alias(alias.to_owned()), interested).await
}

async fn ask(
    context: &Context,
    asking: &Claim,
    query: &Query,
    interested: impl Fn(&dyn Appservice) -> bool,
) -> Result<bool> {
    // An appservice that asks knows itself what it has, and may wait for this very answer.
    let asking = asking.appservice.as_ref().map(|appservice| appservice.id());
    for appservice in context.appservices.list().await?.iter() {
        if !appservice.receives() || Some(appservice.id()) == asking || !interested(appservice.as_ref()) {
            continue;
        }
        let address = Address::new(Class::Appservice, appservice.id());
        let command = AppserviceCommand::Query(query.clone());
        if objects::call_again(context.objects.as_ref(), address, &command).await? {
            return Ok(true);
        }
    }
    Ok(false)
}
