//! `fuseboard top`: the board, live in a terminal.
//!
//! What is known (`board`, `list`, `history`), what is wrong (`problems`), the tables (`view`, `tab`), where the operator is (`ui`,
//! `prompt`) and the screen (`draw`) are pure. `feed` asks the server, `terminal` is the terminal, and the loop here puts
//! them together.

mod board;
mod cell;
mod detail;
mod draw;
mod feed;
mod format;
mod history;
mod kind;
mod list;
mod problems;
mod prompt;
mod tab;
mod terminal;
mod ui;
mod view;

use std::{io::IsTerminal, process::ExitCode, time::Duration};

use clap::Args;
use fuseboard::clock::Clock;
use futures_util::StreamExt;
use ratatui::crossterm::event::{Event, EventStream, KeyEventKind};
use reqwest::Method;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::MissedTickBehavior,
};

use self::{
    board::{Board, Connection, Session},
    draw::Palette,
    feed::{Feed, Heard, seconds},
    kind::Kind,
    terminal::Screen,
    ui::{Ui, Wish},
};
use super::{
    api::{self, Api, ApiArgs, EXIT_NOT_ASKED},
    complain,
    table::is_colourful,
};

/// Ten pictures a second at most.
const PACE: Duration = Duration::from_millis(100);
/// News that are taken at once.
const AT_ONCE: usize = 512;

/// Flags of `fuseboard top`.
#[derive(Debug, Args)]
pub struct TopArgs {
    #[command(flatten)]
    api: ApiArgs,
}

/// Does it.
pub fn run(args: &TopArgs) -> ExitCode {
    if !std::io::stdout().is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        complain(
            "top needs a terminal. Into a file or a pipe, `fuseboard health`, `breaker list`, `alert list` and the like \
             print the same as tables, with --json for programs; `events --follow` prints what happens.",
        );
        return ExitCode::from(EXIT_NOT_ASKED);
    }
    api::run(&args.api, async |api| {
        let me = api.ask(Method::GET, "/v1/tokens/self", &[], None).await?;
        watch(api, Session::of(&me)).await
    })
}

/// What ends it from outside.
struct Signals([(Signal, u8); 3]);

impl Signals {
    fn open() -> Result<Self, String> {
        let open = |kind: SignalKind| {
            let status = u8::try_from(128 + kind.as_raw_value()).unwrap_or(u8::MAX);
            signal(kind).map(|signal| (signal, status)).map_err(|e| format!("cannot listen for signals: {e}"))
        };
        let kinds = [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()];
        let [term, hup, int] = kinds.map(open);
        Ok(Self([term?, hup?, int?]))
    }

    /// The exit status that says which it was.
    async fn any(&mut self) -> u8 {
        let [(term, is_term), (hup, is_hup), (int, is_int)] = &mut self.0;
        tokio::select! {
            _ = term.recv() => *is_term,
            _ = hup.recv() => *is_hup,
            _ = int.recv() => *is_int,
        }
    }
}

async fn watch(api: Api, session: Session) -> Result<ExitCode, String> {
    let clock = Clock::system();
    let mut signals = Signals::open()?;
    let palette = Palette { is_colourful: is_colourful() };
    let mut screen = Screen::open()?;
    let mut top = Top {
        board: Board::new(session, seconds(&clock), clock.wall()),
        ui: Ui::default(),
        is_changed: true,
        drawn: f64::NEG_INFINITY,
    };
    let (feed, mut heard) = Feed::begin(api, clock.clone());
    let mut input = EventStream::new();
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut is_time = false;
        tokio::select! {
            status = signals.any() => return Ok(ExitCode::from(status)),
            event = input.next() => {
                let event = event.and_then(Result::ok).ok_or("the terminal is gone")?;
                top.tell_time(&clock);
                match top.input(event) {
                    Some(Wish::Quit) => return Ok(ExitCode::SUCCESS),
                    Some(Wish::Post(post)) => feed.post(post),
                    None => {}
                }
                // Whoever presses a key looks at the screen.
                is_time = true;
            }
            news = heard.recv() => {
                top.tell_time(&clock);
                let more = std::iter::from_fn(|| heard.try_recv().ok());
                news.into_iter().chain(more.take(AT_ONCE)).for_each(|news| top.hear(news));
            }
            _ = pace.tick() => {
                top.tell_time(&clock);
                // Spans grow with every second.
                is_time = top.is_changed || top.board.now - top.drawn >= 1.0;
                top.board.due(top.ui.tab.shows()).into_iter().for_each(|read| feed.read(read));
            }
        }
        if let Some((entry, path)) = top.ui.asks(top.board.now) {
            feed.look(entry, path);
        }
        if is_time {
            top.ui.refresh(&top.board);
            let Top { board, ui, .. } = &mut top;
            screen.show(|frame| draw::draw(frame, board, ui, palette))?;
            (top.is_changed, top.drawn) = (false, top.board.now);
        }
    }
}

/// What is known and where the operator is.
struct Top {
    board: Board,
    ui: Ui,
    /// Something is to be shown.
    is_changed: bool,
    drawn: f64,
}

impl Top {
    fn tell_time(&mut self, clock: &Clock) {
        (self.board.now, self.board.wall) = (seconds(clock), clock.wall());
    }

    fn input(&mut self, event: Event) -> Option<Wish> {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.ui.key(key, &self.board),
            Event::Paste(text) => {
                self.ui.paste(&text, &self.board);
                None
            }
            _ => None,
        }
    }

    fn hear(&mut self, news: Heard) {
        self.is_changed |= !matches!(news, Heard::Beat);
        let now = self.board.now;
        let board = &mut self.board;
        match news {
            Heard::Connected => {
                (board.connection, board.heard) = (Connection::Live, now);
                board.begin_anew();
            }
            Heard::Beat => board.heard = now,
            Heard::Gap => board.begin_anew(),
            Heard::Event(event) => {
                board.happens(&event);
                self.ui.happens(&event);
            }
            Heard::Lost(why) => board.lose(why),
            Heard::Past(events) => events.iter().for_each(|event| board.recall(event)),
            Heard::Session(session) => board.session = session,
            Heard::List(kind, began, answer) => {
                let list = board.list_mut(kind);
                match answer {
                    Ok((views, is_cut)) => list.replace(views, is_cut, began, now),
                    Err(error) => list.failed(error, now),
                }
                list.came_back();
            }
            Heard::One(kind, name, answer) => {
                let list = board.list_mut(kind);
                match answer {
                    Ok(view) => list.put(&name, view, now),
                    Err(error) => list.failed(error, now),
                }
                list.came_back();
            }
            Heard::Detail(entry, answer) => self.ui.answered(&entry, answer),
            Heard::Done(post, answer) => {
                if let (Some((kind, name)), Ok(view)) = (post.about, &answer) {
                    let list = board.list_mut(kind);
                    match kind {
                        Kind::Breaker | Kind::Limiter => list.put(&name, Some(view.clone()), now),
                        _ => list.touch(&name, now),
                    }
                }
                self.ui.done(answer.map(|_| post.said), now);
            }
        }
    }
}
