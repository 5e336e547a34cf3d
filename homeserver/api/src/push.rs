//! Pushers and push rules ([spec](https://spec.matrix.org/v1.11/client-server-api/#push-rules-api)).
//!
//! Each is one command to the user's object, which keeps rules and actions as they were
//! given.

mod delete_pushrule;
mod get_notifications;
mod get_pushers;
mod get_pushrule;
mod get_pushrule_actions;
mod get_pushrule_enabled;
mod get_pushrules_all;
mod get_pushrules_global_scope;
mod set_pusher;
mod set_pushrule;
mod set_pushrule_actions;
mod set_pushrule_enabled;

use hubbub_core::{
    contract::user::{PushRuleOperation, UserCommand},
    error::Result,
};
use ruma::api::client::push;
use serde_json::value::RawValue;

use crate::{
    answer::Outcome,
    call::Call,
    credentials::Claim,
    endpoint::{Endpoint, of, typed},
    objects, respond,
};

/// The endpoints of this area.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    vec![
        typed(get_notifications::handle),
        of::<push::get_pushers::v3::Request>().raw(get_pushers::handle),
        of::<push::set_pusher::v3::Request>().raw(set_pusher::handle),
        of::<push::delete_pushrule::v3::Request>().raw(delete_pushrule::handle),
        of::<push::get_pushrule::v3::Request>().raw(get_pushrule::handle),
        of::<push::get_pushrule_actions::v3::Request>().raw(get_pushrule_actions::handle),
        of::<push::get_pushrule_enabled::v3::Request>().raw(get_pushrule_enabled::handle),
        of::<push::get_pushrules_all::v3::Request>().raw(get_pushrules_all::handle),
        of::<push::get_pushrules_global_scope::v3::Request>().raw(get_pushrules_global_scope::handle),
        of::<push::set_pushrule::v3::Request>().raw(set_pushrule::handle),
        of::<push::set_pushrule_actions::v3::Request>().raw(set_pushrule_actions::handle),
        of::<push::set_pushrule_enabled::v3::Request>().raw(set_pushrule_enabled::handle),
    ]
}

async fn ask(call: &Call<Claim>, operation: PushRuleOperation) -> Result<Box<RawValue>> {
    let command = UserCommand::PushRules { caller: call.auth.caller.clone(), operation };
    let objects = &*call.context.objects;
    objects::call_again(objects, call.auth.address(), &command).await
}

/// Answers with what the object returns.
async fn read(call: &Call<Claim>, operation: PushRuleOperation) -> Result<Outcome> {
    respond::json(&ask(call, operation).await?)
}

/// Answers with `{}`.
async fn write(call: &Call<Claim>, operation: PushRuleOperation) -> Result<Outcome> {
    ask(call, operation).await?;
    respond::empty()
}

/// The kind and id of the rule in the path.
fn rule(call: &Call<Claim>) -> (String, String) {
    (call.argument(0).to_owned(), call.argument(1).to_owned())
}
