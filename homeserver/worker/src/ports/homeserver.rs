//! Our own client-server API in process, for the bundled bridges.

use std::rc::{Rc, Weak};

use futures_util::future::LocalBoxFuture;
use hubbub_api::{Answer, Front, Peer};
use hubbub_core::{
    context::{Context, Homeserver},
    contract::{self, user::UserCommand},
};
use hubbub_storage::blobs::Body;

/// The API over the same context as everything else.
pub struct InProcess {
    /// The context that this is part of.
    pub context: Weak<Context>,
    /// A front without limits and without bridges.
    pub front: Rc<Front>,
}

impl Homeserver for InProcess {
    fn request(&self, request: http::Request<Vec<u8>>) -> LocalBoxFuture<'_, http::Response<Vec<u8>>> {
        Box::pin(async move {
            let Some(context) = self.context.upgrade() else { return unavailable() };
            let peer = Peer { address: "local".to_owned(), front: Rc::clone(&self.front) };
            match hubbub_api::handle(&context, request, &peer).await {
                Answer::Response(response) => response,
                Answer::Stream(response) => hubbub_api::collected(response).await,
                // Nobody waits in process: events arrive as transactions.
                Answer::Sync(call) => {
                    let command = UserCommand::Sync(Box::new(call.request));
                    let answer = contract::call(context.objects.as_ref(), call.address, &command).await;
                    hubbub_api::sync_response(answer)
                }
            }
        })
    }

    fn stream(&self, request: http::Request<Body>) -> LocalBoxFuture<'_, http::Response<Body>> {
        Box::pin(async move {
            let Some(context) = self.context.upgrade() else { return unavailable() };
            let peer = Peer { address: "local".to_owned(), front: Rc::clone(&self.front) };
            match hubbub_api::handle(&context, request, &peer).await {
                Answer::Response(response) => response.map(Body::Bytes),
                Answer::Stream(response) => response,
                // A file is nothing that is waited for.
                Answer::Sync(_) => unavailable(),
            }
        })
    }
}

fn unavailable<B: Default>() -> http::Response<B> {
    let mut response = http::Response::new(B::default());
    *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
    response
}
