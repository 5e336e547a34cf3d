//! Accounts, logins, sessions.

use hubbub_core::{
    contract::{
        room::Profile,
        user::{Authenticated, Caller, LoginWith, NewDevice, NewSession, SessionProof, UserCommand},
    },
    error::Result,
};
use hubbub_storage::database::Database as _;

use crate::support::{ALICE, User, device, refusal};

fn create(user: &User, password: Option<&str>) -> Result<Option<NewSession>> {
    user.ask(UserCommand::CreateAccount {
        password: password.map(str::to_owned),
        device: Some(device("PHONE")),
        owner: true,
        appservice: None,
    })
}

fn login(user: &User, password: &str, device: NewDevice) -> Result<NewSession> {
    user.ask(UserCommand::Login { with: LoginWith::Password(password.to_owned()), device })
}

fn authenticate(user: &User, session: &NewSession) -> Result<Authenticated> {
    user.ask(UserCommand::Authenticate { session: user.proof(session), writes: false })
}

#[test]
fn a_new_account_is_listed_in_d1_before_it_is_answered() {
    let user = User::unmade();
    let session = create(&user, None).unwrap().unwrap();
    assert_eq!(session.device_id, "PHONE");
    let rows =
        user.world.d1("SELECT a.user_id, a.owner, p.revision FROM accounts a JOIN profiles p ON p.user_id = a.user_id");
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].text(0).unwrap(), ALICE);
    assert!(rows[0].flag(1).unwrap());
    let who = authenticate(&user, &session).unwrap();
    assert_eq!((who.user_id.as_str(), who.device_id.as_str(), who.owner), (ALICE, "PHONE", true));
}

#[test]
fn an_account_is_made_once() {
    let user = User::unmade();
    create(&user, None).unwrap();
    assert_eq!(refusal(create(&user, None)), (400, "M_USER_IN_USE".to_owned()));
}

#[test]
fn an_account_that_d1_refused_is_listed_by_the_alarm() {
    let user = User::unmade();
    user.world.directory.refuse.set(true);
    assert_eq!(refusal(create(&user, None)).0, 500);
    assert!(user.database.alarm().is_some());
    assert!(user.work().is_some(), "work is left");
    user.world.directory.refuse.set(false);
    assert_eq!(user.work(), None);
    assert_eq!(user.world.d1("SELECT user_id FROM accounts").len(), 1);
}

#[test]
fn the_right_password_logs_in_and_a_wrong_one_does_not() {
    let user = User::unmade();
    create(&user, Some("secret")).unwrap();
    let session = login(&user, "secret", device("LAPTOP")).unwrap();
    assert_eq!(session.device_id, "LAPTOP");
    authenticate(&user, &session).unwrap();
    let wrong = login(&user, "guess", NewDevice::default());
    assert_eq!(refusal(wrong), (403, "M_FORBIDDEN".to_owned()));
}

#[test]
fn too_many_wrong_passwords_are_stopped_and_forgiven_with_time() {
    let user = User::unmade();
    create(&user, Some("secret")).unwrap();
    for _ in 0..5 {
        assert_eq!(refusal(login(&user, "guess", NewDevice::default())).0, 403);
    }
    let error = login(&user, "secret", NewDevice::default()).unwrap_err();
    assert_eq!((error.status, error.errcode.as_str()), (429, "M_LIMIT_EXCEEDED"));
    let wait = error.extra["retry_after_ms"].as_i64().unwrap();
    user.world.clock.0.set(user.world.clock.0.get() + wait);
    login(&user, "secret", NewDevice::default()).unwrap();
    // A success forgives everything.
    assert_eq!(refusal(login(&user, "guess", NewDevice::default())).0, 403);
    login(&user, "secret", NewDevice::default()).unwrap();
}

#[test]
fn a_decoy_answers_as_an_account_does_and_stores_nothing() {
    let user = User::unmade();
    for _ in 0..5 {
        let refused = login(&user, "guess", NewDevice::default());
        assert_eq!(refusal(refused), (403, "M_FORBIDDEN".to_owned()));
    }
    assert_eq!(refusal(login(&user, "guess", NewDevice::default())).0, 429);
    let tables = user.database.as_query().query("SELECT name FROM sqlite_master", &[]).unwrap();
    assert!(tables.is_empty());
}

#[test]
fn an_object_without_an_account_conjures_nothing() {
    let user = User::unmade();
    let session = SessionProof { secret: "x".repeat(24), address: None };
    let authenticated: Result<Authenticated> =
        user.ask(UserCommand::Authenticate { session: session.clone(), writes: false });
    assert_eq!(refusal(authenticated), (401, "M_UNKNOWN_TOKEN".to_owned()));
    let synced = user.try_sync(&Caller::Session(session), None, None);
    assert_eq!(refusal(synced), (401, "M_UNKNOWN_TOKEN".to_owned()));
    let synced = user.try_sync(&Caller::Appservice("bridge".to_owned()), None, None);
    assert_eq!(refusal(synced), (403, "M_FORBIDDEN".to_owned()));
    assert_eq!(refusal(user.ask::<Profile>(UserCommand::GetProfile)), (404, "M_NOT_FOUND".to_owned()));
    assert_eq!(user.object.revision().unwrap(), 0);
    assert_eq!(user.work(), None);
    let tables = user.database.as_query().query("SELECT name FROM sqlite_master", &[]).unwrap();
    assert!(tables.is_empty());
}

#[test]
fn logging_in_on_the_same_device_ends_its_earlier_session() {
    let user = User::unmade();
    let first = create(&user, Some("secret")).unwrap().unwrap();
    let second = login(&user, "secret", device("PHONE")).unwrap();
    assert_eq!(refusal(authenticate(&user, &first)).0, 401);
    assert_eq!(authenticate(&user, &second).unwrap().device_id, "PHONE");
}

#[test]
fn logging_out_ends_one_session_or_all() {
    let user = User::unmade();
    let first = create(&user, None).unwrap().unwrap();
    let second = user.another_device("LAPTOP");
    let Caller::Session(second) = second else { panic!() };
    let third = user.another_device("TABLET");
    let Caller::Session(third) = third else { panic!() };
    let logout = |session: SessionProof, all| user.ask::<()>(UserCommand::Logout { session, all });
    logout(second.clone(), false).unwrap();
    assert_eq!(refusal(logout(second, false)), (401, "M_UNKNOWN_TOKEN".to_owned()));
    authenticate(&user, &first).unwrap();
    logout(third, true).unwrap();
    assert_eq!(refusal(authenticate(&user, &first)).0, 401);
}

#[test]
fn setting_the_password_makes_the_owners_account_and_ends_no_session() {
    let user = User::unmade();
    let set = |password: &str| user.ask::<()>(UserCommand::SetPassword { password: password.to_owned() });
    set("first").unwrap();
    let session = login(&user, "first", device("PHONE")).unwrap();
    assert!(authenticate(&user, &session).unwrap().owner);
    set("second").unwrap();
    authenticate(&user, &session).unwrap();
    assert_eq!(refusal(login(&user, "first", NewDevice::default())).0, 403);
    login(&user, "second", NewDevice::default()).unwrap();
    assert_eq!(refusal(set(&"x".repeat(600))).0, 400);
}

#[test]
fn an_appservice_logs_in_only_its_own_users() {
    let user = User::unmade();
    let refused: Result<NewSession> =
        user.ask(UserCommand::Login { with: LoginWith::Appservice("bridge".to_owned()), device: NewDevice::default() });
    assert_eq!(refusal(refused), (403, "M_FORBIDDEN".to_owned()));
    let made: Option<NewSession> = user
        .ask(UserCommand::CreateAccount {
            password: None,
            device: None,
            owner: false,
            appservice: Some("bridge".to_owned()),
        })
        .unwrap();
    assert!(made.is_none());
    let login = |id: &str| {
        user.ask::<NewSession>(UserCommand::Login {
            with: LoginWith::Appservice(id.to_owned()),
            device: NewDevice::default(),
        })
    };
    assert_eq!(login("bridge").unwrap().device_id.len(), 10);
    assert_eq!(refusal(login("other")), (403, "M_FORBIDDEN".to_owned()));
}

#[test]
fn impossible_devices_are_refused() {
    let user = User::unmade();
    create(&user, Some("secret")).unwrap();
    for device_id in ["", &"x".repeat(600)] {
        assert_eq!(refusal(login(&user, "secret", device(device_id))).0, 400);
    }
}
