//! Server-sent events out of pieces (the HTML standard, 9.2.6).

/// The longest line: more is no event of this server.
const LONGEST: usize = 16 << 20;

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// After which the stream can be resumed; empty if it says none.
    pub id: String,
    /// Its type.
    pub event: String,
    pub data: String,
}

/// Reads messages. A comment is nothing, but shows that somebody is there.
#[derive(Debug, Default)]
pub struct Parser {
    rest: Vec<u8>,
    message: Message,
}

impl Parser {
    /// The messages that these bytes complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, String> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.rest.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.rest);
            let line = String::from_utf8_lossy(&line);
            messages.extend(self.line(line.strip_suffix('\r').unwrap_or(&line)));
        }
        self.rest.extend_from_slice(rest);
        if self.rest.len().max(self.message.data.len()) > LONGEST {
            return Err("that is no stream of events".to_owned());
        }
        Ok(messages)
    }

    fn line(&mut self, line: &str) -> Option<Message> {
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return (!message.id.is_empty() || !message.data.is_empty()).then_some(message);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => value.clone_into(&mut self.message.id),
            "event" => value.clone_into(&mut self.message.event),
            "data" => {
                if !self.message.data.is_empty() {
                    self.message.data.push('\n');
                }
                self.message.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_may_come_in_pieces() {
        let text = ": fuseboard\nid: 7\nretry: 1000\n\n:\n\nid: 8\r\nevent: a.b\r\ndata: {\"x\":\r\ndata:\"ü\"}\r\n\r\n";
        let wanted = [
            Message { id: "7".into(), ..Message::default() },
            Message { id: "8".into(), event: "a.b".into(), data: "{\"x\":\n\"ü\"}".into() },
        ];
        let mut whole = Parser::default();
        assert_eq!(whole.feed(text.as_bytes()).unwrap(), wanted);
        let mut bytewise = Parser::default();
        let pieces = text.as_bytes().chunks(1).flat_map(|piece| bytewise.feed(piece).unwrap());
        assert_eq!(pieces.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn what_never_ends_is_no_stream() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; 1 << 20];
        assert!((0..20).any(|_| parser.feed(&piece).is_err()));
    }
}
