//! The bodies of requests: neither too long nor too slow, and together within a budget.
//!
//! Bodies are read before anybody has proven who he is, so what strangers may have us hold is bounded as a whole. Memory is
//! taken for what has arrived, not for what was announced, and given back when the request is answered.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{
    StatusCode,
    body::{Body, Incoming},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// What of each body does not count: as much as a request has that clients really send. So they are served, too, while
/// somebody uses up the budget.
const FREE: usize = 4096;

/// The budget of a listener.
pub(super) struct Bodies {
    budget: Arc<Semaphore>,
    patience: Duration,
}

/// The memory that a body takes, given back when this is dropped.
#[derive(Default)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

impl Bodies {
    /// Bodies of this many bytes together, each of which may take this long.
    pub(super) fn new(bytes: usize, patience: Duration) -> Self {
        Self { budget: Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))), patience }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// What to answer: 413 if it is longer than `most`, 408 if it is too slow, 503 if the budget is used up, 400 if it breaks
    /// off.
    pub(super) async fn read(&self, body: Incoming, most: usize) -> Result<(Bytes, Held), StatusCode> {
        if body.size_hint().lower() > most as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        timeout(self.patience, self.collect(body, most)).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
    }

    /// Copies the pieces together: each piece by itself would keep a whole read buffer, and may be a single byte.
    async fn collect(&self, mut body: Incoming, most: usize) -> Result<(Bytes, Held), StatusCode> {
        let (mut bytes, mut held) = (Vec::new(), Held::default());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
            let length = bytes.len() + data.len();
            if length > most {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            if length > bytes.capacity() {
                let room = length.max(2 * bytes.capacity()).min(most);
                self.take(room.saturating_sub(bytes.capacity().max(FREE)), &mut held)?;
                bytes.reserve_exact(room - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.into(), held))
    }

    fn take(&self, bytes: usize, held: &mut Held) -> Result<(), StatusCode> {
        let full = |_| StatusCode::SERVICE_UNAVAILABLE;
        let bytes = u32::try_from(bytes).map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
        let more = Arc::clone(&self.budget).try_acquire_many_owned(bytes).map_err(full)?;
        match &mut held.0 {
            Some(before) => before.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}
