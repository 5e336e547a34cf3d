//! What reaches the rarer windows: accounts, names, rooms, memberships, logins, portals. Each errand is repeated until it
//! succeeds, as a client would, and then checks that it left exactly what it should.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::{self, sleep},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::{Value, json};

use super::{appservice::Appservice, windows::Trigger};
use crate::load::{
    connection::{Call, Connection, Reply},
    device::whole_room,
    fake_slack::Control,
    stage::Bridged,
    user::{User, encoded, text},
};

/// How long an errand is repeated.
const PATIENCE: Duration = Duration::from_secs(60);
/// The localpart of the user in whom the appservice is interested.
pub(super) const VISITOR: &str = "errand_visitor";

/// Runs errands, one at a time.
pub(super) struct Errands {
    orders: Sender<Trigger>,
    outcomes: Receiver<Result<()>>,
}

/// Who runs them.
struct Runner {
    url: String,
    admin: Connection,
    admin_token: String,
    bridged: Bridged,
    control: Control,
    owner: User,
    visitor: User,
    guest: User,
    side_room: String,
    appservice: Arc<Appservice>,
    count: usize,
}

/// What errands need.
pub(super) struct Needs<'a> {
    pub url: &'a str,
    pub admin_token: &'a str,
    pub bridged: &'a Bridged,
    pub control: Control,
    pub owner: &'a User,
    pub appservice: Arc<Appservice>,
}

impl Errands {
    pub fn start(needs: Needs<'_>) -> Result<Self> {
        let mut visitor = User::register(needs.url, VISITOR)?;
        let guest = User::register(needs.url, "errand_guest")?;
        let side_room = visitor.create_room(&json!({"preset": "public_chat", "name": "errands"}))?;
        let mut runner = Runner {
            url: needs.url.to_owned(),
            admin: Connection::new(needs.url).impatient(Duration::from_secs(15)),
            admin_token: needs.admin_token.to_owned(),
            bridged: needs.bridged.clone(),
            control: needs.control,
            owner: impatient(needs.owner.again()),
            visitor: impatient(visitor),
            guest: impatient(guest),
            side_room,
            appservice: needs.appservice,
            count: 0,
        };
        let (orders, taken) = channel();
        let (done, outcomes) = channel();
        thread::spawn(move || {
            for trigger in taken {
                let outcome = runner.run(trigger).with_context(|| format!("errand {trigger:?}"));
                if done.send(outcome).is_err() {
                    break;
                }
            }
        });
        Ok(Self { orders, outcomes })
    }

    /// Starts an errand.
    pub fn order(&self, trigger: Trigger) -> Result<()> {
        self.orders.send(trigger).map_err(|_| anyhow!("the errands stopped"))
    }

    /// Waits for its end.
    pub fn outcome(&self) -> Result<()> {
        self.outcomes.recv_timeout(PATIENCE * 4).map_err(|_| anyhow!("an errand does not end"))?
    }
}

fn impatient(mut user: User) -> User {
    user.connection = user.connection.impatient(Duration::from_secs(15));
    user
}

/// Repeats until it yields something; errors and absences are tried again.
fn persist<T>(what: &str, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        match attempt() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) if started.elapsed() > PATIENCE => bail!("{what}: nothing came of it"),
            Err(error) if started.elapsed() > PATIENCE => return Err(error.context(what.to_owned())),
            Ok(None) | Err(_) => sleep(Duration::from_millis(150)),
        }
    }
}

fn if_ok(reply: Reply, what: &str) -> Result<Option<Value>> {
    reply.success(what).map(Some)
}

impl Runner {
    fn run(&mut self, trigger: Trigger) -> Result<()> {
        self.count += 1;
        match trigger {
            Trigger::Traffic => Ok(()),
            Trigger::Register => self.register(),
            Trigger::Profile => self.profile(),
            Trigger::CreateRoom => self.create_room(),
            Trigger::Membership => self.membership(),
            Trigger::Appservice => self.appservice(),
            Trigger::LoginStart => self.admin("slack/connect/start", &json!({})).map(drop),
            Trigger::LoginFinish => self.login_finish(),
            Trigger::Bridge => self.bridge().map(drop),
            Trigger::Refusal => self.refusal(),
        }
    }

    /// The account exists once, and its password works.
    fn register(&mut self) -> Result<()> {
        let name = format!("errand_account_{}", self.count);
        let password = format!("{name} only here");
        let auth = json!({"type": "m.login.dummy"});
        let body = json!({"username": name, "password": password, "auth": auth}).to_string();
        let mut connection = Connection::new(&self.url).impatient(Duration::from_secs(15));
        persist("register", || {
            let reply = connection.send(&Call::new("POST", "/_matrix/client/v3/register", &body))?;
            let taken = reply.status == 400 && reply.json()?.get("errcode") == Some(&json!("M_USER_IN_USE"));
            if taken { Ok(Some(())) } else { if_ok(reply, "register").map(|_| Some(())) }
        })?;
        let server = self.visitor.id.split_once(':').context("no server name")?.1.to_owned();
        persist("login", || User::log_in(&self.url, &format!("@{name}:{server}"), &password).map(Some)).map(drop)
    }

    /// The new name is the name.
    fn profile(&mut self) -> Result<()> {
        let name = format!("Visitor {}", self.count);
        let body = json!({"displayname": name}).to_string();
        let path = format!("/profile/{}/displayname", encoded(&self.visitor.id));
        let visitor = &mut self.visitor;
        persist("profile", || if_ok(visitor.request("PUT", &path, &body)?, "profile"))?;
        persist("the name", || {
            let answer = visitor.request("GET", &path, "")?.success("profile")?;
            Ok((answer.get("displayname") == Some(&json!(name))).then_some(()))
        })
    }

    /// The alias leads to the room, whichever attempt made it, and the invitation works.
    fn create_room(&mut self) -> Result<()> {
        let alias = format!("errand{}", self.count);
        let invite = json!([self.guest.id]);
        let body = json!({"room_alias_name": alias, "invite": invite, "preset": "private_chat"}).to_string();
        let server = self.visitor.id.split_once(':').context("no server name")?.1;
        let path = format!("/directory/room/{}", encoded(&format!("#{alias}:{server}")));
        let visitor = &mut self.visitor;
        let room = persist("createRoom", || {
            let reply = visitor.request("POST", "/createRoom", &body)?;
            let reply = if reply.status == 400 { visitor.request("GET", &path, "")? } else { reply };
            text(&reply.success("createRoom")?, "/room_id").map(Some)
        })?;
        let guest = &mut self.guest;
        persist("joining by the invitation", || {
            if_ok(guest.request("POST", &format!("/rooms/{room}/join"), "{}")?, "join")
        })?;
        persist("a message", || guest.send_text(&room, "hello", "Hello").map(Some)).map(drop)
    }

    /// In and out again.
    fn membership(&mut self) -> Result<()> {
        let (guest, room) = (&mut self.guest, self.side_room.clone());
        for (what, expected) in [("join", "join"), ("leave", "leave")] {
            let path = format!("/rooms/{room}/{what}");
            persist(what, || if_ok(guest.request("POST", &path, "{}")?, what))?;
            let path = format!("/rooms/{room}/state/m.room.member/{}", encoded(&guest.id));
            let visitor = &mut self.visitor;
            persist(what, || {
                let member = visitor.request("GET", &path, "")?.success("member")?;
                Ok((member.get("membership") == Some(&json!(expected))).then_some(()))
            })?;
        }
        Ok(())
    }

    /// The appservice gets the message.
    fn appservice(&mut self) -> Result<()> {
        let (visitor, room) = (&mut self.visitor, self.side_room.clone());
        let transaction = format!("errand{}", self.count);
        let event = persist("a message", || visitor.send_text(&room, &transaction, "For the appservice").map(Some))?;
        let appservice = Arc::clone(&self.appservice);
        persist("its transaction", || Ok(appservice.has(&event).then_some(())))
    }

    /// The same login goes on.
    fn login_finish(&mut self) -> Result<()> {
        let secrets = json!({
            "login_id": self.bridged.login_id,
            "signing_secret": self.bridged.signing_secret,
            "token": self.bridged.token,
        });
        let finished = self.admin("slack/connect/finish", &secrets)?;
        let same = text(&finished, "/login_id")?;
        ensure!(same == self.bridged.login_id, "the login became {same}");
        Ok(())
    }

    /// A channel has one room, however often it is asked for. Returns both.
    fn bridge(&mut self) -> Result<(String, String)> {
        let channel = json!({"name": format!("errand-{}", self.count), "members": ["owner", "ana"]});
        let channel = text(&self.control.post("channels", &channel)?, "/channel/id")?;
        let wanted = json!({"login_id": self.bridged.login_id, "channel": channel});
        let room = text(&self.admin("slack/bridge", &wanted)?, "/room_id")?;
        let again = text(&self.admin("slack/bridge", &wanted)?, "/room_id")?;
        ensure!(again == room, "the channel got a second room");
        let owner = &mut self.owner;
        persist("the owner in the room", || {
            let joined = owner.request("GET", "/joined_rooms", "")?.success("joined_rooms")?;
            let rooms = joined.get("joined_rooms").and_then(Value::as_array).context("no rooms")?;
            Ok(rooms.contains(&json!(room)).then_some(()))
        })?;
        Ok((channel, room))
    }

    /// A message that Slack refuses is explained in the room, once.
    fn refusal(&mut self) -> Result<()> {
        let (channel, room) = self.bridge()?;
        // Were it told, the room might be read-only before the message comes.
        self.control.post("channels/update", &json!({"channel": channel, "archived": true, "untold": true}))?;
        let owner = &mut self.owner;
        persist("a message", || owner.send_text(&room, "refused", "Nobody takes this").map(Some))?;
        let explained = |owner: &mut User| -> Result<usize> {
            let events = whole_room(owner, &room)?;
            Ok(events.iter().filter(|event| event.body.contains("did not take this message")).count())
        };
        persist("the explanation", || Ok((explained(owner)? > 0).then_some(())))?;
        sleep(Duration::from_millis(300));
        let count = persist("the explanation", || explained(owner).map(Some))?;
        ensure!(count == 1, "a refusal is explained {count} times");
        Ok(())
    }

    /// An admin call, repeated until it succeeds.
    fn admin(&mut self, path: &str, body: &Value) -> Result<Value> {
        let (admin, token) = (&mut self.admin, self.admin_token.as_str());
        let (path, body) = (format!("/_hubbub/admin/v1/{path}"), body.to_string());
        persist(&path, || if_ok(admin.send(&Call::new("POST", &path, &body).with_token(token))?, &path))
    }
}
