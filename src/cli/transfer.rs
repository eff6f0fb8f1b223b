//! Transfers that may be long: how far they are, and whether they go on.

use std::{
    future::Future,
    io::IsTerminal,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// How far a transfer is, with a bar on a terminal.
#[derive(Debug)]
pub struct Meter {
    moved: AtomicU64,
    bar: ProgressBar,
}

impl Meter {
    /// Of so many bytes, if that is known.
    pub fn new(total: Option<u64>) -> Self {
        let bar = match total {
            _ if !std::io::stderr().is_terminal() => ProgressBar::hidden(),
            Some(total) => ProgressBar::new(total).with_style(style(
                "{bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left",
            )),
            None => ProgressBar::new_spinner()
                .with_style(style("{spinner} {decimal_bytes}, {decimal_bytes_per_sec}")),
        };
        Self { moved: AtomicU64::new(0), bar }
    }

    /// So many bytes more.
    pub fn add(&self, bytes: usize) {
        let bytes = bytes as u64;
        self.moved.fetch_add(bytes, Ordering::Relaxed);
        self.bar.inc(bytes);
    }

    /// Takes the bar away: what is printed from now on stands alone.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Waits for something as long as the transfer does not stand still.
    pub async fn patiently<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, String>>,
    ) -> Result<T, String> {
        let mut work = pin!(work);
        loop {
            let before = self.moved.load(Ordering::Relaxed);
            match tokio::time::timeout(patience, &mut work).await {
                Ok(done) => return done,
                Err(_) if self.moved.load(Ordering::Relaxed) == before => {
                    return Err(format!("nothing has moved for {} s", patience.as_secs()));
                }
                Err(_) => {}
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn what_moves_may_take_long_and_what_stands_still_may_not() {
        let meter = Meter::new(None);
        let mut steps = 0;
        let slow = std::future::poll_fn(|_| {
            steps += 1;
            meter.add(1);
            if steps < 10 { Poll::Pending } else { Poll::Ready(Ok(())) }
        });
        // Patience is over after each step.
        assert_eq!(meter.patiently(Duration::ZERO, slow).await, Ok(()));
        let stuck = std::future::pending::<Result<(), String>>();
        assert!(meter.patiently(Duration::ZERO, stuck).await.is_err());
    }
}
