//! The token from one page of results to the next.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hubbub_storage::search::Place;
use serde::{Deserialize, Serialize};

use super::{GroupBy, Request};
use crate::{
    context::Context,
    error::{MatrixError, Result},
    secrets::equal,
};

/// How many bytes of the MAC stand in a token.
const MAC_BYTES: usize = 16;
/// No token is longer; a longer one is refused unread.
const MAX_BYTES: usize = 1_024;

/// Where a page starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// After this hit, which the searcher saw.
    pub after: Place,
    /// How many results the first page counted.
    pub count: u64,
    /// Only the results of this group.
    pub group: Option<(GroupBy, String)>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    value: i64,
    id: i64,
    count: u64,
    room: Option<String>,
    sender: Option<String>,
}

impl Page {
    /// The token. It belongs to this user and this search.
    pub fn write(&self, context: &Context, request: &Request) -> Result<String> {
        let group = |by: GroupBy| self.group.as_ref().filter(|group| group.0 == by).map(|group| group.1.clone());
        let form = serde_json::to_vec(&Form {
            value: self.after.value,
            id: self.after.id,
            count: self.count,
            room: group(GroupBy::Room),
            sender: group(GroupBy::Sender),
        })?;
        let bytes = [mac(context, request, &form), form].concat();
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token; 400 `M_INVALID_PARAM` for one of another user or another search.
    pub fn read(context: &Context, request: &Request, token: &str) -> Result<Self> {
        let refused = || MatrixError::invalid_param("This next_batch does not belong to this search.");
        if token.len() > MAX_BYTES {
            return Err(refused());
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
        let (found, form) = bytes.split_at_checked(MAC_BYTES).ok_or_else(refused)?;
        if !equal(found, &mac(context, request, form)) {
            return Err(refused());
        }
        let form: Form = serde_json::from_slice(form).map_err(|_| refused())?;
        let room = form.room.map(|room_id| (GroupBy::Room, room_id));
        let sender = form.sender.map(|sender| (GroupBy::Sender, sender));
        Ok(Self { after: Place { value: form.value, id: form.id }, count: form.count, group: room.or(sender) })
    }
}

fn mac(context: &Context, request: &Request, form: &[u8]) -> Vec<u8> {
    let parts = [request.user_id.as_bytes(), request.fingerprint.as_bytes(), form];
    let message: Vec<u8> = parts.join(&0);
    context.config.secrets.mac("search page", &message).into_iter().take(MAC_BYTES).collect()
}
