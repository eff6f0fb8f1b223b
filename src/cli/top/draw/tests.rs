use ratatui::{Terminal, backend::TestBackend};
use serde_json::json;

use super::*;
use crate::cli::top::{
    board::tests::{board, breaker, transition},
    prompt::Prompt,
};

const COLOURFUL: Palette = Palette { is_colourful: true };

/// What is on a screen of that size.
fn screen(board: &Board, ui: &mut Ui, palette: Palette, size: (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    ui.refresh(board);
    terminal.draw(|frame| draw(frame, board, ui, palette)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let rows = buffer.content().chunks(usize::from(buffer.area.width));
    rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned())
        .collect()
}

fn text(board: &Board, ui: &mut Ui, size: (u16, u16)) -> String {
    lines(&screen(board, ui, COLOURFUL, size)).join("\n")
}

fn at(tab: Tab, board: &Board) -> Ui {
    let mut ui = Ui::default();
    ui.show(tab, board);
    ui
}

fn night() -> Board {
    let mut kraken = breaker("kraken_api", "closed");
    kraken["config"]["window"] = json!({ "failure_rate": 0.5 });
    kraken["failure_rate"] = json!(0.31);
    let breakers = json!([kraken, breaker("postgres", "closed"), breaker("mailer", "disabled")]);
    let checks = json!([{ "name": "disk", "status": "yellow", "stale": false, "critical": true, "kind": "push",
        "message": "81 % full", "changed_at": "2027-01-15T08:05:00Z", "changes": 1 }]);
    let limiters = json!([{ "name": "api", "algorithm": "token_bucket", "in_use": 14.0, "burst_size": 20.0,
        "waiting": 3, "live_clients": 2, "throttle_rate": 0.1, "blocked_seconds": null,
        "config": { "requests_per_second": 10.0, "burst_size": 20.0 } }]);
    let mut board = board(&[(Kind::Breaker, breakers), (Kind::Check, checks), (Kind::Limiter, limiters)]);
    board.happens(&transition(1, "postgres", "open", &json!({ "reason": "connection refused" })));
    board
}

#[test]
fn a_narrow_screen_says_what_is_broken_since_when_and_who_says_so() {
    let shown = text(&night(), &mut Ui::default(), (80, 24));
    let wanted = [
        "Fuseboard  ✗ SOMETHING IS BROKEN  1 broken, 1 warning          live 08:10:00 UTC",
        "[1 Overview] 2 Bre  3 Che  4 Gat  5 Ale  6 Lim  7 Sch  8 Eve",
        "  STATE            WHAT     NAME     FOR     WHY",
        "> [O] open         breaker  postgres 1 min   connection refused",
        "  ! yellow         check    disk     5 min   81 % full",
        "  {-} disabled     breaker  mailer   10 min",
    ];
    assert_eq!(shown.lines().take(6).collect::<Vec<_>>(), wanted, "{shown}");
    assert!(shown.contains("1 of 3  connection refused (by bot-7)"), "{shown}");
    assert!(shown.lines().last().unwrap().starts_with("? help  q quit  r reset  t trip"), "{shown}");
}

#[test]
fn breakers_have_their_rate_against_its_threshold_and_the_wait() {
    let mut ui = at(Tab::Of(Kind::Breaker), &night());
    let shown = text(&night(), &mut ui, (132, 24));
    assert!(shown.contains("> [O] open         postgres   ▮▮▮▮▮▮ 5 of 5     tries 1 min   1 min"), "{shown}");
    assert!(shown.contains("  (I) closed       kraken_api ▮▮▮▮▯▯ 31/50 %"), "{shown}");
    assert!(shown.contains("connection refused, by bot-7"), "{shown}");
    let mut ui = at(Tab::Of(Kind::Limiter), &night());
    let shown = text(&night(), &mut ui, (132, 24));
    assert!(
        shown.contains("! 3 waiting")
            && shown.contains("▮▮▮▮▮▮▯▯ 14 of 20")
            && shown.contains("10/s, burst 20"),
        "{shown}"
    );
}

#[test]
fn every_view_fits_every_screen() {
    let board = night();
    for tab in Tab::ALL {
        for size in [(1, 1), (20, 5), (40, 8), (41, 9), (79, 24), (80, 24), (100, 30), (250, 80)] {
            let mut ui = at(tab, &board);
            text(&board, &mut ui, size);
            ui.key(ratatui::crossterm::event::KeyCode::Enter.into(), &board);
            text(&board, &mut ui, size);
            ui.is_help = true;
            text(&board, &mut ui, size);
            ui.prompt = Some(Prompt::silence(&[("alertname", "disk"), ("path", "/"), ("host", "a")]));
            ui.prompt.as_mut().unwrap().error = Some("refused ".repeat(50));
            text(&board, &mut ui, size);
        }
    }
}

#[test]
fn a_lost_connection_and_a_silent_one_are_seen_at_once() {
    let mut board = night();
    board.now += 25.0;
    let shown = text(&board, &mut Ui::default(), (80, 24));
    assert!(shown.lines().next().unwrap().ends_with("STALE: nothing heard for 25 s"), "{shown}");
    board.lose("connection refused".to_owned());
    let shown = text(&board, &mut Ui::default(), (80, 24));
    assert!(shown.lines().next().unwrap().ends_with("DISCONNECTED since 08:09:35"), "{shown}");
    assert!(shown.contains("what is shown may be old; trying again: connection refused"), "{shown}");
    let fresh = Board::new(board.session.clone(), 0.0, board.wall);
    let shown = text(&fresh, &mut Ui::default(), (80, 24));
    assert!(shown.contains("reading the board …") && shown.contains("connecting …"), "{shown}");
    assert!(!shown.contains("well"), "nothing is known yet: {shown}");
}

#[test]
fn without_colours_none_is_written_and_nothing_is_lost() {
    use ratatui::style::Color;
    let board = night();
    let (mut plain, mut colourful) = (Ui::default(), Ui::default());
    let without = screen(&board, &mut plain, Palette { is_colourful: false }, (80, 24));
    let with = screen(&board, &mut colourful, COLOURFUL, (80, 24));
    assert_eq!(lines(&without), lines(&with));
    let is_coloured = |buffer: &Buffer| {
        buffer.content().iter().any(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset))
    };
    assert!(is_coloured(&with) && !is_coloured(&without));
}

#[test]
fn what_others_have_written_moves_nothing() {
    let evil = "\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}31m\r\n\u{202e}abc\u{200b}".to_owned()
        + &"猫".repeat(300)
        + &"e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}".repeat(50);
    let alerts = json!([{ "id": 1, "metric_name": evil, "labels": { "a": evil }, "level": evil, "message": evil,
        "acknowledged": { "by": evil, "comment": evil }, "started_at": evil, "details": { "comparison": evil, "threshold": 1 } }]);
    let checks = json!([{ "name": "c", "status": evil, "kind": evil, "message": evil, "error": evil, "details": { "x": evil },
        "config": { "url": evil, "headers": { "a": evil } } }]);
    let gates = json!([{ "name": "g", "verdict": { "allowed": false, "blocking": [{ "kind": evil, "name": evil, "message": evil, "status": evil }] } }]);
    let schedules = json!([{ "name": "s", "config": { "cron": evil, "timezone": evil, "action": { "kind": evil } },
        "last_run": { "status": evil, "actor": evil } }]);
    let mut odd = breaker("b", &evil);
    odd["reporters"] = json!([{ "client": evil, "failures": 1 }]);
    let mut board = board(&[
        (Kind::Breaker, json!([odd])),
        (Kind::Alert, alerts),
        (Kind::Check, checks),
        (Kind::Gate, gates),
        (Kind::Schedule, schedules),
    ]);
    board.happens(&transition(1, &evil, "open", &json!({ "reason": evil, "actor": evil })));
    board.happens(&transition(2, "b", "open", &json!({ "reason": evil, "cause": evil, "from": evil })));
    board.list_mut(Kind::Breaker).failed(evil.clone(), 100.0);
    board.session.name = Some(evil.clone());
    for tab in Tab::ALL {
        for close in [false, true] {
            let mut ui = at(tab, &board);
            ui.refresh(&board);
            if close {
                ui.key(ratatui::crossterm::event::KeyCode::Enter.into(), &board);
                if let Some((entry, _)) = ui.asks(board.now) {
                    let item = json!({ "to": evil, "cause": evil, "actor": evil, "reason": evil, "status": evil, "message": evil,
                        "kind": evil, "at": evil, "output": { "message": evil }, "data": { "message": evil } });
                    ui.answered(&entry, Ok(json!({ "items": [item] })));
                }
            }
            ui.say(&evil, Tone::Bad, board.now);
            let mut prompt = Prompt::acknowledge("1", &json!({ "metric_name": evil, "message": evil }));
            prompt.focused().push_str(&evil);
            prompt.error = Some(evil.clone());
            for prompt in [None, Some(prompt)] {
                ui.prompt = prompt;
                let buffer = screen(&board, &mut ui, COLOURFUL, (120, 40));
                for cell in buffer.content() {
                    let symbol = cell.symbol();
                    let is_tame = symbol.chars().all(|c| !c.is_control() && !"\u{202e}\u{200b}".contains(c));
                    assert!(is_tame && symbol.chars().count() <= 4, "{tab:?}: {symbol:?}");
                }
            }
        }
    }
}
