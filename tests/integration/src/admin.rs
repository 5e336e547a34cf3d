//! The operator's endpoints.

use std::time::Duration;

use hubbub_conformance::User;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Counts, Reply, Server, settles};

/// How long nothing may be counted before a server is taken to be done with everything: longer than the five seconds
/// after which the alarms ring that are set beside each piece of work.
const QUIET: Duration = Duration::from_millis(5_600);

/// How long a server may take to be done: with `HUBBUB_LONG=1` it has 100,000 events to bring to their rooms.
const SETTLING: Duration = Duration::from_secs(1_800);

impl Server {
    /// A request to `/_hubbub/admin/v1/{path}` with the admin token.
    pub async fn admin(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Reply {
        let url = self.address(&format!("/_hubbub/admin/v1/{path}"));
        Reply::to(self.http.request(method, url).bearer_auth(&self.admin_token).body(body)).await
    }

    /// `POST` with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.admin(Method::POST, path, body.to_string()).await
    }

    /// One of the Slack bridge's own endpoints.
    pub async fn slack(&self, verb: &str, body: &Value) -> Reply {
        self.post(&format!("slack/{verb}"), body).await
    }

    /// Everything that was counted since the isolate started.
    pub async fn operations(&self) -> Value {
        self.admin(Method::GET, "operations", "").await.ok()
    }

    /// How often objects of this class were constructed.
    pub async fn constructed(&self, class: &str) -> i64 {
        self.operations().await["constructed"][class].as_i64().unwrap_or_default()
    }

    /// The counts now.
    pub async fn counts(&self) -> Counts {
        Counts::read(&self.operations().await)
    }

    /// The counts once nothing happens any more.
    pub async fn settled(&self) -> Counts {
        settles(QUIET, SETTLING, async || self.counts().await).await
    }

    /// What something costs in all, with everything that it sets off in the background: of a server that has settled.
    pub async fn cost_of<T>(&self, work: impl AsyncFnOnce() -> T) -> (T, Counts) {
        let before = self.counts().await;
        let result = work().await;
        (result, self.settled().await - before)
    }

    /// A request of a user with the bill of the request itself.
    pub async fn billed(&self, user: &User, method: Method, path: &str, body: Option<Value>) -> (Value, Counts) {
        let mut request = self.http.request(method, self.address(&format!("/_matrix/client/v3{path}")));
        request = request.bearer_auth(&user.token).header("x-hubbub-bill", &self.admin_token);
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let reply = Reply::to(request).await;
        let bill: Value = serde_json::from_str(reply.header("x-hubbub-operations")).expect("a bill");
        (reply.ok(), Counts::read(&bill))
    }

    /// Arms failpoints, such as `{"room.after_append": {"action": {"delay": 100}}}`.
    pub async fn arm(&self, failpoints: Value) {
        self.post("failpoints", &failpoints).await.ok();
    }

    /// Disarms all failpoints, and returns what was passed and hit.
    pub async fn disarm(&self) -> Value {
        self.admin(Method::DELETE, "failpoints", "").await.ok()
    }

    /// Makes an object lose what it keeps in memory, as the platform does when it evicts one.
    pub async fn abort(&self, class: &str, name: &str) {
        self.post("abort-object", &json!({"class": class, "name": name})).await.ok();
        // It goes when nothing of the program runs.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
