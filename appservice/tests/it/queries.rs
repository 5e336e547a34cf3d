//! Queries for users and aliases: their form, their limits, and what an appservice that fails means.

use std::{future::Future as _, pin::pin, task};

use hubbub_appservice::object::AppserviceObject;
use hubbub_core::{
    context::{Egress, HttpError},
    contract::appservice::{AppserviceCommand, Query},
    object::Object as _,
};

use crate::support::{Answer, World, command, irc_yaml, ready};

fn user(name: &str) -> AppserviceCommand {
    AppserviceCommand::Query(Query::User(format!("@{name}:hub.example").try_into().unwrap()))
}

fn exists(object: &AppserviceObject, name: &str) -> bool {
    command(object, user(name)).unwrap()
}

#[test]
fn a_query_names_user_or_alias_and_carries_the_token_in_the_header_only() {
    let world = World::with_irc();
    let object = world.open();
    assert!(exists(&object, "irc_a/b"));
    let alias = Query::Alias("#irc_x:hub.example".try_into().unwrap());
    assert!(command::<bool>(&object, AppserviceCommand::Query(alias)).unwrap());

    let requests = world.http.requests.borrow();
    let uris: Vec<_> = requests.iter().map(|request| request.uri().to_string()).collect();
    assert_eq!(
        uris,
        [
            "https://irc.example/as/_matrix/app/v1/users/@irc_a%2Fb:hub.example",
            "https://irc.example/as/_matrix/app/v1/rooms/%23irc_x:hub.example"
        ]
    );
    for request in requests.iter() {
        assert_eq!(request.method(), "GET");
        assert_eq!(request.headers()["authorization"], "Bearer hs_0123456789abcdef");
    }
    assert_eq!(*world.http.egress.borrow(), [Egress::Stranger; 2]);
    assert_eq!(hubbub_storage::schema::version(world.database.as_ref()).unwrap(), 0, "nothing was written");
}

#[test]
fn a_refusal_or_failure_counts_for_ten_seconds() {
    let world = World::with_irc();
    let object = world.open();
    for refusal in [
        Answer::Status(404, ""),
        Answer::Status(500, ""),
        Answer::Status(302, ""),
        Answer::Error(HttpError::NotSent("private".to_owned())),
        Answer::After(5_000, HttpError::Unknown("time-out".to_owned())),
    ] {
        world.http.requests.borrow_mut().clear();
        world.http.answers.borrow_mut().push_back(refusal);
        assert!(!exists(&object, "irc_a"));
        world.pass(9_999);
        assert!(!exists(&object, "irc_a"));
        assert_eq!(world.http.requests.borrow().len(), 1);
        world.pass(1);
        assert!(exists(&object, "irc_a"));
        world.pass(10_000);
    }
}

#[test]
fn who_is_gone_or_wants_no_traffic_is_not_asked() {
    let world = World::new();
    assert!(!exists(&world.open(), "irc_a"));
    world.register(&irc_yaml("x").replace("url: \"x\"", "url: null")).unwrap();
    assert!(!exists(&world.open(), "irc_a"));
    assert!(world.http.requests.borrow().is_empty());
}

#[test]
fn at_most_sixteen_names_are_asked_for_at_once_and_those_given_up_make_room() {
    let world = World::with_irc();
    let object = world.open();
    world.http.stalls.set(true);
    let mut context = task::Context::from_waker(task::Waker::noop());
    let mut waiting: Vec<_> = (0..16).map(|number| object.handle(user(&format!("irc_{number}")))).collect();
    for query in &mut waiting {
        assert!(pin!(query).poll(&mut context).is_pending());
    }
    let refused = command::<bool>(&object, user("irc_16")).unwrap_err();
    assert_eq!((refused.status, refused.errcode.as_str()), (429, "M_LIMIT_EXCEEDED"));

    drop(waiting);
    world.http.stalls.set(false);
    assert!(exists(&object, "irc_16"));
    assert!(ready(object.work()).is_none());
}
