//! The machine on scripts: each rule by itself, and all of them on random input.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const HALF: u32 = u32::MAX / 2;

fn machine(saved: Saved) -> Gateway {
    let bot = Bot { token: "secret".to_owned(), intents: 1, address: "wss://general.example".to_owned() };
    Gateway::new(bot, saved)
}

fn budget(remaining: u32) -> Input<'static> {
    Input::Budget(Some(Budget { url: "wss://general.example".to_owned(), remaining, reset_after: 3_600_000 }))
}

fn hello() -> Input<'static> {
    Input::Frame(r#"{"op":10,"d":{"heartbeat_interval":41250},"s":null,"t":null}"#)
}

fn ready(seq: u64) -> String {
    let data = json!({ "v": 10, "session_id": "session", "resume_gateway_url": "wss://resume.example", "odd": [1] });
    json!({ "op": 0, "s": seq, "t": "READY", "d": data }).to_string()
}

fn op(actions: &[Action]) -> Vec<u64> {
    let sent = |action: &Action| match action {
        Action::Send(text) => serde_json::from_str::<Value>(text).unwrap()["op"].as_u64(),
        _ => None,
    };
    actions.iter().filter_map(sent).collect()
}

/// A machine that is online since moment 0.
fn online() -> Gateway {
    let mut gateway = machine(Saved::default());
    assert_eq!(gateway.step(0, HALF, Input::Wake), [Action::AskBudget]);
    let connect = Action::Connect("wss://general.example/?v=10&encoding=json".to_owned());
    assert_eq!(gateway.step(0, HALF, budget(1_000)), [connect]);
    assert!(gateway.step(0, HALF, Input::Opened).is_empty());
    assert_eq!(op(&gateway.step(0, HALF, hello())), [2]);
    let text = ready(1);
    let actions = gateway.step(0, HALF, Input::Frame(&text));
    assert!(matches!(&actions[..], [Action::Store(event), Action::Online] if event.name == "READY"));
    gateway
}

fn resumes(gateway: &mut Gateway, now: i64) {
    let at = gateway.deadline().unwrap().max(now);
    let actions = gateway.step(at, HALF, Input::Wake);
    assert_eq!(actions, [Action::Connect("wss://resume.example/?v=10&encoding=json".to_owned())]);
    assert_eq!(op(&gateway.step(at, HALF, hello())), [6]);
}

#[test]
fn it_identifies_once_and_hands_out_the_session_to_be_stored() {
    let gateway = online();
    assert!(gateway.is_online());
    let session = gateway.saved().session.clone().unwrap();
    assert_eq!((session.id.as_str(), session.resume_url.as_str(), session.seq), ("session", "wss://resume.example", 1));
}

#[test]
fn the_first_heartbeat_is_jittered_and_the_next_ones_are_regular() {
    let mut gateway = online();
    assert_eq!(gateway.deadline(), Some(20_624));
    assert_eq!(op(&gateway.step(20_624, 0, Input::Wake)), [1]);
    gateway.step(20_700, 0, Input::Frame(r#"{"op":11}"#));
    assert_eq!(gateway.deadline(), Some(20_624 + 41_250));
}

#[test]
fn a_heartbeat_names_the_last_sequence_number() {
    let mut gateway = online();
    gateway.step(1, 0, Input::Frame(r#"{"op":0,"s":7,"t":"TYPING_START","d":{"what":"ever"}}"#));
    let actions = gateway.step(2, 0, Input::Frame(r#"{"op":1,"d":null}"#));
    assert_eq!(actions, [Action::Send(r#"{"d":7,"op":1}"#.to_owned())]);
}

#[test]
fn a_zombie_is_closed_without_losing_its_session() {
    let mut gateway = online();
    gateway.step(20_624, 0, Input::Wake);
    let actions = gateway.step(70_000, 0, Input::Wake);
    assert_eq!(actions, [Action::Close(4000), Action::Save]);
    resumes(&mut gateway, 70_000);
}

#[test]
fn op_7_is_followed_by_a_resume_at_once() {
    let mut gateway = online();
    let actions = gateway.step(5, 0, Input::Frame(r#"{"op":7,"d":null}"#));
    let connect = Action::Connect("wss://resume.example/?v=10&encoding=json".to_owned());
    assert_eq!(actions, [Action::Close(4000), Action::Save, connect]);
    assert_eq!(op(&gateway.step(6, 0, hello())), [6]);
}

#[test]
fn a_refused_session_waits_then_asks_then_identifies() {
    let mut gateway = online();
    gateway.step(0, 0, Input::Frame(r#"{"op":7}"#));
    gateway.step(0, HALF, hello());
    assert_eq!(gateway.step(10, 0, Input::Frame(r#"{"op":9,"d":false}"#)), [Action::Save]);
    assert_eq!(gateway.saved().session, None);
    assert!(gateway.step(1_009, 0, Input::Wake).is_empty());
    assert_eq!(gateway.step(1_010, 0, Input::Wake), [Action::AskBudget]);
    assert_eq!(op(&gateway.step(1_020, 0, budget(999))), [2]);
}

#[test]
fn a_session_that_may_be_resumed_is() {
    let mut gateway = online();
    gateway.step(0, 0, Input::Frame(r#"{"op":7}"#));
    gateway.step(0, HALF, hello());
    assert!(gateway.step(10, u32::MAX, Input::Frame(r#"{"op":9,"d":true}"#)).is_empty());
    assert_eq!(gateway.deadline(), Some(5_010));
    assert_eq!(op(&gateway.step(5_010, 0, Input::Wake)), [6]);
}

#[test]
fn without_a_budget_it_waits() {
    let mut gateway = machine(Saved::default());
    gateway.step(0, 0, Input::Wake);
    assert_eq!(gateway.step(1, 0, budget(RESERVE)), [Action::Save]);
    assert_eq!(gateway.deadline(), Some(3_600_001));
}

#[test]
fn fatal_close_codes_are_for_ever() {
    for code in [4004, 4010, 4011, 4012, 4013, 4014] {
        let mut gateway = online();
        let actions = gateway.step(5, 0, Input::Closed(Some(code)));
        assert!(matches!(actions.last(), Some(Action::Stop(_))), "{code}");
        assert_eq!(gateway.deadline(), None);
        assert!(gateway.step(1_000_000, 0, Input::Wake).is_empty());
        let mut again = machine(gateway.saved().clone());
        assert!(again.step(2_000_000, 0, Input::Wake).is_empty());
    }
}

#[test]
fn close_codes_that_end_a_session_lead_to_a_new_one_and_others_to_a_resume() {
    for code in [4007, 4009] {
        let mut gateway = online();
        gateway.step(5, 0, Input::Closed(Some(code)));
        let at = gateway.deadline().unwrap();
        assert_eq!(gateway.step(at, 0, Input::Wake), [Action::AskBudget], "{code}");
    }
    for code in [None, Some(1000), Some(1001), Some(1006), Some(4000), Some(4001), Some(4002), Some(4003), Some(4008)] {
        let mut gateway = online();
        gateway.step(5, 0, Input::Closed(code));
        resumes(&mut gateway, 5);
    }
}

#[test]
fn an_evicted_object_resumes() {
    let mut gateway = machine(online().saved().clone());
    resumes(&mut gateway, 1_000);
}

#[test]
fn the_back_off_grows_to_a_minute_and_no_further() {
    let mut gateway = machine(online().saved().clone());
    let mut now = 0;
    let mut waits = Vec::new();
    for _ in 0..12 {
        gateway.step(now, u32::MAX, Input::Wake);
        gateway.step(now, u32::MAX, Input::Closed(None));
        let next = gateway.deadline().unwrap();
        waits.push(next - now);
        now = next;
    }
    assert_eq!(waits[..7], [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
    assert!(waits[7..].iter().all(|wait| *wait == 60_000));
}

#[test]
fn after_failures_the_session_is_resumed_at_the_general_address() {
    let mut saved = online().saved().clone();
    saved.failures = ADDRESS_FAILURES;
    let mut gateway = machine(saved);
    let connect = Action::Connect("wss://general.example/?v=10&encoding=json".to_owned());
    assert_eq!(gateway.step(0, 0, Input::Wake), [connect]);
    assert_eq!(op(&gateway.step(0, 0, hello())), [6]);
}

#[test]
fn an_event_with_odd_fields_is_stored_as_it_came() {
    let mut gateway = online();
    let text = r#"{"op":0,"s":2,"t":"MESSAGE_CREATE","d":{"id": 5,"content":[]}}"#;
    let actions = gateway.step(1, 0, Input::Frame(text));
    let event = Event { seq: 2, name: "MESSAGE_CREATE".to_owned(), data: r#"{"id": 5,"content":[]}"#.to_owned() };
    assert_eq!(actions, [Action::Store(event)]);
    assert_eq!(gateway.saved().session.as_ref().unwrap().seq, 2);
}

#[derive(Clone, Debug)]
enum Happens {
    Wake,
    Opened,
    Hello,
    Ready,
    Resumed,
    Event,
    Ack,
    Op(u8),
    Invalid(bool),
    Closed(Option<u16>),
    Budget(Option<u32>),
    Say,
    Junk(String),
}

fn anything() -> impl Strategy<Value = Happens> {
    let code = prop_oneof![Just(None), (1000_u16..1016).prop_map(Some), (4000_u16..4010).prop_map(Some)];
    let fatal = (4004_u16..4015).prop_map(|code| Happens::Closed(Some(code)));
    prop_oneof![
        6 => Just(Happens::Wake),
        3 => Just(Happens::Opened),
        6 => Just(Happens::Hello),
        4 => Just(Happens::Ready),
        2 => Just(Happens::Resumed),
        4 => Just(Happens::Event),
        3 => Just(Happens::Ack),
        2 => any::<u8>().prop_map(|op| Happens::Op(op % 12)),
        2 => any::<bool>().prop_map(Happens::Invalid),
        2 => code.prop_map(Happens::Closed),
        1 => fatal,
        6 => proptest::option::of(0_u32..40).prop_map(Happens::Budget),
        2 => Just(Happens::Say),
        1 => ".{0,40}".prop_map(Happens::Junk),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    /// No script makes it identify above the budget, connect after a fatal code, identify where it
    /// could resume, open two sockets, send too much, or wait for nothing.
    #[test]
    fn no_script_breaks_a_rule(script in proptest::collection::vec((anything(), 0_i64..30_000, any::<u32>()), 1..200)) {
        let mut gateway = machine(Saved::default());
        let (mut now, mut seq, mut granted) = (0_i64, 0_u64, false);
        let (mut socket, mut stopped, mut session, mut asked) = (false, false, false, false);
        let mut sent: Vec<i64> = Vec::new();
        for (happens, pause, roll) in script {
            now += pause;
            // Nobody can speak through a socket that is not there.
            let needs_socket = !matches!(happens, Happens::Wake | Happens::Budget(_) | Happens::Say);
            let unasked = matches!(happens, Happens::Budget(_)) && !asked;
            if needs_socket && !socket || unasked {
                continue;
            }
            seq += 1;
            let text = match &happens {
                Happens::Hello => r#"{"op":10,"d":{"heartbeat_interval":41250}}"#.to_owned(),
                Happens::Ready => ready(seq),
                Happens::Resumed => json!({ "op": 0, "s": seq, "t": "RESUMED", "d": {} }).to_string(),
                Happens::Event => json!({ "op": 0, "s": seq, "t": "X", "d": { "a": 1 } }).to_string(),
                Happens::Ack => r#"{"op":11}"#.to_owned(),
                Happens::Op(op) => json!({ "op": op, "d": null }).to_string(),
                Happens::Invalid(resumable) => json!({ "op": 9, "d": resumable }).to_string(),
                Happens::Junk(text) => text.clone(),
                _ => String::new(),
            };
            let before = gateway.saved().session.is_some();
            let input = match &happens {
                Happens::Wake => Input::Wake,
                Happens::Opened => Input::Opened,
                Happens::Closed(code) => { socket = false; Input::Closed(*code) }
                Happens::Budget(remaining) => {
                    asked = false;
                    if let Some(remaining) = remaining { granted = *remaining > RESERVE; }
                    match remaining { Some(remaining) => budget(*remaining), None => Input::Budget(None) }
                }
                Happens::Say => Input::Send(r#"{"op":3,"d":null}"#.to_owned()),
                _ => Input::Frame(&text),
            };
            let refused = matches!(happens, Happens::Invalid(false) | Happens::Op(9) | Happens::Closed(Some(4007 | 4009)));
            let actions = gateway.step(now, roll, input);
            prop_assert!(!stopped || actions.is_empty());
            for action in &actions {
                match action {
                    Action::Connect(_) => { prop_assert!(!socket); socket = true; sent.clear(); }
                    Action::Close(code) => { prop_assert!(socket && *code != 1000 && *code != 1001); socket = false; }
                    Action::Send(text) => {
                        prop_assert!(socket);
                        sent.push(now);
                        match serde_json::from_str::<Value>(text).unwrap()["op"].as_u64() {
                            Some(2) => { prop_assert!(granted && !session); granted = false; }
                            Some(6) => prop_assert!(session),
                            _ => {}
                        }
                    }
                    Action::AskBudget => asked = true,
                    Action::Stop(_) => stopped = true,
                    _ => {}
                }
            }
            let minute = sent.iter().filter(|at| now - **at < 60_000).count();
            prop_assert!(minute <= 120);
            // A session is given up only where Discord says so.
            session = gateway.saved().session.is_some();
            prop_assert!(session || !before || refused);
            match gateway.deadline() {
                Some(_) => prop_assert!(!stopped),
                None => prop_assert!(stopped),
            }
        }
    }
}
