//! `POST /_matrix/client/v1/appservice/{appserviceId}/ping` ([spec])
//!
//! An appservice asks whether the server reaches it. 403 `M_FORBIDDEN` for any other token.
//!
//! [spec]: https://spec.matrix.org/v1.11/application-service-api/#post_matrixclientv1appserviceappserviceidping

use std::time::Duration;

use hubbub_core::{
    contract::{Address, Class, appservice::AppserviceCommand},
    error::{MatrixError, Result},
};
use ruma::api::client::appservice::request_ping::v1;

use crate::{call::Call, credentials::Claim, objects};

pub(crate) async fn handle(call: Call<Claim>, request: v1::Request) -> Result<v1::Response> {
    let asking = call.auth.appservice.as_ref();
    if asking.is_none_or(|appservice| appservice.id() != request.appservice_id) {
        return Err(MatrixError::forbidden("Only the appservice itself may ask for this ping."));
    }
    let command = AppserviceCommand::Ping { transaction_id: request.transaction_id.map(|id| id.to_string()) };
    let address = Address::new(Class::Appservice, request.appservice_id);
    let took: u64 = objects::call(&*call.context.objects, address, &command).await?;
    Ok(v1::Response::new(Duration::from_millis(took)))
}
