use serde_json::json;

use super::*;
use crate::cli::top::{
    board::tests::{board, breaker},
    kind::Kind,
};

fn press(ui: &mut Ui, board: &Board, keys: &str) -> Option<Wish> {
    let mut wish = None;
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '\u{1b}' => KeyCode::Esc,
            c => KeyCode::Char(c),
        };
        wish = ui.key(KeyEvent::new(code, KeyModifiers::NONE), board);
    }
    wish
}

fn night() -> Board {
    let breakers =
        json!([breaker("binance", "open"), breaker("kraken", "closed"), breaker("mailer", "disabled")]);
    let alerts = json!([{ "id": 7, "metric_name": "disk", "labels": { "path": "/" }, "level": "warning",
        "acknowledged": null, "message": "full", "started_at": "2027-01-15T08:00:00Z" }]);
    board(&[(Kind::Breaker, breakers), (Kind::Alert, alerts)])
}

#[test]
fn the_selected_row_is_followed_and_the_filter_narrows() {
    let mut board = night();
    let mut ui = Ui::default();
    press(&mut ui, &board, "2j");
    assert_eq!(ui.target(), Some((Kind::Breaker, "mailer")));
    board.list_mut(Kind::Breaker).put("aaa", Some(breaker("aaa", "open")), 100.0);
    ui.refresh(&board);
    assert_eq!((ui.target(), ui.at), (Some((Kind::Breaker, "mailer")), 2));
    press(&mut ui, &board, "/KRA\n");
    assert_eq!((ui.target(), ui.entries.len()), (Some((Kind::Breaker, "kraken")), 1));
    press(&mut ui, &board, "\u{1b}G");
    assert_eq!((ui.entries.len(), ui.at), (4, 3));
    assert_eq!(press(&mut ui, &board, "q"), Some(Wish::Quit));
}

#[test]
fn what_was_read_first_does_not_stay_selected() {
    let mut board = Board::new(night().session, 100.0, night().wall);
    board.due(&[]);
    let mut ui = Ui::default();
    let mailer = vec![breaker("mailer", "disabled"), breaker("postgres", "open")];
    board.list_mut(Kind::Breaker).replace(vec![mailer[0].clone()], false, 100.0, 100.0);
    ui.refresh(&board);
    assert_eq!(ui.target(), Some((Kind::Breaker, "mailer")));
    for kind in Kind::ALL {
        let views = if kind == Kind::Breaker { mailer.clone() } else { Vec::new() };
        board.list_mut(kind).replace(views, false, 100.0, 100.0);
    }
    ui.refresh(&board);
    assert_eq!(ui.target(), Some((Kind::Breaker, "postgres")));
}

#[test]
fn the_screen_follows_the_selection() {
    let many: Vec<_> = (0..50).map(|n| breaker(&format!("b{n:02}"), "closed")).collect();
    let board = board(&[(Kind::Breaker, json!(many))]);
    let mut ui = Ui { rows: 10, ..Ui::default() };
    press(&mut ui, &board, "2G");
    assert_eq!((ui.at, ui.top), (49, 40));
    press(&mut ui, &board, "kkkkkkkkkk");
    assert_eq!((ui.at, ui.top), (39, 39));
    press(&mut ui, &board, "g ");
    assert_eq!((ui.at, ui.top), (10, 1));
}

#[test]
fn a_breaker_is_tripped_with_a_reason_and_the_refusal_is_said_in_the_form() {
    let board = night();
    let mut ui = Ui::default();
    press(&mut ui, &board, "2/kraken\n");
    assert_eq!(press(&mut ui, &board, "tquiet down"), None);
    let Some(Wish::Post(post)) = press(&mut ui, &board, "\n") else { panic!("{ui:?}") };
    assert_eq!(post.path, "/v1/breakers/kraken/state");
    assert_eq!(post.body["reason"], "quiet down");
    press(&mut ui, &board, "x");
    assert_eq!(ui.prompt.as_ref().unwrap().fields[0].value, "quiet down", "it is being done");
    ui.done(Err("403 Forbidden".to_owned()), 100.0);
    assert_eq!(ui.prompt.as_ref().unwrap().error.as_deref(), Some("403 Forbidden"));
    press(&mut ui, &board, "\n");
    ui.done(Ok("kraken is forced open".to_owned()), 100.0);
    assert_eq!((ui.prompt.is_none(), ui.said(101.0)), (true, Some(("kraken is forced open", Tone::Good))));
    assert_eq!(ui.said(107.0), None);
    press(&mut ui, &board, "r\u{1b}");
    assert!(ui.prompt.is_none());
    ui.done(Err("no answer in time".to_owned()), 100.0);
    assert_eq!(ui.said(101.0), Some(("no answer in time", Tone::Bad)), "whoever went away is told");
}

#[test]
fn keys_do_what_can_be_done_and_no_more() {
    let mut board = night();
    let mut ui = Ui::default();
    press(&mut ui, &board, "2");
    assert_eq!(ui.acts(&board).iter().map(|(key, _)| *key).collect::<String>(), "rtdms");
    press(&mut ui, &board, "a");
    assert!(ui.prompt.is_none() && ui.said(100.0).is_some(), "no alert is about it");
    press(&mut ui, &board, "5");
    assert_eq!(ui.acts(&board).iter().map(|(key, _)| *key).collect::<String>(), "as");
    press(&mut ui, &board, "s");
    assert_eq!(ui.prompt.as_ref().unwrap().fields[0].value, "alertname=\"disk\"");
    press(&mut ui, &board, "\u{1b}a");
    assert!(ui.prompt.take().unwrap().title.text.contains("disk path=/"));
    board.session.scope = "read".to_owned();
    assert_eq!(ui.acts(&board), []);
    press(&mut ui, &board, "2t");
    assert!(ui.prompt.is_none());
    assert_eq!(ui.said(100.0), Some(("this token may only read", Tone::Warn)));
}

#[test]
fn what_is_looked_at_closely_is_read_and_read_anew_when_something_happens() {
    let board = night();
    let mut ui = Ui::default();
    press(&mut ui, &board, "2\n");
    let (entry, path) = ui.asks(100.0).unwrap();
    assert_eq!(path, "/v1/breakers/binance/transitions?limit=100");
    assert_eq!(ui.asks(200.0), None, "the answer has not come");
    ui.answered(&entry, Ok(json!({ "items": [1] })));
    assert_eq!(ui.detail.as_ref().unwrap().items, Some(json!([1])));
    assert_eq!(ui.asks(101.0), None);
    ui.happens(&json!({ "resource": "breaker", "name": "binance" }));
    assert!(ui.asks(101.0).is_some());
    ui.answered(&entry, Err("gone".to_owned()));
    assert!(ui.asks(112.0).is_some());
    press(&mut ui, &board, "\u{1b}");
    ui.answered(&entry, Ok(json!({ "items": [] })));
    assert!(ui.detail.is_none());
}

#[test]
fn a_pasted_text_sends_no_form() {
    let board = night();
    let mut ui = Ui::default();
    press(&mut ui, &board, "2r");
    ui.paste("first\nsecond\u{1b}", &board);
    let prompt = ui.prompt.as_ref().unwrap();
    assert_eq!((prompt.fields[0].value.as_str(), prompt.busy), ("first", false));
}
