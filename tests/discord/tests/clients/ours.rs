//! Our gateway machine on a real socket, and our calls over real HTTP, as the Worker drives them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::{SinkExt, StreamExt};
use hubbub_discord::{
    convert::Post,
    events::{nonce_of, read_event, stored},
    gateway::{Action, Bot, Budget, Event, Fatal, Gateway, Input, Saved},
    interactions,
    remote_id::Snowflake,
    rest::{Call, Found, Limits, Mark, OwnWebhook, Speech, Step, find_sent, find_webhook, nonce, read_answer},
};
use serde_json::{Value, json, value::RawValue};
use tokio_tungstenite::{connect_async, tungstenite::Message as Frame};

use crate::fake::Fake;

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Sends a call as `Rest::send` does.
async fn call(fake: &Fake, limits: &mut Limits, call: Call) -> Result<Value, hubbub_bridge_error::Error> {
    limits.ask(&call.route, now()).unwrap();
    let method = reqwest::Method::from_bytes(call.method.as_str().as_bytes()).unwrap();
    let mut request = reqwest::Client::new()
        .request(method, format!("{}/api/v10/{}", fake.url, call.path))
        .header("user-agent", "DiscordBot (https://hub.example, 1)");
    if call.authorized {
        request = request.header("authorization", format!("Bot {}", fake.token));
    }
    if let Some(kind) = &call.content_type {
        request = request.header("content-type", kind);
    }
    let answer = request.body(call.body.clone()).send().await.unwrap();
    let mut read = http_answer(answer.status().as_u16());
    for (name, value) in answer.headers() {
        read = read.header(name.as_str(), value.as_bytes());
    }
    let read = read.body(answer.bytes().await.unwrap().to_vec()).unwrap();
    limits.learn(&call.route, &read, now());
    read_answer(call.route.name, &read)
}

mod hubbub_bridge_error {
    pub(super) type Error = hubbub_bridge::network::RemoteError;
}

fn http_answer(status: u16) -> http::response::Builder {
    http::Response::builder().status(status)
}

/// Drives a machine until `enough` says so; returns what it stored.
async fn drive(fake: &Fake, gateway: &mut Gateway, enough: impl Fn(&[Event], &Gateway) -> bool) -> Vec<Event> {
    let (mut limits, mut events) = (Limits::default(), Vec::new());
    let mut socket: Option<tokio_tungstenite::WebSocketStream<_>> = None;
    let mut waiting = gateway.step(now(), u32::MAX / 2, Input::Wake);
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    while !enough(&events, gateway) && gateway.saved().fatal.is_none() {
        assert!(tokio::time::Instant::now() < until, "nothing came of it: {:?}", gateway.saved());
        let mut next = Vec::new();
        for action in std::mem::take(&mut waiting) {
            match action {
                Action::Connect(url) => {
                    let (opened, _) = connect_async(url).await.unwrap();
                    socket = Some(opened);
                    next.extend(gateway.step(now(), 7, Input::Opened));
                }
                Action::Send(text) => socket.as_mut().unwrap().send(Frame::Text(text)).await.unwrap(),
                Action::Close(_) => socket = None,
                Action::AskBudget => {
                    let said = call(fake, &mut limits, Call::gateway_bot()).await.unwrap();
                    let limit = &said["session_start_limit"];
                    let budget = Budget {
                        url: said["url"].as_str().unwrap().to_owned(),
                        remaining: u32::try_from(limit["remaining"].as_u64().unwrap()).unwrap(),
                        reset_after: limit["reset_after"].as_i64().unwrap(),
                    };
                    next.extend(gateway.step(now(), 7, Input::Budget(Some(budget))));
                }
                Action::Store(event) => events.push(event),
                Action::Save | Action::Online | Action::Stop(_) => {}
            }
        }
        if !next.is_empty() {
            waiting = next;
            continue;
        }
        let wait = u64::try_from(gateway.deadline().map_or(10, |at| at.saturating_sub(now()).clamp(1, 1_000))).unwrap();
        let heard = async {
            match socket.as_mut() {
                Some(socket) => Some(socket.next().await),
                None => std::future::pending().await,
            }
        };
        waiting = match tokio::time::timeout(Duration::from_millis(wait), heard).await {
            Ok(Some(Some(Ok(Frame::Text(text))))) => gateway.step(now(), u32::MAX / 2, Input::Frame(&text)),
            Ok(Some(Some(Ok(Frame::Close(close))))) => {
                socket = None;
                gateway.step(now(), 7, Input::Closed(close.map(|close| close.code.into())))
            }
            Ok(Some(Some(Err(_)) | None)) => {
                socket = None;
                gateway.step(now(), 7, Input::Closed(None))
            }
            Ok(_) => Vec::new(),
            Err(_) => gateway.step(now(), u32::MAX / 2, Input::Wake),
        };
    }
    events
}

fn machine(fake: &Fake, token: &str, saved: Saved) -> Gateway {
    let intents = 1 | 1 << 3 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 15;
    Gateway::new(Bot { token: token.to_owned(), intents, address: fake.url.replace("http", "ws") }, saved)
}

fn says(event: &Event, text: &str) -> bool {
    event.name == "MESSAGE_CREATE" && event.data.contains(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn our_gateway_beats_resumes_after_an_eviction_and_identifies_anew_when_it_must() {
    let fake = Fake::start(1_000).await;
    let mut gateway = machine(&fake, &fake.token, Saved::default());
    let events = drive(&fake, &mut gateway, |events, _| events.iter().any(|event| event.name == "GUILD_CREATE")).await;
    assert_eq!(events[0].name, "READY");

    // The object is evicted; meanwhile somebody speaks. A new machine goes on where the stored state ends.
    fake.control("messages", json!({ "channel": "general", "user": "ana", "content": "missed" })).await;
    let mut gateway = machine(&fake, &fake.token, gateway.saved().clone());
    let events = drive(&fake, &mut gateway, |events, _| events.iter().any(|event| event.name == "RESUMED")).await;
    assert!(says(&events[0], "missed"));
    assert_eq!((fake.noted("identify").await, fake.noted("resume").await), (1, 1));

    // Evicted again: it resumes again.
    let mut gateway = machine(&fake, &fake.token, gateway.saved().clone());
    drive(&fake, &mut gateway, |_, gateway| gateway.is_online()).await;
    fake.control("gateway", json!({ "forget": true })).await;
    let mut gateway = machine(&fake, &fake.token, gateway.saved().clone());
    // Discord has forgotten the session: it is refused, and identified anew.
    let events = drive(&fake, &mut gateway, |events, _| events.iter().any(|event| event.name == "GUILD_CREATE")).await;
    assert_eq!((events[0].name.as_str(), fake.noted("identify").await), ("READY", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_gateway_gives_up_for_ever_on_a_wrong_token_and_waits_without_a_budget() {
    let fake = Fake::start(1_000).await;
    let mut gateway = machine(&fake, "wrong", Saved::default());
    drive(&fake, &mut gateway, |_, _| false).await;
    assert_eq!(gateway.saved().fatal, Some(Fatal::Token));

    fake.control("settings", json!({ "identifies": 5 })).await;
    let mut gateway = machine(&fake, &fake.token, Saved::default());
    drive(&fake, &mut gateway, |_, gateway| gateway.saved().not_before > 0).await;
    assert!(gateway.saved().not_before > now() + 3_600_000);
    assert_eq!(fake.noted("identify").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_calls_speak_find_what_was_sent_and_hear_their_echo() {
    let fake = Fake::start(41_250).await;
    let mut limits = Limits::default();
    let channel = Snowflake(fake.channel("general").await);
    let post = Post { content: "hi".to_owned(), ..Post::default() };
    let mark = Mark { event_id: "$event", part: 0 };

    // A message is sent twice and arrives once.
    let send = || Call::create_message(channel, &post, None, mark).unwrap();
    let first = call(&fake, &mut limits, send()).await.unwrap();
    assert_eq!(call(&fake, &mut limits, send()).await.unwrap()["id"], first["id"]);
    assert_eq!(nonce_of(&first), Some(nonce(mark)));
    let id = Snowflake::read(first["id"].as_str().unwrap()).unwrap();
    let edit = Call::edit_message(channel, id, &Post { content: "ho".to_owned(), ..Post::default() }).unwrap();
    assert_eq!(call(&fake, &mut limits, edit).await.unwrap()["content"], "ho");
    for added in [true, true, false, false] {
        call(&fake, &mut limits, Call::react(channel, id, "👍", added)).await.unwrap();
    }

    // The webhook is made once, and found again.
    let application = call(&fake, &mut limits, Call::application()).await.unwrap();
    let application = Snowflake::read(application["id"].as_str().unwrap()).unwrap();
    let look = async |limits: &mut Limits| {
        let all = call(&fake, limits, Call::webhooks(channel)).await.unwrap();
        find_webhook(all.as_array().unwrap(), application)
    };
    assert!(OwnWebhook::Unknown.step(false, 0) == Step::Look && look(&mut limits).await.is_none());
    assert!(OwnWebhook::Unknown.step(true, 0) == Step::Make);
    call(&fake, &mut limits, Call::create_webhook(channel)).await.unwrap();
    let webhook = look(&mut limits).await.unwrap_or_else(|| panic!("the webhook is not found"));
    let speech = Speech { name: "Discord Dan", picture: None, thread: None };
    let speak = || Call::execute_webhook(&webhook, &post, &speech).unwrap();
    let spoken = call(&fake, &mut limits, speak()).await.unwrap();

    // An answer was lost: the message is found by the order of ids, once.
    let page = call(&fake, &mut limits, Call::messages(channel, Some(id), None, 100)).await.unwrap();
    let spoken = Snowflake::read(spoken["id"].as_str().unwrap()).unwrap();
    let find = |after, known: &[Snowflake]| find_sent(page.as_array().unwrap(), webhook.id, after, "hi", known);
    assert_eq!((find(id, &[]), find(id, &[spoken])), (Found::Sent(spoken), Found::NotSent));
    call(&fake, &mut limits, Call::delete_webhook_message(&webhook, spoken, None)).await.unwrap();

    // Every message of the page is read as an event.
    for message in page.as_array().unwrap() {
        let raw = RawValue::from_string(message.to_string()).unwrap();
        assert!(read_event(&raw).place().is_some());
        let event = Event { seq: 1, name: "MESSAGE_CREATE".to_owned(), data: message.to_string() };
        assert!(read_event(&RawValue::from_string(stored(&event, now())).unwrap()).place().is_some());
    }
    let thread = call(&fake, &mut limits, Call::start_thread(channel, id, "talk")).await.unwrap();
    assert_eq!(thread["id"], first["id"]);
    call(&fake, &mut limits, Call::register_commands(application)).await.unwrap();
    assert_eq!(interactions::pong(), json!({ "type": 1 }));
}
