//! `GET /_matrix/client/*/login` ([spec])
//!
//! The ways to log in.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#get_matrixclientv3login

use hubbub_core::error::Result;
use ruma::api::client::session::get_login_types::v3::{
    self, ApplicationServiceLoginType, LoginType, PasswordLoginType, TokenLoginType,
};

use crate::{call::Call, credentials::Public};

pub(crate) async fn handle(_: Call<Public>, _: v3::Request) -> Result<v3::Response> {
    let mut token = TokenLoginType::new();
    token.get_login_token = true;
    Ok(v3::Response::new(vec![
        LoginType::Password(PasswordLoginType::new()),
        LoginType::Token(token),
        LoginType::ApplicationService(ApplicationServiceLoginType::new()),
    ]))
}
