//! A program in a terminal, and what is on its screen.

use std::{
    os::fd::OwnedFd,
    process::{Child, Command},
    sync::Arc,
};

use parking_lot::Mutex;
use rustix::{
    fs::{Mode, OFlags, open},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{Winsize, tcgetattr, tcsetwinsize},
};

use crate::raw::within;

/// A running program with a terminal of its own.
pub struct Terminal {
    pub child: Child,
    keyboard: OwnedFd,
    /// The program's side, held open so that it can be looked at after the program's end.
    line: OwnedFd,
    before: String,
    screen: Arc<Mutex<vt100::Parser>>,
}

fn settings(line: &OwnedFd) -> String {
    format!("{:?}", tcgetattr(line).unwrap())
}

impl Terminal {
    /// Starts it on a screen of so many columns and rows.
    pub fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let line = ptsname(&keyboard, Vec::new()).unwrap();
        let line = open(line, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        tcsetwinsize(&line, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let before = settings(&line);
        let end = || line.try_clone().unwrap();
        command.stdin(end()).stdout(end()).stderr(end()).env("TERM", "xterm-256color");
        let child = command.spawn().unwrap();
        let sized = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let screen = Arc::new(Mutex::new(sized));
        let (shown, reader) = (Arc::clone(&screen), keyboard.try_clone().unwrap());
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = rustix::io::read(&reader, &mut bytes) {
                shown.lock().process(&bytes[..count]);
            }
        });
        Self { child, keyboard, line, before, screen }
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        let mut rest = keys.as_bytes();
        while !rest.is_empty() {
            let count = rustix::io::write(&self.keyboard, rest).unwrap();
            rest = &rest[count..];
        }
    }

    /// What is on the screen.
    pub fn text(&self) -> String {
        self.screen.lock().screen().contents()
    }

    /// Waits until the screen is so.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut(&str) -> bool) {
        let looking = async {
            while !is_so(&self.text()) {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let ended = tokio::time::timeout(std::time::Duration::from_secs(60), looking).await;
        assert!(ended.is_ok(), "still waiting for {what}; on the screen:\n{}", self.text());
    }

    /// Waits until this is on the screen.
    pub async fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contains(text)).await;
    }

    /// Waits for the program's end; its exit status. The terminal must be as it was before.
    pub async fn left(mut self) -> Option<i32> {
        let ended = async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    break status;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        let status = within("the end of the program", ended).await;
        assert_eq!(settings(&self.line), self.before, "the terminal's settings");
        let is_clean = || {
            let screen = self.screen.lock();
            let screen = screen.screen();
            !screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste()
        };
        crate::raw::eventually("the terminal's own screen with its cursor", async || is_clean()).await;
        status.code()
    }

    /// Whether anything on the screen has a colour.
    pub fn is_coloured(&self) -> bool {
        let screen = self.screen.lock();
        let (rows, columns) = screen.screen().size();
        let places = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        let mut cells = places.filter_map(|(row, column)| screen.screen().cell(row, column));
        cells.any(|cell| cell.fgcolor() != vt100::Color::Default)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
