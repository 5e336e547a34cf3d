//! Pings, and what each failure is called.

use hubbub_core::{context::HttpError, contract::appservice::AppserviceCommand, error::Result};

use crate::support::{Answer, World, command, irc_yaml};

fn ping(world: &World) -> Result<u64> {
    let transaction_id = Some("mid".to_owned());
    command(&world.open(), AppserviceCommand::Ping { transaction_id })
}

fn errcode(world: &World) -> (u16, String) {
    let error = ping(world).unwrap_err();
    (error.status, error.errcode)
}

#[test]
fn a_ping_reaches_the_appservice_with_the_transaction_id() {
    let world = World::with_irc();
    assert_eq!(ping(&world), Ok(0));
    let requests = world.http.requests.borrow();
    assert_eq!(requests[0].method(), "POST");
    assert_eq!(requests[0].uri(), "https://irc.example/as/_matrix/app/v1/ping");
    assert_eq!(requests[0].headers()["authorization"], "Bearer hs_0123456789abcdef");
    assert_eq!(requests[0].body(), br#"{"transaction_id":"mid"}"#);
}

#[test]
fn a_ping_that_fails_says_how() {
    let world = World::with_irc();
    let answers = &world.http.answers;
    answers.borrow_mut().extend([
        Answer::Status(418, "teapot"),
        Answer::Error(HttpError::NotSent("refused".to_owned())),
        Answer::After(10_000, HttpError::Unknown("aborted".to_owned())),
    ]);
    let bad_status = ping(&world).unwrap_err();
    assert_eq!((bad_status.status, bad_status.errcode.as_str()), (502, "M_BAD_STATUS"));
    assert_eq!(bad_status.extra["status"], 418);
    assert_eq!(bad_status.extra["body"], "teapot");
    assert_eq!(errcode(&world), (502, "M_CONNECTION_FAILED".to_owned()));
    assert_eq!(errcode(&world), (504, "M_CONNECTION_TIMEOUT".to_owned()));
}

#[test]
fn an_appservice_without_a_url_cannot_be_pinged() {
    let world = World::new();
    assert_eq!(errcode(&world), (404, "M_NOT_FOUND".to_owned()));
    world.register(&irc_yaml("")).unwrap();
    assert_eq!(errcode(&world), (400, "M_URL_NOT_SET".to_owned()));
}
