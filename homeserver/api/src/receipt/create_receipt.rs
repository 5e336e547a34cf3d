//! `POST /_matrix/client/*/rooms/{roomId}/receipt/{receiptType}/{eventId}` ([spec])
//!
//! Says up to where the user read: for all to see, for oneself, or as the fully read marker.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid

use hubbub_core::{
    contract::{room::RoomCommand, user::UserCommand},
    error::{MatrixError, Result},
};
use ruma::{
    OwnedEventId, RoomId,
    api::client::receipt::create_receipt::v3::{self, ReceiptType},
    events::receipt::ReceiptThread,
};

use crate::{call::Call, credentials::Authenticated, objects};

/// The longest thread id: that of an event id.
const MAX_THREAD_BYTES: usize = 255;

/// One mark to set.
pub(crate) struct Mark {
    /// Which kind.
    pub receipt_type: ReceiptType,
    /// In which thread.
    pub thread: ReceiptThread,
    /// Up to where.
    pub event_id: OwnedEventId,
}

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let mark = Mark { receipt_type: request.receipt_type, thread: request.thread, event_id: request.event_id };
    set(&call, &request.room_id, mark).await?;
    Ok(v3::Response::new())
}

/// Sets one mark of the user who asks. 400 `M_INVALID_PARAM` for an unknown kind, and for a fully
/// read marker with a thread.
pub(crate) async fn set(call: &Call<Authenticated>, room_id: &RoomId, mark: Mark) -> Result<()> {
    let thread_id = mark.thread.as_str().map(str::to_owned);
    if thread_id.as_ref().is_some_and(|thread| thread.is_empty() || thread.len() > MAX_THREAD_BYTES) {
        return Err(MatrixError::invalid_param("There is no such thread."));
    }
    match mark.receipt_type {
        ReceiptType::Read | ReceiptType::ReadPrivate => {
            let command = RoomCommand::SetReceipt {
                user_id: call.auth.user_id().clone(),
                receipt_type: mark.receipt_type.as_str().to_owned(),
                thread_id,
                event_id: mark.event_id,
            };
            objects::room(call, room_id, &command).await
        }
        ReceiptType::FullyRead if thread_id.is_none() => {
            let command = UserCommand::SetFullyRead { room_id: room_id.to_owned(), event_id: mark.event_id };
            let objects = &*call.context.objects;
            objects::call_again(objects, call.auth.claim.address(), &command).await
        }
        ReceiptType::FullyRead => Err(MatrixError::invalid_param("The fully read marker has no thread.")),
        _ => Err(MatrixError::invalid_param("There is no such kind of receipt.")),
    }
}
