//! Slack's Web API ([docs](https://docs.slack.dev/apis/web-api)), as far as the bridge calls it.
//!
//! Requests and answers are slack-morphism's types where they fit. No call is ever repeated here:
//! whoever calls knows what a repetition would do. No error holds a token or an address.

use std::rc::Rc;

use hubbub_bridge::network::{HistoryRequest, RemoteError, RemoteProfile};
use hubbub_core::context::{Context, Egress, HttpError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use slack_morphism::{
    SlackCursorId,
    api::{
        SlackApiAuthTestResponse, SlackApiConversationsHistoryRequest, SlackApiConversationsInfoRequest,
        SlackApiUsersConversationsRequest, SlackApiUsersInfoRequest,
    },
};

use crate::{errors::classify, remote_id::Timestamp};

/// How long a call may take.
const TIMEOUT_MS: u32 = 20_000;

/// How long to wait after a 429 that does not say so.
const DEFAULT_WAIT_MS: i64 = 5_000;

/// The longest wait that a 429 may ask for.
const LONGEST_WAIT_MS: i64 = 3_600_000;

/// Pages of one listing that are read at most.
const MOST_PAGES: usize = 50;

/// The Web API with somebody's token.
pub(crate) struct Api<'a> {
    /// The ports.
    pub context: &'a Rc<Context>,
    /// The token.
    pub token: &'a str,
}

#[derive(Deserialize)]
struct Verdict {
    ok: bool,
    error: Option<String>,
}

#[derive(Default, Deserialize)]
struct Paging {
    next_cursor: Option<String>,
}

impl Paging {
    fn next(self) -> Option<String> {
        self.next_cursor.filter(|cursor| !cursor.is_empty())
    }
}

/// A page of `conversations.history`, its messages as they are.
#[derive(Deserialize)]
pub(crate) struct HistoryAnswer {
    /// The messages, newest first.
    pub messages: Vec<Box<RawValue>>,
    #[serde(default)]
    response_metadata: Option<Paging>,
}

impl HistoryAnswer {
    /// Where the next page begins.
    pub(crate) fn next(&mut self) -> Option<String> {
        self.response_metadata.take().and_then(Paging::next)
    }
}

/// A conversation, as far as the bridge looks into it: slack-morphism's type wants fields that not
/// every kind of conversation has.
#[derive(Debug, Deserialize)]
pub(crate) struct Conversation {
    /// Its id.
    pub id: String,
    /// Its name; none in a direct message.
    pub name: Option<String>,
    /// Whether it is a direct message.
    #[serde(default)]
    pub is_im: bool,
    /// Whether it is a group of direct messages.
    #[serde(default)]
    pub is_mpim: bool,
    /// The other person of a direct message.
    pub user: Option<String>,
    /// Its topic.
    pub topic: Option<Topic>,
    /// Whether it is archived.
    #[serde(default)]
    pub is_archived: bool,
    /// Whether the person is in it.
    pub is_member: Option<bool>,
    /// The timestamp up to which the person has read.
    pub last_read: Option<String>,
}

/// A conversation's topic.
#[derive(Debug, Deserialize)]
pub(crate) struct Topic {
    /// The words.
    pub value: String,
}

/// A page of `users.conversations`. Each conversation is read by itself: an odd one hides no other.
#[derive(Deserialize)]
struct ConversationsAnswer {
    channels: Vec<Box<RawValue>>,
    #[serde(default)]
    response_metadata: Option<Paging>,
}

#[derive(Deserialize)]
struct Posted {
    ts: String,
}

impl Api<'_> {
    /// `auth.test`: whose token this is.
    pub(crate) async fn auth_test(&self) -> Result<SlackApiAuthTestResponse, RemoteError> {
        self.post("auth.test", &serde_json::json!({})).await
    }

    /// `users.conversations`: all channels that the person is in, archived ones left out. A page
    /// may be short or empty while there is a next one.
    pub(crate) async fn users_conversations(&self) -> Result<Vec<Conversation>, RemoteError> {
        let mut channels = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut request = SlackApiUsersConversationsRequest::new().with_limit(200).with_exclude_archived(true);
            request.cursor = cursor.take().map(SlackCursorId);
            let mut query = query_of(&request)?;
            query.push(("types".to_owned(), "public_channel,private_channel,mpim,im".to_owned()));
            let page: ConversationsAnswer = self.get("users.conversations", &query).await?;
            for raw in page.channels {
                match serde_json::from_str(raw.get()) {
                    Ok(channel) => channels.push(channel),
                    Err(_) => tracing::warn!("A Slack channel cannot be read"),
                }
            }
            cursor = page.response_metadata.and_then(Paging::next);
            if cursor.is_none() {
                break;
            }
        }
        Ok(channels)
    }

    /// `conversations.info`.
    pub(crate) async fn conversations_info(&self, channel: &str) -> Result<Conversation, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Conversation,
        }
        let request = SlackApiConversationsInfoRequest::new(channel.into());
        let answer: Answer = self.get("conversations.info", &query_of(&request)?).await?;
        Ok(answer.channel)
    }

    /// `users.info`: the user as Slack shows it.
    pub(crate) async fn users_info(&self, user: &str) -> Result<serde_json::Value, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            user: serde_json::Value,
        }
        let request = SlackApiUsersInfoRequest::new(user.into());
        let answer: Answer = self.get("users.info", &query_of(&request)?).await?;
        Ok(answer.user)
    }

    /// An app, by `bots.info`.
    pub(crate) async fn bots_info(&self, bot: &str) -> Result<Option<RemoteProfile>, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            bot: Bot,
        }
        #[derive(Deserialize)]
        struct Bot {
            name: Option<String>,
            #[serde(default)]
            icons: serde_json::Value,
        }
        let query = [("bot".to_owned(), bot.to_owned())];
        let answer: Answer = self.get("bots.info", &query).await?;
        let picture = answer.bot.icons.get("image_72").and_then(|url| url.as_str()).map(ToOwned::to_owned);
        Ok(answer.bot.name.filter(|name| !name.is_empty()).map(|name| RemoteProfile { name, picture }))
    }

    /// `conversations.history`, always with the metadata that we left.
    pub(crate) async fn history(
        &self,
        mut request: SlackApiConversationsHistoryRequest,
    ) -> Result<HistoryAnswer, RemoteError> {
        request.include_all_metadata = Some(true);
        self.get("conversations.history", &query_of(&request)?).await
    }

    /// `conversations.replies`: a thread, its first message included, oldest first, with the metadata that we left.
    pub(crate) async fn replies(
        &self,
        request: &HistoryRequest<'_>,
        thread: &str,
    ) -> Result<HistoryAnswer, RemoteError> {
        let mut query = vec![
            ("channel".to_owned(), request.channel.to_owned()),
            ("ts".to_owned(), thread.to_owned()),
            ("limit".to_owned(), request.limit.to_string()),
            ("include_all_metadata".to_owned(), "true".to_owned()),
        ];
        query.extend(request.after.map(|after| ("oldest".to_owned(), after.to_owned())));
        query.extend(request.cursor.map(|cursor| ("cursor".to_owned(), cursor.to_owned())));
        self.get("conversations.replies", &query).await
    }

    /// The id of an open channel with this id or name (`conversations.list`).
    pub(crate) async fn open_channel(&self, wanted: &str) -> Result<Option<String>, RemoteError> {
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = vec![
                ("types".to_owned(), "public_channel".to_owned()),
                ("exclude_archived".to_owned(), "true".to_owned()),
                ("limit".to_owned(), "200".to_owned()),
            ];
            query.extend(cursor.take().map(|cursor| ("cursor".to_owned(), cursor)));
            let page: ConversationsAnswer = self.get("conversations.list", &query).await?;
            for raw in page.channels {
                let Ok(channel) = serde_json::from_str::<Conversation>(raw.get()) else { continue };
                let named = channel.name.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
                if named || channel.id == wanted {
                    return Ok(Some(channel.id));
                }
            }
            cursor = page.response_metadata.and_then(Paging::next);
            if cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    /// `conversations.join`.
    pub(crate) async fn conversations_join(&self, channel: &str) -> Result<Conversation, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Conversation,
        }
        let answer: Answer = self.post("conversations.join", &serde_json::json!({ "channel": channel })).await?;
        Ok(answer.channel)
    }

    /// `conversations.open` with one person; returns the channel's id.
    pub(crate) async fn conversations_open(&self, person: &str) -> Result<String, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            channel: Opened,
        }
        #[derive(Deserialize)]
        struct Opened {
            id: String,
        }
        let answer: Answer = self.post("conversations.open", &serde_json::json!({ "users": person })).await?;
        Ok(answer.channel.id)
    }

    /// `users.list`.
    pub(crate) async fn users_list(&self) -> Result<Vec<serde_json::Value>, RemoteError> {
        #[derive(Deserialize)]
        struct Answer {
            members: Vec<serde_json::Value>,
            #[serde(default)]
            response_metadata: Option<Paging>,
        }
        let mut users = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = vec![("limit".to_owned(), "200".to_owned())];
            query.extend(cursor.take().map(|cursor| ("cursor".to_owned(), cursor)));
            let page: Answer = self.get("users.list", &query).await?;
            users.extend(page.members);
            cursor = page.response_metadata.and_then(Paging::next);
            if cursor.is_none() {
                break;
            }
        }
        Ok(users)
    }

    /// `emoji.list`: names with addresses, or with `alias:` and another name.
    pub(crate) async fn emoji_list(&self) -> Result<serde_json::Value, RemoteError> {
        let answer: serde_json::Value = self.get("emoji.list", &[]).await?;
        Ok(answer.get("emoji").cloned().unwrap_or_default())
    }

    /// `team.info`: the workspace.
    pub(crate) async fn team_info(&self) -> Result<serde_json::Value, RemoteError> {
        let answer: serde_json::Value = self.get("team.info", &[]).await?;
        Ok(answer.get("team").cloned().unwrap_or_default())
    }

    /// `chat.postMessage`; returns the message's timestamp.
    pub(crate) async fn post_message(&self, body: &serde_json::Value) -> Result<String, RemoteError> {
        let posted: Posted = self.post("chat.postMessage", body).await?;
        Ok(posted.ts)
    }

    /// `chat.update`; returns when Slack says that it was edited.
    pub(crate) async fn update(&self, body: &serde_json::Value) -> Result<Option<Timestamp>, RemoteError> {
        let answer: serde_json::Value = self.post("chat.update", body).await?;
        let edited = answer.pointer("/message/edited/ts").and_then(serde_json::Value::as_str);
        Ok(edited.and_then(Timestamp::read))
    }

    /// A method that answers nothing; `fine` are the codes that say that it was so already.
    pub(crate) async fn done(
        &self,
        method: &'static str,
        body: &serde_json::Value,
        fine: &[&str],
    ) -> Result<(), RemoteError> {
        match self.post::<serde::de::IgnoredAny>(method, body).await {
            Err(RemoteError::Refused(code)) if fine.contains(&code.as_str()) => Ok(()),
            outcome => outcome.map(|_| ()),
        }
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        method: &'static str,
        query: &[(String, String)],
    ) -> Result<T, RemoteError> {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(query);
        let request = http::Request::builder().method(http::Method::GET).uri(format!(
            "{}?{}",
            self.address(method),
            pairs.finish()
        ));
        self.send(method, request, Vec::new()).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        method: &'static str,
        body: &impl Serialize,
    ) -> Result<T, RemoteError> {
        let body = serde_json::to_vec(body).map_err(not_built)?;
        let request = http::Request::builder()
            .method(http::Method::POST)
            .uri(self.address(method))
            .header(http::header::CONTENT_TYPE, "application/json; charset=utf-8");
        self.send(method, request, body).await
    }

    fn address(&self, method: &str) -> String {
        format!("{}{method}", self.context.config.slack_api_url)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: &'static str,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<T, RemoteError> {
        let request = request
            .header(http::header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(body)
            .map_err(not_built)?;
        let answer =
            self.context.http.send(request, Egress::Configured, TIMEOUT_MS).await.map_err(|error| match error {
                HttpError::NotSent(_) => RemoteError::NotDone(format!("{method} was not sent")),
                HttpError::Unknown(_) => RemoteError::Unknown(format!("{method} got no answer")),
            })?;
        read_answer(method, &answer)
    }
}

/// Reads an answer: the status first, since a proxy's error is HTML, then Slack's own verdict.
fn read_answer<T: DeserializeOwned>(method: &str, answer: &http::Response<Vec<u8>>) -> Result<T, RemoteError> {
    let status = answer.status();
    let verdict: Option<Verdict> = serde_json::from_slice(answer.body()).ok();
    let code = verdict.as_ref().filter(|verdict| !verdict.ok).and_then(|verdict| verdict.error.as_deref());
    // Slack may say so in a body of status 200, too.
    if status == http::StatusCode::TOO_MANY_REQUESTS || matches!(code, Some("ratelimited" | "rate_limited")) {
        return Err(RemoteError::RateLimited(retry_after(answer)));
    }
    if status.is_server_error() {
        return Err(RemoteError::Unknown(format!("{method}: status {status}")));
    }
    match (&verdict, code) {
        (Some(Verdict { ok: true, .. }), _) if status.is_success() => {
            // It was done, though the answer is not what it should be.
            serde_json::from_slice(answer.body())
                .map_err(|_| RemoteError::Unknown(format!("{method}: an answer without sense")))
        }
        (Some(_), Some(code)) => Err(classify(code)),
        _ => Err(RemoteError::Unknown(format!("{method}: status {status}"))),
    }
}

fn retry_after(answer: &http::Response<Vec<u8>>) -> i64 {
    let seconds = answer
        .headers()
        .get(http::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse::<i64>().ok());
    seconds.map_or(DEFAULT_WAIT_MS, |seconds| seconds.saturating_mul(1_000).clamp(0, LONGEST_WAIT_MS))
}

/// The fields of a request as query pairs; lists are left out.
fn query_of(request: &impl Serialize) -> Result<Vec<(String, String)>, RemoteError> {
    let value = serde_json::to_value(request).map_err(not_built)?;
    let fields = value.as_object().cloned().unwrap_or_default();
    Ok(fields
        .into_iter()
        .filter_map(|(key, value)| match value {
            serde_json::Value::String(text) => Some((key, text)),
            serde_json::Value::Bool(flag) => Some((key, flag.to_string())),
            serde_json::Value::Number(number) => Some((key, number.to_string())),
            _ => None,
        })
        .collect())
}

fn not_built(_: impl std::error::Error) -> RemoteError {
    RemoteError::NotDone("a request to Slack could not be built".to_owned())
}
