//! The launcher with the smallest Worker (`tests/worker`): locks, signals, crashes, settings. `cargo xtask test` runs these;
//! a plain `cargo test` does not, since they need Miniflare.

#![expect(clippy::expect_used, clippy::panic, reason = "a helper of tests fails like a test")]

#[path = "launcher/launched.rs"]
mod launched;

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use xtask::{
    data_folder::DataFolder,
    embedded::{Embedded, Options, Switch},
    process::{is_alive, kill_9, read_pid},
    tools::Tools,
};

use self::launched::{Folder, Launched, get, wait_until, worker};

fn start(data: Arc<DataFolder>, options: &Options) -> Embedded {
    let tools = Tools::install().expect("tools");
    Embedded::start(&tools, &worker(), data, options, |_| ()).expect("a server")
}

fn temporary() -> Arc<DataFolder> {
    Arc::new(DataFolder::temporary().expect("a data folder"))
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_second_start_keeps_the_data_and_the_secrets() {
    let folder = Folder::new();
    let first = Launched::run(&folder, &["--server-name", "one.example"]);
    assert_eq!(get(&first.url, "/count"), json!({"count": 1}));
    let secrets = folder.read("config.json");
    first.terminate();

    let second = Launched::run(&folder, &[]);
    assert_eq!(get(&second.url, "/count"), json!({"count": 2}));
    assert_eq!(get(&second.url, "/settings")["SERVER_NAME"], "one.example");
    assert_eq!(folder.read("config.json"), secrets);
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn another_server_name_is_refused() {
    let folder = Folder::new();
    Launched::run(&folder, &["--server-name", "one.example"]).terminate();

    let refused = Launched::refused(&folder, &["--server-name", "two.example"]);

    assert!(refused.contains("this server is one.example"), "{refused}");
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_data_folder_serves_one_launcher_at_a_time() {
    let folder = Folder::new();
    let first = Launched::run(&folder, &[]);

    let refused = Launched::refused(&folder, &[]);

    assert!(refused.contains("in use by process"), "{refused}");
    assert_eq!(get(&first.url, "/count"), json!({"count": 1}));
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_port_in_use_is_named() {
    let (one, two) = (Folder::new(), Folder::new());
    let first = Launched::run(&one, &[]);
    let port = first.port.to_string();

    let refused = Launched::refused(&two, &["--port", &port]);

    assert!(refused.contains(&format!("port {port} is in use")), "{refused}");
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_stop_signal_ends_everything_and_frees_the_port() {
    let folder = Folder::new();
    let server = Launched::run(&folder, &[]);
    let (port, workerd) = (server.port, folder.workerd());

    assert!(server.terminate().success());

    assert!(!is_alive(workerd));
    assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok());
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_killed_launcher_leaves_no_workerd_behind_and_its_folder_can_be_used_at_once() {
    let folder = Folder::new();
    let mut server = Launched::run(&folder, &[]);
    let workerd = folder.workerd();

    server.kill_9();
    let next = Launched::run(&folder, &[]);

    assert!(!is_alive(workerd));
    assert_eq!(get(&next.url, "/count"), json!({"count": 1}));
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_killed_node_takes_workerd_and_the_launcher_with_it() {
    let folder = Folder::new();
    let mut server = Launched::run(&folder, &[]);
    let workerd = folder.workerd();
    let running: Value = serde_json::from_str(&folder.read("running.json")).expect("JSON");

    kill_9(i32::try_from(running["node"].as_i64().expect("a pid")).expect("a pid"));

    wait_until("workerd ends", || !is_alive(workerd));
    assert!(!server.ended().success());
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_killed_workerd_comes_back_on_the_same_port_with_its_data() {
    let mut server = start(temporary(), &Options::for_tests());
    assert_eq!(get(&server.url, "/count"), json!({"count": 1}));

    let killed = server.kill_workerd().expect("a pid");
    server.await_restart(killed).expect("a new workerd");

    assert_eq!(get(&server.url, "/count"), json!({"count": 2}));
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_stopped_server_starts_again_on_its_folder() {
    let server = start(temporary(), &Options::for_tests());
    assert_eq!(get(&server.url, "/count"), json!({"count": 1}));

    let again = start(server.stop(), &Options::for_tests());

    assert_eq!(get(&again.url, "/count"), json!({"count": 2}));
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_cron_can_be_ticked_also_after_workerd_was_killed() {
    let mut server = start(temporary(), &Options::for_tests());
    let ticked = |server: &Embedded| get(&server.url, "/crons")["keys"].as_array().map_or(0, Vec::len);

    server.tick("0 4 * * *").expect("a tick");
    assert_eq!(ticked(&server), 1);

    let killed = server.kill_workerd().expect("a pid");
    server.await_restart(killed).expect("a new workerd");
    server.tick("*/5 * * * *").expect("a tick");
    assert_eq!(ticked(&server), 2);
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn a_cron_that_was_missed_is_ticked_at_the_next_start() {
    let data = temporary();
    let hour_ago = std::time::UNIX_EPOCH.elapsed().expect("a clock") - Duration::from_secs(3600);
    let ticked = json!({"*/5 * * * *": u64::try_from(hour_ago.as_millis()).expect("a time")});
    std::fs::write(data.path().join("crons.json"), ticked.to_string()).expect("a file");

    let server = start(data, &Options { crons: true, ..Options::for_tests() });

    wait_until("the cron is ticked", || get(&server.url, "/crons")["keys"][0]["name"] == "cron */5 * * * *");
    assert_eq!(get(&server.url, "/crons")["keys"].as_array().map(Vec::len), Some(1));
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn every_migration_is_applied_once_and_recorded_as_wrangler_does() {
    let server = start(temporary(), &Options::for_tests());
    let tables = get(&server.url, "/tables");
    assert!(tables.as_array().expect("a list").contains(&json!("d1_migrations")));

    let again = start(server.stop(), &Options::for_tests());

    assert_eq!(get(&again.url, "/tables"), tables);
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn addresses_that_a_stranger_names_are_public_unless_a_test_says_otherwise() {
    let closed = start(temporary(), &Options { private_addresses: Switch::Off, ..Options::for_tests() });
    let port = closed.url.rsplit(':').next().expect("a port").to_owned();
    let reaches = |server: &Embedded, host: &str, port: &str| {
        get(&server.url, &format!("/private?http://{host}:{port}/settings"))
    };
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        assert!(reaches(&closed, host, &port)["refused"].is_string(), "{host}");
    }

    let open = start(temporary(), &Options::for_tests());
    assert_eq!(reaches(&open, "127.0.0.1", &port), json!({"status": 200}));
}

#[test]
#[ignore = "needs the embedded server: cargo xtask test"]
fn secrets_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let data = temporary();
    let mode = |path: &Path| std::fs::metadata(path).expect("a file").permissions().mode() & 0o777;

    data.identity(None).expect("an identity");

    assert_eq!(mode(&data.path().join("config.json")), 0o600);
    assert_eq!(mode(data.path()), 0o700);
    assert!(read_pid(&data.workerd_pid_path()).is_none());
}
