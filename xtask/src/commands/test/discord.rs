//! The Discord bridge on workerd: its connection through crashes, resumes and refusals, a message each way, against the
//! fake of `tests/support`. In a file of the launcher, since workerd is killed on the way.

use std::{
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{
    data_folder::DataFolder,
    embedded::{Embedded, Options},
    process::{Served, tied},
    progress::note,
    slack_login::{SlackLogin, bridge, connect_to, log_in, make_owner, text},
    tools::Tools,
    workspace::root,
};

const PATIENCE: Duration = Duration::from_secs(45);
const CRON: &str = "*/5 * * * *";

/// Runs it.
pub fn test(tools: &Tools, worker: &Path) -> Result<bool> {
    let mut world = World::start(tools, worker)?;
    world.a_message_each_way()?;
    world.it_beats()?;
    world.a_crash_loses_and_doubles_nothing()?;
    world.what_discord_asks_for_is_done()?;
    world.an_endpoint_checks_signatures()?;
    world.a_refusal_is_told_and_mended()?;
    Ok(true)
}

struct World {
    server: Embedded,
    fake: Served,
    owner: String,
    access_token: String,
    login: SlackLogin,
    public_key: String,
    bot_token: String,
    room: String,
    expected: Vec<String>,
}

impl World {
    fn start(tools: &Tools, worker: &Path) -> Result<Self> {
        let mut command = tools.script(&root().join("tests/support/fake-discord.mjs"), &[])?;
        command.args(["--heartbeat-interval", "2000"]);
        let fake = Served::start(&mut tied(command)).context("the fake Discord")?;
        let options = Options { discord_api_url: Some(format!("{}/api/v10/", fake.url)), ..Options::for_tests() };
        let server = Embedded::start(tools, worker, Arc::new(DataFolder::temporary()?), &options, |_| ())?;
        let workspace = server.admin().get_json(&format!("{}/_control/workspace", fake.url))?;
        let owner = make_owner(&server, "owner")?;
        let (public_key, bot_token) = (text(&workspace, "/public_key")?, text(&workspace, "/token")?);
        let login = connect_to("discord", &server, &owner.user_id, &public_key, &bot_token)?;
        ensure!(login.login_id.starts_with("discord-"), "a login's name tells its network: {}", login.login_id);
        server.admin().post("discord/pace", &json!({"login_id": login.login_id, "per_second": 20}))?;
        let room = bridge(&server, &login, "#general")?;
        let access_token = log_in(&server, &owner)?;
        let owner = owner.user_id;
        let world =
            Self { server, fake, owner, access_token, login, public_key, bot_token, room, expected: Vec::new() };
        world.eventually("the bot is online", |world| Ok(world.count("identify")? == 1))?;
        let asked = world.look("calls")?.to_string();
        ensure!(asked.contains("gateway/bot"), "the budget was read before: {asked}");
        Ok(world)
    }

    fn tell(&self, call: &str, body: &Value) -> Result<Value> {
        self.server.admin().post_json(&format!("{}/_control/{call}", self.fake.url), body, None)
    }

    fn look(&self, call: &str) -> Result<Value> {
        self.server.admin().get_json(&format!("{}/_control/{call}", self.fake.url))
    }

    /// How often the gateway did something.
    fn count(&self, what: &str) -> Result<usize> {
        let log = self.look("log")?;
        let log = log.get("log").and_then(Value::as_array).into_iter().flatten();
        Ok(log.filter(|line| line.get("what").and_then(Value::as_str) == Some(what)).count())
    }

    fn eventually(&self, what: &str, look: impl Fn(&Self) -> Result<bool>) -> Result<()> {
        let since = Instant::now();
        while !look(self).unwrap_or(false) {
            if since.elapsed() > PATIENCE {
                bail!(
                    "it did not come about: {what}; bodies {:?}, {}\n{}",
                    self.bodies()?,
                    self.look("log")?,
                    std::fs::read_to_string(self.server.log_path()).unwrap_or_default()
                );
            }
            thread::sleep(Duration::from_millis(100));
        }
        note(format_args!("Discord: {what}"));
        Ok(())
    }

    fn say(&mut self, words: &str) -> Result<()> {
        self.tell("messages", &json!({"channel": "general", "user": "ana", "content": words}))?;
        self.expected.push(words.to_owned());
        Ok(())
    }

    fn bodies_of(&self, room: &str) -> Result<Vec<String>> {
        let path = format!("rooms/{}/messages?dir=b&limit=100", room.replace('!', "%21").replace(':', "%3A"));
        let page = self.server.admin().call_as(&self.access_token, "GET", &path, "")?;
        let events = page.get("chunk").and_then(Value::as_array).into_iter().flatten();
        let mut bodies: Vec<_> = events
            .filter(|event| event.get("type").is_some_and(|kind| kind == "m.room.message"))
            .filter_map(|event| event.pointer("/content/body").and_then(Value::as_str).map(str::to_owned))
            .collect();
        bodies.reverse();
        Ok(bodies)
    }

    fn bodies(&self) -> Result<Vec<String>> {
        self.bodies_of(&self.room)
    }

    /// Waits until the room holds just what was said, and sees that it stays so.
    fn agrees(&self, what: &str) -> Result<()> {
        self.eventually(what, |world| Ok(world.bodies()? == world.expected))?;
        thread::sleep(Duration::from_millis(500));
        let bodies = self.bodies()?;
        ensure!(bodies == self.expected, "{what}: {bodies:?} instead of {:?}", self.expected);
        Ok(())
    }

    fn a_message_each_way(&mut self) -> Result<()> {
        self.say("hello from Discord")?;
        self.agrees("a message of Discord's is in the room")?;
        let room = self.room.replace('!', "%21").replace(':', "%3A");
        let content = json!({"msgtype": "m.text", "body": "an answer"}).to_string();
        let path = format!("rooms/{room}/send/m.room.message/1");
        self.server.admin().call_as(&self.access_token, "PUT", &path, &content)?;
        self.expected.push("an answer".to_owned());
        self.eventually("the answer is said through the webhook, by its sender's name", |world| {
            let stored = world.look("stored?channel=general")?;
            let messages = stored.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
            Ok(messages.iter().any(|message| {
                message.get("content").is_some_and(|content| content == "an answer")
                    && message.get("webhook_id").is_some_and(Value::is_string)
                    && message.pointer("/author/username").is_some_and(|name| name == "owner")
            }))
        })?;
        self.agrees("the echo is not shown again")
    }

    fn it_beats(&self) -> Result<()> {
        self.eventually("heartbeats go", |world| {
            let log = world.look("log")?;
            let log = log.get("log").and_then(Value::as_array).cloned().unwrap_or_default();
            Ok(log.iter().filter(|line| line.get("op").is_some_and(|op| op == 1)).count() >= 3)
        })?;
        ensure!(self.count("connect")? == 1, "the connection stands");
        Ok(())
    }

    fn a_crash_loses_and_doubles_nothing(&mut self) -> Result<()> {
        for round in 0..2 {
            for number in 0..5 {
                self.say(&format!("before crash {round}: {number}"))?;
            }
            let killed = self.server.kill_workerd()?;
            for number in 0..5 {
                self.say(&format!("during crash {round}: {number}"))?;
            }
            self.server.await_restart(killed)?;
            // The alarm, or the schedule, whichever comes first.
            self.server.tick(CRON)?;
            self.agrees("after kill -9 nothing is lost and nothing doubled")?;
        }
        ensure!(self.count("identify")? == 1, "a session is resumed, not begun anew");
        ensure!(self.count("resume")? >= 2, "it was resumed");
        Ok(())
    }

    fn what_discord_asks_for_is_done(&mut self) -> Result<()> {
        let resumed = self.count("resume")?;
        self.tell("gateway", &json!({"op": 7}))?;
        self.say("after op 7")?;
        self.agrees("a requested reconnect resumes")?;
        ensure!(self.count("resume")? > resumed, "it was resumed");
        self.tell("gateway", &json!({"forget": true, "cut": true}))?;
        self.say("while the session was lost")?;
        self.agrees("an invalid session begins a new one, which reads what was missed")?;
        ensure!(self.count("identify")? == 2, "a session was begun");
        self.say("in the new session")?;
        self.agrees("the new session tells")
    }

    fn an_endpoint_checks_signatures(&self) -> Result<()> {
        let hook = self.login.hook_url.clone();
        let spoiled = self.tell("interaction", &json!({"url": hook, "tamper": true}))?;
        ensure!(spoiled.get("status").is_some_and(|status| status == 401), "a bad signature is refused: {spoiled}");
        let ping = self.tell("interaction", &json!({"url": hook}))?;
        ensure!(ping.get("status").is_some_and(|status| status == 200), "a good signature is taken: {ping}");
        let pong: Value = serde_json::from_str(&text(&ping, "/body")?)?;
        ensure!(pong == json!({"type": 1}), "Discord's check of the address is answered as it wants: {ping}");
        note("Discord: the interactions endpoint checks signatures");
        Ok(())
    }

    fn a_refusal_is_told_and_mended(&mut self) -> Result<()> {
        self.tell("gateway", &json!({"close": 4014}))?;
        self.eventually("the owner is told what to switch on", |world| {
            let alias = world.owner.trim_start_matches('@').split(':').next().unwrap_or_default().to_owned();
            let server = &world.server.identity.server_name;
            let path = format!("directory/room/%23_discord_management_{alias}%3A{}", server.replace(':', "%3A"));
            let found = world.server.admin().call_as(&world.access_token, "GET", &path, "")?;
            let bodies = world.bodies_of(&text(&found, "/room_id")?)?;
            Ok(bodies.iter().filter(|body| body.contains("Message Content Intent")).count() == 1)
        })?;
        let connections = self.count("connect")?;
        self.server.tick(CRON)?;
        thread::sleep(Duration::from_secs(2));
        ensure!(self.count("connect")? == connections, "nobody calls any more");
        self.tell("messages", &json!({"channel": "general", "user": "ana", "content": "nobody hears this"}))?;
        self.expected.push("nobody hears this".to_owned());
        let login = connect_to("discord", &self.server, &self.owner, &self.public_key, &self.bot_token)?;
        ensure!(login.login_id == self.login.login_id, "the account's login goes on");
        self.agrees("the next token goes on, and what was missed is read")
    }
}
