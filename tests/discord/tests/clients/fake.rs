//! The fake Discord as a child process.

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running fake; it ends with this value.
pub struct Fake {
    /// Its address.
    pub url: String,
    /// The bot's token.
    pub token: String,
    http: reqwest::Client,
    _child: Child,
}

impl Fake {
    /// Starts one whose clients have to beat every `heartbeat` milliseconds.
    pub async fn start(heartbeat: u32) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../support/fake-discord.mjs");
        let mut child = Command::new("node")
            .args([script, "--heartbeat-interval", &heartbeat.to_string()])
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.next_line().await.unwrap().unwrap();
        let url = ready.strip_prefix("ready ").unwrap().to_owned();
        let mut fake = Self { url, token: String::new(), http: reqwest::Client::new(), _child: child };
        fake.token = fake.get("workspace").await["token"].as_str().unwrap().to_owned();
        fake
    }

    /// Calls the control API.
    pub async fn control(&self, name: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}/_control/{name}", self.url)).body(body.to_string());
        let answer: Value = serde_json::from_slice(&request.send().await.unwrap().bytes().await.unwrap()).unwrap();
        assert_eq!(answer["ok"], true, "{name}: {answer}");
        answer
    }

    /// Reads from the control API.
    pub async fn get(&self, name: &str) -> Value {
        let answer = self.http.get(format!("{}/_control/{name}", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// The id of a channel.
    pub async fn channel(&self, name: &str) -> u64 {
        let workspace = self.get("workspace").await;
        let channels = workspace["channels"].as_array().unwrap();
        let channel = channels.iter().find(|channel| channel["name"] == name).unwrap();
        channel["id"].as_str().unwrap().parse().unwrap()
    }

    /// How often the gateway noted something.
    pub async fn noted(&self, what: &str) -> usize {
        let log = self.get("log").await;
        log["log"].as_array().unwrap().iter().filter(|entry| entry["what"] == what).count()
    }
}
