//! The bundled bridges' transport: routes, and that one of them stops no other.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    future::Future,
    pin::pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
};

use futures_util::future::LocalBoxFuture;
use hubbub_appservice::{in_process::InProcess, object::AppserviceObject};
use hubbub_core::{
    contract::{
        appservice::{AppserviceCommand, QueueStatus},
        delivery::{DeliveredEvent, DeliveryAnswer},
    },
    error::MatrixError,
    object::Object as _,
};
use ruma::RoomId;
use serde_json::Value as Json;

use crate::support::{World, command, deliver, delivery, ready};

/// A bridge whose rooms take, refuse or hang as the test says.
#[derive(Default)]
struct FakeBridge {
    taken: RefCell<HashMap<String, Vec<String>>>,
    routes: RefCell<Vec<(String, Option<String>)>>,
    refusing: RefCell<HashSet<String>>,
    hanging: RefCell<HashSet<String>>,
    unwanted: RefCell<HashSet<String>>,
}

impl FakeBridge {
    fn taken(&self, room: &str) -> Vec<String> {
        self.taken.borrow().get(room).cloned().unwrap_or_default()
    }
}

impl InProcess for FakeBridge {
    fn transaction<'a>(
        &'a self,
        appservice_id: &'a str,
        room_id: &'a RoomId,
        events: Vec<Json>,
        route: Option<String>,
    ) -> LocalBoxFuture<'a, Result<(), MatrixError>> {
        assert_eq!(appservice_id, "slack");
        let room = room_id.to_string();
        Box::pin(async move {
            while self.hanging.borrow().contains(&room) {
                yield_now().await;
            }
            self.take(room, events, route)
        })
    }

    fn wants(&self, _appservice_id: &str, event: &DeliveredEvent) -> bool {
        !self.unwanted.borrow().contains(event.event_id.as_str())
    }
}

/// Pending once.
fn yield_now() -> impl Future<Output = ()> {
    let mut yielded = false;
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

impl FakeBridge {
    fn take(&self, room: String, events: Vec<Json>, route: Option<String>) -> Result<(), MatrixError> {
        if self.refusing.borrow().contains(&room) {
            return Err(MatrixError::new(500, "M_UNKNOWN", "no"));
        }
        let mut taken = self.taken.borrow_mut();
        for event in events {
            assert_eq!(event["room_id"], room);
            taken.entry(room.clone()).or_default().push(event["content"]["body"].as_str().unwrap().to_owned());
        }
        self.routes.borrow_mut().push((room, route));
        Ok(())
    }
}

const A: &str = "!a:hub.example";
const B: &str = "!b:hub.example";

fn route(object: &AppserviceObject, room: &str, to: &str) {
    let to = to.to_owned();
    command::<()>(object, AppserviceCommand::Route { room_id: room.to_owned(), to }).unwrap();
}

fn queued(object: &AppserviceObject) -> u64 {
    command::<QueueStatus>(object, AppserviceCommand::Status).unwrap().queued
}

#[test]
fn events_go_where_their_room_is_routed() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    route(&object, A, "portal1");
    route(&object, A, "portal1");
    deliver(&object, delivery(A, 1, (0, 0), 2));
    deliver(&object, delivery(B, 1, (0, 0), 1));
    assert_eq!(ready(object.work()), None);

    assert_eq!(bridge.taken(A), ["1", "2"]);
    assert_eq!(bridge.taken(B), ["1"]);
    let routes = bridge.routes.borrow();
    assert!(routes.contains(&(A.to_owned(), Some("portal1".to_owned()))));
    assert!(routes.contains(&(B.to_owned(), None)));
    assert!(world.http.requests.borrow().is_empty());
    assert_eq!(queued(&object), 0);
}

#[test]
fn a_room_that_refuses_stops_no_other_and_keeps_its_order() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    bridge.refusing.borrow_mut().insert(A.to_owned());
    deliver(&object, delivery(A, 1, (0, 0), 1));
    deliver(&object, delivery(B, 1, (0, 0), 1));
    ready(object.work()).expect("the refused batch is tried again");
    assert_eq!(bridge.taken(B), ["1"]);

    for position in 1..=5 {
        world.pass(2_000);
        deliver(&object, delivery(A, 1, (1, position), position + 1));
        deliver(&object, delivery(B, 1, (1, position), position + 1));
        ready(object.work());
    }
    assert_eq!(bridge.taken(A), Vec::<String>::new());
    assert_eq!(bridge.taken(B), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(queued(&object), 6);

    bridge.refusing.borrow_mut().clear();
    let object = world.open_slack(bridge.clone());
    world.work_until_idle(&object, 5);
    assert_eq!(bridge.taken(A), ["1", "2", "3", "4", "5", "6"]);
}

#[test]
fn a_room_that_never_answers_holds_up_no_other_not_even_one_that_comes_later() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    bridge.hanging.borrow_mut().insert(A.to_owned());
    deliver(&object, delivery(A, 1, (0, 0), 1));
    let mut run = pin!(object.work());
    let mut context = TaskContext::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut context).is_pending());

    deliver(&object, delivery(B, 1, (0, 0), 1));
    assert!(run.as_mut().poll(&mut context).is_pending());
    assert_eq!(bridge.taken(B), ["1"]);
}

#[test]
fn an_unrouted_room_is_silent_until_it_is_routed_again() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    route(&object, A, "portal1");
    deliver(&object, delivery(A, 1, (0, 0), 2));
    command::<()>(&object, AppserviceCommand::Unroute { room_id: A.to_owned() }).unwrap();
    assert_eq!(queued(&object), 0);
    assert_eq!(deliver(&object, delivery(A, 1, (1, 2), 3)), DeliveryAnswer::Accepted);
    assert_eq!(ready(object.work()), None);
    assert!(bridge.taken(A).is_empty());

    route(&object, A, "portal2");
    assert_eq!(deliver(&object, delivery(A, 1, (1, 3), 4)), DeliveryAnswer::Accepted);
    ready(object.work());
    assert_eq!(bridge.taken(A), ["4"]);
}

#[test]
fn unrouting_while_a_batch_is_in_flight_takes_nothing_from_what_comes_after() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    route(&object, A, "portal1");
    deliver(&object, delivery(A, 1, (0, 0), 1));
    bridge.hanging.borrow_mut().insert(A.to_owned());
    let mut run = Box::pin(object.work());
    let mut context = TaskContext::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut context).is_pending());

    // The portal is removed and the room taken into use again before the answer arrives.
    command::<()>(&object, AppserviceCommand::Unroute { room_id: A.to_owned() }).unwrap();
    route(&object, A, "portal2");
    deliver(&object, delivery(A, 1, (1, 1), 2));
    bridge.hanging.borrow_mut().clear();
    assert_eq!(ready(run), None);
    assert_eq!(bridge.taken(A), ["1", "2"]);
    let routes: Vec<_> = bridge.routes.borrow().iter().filter_map(|(_, route)| route.clone()).collect();
    assert_eq!(routes, ["portal1", "portal2"]);
}

#[test]
fn what_the_bridge_does_not_want_is_never_queued() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    bridge.unwanted.borrow_mut().extend(["$a_hub.example_1".to_owned(), "$a_hub.example_2".to_owned()]);

    assert_eq!(deliver(&object, delivery(A, 1, (0, 0), 2)), DeliveryAnswer::Accepted);
    assert_eq!(queued(&object), 0);
    assert_eq!(world.database.alarm(), None);
    assert_eq!(deliver(&object, delivery(A, 1, (1, 2), 3)), DeliveryAnswer::Accepted);
    ready(object.work());
    assert_eq!(bridge.taken(A), ["3"]);
}

#[test]
fn a_crash_after_handing_over_repeats_the_events_and_loses_none() {
    let world = World::new();
    let bridge = Rc::new(FakeBridge::default());
    let object = world.open_slack(bridge.clone());
    deliver(&object, delivery(A, 1, (0, 0), 1));
    world.kills.at.borrow_mut().insert("appservice.after_dispatch");
    {
        let mut run = pin!(object.work());
        assert!(run.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
    }
    let object = world.open_slack(bridge.clone());
    deliver(&object, delivery(A, 1, (1, 1), 2));
    world.work_until_idle(&object, 5);
    assert_eq!(bridge.taken(A), ["1", "1", "2"]);
}

#[test]
fn an_appservice_that_the_bridge_does_not_serve_is_reached_over_http() {
    struct OnlySlack(FakeBridge);
    impl InProcess for OnlySlack {
        fn transaction<'a>(
            &'a self,
            appservice_id: &'a str,
            room_id: &'a RoomId,
            events: Vec<Json>,
            route: Option<String>,
        ) -> LocalBoxFuture<'a, Result<(), MatrixError>> {
            self.0.transaction(appservice_id, room_id, events, route)
        }
        fn serves(&self, appservice_id: &str) -> bool {
            appservice_id == "slack"
        }
    }
    let world = World::with_irc();
    let bridge = Rc::new(OnlySlack(FakeBridge::default()));
    let object = AppserviceObject::with_bridge("irc", world.database.clone(), world.context.clone(), bridge);
    deliver(&object, delivery(A, 1, (0, 0), 1));
    ready(object.work());
    assert_eq!(world.http.transactions().len(), 1);
}
