//! Accounts, profiles and account data.

use http::Method;
use ruma::{
    MxcUri, OwnedMxcUri, OwnedUserId, RoomId,
    api::client::{
        account::{register, whoami},
        media::create_content,
    },
};
use serde_json::{Value as Json, json};

use super::{Intent, Result};

impl Intent {
    /// Makes the account of a user of the bridge's namespaces by its localpart; fine when it exists
    /// ([spec](https://spec.matrix.org/v1.11/application-service-api/#server-admin-style-permissions)).
    pub async fn ensure_registered(&self, localpart: &str) -> Result<()> {
        let mut request = register::v3::Request::new();
        request.username = Some(localpart.to_owned());
        request.login_type = Some(register::LoginType::ApplicationService);
        request.inhibit_login = true;
        // Registering is the appservice's own act, whoever it acts as otherwise.
        let registrar = Self { user: None, ..self.clone() };
        match registrar.send_request(request).await {
            Err(error) if !error.is("M_USER_IN_USE") => Err(error),
            _ => Ok(()),
        }
    }

    /// The user id that the requests act as.
    pub async fn whoami(&self) -> Result<OwnedUserId> {
        Ok(self.send_request(whoami::v3::Request::new()).await?.user_id)
    }

    /// Sets the name; `None` removes it.
    pub async fn set_displayname(&self, displayname: Option<&str>) -> Result<()> {
        self.set_profile("displayname", displayname).await
    }

    /// Sets the avatar; `None` removes it.
    pub async fn set_avatar_url(&self, avatar_url: Option<&MxcUri>) -> Result<()> {
        self.set_profile("avatar_url", avatar_url.map(MxcUri::as_str)).await
    }

    async fn set_profile(&self, field: &str, value: Option<&str>) -> Result<()> {
        let user_id = self.user_id().await?;
        let path = ["v3", "profile", user_id.as_str(), field];
        // `null` removes; a missing key is an error.
        let body = json!({ field: value });
        self.send_json(Method::PUT, &path, &[], Some(&body)).await?;
        Ok(())
    }

    /// Uploads a file and returns its address
    /// ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixmediav3upload)).
    pub async fn upload_media(
        &self,
        file: Vec<u8>,
        content_type: String,
        filename: Option<String>,
    ) -> Result<OwnedMxcUri> {
        let mut request = create_content::v3::Request::new(file);
        request.content_type = Some(content_type);
        request.filename = filename;
        Ok(self.send_request(request).await?.content_uri)
    }

    /// Sets account data, global without a room.
    pub async fn put_account_data(&self, room_id: Option<&RoomId>, event_type: &str, content: &Json) -> Result<()> {
        let user_id = self.user_id().await?;
        let path = account_data_path(user_id.as_str(), room_id, event_type);
        self.send_json(Method::PUT, &path, &[], Some(content)).await?;
        Ok(())
    }

    /// Sets the push rule of a room ([spec](https://spec.matrix.org/v1.11/client-server-api/#push-rules-api)).
    pub async fn put_room_push_rule(&self, room_id: &RoomId, actions: &Json) -> Result<()> {
        let path = ["v3", "pushrules", "global", "room", room_id.as_str()];
        self.send_json(Method::PUT, &path, &[], Some(&json!({ "actions": actions }))).await?;
        Ok(())
    }

    /// Reads account data, global without a room; `None` when nothing was ever set.
    pub async fn get_account_data(&self, room_id: Option<&RoomId>, event_type: &str) -> Result<Option<Json>> {
        let user_id = self.user_id().await?;
        let path = account_data_path(user_id.as_str(), room_id, event_type);
        super::rooms::found(self.send_json(Method::GET, &path, &[], None).await)
    }
}

fn account_data_path<'a>(user_id: &'a str, room_id: Option<&'a RoomId>, event_type: &'a str) -> Vec<&'a str> {
    match room_id {
        Some(room_id) => vec!["v3", "user", user_id, "rooms", room_id.as_str(), "account_data", event_type],
        None => vec!["v3", "user", user_id, "account_data", event_type],
    }
}
