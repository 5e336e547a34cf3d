//! Stored filters
//! ([spec](https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3useruseridfilter)).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_storage::{database::transaction, user::sessions};
use ruma::api::client::filter::FilterDefinition;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::UserSyncObject;
use crate::{
    error::{MatrixError, Result},
    filter,
};

/// The most stored filters; the oldest go first.
const MAX_FILTERS: i64 = 500;

impl UserSyncObject {
    /// Stores a filter. The id is made of the filter, so that storing it again adds nothing.
    pub(super) fn put_filter(&self, json: &str) -> Result<String> {
        filter::parse(json)?;
        let digest = Sha256::digest(json.as_bytes());
        let filter_id = URL_SAFE_NO_PAD.encode(digest.first_chunk::<12>().unwrap_or(&[0; 12]));
        if sessions::get_filter(self.query(), &filter_id)?.is_none() {
            let now = self.context.clock.now();
            transaction(self.database.as_ref(), |transaction| {
                sessions::put_filter(transaction, &filter_id, json, now, MAX_FILTERS)
            })?;
        }
        Ok(filter_id)
    }

    /// A stored filter; 404 `M_NOT_FOUND` when there is none of this id.
    pub(super) fn get_filter(&self, filter_id: &str) -> Result<Box<RawValue>> {
        let json = sessions::get_filter(self.query(), filter_id)?
            .ok_or_else(|| MatrixError::not_found("There is no such filter."))?;
        Ok(RawValue::from_string(json)?)
    }

    /// The filter of a `/sync`: inline JSON or an id; 400 when it is neither.
    pub(super) fn filter_of_sync(&self, filter: Option<&str>) -> Result<FilterDefinition> {
        match filter {
            None | Some("") => Ok(FilterDefinition::default()),
            Some(json) if json.starts_with('{') => filter::parse(json),
            Some(filter_id) => {
                let json = sessions::get_filter(self.query(), filter_id)?
                    .ok_or_else(|| MatrixError::invalid_param("There is no such filter."))?;
                filter::parse(&json)
            }
        }
    }
}
