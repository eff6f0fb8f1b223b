//! A TCP connection, and what comes back on it.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::{Dial, Outbound, OutboundError, connect::connect};

impl Outbound {
    /// Connects, sends, reads until `enough`, the limit, the end or the timeout. Returns what was read, and how long
    /// it took. A timeout before anything can be read is an error.
    pub async fn dial(
        &self,
        dial: Dial,
        enough: impl Fn(&[u8]) -> bool + Send,
    ) -> Result<(Bytes, Duration), OutboundError> {
        let begun = self.0.clock.now();
        let opened = timeout(dial.timeout, self.open(&dial));
        let mut stream = opened.await.map_err(|_| OutboundError::Timeout(dial.timeout))??;
        let mut received = BytesMut::new();
        let left = dial.timeout.saturating_sub(self.0.clock.now().since(begun));
        let reading = read(&mut stream, &mut received, dial.max_response_bytes, enough);
        // What has come until the timeout is what there is.
        timeout(left, reading).await.unwrap_or(Ok(()))?;
        Ok((received.freeze(), self.0.clock.now().since(begun)))
    }

    async fn open(&self, dial: &Dial) -> Result<TcpStream, OutboundError> {
        let addresses = self.addresses(&dial.host, dial.port).await?;
        let mut stream = connect(&addresses).await?;
        stream.write_all(&dial.send).await.map_err(|e| broken(&e))?;
        Ok(stream)
    }
}

async fn read(
    stream: &mut TcpStream,
    received: &mut BytesMut,
    most: usize,
    enough: impl Fn(&[u8]) -> bool + Send,
) -> Result<(), OutboundError> {
    while received.len() < most && !enough(received) {
        let room = u64::try_from(most - received.len()).unwrap_or(u64::MAX);
        if (&mut *stream).take(room).read_buf(received).await.map_err(|e| broken(&e))? == 0 {
            break;
        }
    }
    Ok(())
}

fn broken(error: &std::io::Error) -> OutboundError {
    OutboundError::Broken(error.to_string())
}
