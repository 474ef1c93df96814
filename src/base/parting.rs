//! Hanging up so that the last words arrive.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

/// How long the other side may take to hear the last words and hang up as well.
const PATIENCE: Duration = Duration::from_secs(1);
/// How many refused connections may be open at a time; any further are dropped without a word.
const MOST_REFUSED: usize = 64;

/// Says the last words and hangs up, within a second.
///
/// A socket that is closed while something is unread on it is reset, and the reset overtakes the last words. So what still
/// comes is read and thrown away until the other side hangs up too.
///
/// # Errors
/// The other side is gone or too slow.
pub async fn part(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), words: &[u8]) -> io::Result<()> {
    let parting = async {
        stream.write_all(words).await?;
        stream.shutdown().await?;
        let mut rest = [0; 2048];
        while stream.read(&mut rest).await? > 0 {}
        Ok(())
    };
    timeout(PATIENCE, parting).await?
}

/// Refuses connections, always with the same words.
#[derive(Debug)]
pub struct Refusals {
    words: Bytes,
    room: Arc<Semaphore>,
}

impl Refusals {
    /// Takes the words.
    pub fn new(words: Bytes) -> Self {
        Self { words, room: Arc::new(Semaphore::new(MOST_REFUSED)) }
    }

    /// Refuses a connection; does not wait.
    pub fn refuse(&self, mut stream: TcpStream) {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else { return };
        let words = self.words.clone();
        tokio::spawn(async move {
            let _permit = permit;
            // Whether it was heard makes no difference here.
            let _ = part(&mut stream, &words).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn the_last_words_arrive_though_more_was_said_meanwhile() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(&[0; 100_000]).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        Refusals::new(Bytes::from_static(b"no")).refuse(stream);
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"no");
    }
}
