//! `GET /_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device` ([MSC])
//!
//! The user's dehydrated device; 404 `M_NOT_FOUND` when there is none.
//!
//! [MSC]: https://github.com/matrix-org/matrix-spec-proposals/pull/3814

use hubbub_core::{
    contract::{
        Address,
        keys::{Dehydrated, KeysCommand},
    },
    error::Result,
};

use crate::{answer::Outcome, call::Call, credentials::Authenticated, objects, respond};

pub(crate) async fn handle(call: Call<Authenticated>) -> Result<Outcome> {
    let address = Address::user_keys(call.auth.user_id());
    let device: Dehydrated = objects::call_again(&*call.context.objects, address, &KeysCommand::GetDehydrated).await?;
    respond::json(&device)
}
