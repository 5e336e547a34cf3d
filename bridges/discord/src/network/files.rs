//! Files of messages ([docs](https://docs.discord.com/developers/reference#uploading-files)): where their bytes are,
//! and messages that bring one.
//!
//! The bytes are on Discord's own hosts, under addresses that need no token and die within a day: then the message
//! says the new one.

use hubbub_bridge::network::{FileUpload, RemoteError, RemoteFile};
use hubbub_storage::blobs::Body;
use serde_json::{Value as Json, value::RawValue};

use super::{Discord, before, id_of, speak::Spot};
use crate::{
    convert,
    events::space,
    remote_id::Snowflake,
    rest::{Call, Upload},
    text_of,
};

/// The largest file in a direct chat, or a server without boosts
/// ([docs](https://docs.discord.com/developers/reference#uploading-files)).
const LEAST_LIMIT: u64 = 10 << 20;

/// The largest in any server.
pub(super) const MOST_BYTES: u64 = 100 << 20;

/// Discord's code for a file that is too large.
pub(super) const TOO_LARGE: &str = "40005";

/// The hosts that have files.
const HOSTS: [&str; 2] = ["cdn.discordapp.com", "media.discordapp.net"];

/// The files of a message.
pub(super) fn files_in(event: &RawValue) -> Vec<RemoteFile> {
    // Nearly no message has files: those are not worth parsing.
    let may_have = ["\"url\"", "sticker"].into_iter().any(|word| event.get().contains(word));
    if !may_have {
        return Vec::new();
    }
    read(&super::message(event))
}

fn read(message: &Json) -> Vec<RemoteFile> {
    let spot = Spot { direct: false, forum: false, guild: text_of(message, "guild_id") };
    let link = text_of(message, "channel_id").zip(text_of(message, "id")).map(|(channel, id)| spot.link(&channel, &id));
    let files = convert::files(message).into_iter().map(|file| RemoteFile {
        id: file.id,
        name: file.name,
        caption: file.caption,
        mimetype: file.mime,
        size: file.size,
        dimensions: file.pixels,
        duration_ms: file.duration,
        voice: file.voice,
        waveform: file.waveform,
        spoiler: file.spoiler,
        url: file.url,
        link: link.clone(),
    });
    files.collect()
}

/// The request for a file's bytes: no host needs a token, and others than Discord's have no files.
pub(super) fn request(file: &RemoteFile) -> Option<http::Request<Body>> {
    let url = url::Url::parse(&file.url).ok()?;
    let known =
        url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(|host| HOSTS.contains(&host));
    let request = http::Request::builder().method(http::Method::GET).uri(&file.url);
    known.then(|| request.body(Body::default()).ok()).flatten()
}

impl Discord {
    /// A file with the address that it has now: its message is read again.
    pub(super) async fn refresh(&self, token: &str, file: &RemoteFile) -> Result<Option<RemoteFile>, RemoteError> {
        let mut path = file.link.as_deref().unwrap_or_default().rsplit('/');
        let (Some(message), Some(channel)) =
            (path.next().and_then(Snowflake::read), path.next().and_then(Snowflake::read))
        else {
            return Ok(None);
        };
        match self.call::<Json>(token, Call::message(channel, message)).await {
            Ok(message) => Ok(read(&message).into_iter().find(|fresh| fresh.id == file.id)),
            Err(RemoteError::Refused(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Refuses a file that is larger than its place takes, before anything of it is sent.
    pub(super) async fn check_size(&self, token: &str, spot: &Spot, file: &FileUpload) -> Result<(), RemoteError> {
        let limit = match &spot.guild {
            Some(guild) if file.length > LEAST_LIMIT => self.limit_of(token, guild).await?,
            _ => LEAST_LIMIT,
        };
        if file.length > limit { Err(RemoteError::Refused(TOO_LARGE.to_owned())) } else { Ok(()) }
    }

    async fn limit_of(&self, token: &str, guild: &str) -> Result<u64, RemoteError> {
        let known = self.file_limits.borrow().get(guild).copied();
        if let Some(limit) = known {
            return Ok(limit);
        }
        let found: Json = before(self.call(token, Call::guild(id_of(guild)?)).await)?;
        let limit = limit_of_tier(found.get("premium_tier").and_then(Json::as_u64).unwrap_or(0));
        self.file_limits.borrow_mut().insert(guild.to_owned(), limit);
        Ok(limit)
    }

    /// Makes sure that a thread can be written in: a file's bytes come by only once.
    pub(super) async fn open_thread(&self, token: &str, channel: &str, thread: Snowflake) -> Result<(), RemoteError> {
        match self.call::<Json>(token, Call::channel(thread)).await {
            Ok(found) if space::channel(&found, None).is_some_and(|thread| thread.archived && !thread.locked) => {
                before(self.call::<Json>(token, Call::reopen_thread(thread)).await).map(|_| ())
            }
            Ok(_) => Ok(()),
            Err(RemoteError::Refused(code)) if code == "10003" => self.begin_thread(token, channel, thread).await,
            Err(error) => before(Err(error)),
        }
    }

    /// Makes a call that says something, with a file if there is one.
    pub(super) async fn deliver(&self, token: &str, call: Call, file: Option<FileUpload>) -> Result<Json, RemoteError> {
        let Some(file) = file else { return self.call(token, call).await };
        let mut random = [0_u8; 16];
        self.context.random.fill(&mut random);
        let boundary: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let upload = Upload {
            name: file.name,
            mime: file.mimetype.unwrap_or_default(),
            description: None,
            spoiler: file.spoiler,
            bytes: Vec::new(),
        };
        let (call, after) = call.around_file(upload, &boundary);
        self.rest(token).send_file(call, file.body, after, file.timeout_ms, &self.limits).await
    }
}

/// The largest file of a server with so many levels of boosts.
fn limit_of_tier(tier: u64) -> u64 {
    match tier {
        0 | 1 => LEAST_LIMIT,
        2 => 50 << 20,
        _ => MOST_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boosts_make_room_for_larger_files() {
        let megabytes = |tier| limit_of_tier(tier) >> 20;
        assert_eq!([0, 1, 2, 3].map(megabytes), [10, 10, 50, 100]);
    }

    #[test]
    fn bytes_are_fetched_from_discords_own_hosts_only_and_without_a_token() {
        let asks = |url: &str| request(&RemoteFile { url: url.to_owned(), ..RemoteFile::default() });
        let known = asks("https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3").unwrap();
        assert!(known.headers().is_empty());
        for url in [
            "http://cdn.discordapp.com/a.png",
            "https://cdn.discordapp.com.evil.test/a.png",
            "https://cdn.discordapp.com:8080/a.png",
            "https://cdn.discordapp.com@evil.test/a.png",
            "https://evil.test/cdn.discordapp.com",
            "no address",
        ] {
            assert!(asks(url).is_none(), "{url}");
        }
    }
}
