//! Where the operator is: view, row, filter, form. Pure: keys in, wishes out.

mod act;
#[cfg(test)]
mod tests;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::Value;

use super::{
    board::Board,
    cell::Tone,
    detail::more,
    prompt::{Post, Prompt},
    tab::Tab,
    view::{Entry, entries},
};
use crate::cli::text::visible;

/// Seconds for which something is said.
const SAID: f64 = 6.0;
/// Seconds between looks at what is shown of one resource.
const LOOK: f64 = 10.0;
/// The longest line that can be written.
const LONGEST: usize = 1024;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    Quit,
    Post(Post),
}

/// One resource, looked at closely.
#[derive(Clone, Debug)]
pub struct Detail {
    pub entry: Entry,
    /// What was read besides.
    pub items: Option<Value>,
    pub error: Option<String>,
    pub scroll: usize,
    asked: Option<f64>,
    is_asking: bool,
    is_stale: bool,
}

/// All of it.
#[derive(Debug)]
pub struct Ui {
    pub tab: Tab,
    pub entries: Vec<Entry>,
    /// Whether these were all there are: while the board is being read, what comes first is not yet what matters most.
    is_settled: bool,
    /// The selected row.
    pub at: usize,
    /// The first row on the screen.
    pub top: usize,
    /// Rows that fit on the screen; drawing finds out.
    pub rows: usize,
    pub filter: String,
    pub is_filtering: bool,
    pub is_help: bool,
    pub detail: Option<Detail>,
    pub prompt: Option<Prompt>,
    said: Option<(String, Tone, f64)>,
}

impl Default for Ui {
    fn default() -> Self {
        Self {
            tab: Tab::Overview,
            entries: Vec::new(),
            is_settled: false,
            at: 0,
            top: 0,
            rows: 10,
            filter: String::new(),
            is_filtering: false,
            is_help: false,
            detail: None,
            prompt: None,
            said: None,
        }
    }
}

impl Ui {
    /// Takes over what has changed. The same row stays selected wherever it goes.
    pub fn refresh(&mut self, board: &Board) {
        let selected = self.entries.get(self.at).filter(|_| self.is_settled).cloned();
        self.is_settled = board.is_known();
        self.entries = entries(board, self.tab, &self.filter);
        let again = selected.and_then(|one| self.entries.iter().position(|entry| entry.is_same(&one)));
        self.at = again.unwrap_or(self.at).min(self.entries.len().saturating_sub(1));
        self.scroll();
    }

    /// Keeps the selected row on the screen.
    pub fn scroll(&mut self) {
        let rows = self.rows.max(1);
        self.top = self.top.min(self.entries.len().saturating_sub(rows));
        self.top = self.top.clamp((self.at + 1).saturating_sub(rows), self.at);
    }

    /// Says something for a while.
    pub fn say(&mut self, text: &str, tone: Tone, now: f64) {
        self.said = Some((visible(text), tone, now + SAID));
    }

    /// What is said now.
    pub fn said(&self, now: f64) -> Option<(&str, Tone)> {
        self.said.as_ref().filter(|(_, _, until)| now < *until).map(|(text, tone, _)| (text.as_str(), *tone))
    }

    /// What to read of the resource that is looked at closely. It counts as asked from here on.
    pub fn asks(&mut self, now: f64) -> Option<(Entry, String)> {
        let detail = self.detail.as_mut()?;
        let due = detail.is_stale || detail.asked.is_none_or(|at| now - at >= LOOK);
        if detail.is_asking || !due {
            return None;
        }
        let (kind, name) = detail.entry.target()?;
        let path = more(kind, name)?;
        (detail.is_asking, detail.is_stale, detail.asked) = (true, false, Some(now));
        Some((detail.entry.clone(), path))
    }

    /// The answer to that.
    pub fn answered(&mut self, entry: &Entry, answer: Result<Value, String>) {
        let Some(detail) = self.detail.as_mut().filter(|detail| detail.entry.is_same(entry)) else { return };
        detail.is_asking = false;
        match answer {
            Ok(mut page) => (detail.items, detail.error) = (Some(page["items"].take()), None),
            Err(error) => detail.error = Some(error),
        }
    }

    /// Something happened: if it is about what is looked at closely, that is read anew.
    pub fn happens(&mut self, event: &Value) {
        let Some(detail) = self.detail.as_mut() else { return };
        let Some((kind, name)) = detail.entry.target() else { return };
        if event["resource"] == kind.word() && event["name"] == name {
            detail.is_stale = true;
        }
    }

    /// What a form asked for was done, or not.
    pub fn done(&mut self, said: Result<String, String>, now: f64) {
        match (said, &mut self.prompt) {
            (Ok(said), prompt) => {
                if prompt.as_ref().is_some_and(|prompt| prompt.busy) {
                    *prompt = None;
                }
                if let Some(detail) = self.detail.as_mut() {
                    detail.is_stale = true;
                }
                self.say(&said, Tone::Good, now);
            }
            (Err(error), Some(prompt)) if prompt.busy => {
                (prompt.busy, prompt.error) = (false, Some(error));
            }
            // Whoever went away in between is told, too.
            (Err(error), _) => self.say(&error, Tone::Bad, now),
        }
    }

    /// A key was pressed.
    pub fn key(&mut self, key: KeyEvent, board: &Board) -> Option<Wish> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Some(Wish::Quit);
        }
        if self.prompt.is_some() {
            return self.prompt_key(key, control);
        }
        if self.is_filtering {
            self.filter_key(key, control, board);
            return None;
        }
        if self.is_help {
            self.is_help = false;
            return (key.code == KeyCode::Char('q')).then_some(Wish::Quit);
        }
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Quit),
            KeyCode::Char('?') => self.is_help = true,
            KeyCode::Char(letter) if !control && "trdmaspx".contains(letter) => {
                return self.act(letter, board);
            }
            code if self.detail.is_some() => self.detail_key(code, control),
            code => self.table_key(code, control, board),
        }
        None
    }

    /// Text was pasted: one line of it, where something is being written.
    pub fn paste(&mut self, pasted: &str, board: &Board) {
        let line: String =
            pasted.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
        if let Some(prompt) = &mut self.prompt {
            write(prompt.focused(), &line);
        } else if self.is_filtering {
            write(&mut self.filter, &line);
            self.refresh(board);
        }
    }

    fn prompt_key(&mut self, key: KeyEvent, control: bool) -> Option<Wish> {
        let prompt = self.prompt.as_mut()?;
        match key.code {
            KeyCode::Esc => self.prompt = None,
            // What is being done can't be changed any more.
            _ if prompt.busy => {}
            KeyCode::Tab | KeyCode::Down => prompt.go(true),
            KeyCode::BackTab | KeyCode::Up => prompt.go(false),
            KeyCode::Enter => match prompt.post() {
                Ok(post) => {
                    (prompt.busy, prompt.error) = (true, None);
                    return Some(Wish::Post(post));
                }
                Err(error) => prompt.error = Some(error),
            },
            code => edit(prompt.focused(), code, control),
        }
        None
    }

    fn filter_key(&mut self, key: KeyEvent, control: bool, board: &Board) {
        match key.code {
            KeyCode::Esc => {
                self.filter.clear();
                self.is_filtering = false;
            }
            KeyCode::Enter => self.is_filtering = false,
            KeyCode::Up | KeyCode::Down => self.table_key(key.code, control, board),
            code => edit(&mut self.filter, code, control),
        }
        self.refresh(board);
    }

    fn detail_key(&mut self, code: KeyCode, control: bool) {
        let page = self.rows.max(1);
        let Some(detail) = self.detail.as_mut() else { return };
        match code {
            KeyCode::Down | KeyCode::Char('j') => detail.scroll += 1,
            KeyCode::Up | KeyCode::Char('k') => detail.scroll = detail.scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => detail.scroll += page,
            KeyCode::Char('f') if control => detail.scroll += page,
            KeyCode::PageUp => detail.scroll = detail.scroll.saturating_sub(page),
            KeyCode::Char('b') if control => detail.scroll = detail.scroll.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => detail.scroll = 0,
            KeyCode::End | KeyCode::Char('G') => detail.scroll = usize::MAX,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Backspace | KeyCode::Left | KeyCode::Char('h') => {
                self.detail = None;
            }
            _ => {}
        }
    }

    fn table_key(&mut self, code: KeyCode, control: bool, board: &Board) {
        let page = self.rows.max(1);
        let last = self.entries.len().saturating_sub(1);
        match code {
            KeyCode::Down | KeyCode::Char('j') => self.at = (self.at + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => self.at = self.at.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.at = (self.at + page).min(last),
            KeyCode::Char('f') if control => self.at = (self.at + page).min(last),
            KeyCode::PageUp => self.at = self.at.saturating_sub(page),
            KeyCode::Char('b') if control => self.at = self.at.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => self.at = 0,
            KeyCode::End | KeyCode::Char('G') => self.at = last,
            KeyCode::Tab | KeyCode::Right | KeyCode::Char('l') => self.go(1, board),
            KeyCode::BackTab | KeyCode::Left | KeyCode::Char('h') => self.go(Tab::ALL.len() - 1, board),
            KeyCode::Char(digit @ '1'..='8') => {
                let index = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
                self.show(Tab::ALL[index], board);
            }
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Esc => {
                self.filter.clear();
                self.refresh(board);
            }
            KeyCode::Enter => self.open(),
            _ => {}
        }
        self.scroll();
    }

    /// So many views further.
    fn go(&mut self, steps: usize, board: &Board) {
        let index = Tab::ALL.iter().position(|tab| *tab == self.tab).unwrap_or_default();
        self.show(Tab::ALL[(index + steps) % Tab::ALL.len()], board);
    }

    /// To a view.
    pub fn show(&mut self, tab: Tab, board: &Board) {
        self.tab = tab;
        self.entries.clear();
        (self.at, self.top) = (0, 0);
        self.refresh(board);
    }

    fn open(&mut self) {
        let Some(entry) = self.entries.get(self.at) else { return };
        let entry = match entry.target() {
            Some((kind, name)) => Entry::Item(kind, name.to_owned()),
            None => entry.clone(),
        };
        self.detail = Some(Detail {
            entry,
            items: None,
            error: None,
            scroll: 0,
            asked: None,
            is_asking: false,
            is_stale: false,
        });
    }
}

/// Keys that change a line of text.
fn edit(line: &mut String, code: KeyCode, control: bool) {
    match code {
        KeyCode::Backspace => drop(line.pop()),
        KeyCode::Char('u') if control => line.clear(),
        KeyCode::Char('w') if control => {
            let end = line.trim_end().rfind(char::is_whitespace).map_or(0, |space| space + 1);
            line.truncate(end);
        }
        KeyCode::Char(c) if !control => write(line, c.encode_utf8(&mut [0; 4])),
        _ => {}
    }
}

fn write(line: &mut String, text: &str) {
    if line.len() + text.len() <= LONGEST {
        line.push_str(text);
    }
}
