//! The door for the bridges' own pages, webhooks and admin calls.

use std::{cell::RefCell, rc::Rc};

use futures_util::future::LocalBoxFuture;
use http::{Method, Request, Response};
use hubbub_api::BridgeRoutes;
use hubbub_native::{Options, TestServer};
use serde_json::json;

/// Answers what it knows and notes what it got.
#[derive(Default)]
struct Noting(RefCell<Vec<(String, Vec<u8>)>>);

impl BridgeRoutes for Noting {
    fn handle(&self, request: Request<Vec<u8>>) -> LocalBoxFuture<'_, Option<Response<Vec<u8>>>> {
        let path = request.uri().path().to_owned();
        let known = !path.ends_with("/unknown");
        self.0.borrow_mut().push((path, request.into_body()));
        Box::pin(std::future::ready(known.then(|| Response::new(b"ok".to_vec()))))
    }
}

fn server() -> (TestServer, Rc<Noting>) {
    let bridges = Rc::new(Noting::default());
    let options = Options { bridges: Some(Rc::clone(&bridges) as Rc<dyn BridgeRoutes>), ..Options::default() };
    (TestServer::with(options), bridges)
}

#[test]
fn a_webhook_gets_its_bytes_as_they_came() {
    let (server, bridges) = server();
    let body = b"{\"not\": json \xff".to_vec();

    let reply = server.request(Request::post("/_hubbub/slack/events/login1").body(body.clone()).unwrap());

    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
    assert_eq!(bridges.0.take(), [("/_hubbub/slack/events/login1".to_owned(), body)]);
}

#[test]
fn admin_calls_get_there_with_the_operators_token_only() {
    let (server, bridges) = server();

    server.post("/_hubbub/admin/v1/slack/connect/start", &json!({})).refused(401, "M_MISSING_TOKEN");
    let path = "/_hubbub/admin/v1/slack/connect/start";
    server.send(Method::POST, path, Some("wrong"), None).refused(401, "M_UNKNOWN_TOKEN");
    assert!(bridges.0.borrow().is_empty());

    assert_eq!(server.admin(Method::POST, "slack/connect/start", &json!({"a": 1})).status, 200);
    assert_eq!(bridges.0.take(), [(path.to_owned(), b"{\"a\":1}".to_vec())]);
}

#[test]
fn what_no_bridge_knows_is_unrecognized() {
    let (server, _) = server();

    server.get("/_hubbub/slack/unknown").refused(404, "M_UNRECOGNIZED");
    server.get("/_hubbub/irc/anything").refused(404, "M_UNRECOGNIZED");
}
