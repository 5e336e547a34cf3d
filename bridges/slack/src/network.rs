//! Slack as a network of the bridge engine.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hubbub_bridge::{
    contract::{ChannelKind, Hook},
    network::{
        CustomEmoji, FileUpload, HistoryPage, HistoryRequest, HookBody, Identity, KnownAddresses, KnownNames,
        ListedEmoji, NamesIn, Network, NetworkFacts, Post, RemoteChannel, RemoteError, RemoteEvent, RemoteFile,
        RemoteProfile, RemoteReactions, ShownReaction, Words,
    },
    text::{Addresses, document::Inline},
    web::HookHeaders,
};
use hubbub_core::context::Context;
use hubbub_storage::blobs::Body;
use ruma::{EventId, MxcUri, RoomOrAliasId, UserId};
use serde_json::{Value as Json, json, value::RawValue};
use slack_morphism::api::SlackApiConversationsHistoryRequest;

use crate::{
    api::{Api, Conversation},
    convert::{self, Incoming, from_slack, to_slack},
    emoji,
    errors::explain,
    events, files, manifest, previews,
    remote_id::{Timestamp, ghost_localpart, place_of, user_of_ghost},
    signature,
};

/// Slack.
pub struct Slack {
    context: Rc<Context>,
}

impl Slack {
    /// Slack as this server reaches it.
    pub fn new(context: Rc<Context>) -> Self {
        Self { context }
    }

    fn api<'a>(&'a self, token: &'a str) -> Api<'a> {
        Api { context: &self.context, token }
    }
}

/// What never changes about Slack.
pub static FACTS: NetworkFacts = NetworkFacts {
    id: "slack",
    title: "Slack",
    bot: "slackbot",
    // They came first.
    object_prefix: "",
    words: Words {
        team: "workspace",
        secrets: "the signing secret and the user token",
        key: "Signing secret (Basic Information)",
        token: "User OAuth token, xoxp-… (OAuth & Permissions)",
        renew: "Install the app to your workspace and copy its user token again.",
        silence: "Look whether your app's requests to this server are still switched on and verified.",
        then: "If the network's app says that the address is not verified, verify it again now.",
    },
    has_gateway: false,
    // About one message a second and channel: https://docs.slack.dev/apis/web-api/rate-limits.
    pace: 1,
    replies_thread: true,
    speaks_by_name: false,
    threads_are_channels: false,
    files_with_posts: false,
    links_owner: false,
    hook_headers: HookHeaders { signature: "x-slack-signature", timestamp: "x-slack-request-timestamp" },
    channels_method: "users.conversations",
    person_method: "users.info",
    channel_method: "conversations.info",
    mark_method: Some("conversations.mark"),
    history_method: "conversations.history",
    thread_method: "conversations.replies",
};

impl Network for Slack {
    fn facts(&self) -> &'static NetworkFacts {
        &FACTS
    }

    fn manifest(&self, hook_url: &str) -> Json {
        manifest::manifest(hook_url)
    }

    fn instructions(&self) -> &'static str {
        manifest::INSTRUCTIONS
    }

    fn check_secrets(&self, signing_secret: &str, token: &str) -> Result<(), String> {
        if token.starts_with("xoxb-") {
            return Err("This is a bot token: it would see only channels that a bot was invited \
                        to. Copy the *user* token, which starts with xoxp-."
                .to_owned());
        }
        if token.starts_with("xoxc-") || token.starts_with("xoxd-") {
            return Err("This is a token of Slack's own web page: Slack does not support it, and \
                        it dies silently. Copy the *user* token of your app, which starts with \
                        xoxp-."
                .to_owned());
        }
        if !token.starts_with("xoxp-") && !token.starts_with("xoxe.xoxp-") {
            return Err("A user token of a Slack app starts with xoxp-.".to_owned());
        }
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if token.len() > 512 || !plain(token) {
            return Err("The token has characters that no token has.".to_owned());
        }
        if signing_secret.is_empty() || signing_secret.len() > 128 || !plain(signing_secret) {
            return Err("The signing secret is 32 letters and digits, under Basic Information of \
                        your app."
                .to_owned());
        }
        Ok(())
    }

    fn identify<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Identity, RemoteError>> {
        Box::pin(async move {
            let answer = self.api(token).auth_test().await?;
            if answer.bot_id.is_some() {
                return Err(RemoteError::Refused("not_a_user_token".to_owned()));
            }
            Ok(Identity {
                team: answer.team_id.0,
                team_name: answer.team,
                user_name: answer.user.unwrap_or_else(|| answer.user_id.0.clone()),
                user: answer.user_id.0,
            })
        })
    }

    fn verify(&self, signing_secret: &str, hook: &Hook, now: i64) -> Result<(), &'static str> {
        signature::verify(signing_secret, &hook.timestamp, &hook.signature, &hook.body, now)
    }

    fn read_hook(&self, body: &str) -> HookBody {
        events::read_hook(body)
    }

    fn event_of(&self, body: &str) -> Option<Box<RawValue>> {
        events::event_of(body)
    }

    fn channels<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Vec<RemoteChannel>, RemoteError>> {
        Box::pin(async move {
            let channels = self.api(token).users_conversations().await?;
            Ok(channels.into_iter().map(remote_channel).collect())
        })
    }

    fn channel<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
    ) -> LocalBoxFuture<'a, Result<RemoteChannel, RemoteError>> {
        Box::pin(async move {
            let conversation = self.api(token).conversations_info(channel).await?;
            Ok(remote_channel(conversation))
        })
    }

    fn join<'a>(
        &'a self,
        token: &'a str,
        wanted: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteChannel>, RemoteError>> {
        Box::pin(async move {
            let api = self.api(token);
            let Some(id) = api.open_channel(wanted).await? else { return Ok(None) };
            Ok(Some(remote_channel(api.conversations_join(&id).await?)))
        })
    }

    fn people_named<'a>(
        &'a self,
        token: &'a str,
        name: &'a str,
    ) -> LocalBoxFuture<'a, Result<Vec<(String, String)>, RemoteError>> {
        Box::pin(async move {
            let users = self.api(token).users_list().await?;
            let shown = |user: &Json| events::profile_of(user).map(|profile| profile.name);
            let found = users.iter().filter(|user| events::is_called(user, name)).filter_map(|user| {
                let id = user.get("id")?.as_str()?.to_owned();
                Some((id.clone(), shown(user).unwrap_or(id)))
            });
            Ok(found.collect())
        })
    }

    fn open_chat<'a>(&'a self, token: &'a str, person: &'a str) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(async move { self.api(token).conversations_open(person).await })
    }

    fn person<'a>(
        &'a self,
        token: &'a str,
        person: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<RemoteProfile>, RemoteError>> {
        Box::pin(async move {
            if person.starts_with('B') {
                return self.api(token).bots_info(person).await;
            }
            if person == "USLACKBOT" {
                return Ok(Some(RemoteProfile { name: "Slackbot".to_owned(), picture: None }));
            }
            let user = self.api(token).users_info(person).await?;
            Ok(events::profile_of(&user))
        })
    }

    fn history<'a>(
        &'a self,
        token: &'a str,
        request: &'a HistoryRequest<'a>,
    ) -> LocalBoxFuture<'a, Result<HistoryPage, RemoteError>> {
        Box::pin(async move {
            if let Some(thread) = request.thread {
                let mut page = self.api(token).replies(request, thread).await?;
                return Ok(HistoryPage { next: page.next(), messages: page.messages });
            }
            let mut call = SlackApiConversationsHistoryRequest::new();
            call.channel = Some(request.channel.into());
            call.oldest = request.after.map(Into::into);
            call.cursor = request.cursor.map(|cursor| slack_morphism::SlackCursorId(cursor.to_owned()));
            call.limit = u16::try_from(request.limit).ok();
            let mut page = self.api(token).history(call).await?;
            Ok(HistoryPage { next: page.next(), messages: page.messages })
        })
    }

    fn send<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(async move {
            let mut body = body_of(channel, post)?;
            if let (Some(thread), Some(fields)) = (&post.thread_root, body.as_object_mut()) {
                fields.insert("thread_ts".to_owned(), thread.as_str().into());
            }
            self.api(token).post_message(&body).await
        })
    }

    fn edit<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<i64, RemoteError>> {
        Box::pin(async move {
            let mut body = body_of(channel, post)?;
            if let Some(fields) = body.as_object_mut() {
                fields.insert("ts".to_owned(), remote_id.into());
            }
            let edited_at = self.api(token).update(&body).await?;
            Ok(events::own_edit(edited_at.unwrap_or_else(|| Timestamp::at(self.context.clock.now()))))
        })
    }

    fn delete<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let body = json!({ "channel": channel, "ts": remote_id });
            self.api(token).done("chat.delete", &body, &["message_not_found"]).await
        })
    }

    fn react<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
        key: &'a str,
        added: bool,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let name = convert::reaction_name(&convert::shown_reaction(key));
            let body = json!({ "channel": channel, "timestamp": remote_id, "name": name.as_deref().unwrap_or(key) });
            match added {
                true => self.api(token).done("reactions.add", &body, &["already_reacted"]).await,
                false => self.api(token).done("reactions.remove", &body, &["no_reaction", "message_not_found"]).await,
            }
        })
    }

    fn mark_read<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        remote_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        Box::pin(async move {
            let body = json!({ "channel": channel, "ts": remote_id });
            self.api(token).done("conversations.mark", &body, &[]).await
        })
    }

    fn is_gone(&self, code: &str) -> bool {
        matches!(code, "channel_not_found" | "not_in_channel")
    }

    /// By Slack's tiers ([docs](https://docs.slack.dev/apis/web-api/rate-limits)).
    fn budget(&self, method: &str) -> Option<(u32, u32)> {
        match method {
            "users.conversations" => Some((20, 10)),
            "conversations.mark" | "conversations.history" | "conversations.info" | "conversations.replies" => {
                Some((50, 25))
            }
            "users.info" => Some((100, 50)),
            _ => None,
        }
    }

    fn ghost_localpart(&self, team: &str, person: &str) -> String {
        ghost_localpart(team, person)
    }

    fn person_of_ghost(&self, team: &str, localpart: &str) -> Option<String> {
        user_of_ghost(team, localpart)
    }

    fn read_event(&self, event: &RawValue) -> RemoteEvent {
        events::read_event(event)
    }

    fn place(&self, remote_id: &str) -> Option<String> {
        place_of(remote_id).map(|place| place.place)
    }

    fn id_at(&self, at: i64) -> String {
        Timestamp::at(at).text()
    }

    fn names_in(&self, event: &RawValue) -> NamesIn {
        let event: Json = serde_json::from_str(event.get()).unwrap_or_default();
        let references = convert::references(&event);
        NamesIn {
            people: references.users.into_iter().map(|user| user.0).collect(),
            channels: references.channels.into_iter().map(|channel| channel.0).collect(),
            emoji: references.emoji.into_iter().map(|name| CustomEmoji { name, id: None }).collect(),
            groups: Vec::new(),
        }
    }

    fn to_matrix(&self, event: &RawValue, names: &KnownNames) -> Vec<Json> {
        let mut event: Json = serde_json::from_str(event.get()).unwrap_or_default();
        if files::take_out(&mut event) {
            return Vec::new();
        }
        let contents = match from_slack(&event, names) {
            Incoming::Message(message) => message.contents,
            Incoming::Edit(edit) => edit.message.contents,
            _ => Vec::new(),
        };
        contents.into_iter().filter_map(|content| serde_json::to_value(content).ok()).collect()
    }

    fn files_in(&self, event: &RawValue) -> Vec<RemoteFile> {
        files::files_in(event)
    }

    fn files_gone(&self, event: &RawValue) -> (usize, Vec<usize>) {
        files::gone_in(event)
    }

    fn previews_in(&self, event: &RawValue, names: &KnownNames) -> Vec<(u16, Json)> {
        previews::contents(event, names)
    }

    fn file_request(&self, token: &str, file: &RemoteFile) -> Option<http::Request<Body>> {
        files::request(&self.context.config.slack_api_url, token, &file.url)
    }

    fn most_file_bytes(&self) -> u64 {
        files::MOST_BYTES
    }

    fn refuses_file(&self, code: &str) -> bool {
        matches!(
            code,
            "file_upload_size_restricted"
                | "file_uploads_disabled"
                | "file_uploads_except_images_disabled"
                | "storage_limit_reached"
                | "file_type_not_allowed"
                | "upload_address"
                | "invalid_arguments"
        )
    }

    fn upload<'a>(
        &'a self,
        token: &'a str,
        _channel: &'a str,
        file: FileUpload,
    ) -> LocalBoxFuture<'a, Result<String, RemoteError>> {
        Box::pin(async move { self.api(token).upload(file).await })
    }

    fn share<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        file_id: &'a str,
        post: &'a Post,
    ) -> LocalBoxFuture<'a, Result<Option<String>, RemoteError>> {
        Box::pin(async move { self.api(token).complete_upload(channel, file_id, post).await })
    }

    fn shared_as<'a>(
        &'a self,
        token: &'a str,
        channel: &'a str,
        file_id: &'a str,
    ) -> LocalBoxFuture<'a, Result<Option<String>, RemoteError>> {
        Box::pin(async move { self.api(token).shared_as(channel, file_id).await })
    }

    fn delete_file<'a>(&'a self, token: &'a str, file_id: &'a str) -> LocalBoxFuture<'a, Result<(), RemoteError>> {
        let body = json!({ "file": file_id });
        Box::pin(async move { self.api(token).done("files.delete", &body, &["file_not_found", "file_deleted"]).await })
    }

    fn shown_reaction(&self, key: &str) -> ShownReaction {
        let shown = convert::shown_reaction(key);
        let shortcode = convert::reaction_name(&shown).map(|name| format!(":{name}:"));
        ShownReaction { key: shown, shortcode }
    }

    fn reaction_key(&self, key: &str) -> Option<String> {
        convert::reaction_name(key).map(|name| convert::reaction_key(&name))
    }

    fn emoji_of_key(&self, key: &str) -> Option<CustomEmoji> {
        emoji::custom(key).map(|name| CustomEmoji { name: name.to_owned(), id: None })
    }

    fn list_emoji<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Vec<ListedEmoji>, RemoteError>> {
        Box::pin(async move { Ok(emoji::listed(&self.api(token).emoji_list().await?)) })
    }

    fn space_picture<'a>(&'a self, token: &'a str) -> LocalBoxFuture<'a, Result<Option<String>, RemoteError>> {
        Box::pin(async move { Ok(emoji::icon(&self.api(token).team_info().await?)) })
    }

    fn newest_reply(&self, message: &RawValue) -> Option<String> {
        events::newest_reply(message)
    }

    fn reactions_in(&self, message: &RawValue) -> Option<Vec<RemoteReactions>> {
        Some(events::reactions_in(message))
    }

    fn to_remote(&self, content: &Json, known: &KnownAddresses<'_>) -> Vec<Json> {
        to_slack(content, &Here(known)).into_iter().filter_map(|post| serde_json::to_value(post).ok()).collect()
    }

    fn explain(&self, code: &str) -> String {
        explain(code)
    }
}

/// What `chat.postMessage` and `chat.update` have in common.
fn body_of(channel: &str, post: &Post) -> Result<Json, RemoteError> {
    let mut body = post.content.clone();
    let fields = body.as_object_mut().ok_or_else(|| RemoteError::Refused("no_text".to_owned()))?;
    fields.insert("channel".to_owned(), channel.into());
    // Slack has no key for repetitions: this is what an unknown outcome is found by.
    let mark = &post.transaction;
    let payload = json!({ "t": mark.event_id, "p": mark.part.to_string() });
    let metadata = json!({ "event_type": events::MARK, "event_payload": payload });
    fields.insert("metadata".to_owned(), metadata);
    Ok(body)
}

fn remote_channel(conversation: Conversation) -> RemoteChannel {
    let kind = match (conversation.is_im, conversation.is_mpim) {
        (true, _) => ChannelKind::Direct,
        (false, true) => ChannelKind::Group,
        (false, false) => ChannelKind::Channel,
    };
    let name = conversation.name.unwrap_or_default();
    RemoteChannel {
        id: conversation.id,
        name: match kind {
            ChannelKind::Direct => String::new(),
            ChannelKind::Group => group_name(&name),
            ChannelKind::Channel => name,
        },
        topic: conversation.topic.map(|topic| topic.value),
        last_read: conversation.last_read,
        read_only: conversation.is_archived || (kind == ChannelKind::Channel && conversation.is_member == Some(false)),
        kind,
        with: conversation.user.filter(|_| kind == ChannelKind::Direct),
        own_only: false,
        path: Vec::new(),
        order: 0,
    }
}

/// The names in `mpdm-alice--bob--carol-1`.
fn group_name(name: &str) -> String {
    let names = name.strip_prefix("mpdm-").and_then(|rest| rest.rsplit_once('-'));
    names.map_or_else(|| name.to_owned(), |(names, _)| names.split("--").collect::<Vec<_>>().join(", "))
}

/// The engine's addresses, as the converter asks for them.
struct Here<'a>(&'a KnownAddresses<'a>);

impl Addresses for Here<'_> {
    fn user(&self, mxid: &UserId) -> Option<String> {
        if mxid == self.0.owner {
            return self.0.own_person.map(str::to_owned);
        }
        if mxid.server_name() != self.0.server_name {
            return None;
        }
        user_of_ghost(self.0.team, mxid.localpart())
    }

    fn channel(&self, room: &RoomOrAliasId) -> Option<String> {
        self.0.channel_of(room, &FACTS)
    }

    fn permalink(&self, _: &RoomOrAliasId, _: &EventId) -> Option<String> {
        None
    }

    fn emoji(&self, name: &str, picture: Option<&MxcUri>) -> Inline {
        self.0.emoji.inline(name, picture)
    }
}
