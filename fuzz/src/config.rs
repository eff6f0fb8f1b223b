//! The file `fuseboard.toml`.

use fuseboard::config::File;

/// What is taken is TOML, and an error says something, on a line of the text.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match File::parse(text) {
        Ok(file) => {
            if let Err(error) = file.declarations() {
                assert!(!error.to_string().is_empty(), "{text:?}");
            }
        }
        Err(error) => {
            let message = error.to_string();
            let line = message.strip_prefix("line ").and_then(|rest| rest.split(':').next()?.parse().ok());
            assert!(line.is_none_or(|line: usize| line <= 1 + text.matches('\n').count()), "{message}");
            assert!(!message.is_empty(), "{text:?}");
        }
    }
}
