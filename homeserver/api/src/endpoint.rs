//! An endpoint: the method and paths of ruma's metadata, and the handler.
//!
//! [`typed`] is for handlers on ruma's request and response types, [`Route::raw`] for those where
//! these types would lose or refuse what must pass through (raw contents, custom keys).

use futures_util::future::LocalBoxFuture;
use http::Method;
use hubbub_core::error::{MatrixError, Result};
use ruma::api::{
    IncomingRequest, IncomingRequestExt as _, Metadata,
    error::{DeserializationError, FromHttpRequestError},
    path_builder::PathBuilder as _,
};

use crate::{answer::Outcome, call::Call, credentials::Credentials, respond};

/// One endpoint.
pub(crate) struct Endpoint {
    /// The method; `HEAD` is answered where `GET` is.
    pub method: Method,
    /// All its paths, with `{variables}`.
    pub paths: Vec<&'static str>,
    /// Whether it is part of the Matrix specification.
    pub in_spec: bool,
    /// Carries a request out.
    pub run: Handler,
}

type Handler = Box<dyn Fn(Call) -> LocalBoxFuture<'static, Result<Outcome>>>;

/// Method and paths that wait for their handler.
pub(crate) struct Route {
    method: Method,
    paths: Vec<&'static str>,
    in_spec: bool,
}

/// The route of one of ruma's endpoints: its stable paths of all versions.
pub(crate) fn of<R: Metadata>() -> Route {
    let paths = R::PATH_BUILDER.all_paths().filter(|path| !path.contains("/unstable/")).collect();
    Route { method: R::METHOD, paths, in_spec: true }
}

/// A route of the specification where ruma's metadata would not do (one type for several
/// endpoints, or a newer path).
pub(crate) fn of_path(method: Method, path: &'static str) -> Route {
    Route { method, paths: vec![path], in_spec: true }
}

/// A route of our own.
pub(crate) fn own(method: Method, path: &'static str) -> Route {
    Route { method, paths: vec![path], in_spec: false }
}

impl Route {
    /// The same endpoint under further paths.
    pub fn also(mut self, paths: &[&'static str]) -> Self {
        self.paths.extend(paths);
        self
    }

    /// Handled by a function on the call itself.
    pub fn raw<A, F, Fut>(self, handle: F) -> Endpoint
    where
        A: Credentials,
        F: Fn(Call<A>) -> Fut + Copy + 'static,
        Fut: Future<Output = Result<Outcome>> + 'static,
    {
        let run = move |call: Call| -> LocalBoxFuture<'static, Result<Outcome>> {
            Box::pin(async move {
                let auth = A::check(&call).await?;
                handle(call.with(auth)).await
            })
        };
        Endpoint { method: self.method, paths: self.paths, in_spec: self.in_spec, run: Box::new(run) }
    }
}

/// An endpoint handled by a function on ruma's request and response.
pub(crate) fn typed<A, R, F, Fut>(handle: F) -> Endpoint
where
    A: Credentials + 'static,
    R: IncomingRequest + 'static,
    F: Fn(Call<A>, R) -> Fut + Copy + 'static,
    Fut: Future<Output = Result<R::OutgoingResponse>> + 'static,
{
    of::<R>().raw(move |call: Call<A>| async move {
        let request = parse::<A, R>(&call)?;
        respond::typed(handle(call, request).await?)
    })
}

/// As [`typed`], for a response in which ruma writes `null` for what the specification leaves out.
pub(crate) fn typed_sparse<A, R, F, Fut>(handle: F) -> Endpoint
where
    A: Credentials + 'static,
    R: IncomingRequest + 'static,
    F: Fn(Call<A>, R) -> Fut + Copy + 'static,
    Fut: Future<Output = Result<R::OutgoingResponse>> + 'static,
{
    of::<R>().raw(move |call: Call<A>| async move {
        let request = parse::<A, R>(&call)?;
        respond::without_nulls(respond::typed(handle(call, request).await?)?)
    })
}

/// Parses the request as ruma's type, after the checks of [`Call::object`] for one with a body.
fn parse<A, R: IncomingRequest>(call: &Call<A>) -> Result<R> {
    let request = call.request();
    let mut parsed = http::Request::new(request.body().as_slice());
    if R::METHOD == Method::POST || R::METHOD == Method::PUT {
        call.object()?;
        *parsed.body_mut() = call.body();
    }
    *parsed.method_mut() = request.method().clone();
    *parsed.uri_mut() = request.uri().clone();
    *parsed.headers_mut() = request.headers().clone();
    R::try_from_http_request(parsed, &call.arguments()).map_err(refuse)
}

fn refuse(error: FromHttpRequestError) -> MatrixError {
    match error {
        FromHttpRequestError::Deserialization(DeserializationError::Json(error)) => MatrixError::bad_json(error),
        error => MatrixError::invalid_param(error),
    }
}
