//! `POST /_matrix/client/*/rooms/{roomId}/read_markers` ([spec])
//!
//! Sets the fully read marker and receipts in one request.
//!
//! [spec]: https://spec.matrix.org/v1.11/client-server-api/#post_matrixclientv3roomsroomidread_markers

use hubbub_core::error::Result;
use ruma::{
    api::client::{read_marker::set_read_marker::v3, receipt::create_receipt::v3::ReceiptType},
    events::receipt::ReceiptThread,
};

use crate::{
    call::Call,
    credentials::Authenticated,
    receipt::{Mark, set},
};

pub(crate) async fn handle(call: Call<Authenticated>, request: v3::Request) -> Result<v3::Response> {
    let marks = [
        (ReceiptType::FullyRead, request.fully_read),
        (ReceiptType::Read, request.read_receipt),
        (ReceiptType::ReadPrivate, request.private_read_receipt),
    ];
    for (receipt_type, event_id) in marks {
        let Some(event_id) = event_id else { continue };
        let mark = Mark { receipt_type, thread: ReceiptThread::Unthreaded, event_id };
        set(&call, &request.room_id, mark).await?;
    }
    Ok(v3::Response::new())
}
