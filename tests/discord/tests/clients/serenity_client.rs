//! serenity, which we did not write, is content with the fake.

use std::time::Duration;

use serde_json::json;
use serenity::{
    all::{
        ChannelId, ClientBuilder, Context, CreateAttachment, CreateMessage, CreateWebhook, EditMessage, EventHandler,
        ExecuteWebhook, GatewayIntents, Message, Reaction, ReactionType, Ready, ResumedEvent,
    },
    async_trait,
    http::HttpBuilder,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::fake::Fake;

#[derive(Debug, PartialEq)]
enum Heard {
    Ready(String),
    Message(String),
    Reaction(ReactionType),
    Resumed,
}

struct Ear(UnboundedSender<Heard>);

#[async_trait]
impl EventHandler for Ear {
    async fn ready(&self, _: Context, ready: Ready) {
        let _ = self.0.send(Heard::Ready(ready.user.name.clone()));
    }

    async fn message(&self, _: Context, message: Message) {
        let _ = self.0.send(Heard::Message(message.content));
    }

    async fn reaction_add(&self, _: Context, reaction: Reaction) {
        let _ = self.0.send(Heard::Reaction(reaction.emoji));
    }

    async fn resume(&self, _: Context, _: ResumedEvent) {
        let _ = self.0.send(Heard::Resumed);
    }
}

async fn wait_for(heard: &mut UnboundedReceiver<Heard>, wanted: Heard) {
    wait_for_all(heard, vec![wanted]).await;
}

/// In any order: serenity handles each event in a task of its own.
async fn wait_for_all(heard: &mut UnboundedReceiver<Heard>, mut wanted: Vec<Heard>) {
    while !wanted.is_empty() {
        let one = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await;
        let one = one.unwrap_or_else(|_| panic!("serenity never heard {wanted:?}"));
        let one = one.unwrap_or_else(|| panic!("the client ended before {wanted:?}"));
        wanted.retain(|other| *other != one);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serenity_logs_in_talks_edits_reacts_uploads_and_resumes() {
    let fake = Fake::start(1_000).await;
    let (sender, mut heard) = unbounded_channel();
    let http = HttpBuilder::new(&fake.token).proxy(&fake.url).ratelimiter_disabled(true).build();
    let intents = GatewayIntents::non_privileged() | GatewayIntents::MESSAGE_CONTENT;
    let mut client = ClientBuilder::new_with_http(http, intents).event_handler(Ear(sender)).await.unwrap();
    let http = client.http.clone();
    let running = tokio::spawn(async move { client.start().await });
    wait_for(&mut heard, Heard::Ready("hubbub".to_owned())).await;

    let general = ChannelId::new(fake.channel("general").await);
    let said = fake.control("messages", json!({ "channel": "general", "user": "ana", "content": "hello" })).await;
    wait_for(&mut heard, Heard::Message("hello".to_owned())).await;

    let mut own = general.say(&http, "mine").await.unwrap();
    own.edit(&http, EditMessage::new().content("mine, better")).await.unwrap();
    own.react(&http, '👍').await.unwrap();
    wait_for(&mut heard, Heard::Reaction(ReactionType::Unicode("👍".to_owned()))).await;
    let fetched = general.message(&http, own.id).await.unwrap();
    assert_eq!((fetched.content.as_str(), fetched.reactions[0].count), ("mine, better", 1));

    let file = CreateAttachment::bytes(b"hello file".to_vec(), "a.txt");
    let uploaded = general.send_files(&http, [file], CreateMessage::new().content("file")).await.unwrap();
    assert_eq!((uploaded.attachments[0].filename.as_str(), uploaded.attachments[0].size), ("a.txt", 10));

    let webhook = general.create_webhook(&http, CreateWebhook::new("Bridge")).await.unwrap();
    let spoken = ExecuteWebhook::new().content("as Alice").username("Alice");
    let spoken = webhook.execute(&http, true, spoken).await.unwrap().unwrap();
    assert_eq!((spoken.author.name.as_str(), spoken.webhook_id), ("Alice", Some(webhook.id)));

    fake.control("settings", json!({ "held": true })).await;
    fake.control("messages", json!({ "channel": "general", "user": "ana", "content": "missed" })).await;
    fake.control("settings", json!({ "held": false })).await;
    fake.control("gateway", json!({ "cut": true })).await;
    wait_for_all(&mut heard, vec![Heard::Message("missed".to_owned()), Heard::Resumed]).await;
    assert_eq!(fake.noted("identify").await, 1);

    let id = &said["messages"][0]["id"];
    fake.control("delete", json!({ "channel": "general", "ids": [id] })).await;
    running.abort();
}
