//! People, their devices, and what a test waits for.

use std::{
    env,
    fmt::Debug,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use matrix_sdk::{
    Client, Room, RoomState,
    config::SyncSettings,
    encryption::{BackupDownloadStrategy, EncryptionSettings, identities::UserIdentity},
    ruma::{
        OwnedUserId, RoomId, UserId,
        api::client::{
            account::register,
            uiaa::{AuthData, Dummy, MatrixUserIdentifier, Password, UserIdentifier},
        },
    },
};
use tokio::task::JoinHandle;

/// How long a test waits for what must come.
const STEP: Duration = Duration::from_secs(30);

/// Somebody with an account.
pub struct Person {
    name: String,
    password: String,
}

/// A client of a person, which syncs until it is dropped.
pub struct Device {
    pub client: Client,
    syncing: JoinHandle<()>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.syncing.abort();
    }
}

fn builder() -> matrix_sdk::ClientBuilder {
    let url =
        env::var("HOMESERVER_URL").expect("HOMESERVER_URL is not set: `cargo xtask test --part matrix-sdk` sets it");
    // A test server's public name leads elsewhere.
    Client::builder().homeserver_url(url).respect_login_well_known(false)
}

impl Person {
    /// A new account.
    pub async fn register(name: &str) -> Self {
        static PEOPLE: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the year is not 1969").as_micros();
        let name = format!("{name}{now}x{}", PEOPLE.fetch_add(1, Ordering::Relaxed));
        let person = Self { password: format!("{name} keeps this"), name };
        let stranger = builder().build().await.expect("a client");
        let mut request = register::v3::Request::new();
        request.username = Some(person.name.clone());
        request.password = Some(person.password.clone());
        request.inhibit_login = true;
        let asked = stranger.matrix_auth().register(request.clone()).await.expect_err("a stage is asked for");
        let mut dummy = Dummy::new();
        dummy.session = asked.as_uiaa_response().expect("stages").session.clone();
        request.auth = Some(AuthData::Dummy(dummy));
        stranger.matrix_auth().register(request).await.expect("an account");
        person
    }

    /// A new device, after its first sync.
    pub async fn log_in(&self) -> Device {
        self.log_in_downloading(BackupDownloadStrategy::Manual).await
    }

    /// A new device that downloads keys from the backup by this strategy.
    pub async fn log_in_downloading(&self, backup_download_strategy: BackupDownloadStrategy) -> Device {
        let settings = EncryptionSettings { backup_download_strategy, ..EncryptionSettings::default() };
        let client = builder().with_encryption_settings(settings).build().await.expect("a client");
        client.matrix_auth().login_username(&self.name, &self.password).send().await.expect("a login");
        client.sync_once(SyncSettings::new()).await.expect("a first sync");
        let syncing = client.clone();
        let syncing = tokio::spawn(async move {
            // It ends with the session.
            let _ = syncing.sync(SyncSettings::new()).await;
        });
        Device { client, syncing }
    }

    /// A new device that is the first to have cross-signing keys.
    pub async fn with_identity(name: &str) -> (Self, Device) {
        let person = Self::register(name).await;
        let device = person.log_in().await;
        device.client.encryption().bootstrap_cross_signing(None).await.expect("cross-signing keys");
        (person, device)
    }

    /// What the server asks for where a token is not enough.
    pub fn password(&self, session: Option<String>) -> AuthData {
        let user = UserIdentifier::Matrix(MatrixUserIdentifier::new(self.name.clone()));
        let mut password = Password::new(user, self.password.clone());
        password.session = session;
        AuthData::Password(password)
    }
}

impl Device {
    pub fn user_id(&self) -> OwnedUserId {
        self.client.user_id().expect("a login").to_owned()
    }

    /// The room as this device sees it, once it is joined.
    pub async fn joined(&self, room_id: &RoomId) -> Room {
        let find = || async { self.client.get_room(room_id).filter(|room| room.state() == RoomState::Joined) };
        eventually("the joined room", find).await
    }

    /// Somebody's identity as this device knows it.
    pub async fn identity_of(&self, user_id: &UserId) -> Option<UserIdentity> {
        self.client.encryption().get_user_identity(user_id).await.expect("the store")
    }
}

/// Asks again and again until there is an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let until = Instant::now() + STEP;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < until, "it never was: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until something holds.
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    eventually(what, || {
        let holds = holds();
        async { holds.await.then_some(()) }
    })
    .await;
}

/// What an SDK refuses is shown by its words.
pub fn words(error: impl Debug) -> String {
    format!("{error:?}")
}
