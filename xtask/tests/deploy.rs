//! `cargo xtask deploy` with the real wrangler against an account in memory (`deploy/fake-cloudflare.mjs`). Only a real account
//! can prove the rest.

#![expect(clippy::expect_used, reason = "a helper of tests fails like a test")]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;

/// An account that is gone when the test ends, and a folder for what the deployment remembers.
struct Account {
    url: String,
    folder: PathBuf,
    fake: Child,
}

impl Account {
    fn new(name: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/deploy/fake-cloudflare.mjs");
        let mut fake = Command::new("node").arg(script).stdout(Stdio::piped()).spawn().expect("node");
        let mut line = String::new();
        BufReader::new(fake.stdout.take().expect("stdout")).read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("ready ").expect("an address").to_owned();
        let folder = env::temp_dir().join(format!("hubbub-deploy-{name}-{}", std::process::id()));
        Self { url, folder, fake }
    }

    fn deploy(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["deploy", "--no-link", "--data"])
            .arg(&self.folder)
            .arg("--worker")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worker"))
            .args(arguments)
            .env("CLOUDFLARE_API_BASE_URL", format!("{}/client/v4", self.url))
            .env("CLOUDFLARE_API_TOKEN", "token")
            .env("CLOUDFLARE_ACCOUNT_ID", "test")
            .output()
            .expect("a deployment")
    }

    fn get(&self, path: &str) -> Value {
        let mut response = ureq::get(format!("{}{path}", self.url)).call().expect("an answer");
        serde_json::from_str(&response.body_mut().read_to_string().expect("a body")).expect("JSON")
    }

    fn changes(&self, change: &str) -> usize {
        let log = self.get("/log");
        log.as_array().expect("a list").iter().filter(|entry| entry.as_str() == Some(change)).count()
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ended = self.fake.kill();
        let _ended = self.fake.wait();
        let _leftover = fs::remove_dir_all(&self.folder);
    }
}

fn succeeds(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
#[ignore = "needs wrangler: cargo xtask test"]
fn repeating_a_deployment_creates_nothing_twice_and_keeps_every_secret() {
    let account = Account::new("repeat");
    succeeds(&account.deploy(&["--server-name", "example.org", "--public-url", "https://hubbub.test.workers.dev"]));
    let secrets = account.get("/script").get("secrets").cloned().expect("secrets");
    let names: Vec<&String> = secrets.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["ADMIN_TOKEN", "MASTER_KEY", "REGISTRATION_TOKEN", "SIGNING_KEY"]);

    let again = account.deploy(&["--public-url", "https://matrix.example.org"]);

    succeeds(&again);
    let all = [("POST /d1/database", 2), ("POST /storage/kv/namespaces", 1), ("POST /r2/buckets", 1)];
    for (created, times) in all {
        assert_eq!(account.changes(created), times, "{created}");
    }
    let script = account.get("/script");
    assert_eq!(script.get("secrets"), Some(&secrets));
    let bindings = script.get("bindings").and_then(Value::as_array).expect("bindings");
    let is = |name: &str, kind: &str| {
        bindings.iter().any(|binding| {
            binding.get("name").and_then(Value::as_str) == Some(name)
                && binding.get("type").and_then(Value::as_str) == Some(kind)
        })
    };
    assert!(is("MASTER_KEY", "inherit"));
    assert!(is("DB", "d1") && is("SEARCH", "d1"));
    assert!(!String::from_utf8_lossy(&again.stderr).contains(secrets["MASTER_KEY"].as_str().expect("a secret")));
}

#[test]
#[ignore = "needs wrangler: cargo xtask test"]
fn a_deployment_keeps_its_name_and_its_secrets_are_not_made_anew() {
    let account = Account::new("name");
    let nameless = account.deploy(&["--public-url", "https://hubbub.test.workers.dev"]);
    assert!(String::from_utf8_lossy(&nameless.stderr).contains("--server-name"));
    succeeds(&account.deploy(&["--server-name", "example.org", "--public-url", "https://hubbub.test.workers.dev"]));

    let renamed = account.deploy(&["--server-name", "example.net"]);
    assert!(String::from_utf8_lossy(&renamed.stderr).contains("can never change"));

    fs::remove_file(account.folder.join("deploy.json")).expect("a file");
    let forgotten =
        account.deploy(&["--server-name", "example.org", "--public-url", "https://hubbub.test.workers.dev"]);
    assert!(String::from_utf8_lossy(&forgotten.stderr).contains("copy it from where"));
}
