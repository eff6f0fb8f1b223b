//! The terminal, and that it is left as it was found: at the end, after an error, and when the program panics.

use std::{
    io::{Stdout, stdout},
    panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use ratatui::{
    Frame, Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::{Hide, Show},
        event::{DisableBracketedPaste, EnableBracketedPaste},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

/// The terminal as a screen. Dropping it gives the terminal back.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// The program panics: the terminal was given back already.
    is_left: Arc<AtomicBool>,
}

impl Screen {
    /// Takes the terminal.
    pub fn open() -> Result<Self, String> {
        let unusable = |error| format!("the terminal cannot be used: {error}");
        let terminal = Terminal::new(CrosstermBackend::new(stdout())).map_err(unusable)?;
        let screen = Self { terminal, is_left: leave_on_panic() };
        enable_raw_mode().map_err(unusable)?;
        execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide).map_err(unusable)?;
        Ok(screen)
    }

    /// Shows what `draw` draws.
    pub fn show(&mut self, draw: impl FnOnce(&mut Frame<'_>)) -> Result<(), String> {
        if self.is_left.load(Ordering::SeqCst) {
            return Err("a part of the program has failed".to_owned());
        }
        self.terminal.draw(draw).map(drop).map_err(|error| format!("the terminal is gone: {error}"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Each by itself: what fails keeps nothing else from being done.
fn leave() {
    drop(execute!(stdout(), DisableBracketedPaste));
    drop(execute!(stdout(), LeaveAlternateScreen));
    drop(execute!(stdout(), Show));
    drop(disable_raw_mode());
}

/// The message of a panic comes on a terminal that can show it.
fn leave_on_panic() -> Arc<AtomicBool> {
    let is_left = Arc::new(AtomicBool::new(false));
    let (before, noted) = (panic::take_hook(), Arc::clone(&is_left));
    panic::set_hook(Box::new(move |info| {
        if !noted.swap(true, Ordering::SeqCst) {
            leave();
        }
        before(info);
    }));
    is_left
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::{
        fs::{Mode, OFlags, open},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{Winsize, tcgetattr, tcsetwinsize},
    };

    use super::*;

    /// Run by the test below, in a terminal.
    #[test]
    #[ignore = "it panics on purpose, and needs a terminal"]
    fn panics_on_a_screen() {
        let mut screen = Screen::open().unwrap();
        screen.show(|frame| frame.render_widget("something", frame.area())).unwrap();
        panic!("on purpose");
    }

    #[test]
    fn a_panic_leaves_the_terminal_as_it_was_and_can_be_read() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ptsname(&master, Vec::new()).unwrap();
        let slave = open(slave, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let test = "cli::top::terminal::tests::panics_on_a_screen";
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
            .env("RUST_BACKTRACE", "0")
            .stdin(slave.try_clone().unwrap())
            .stdout(slave.try_clone().unwrap())
            .stderr(slave.try_clone().unwrap())
            .spawn()
            .unwrap();
        let reading = std::thread::spawn(move || {
            let (mut screen, mut bytes) = (vt100::Parser::default(), [0; 4096]);
            let mut seen = Vec::new();
            // The other side is open here, too: it ends by what is written there at last.
            while let Ok(count) = rustix::io::read(&master, &mut bytes) {
                screen.process(&bytes[..count]);
                seen.extend_from_slice(&bytes[..count]);
                if seen.ends_with(b"<end>") {
                    break;
                }
            }
            (screen, String::from_utf8_lossy(&seen).into_owned())
        });
        assert!(!child.wait().unwrap().success());
        let after = tcgetattr(&slave).unwrap();
        rustix::io::write(&slave, b"<end>").unwrap();
        let (screen, seen) = reading.join().unwrap();
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
        assert!(seen.contains("\u{1b}[?1049h") && seen.contains("something"), "{seen:?}");
        let screen = screen.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert!(screen.contents().contains("on purpose"), "{}", screen.contents());
    }
}
